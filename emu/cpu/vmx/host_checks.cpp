// VM-entry checks on the host-state area.
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/entry_checks.h"

namespace vitrine::emu::vmx {

namespace {

namespace cr4 = arch::cr4;
namespace efer = arch::efer;
using In = const EntryInputs&;

constexpr std::string_view kRegisters = "Checks on Host Control Registers, MSRs, and SSP";
constexpr std::string_view kSegments = "Checks on Host Segment and Descriptor-Table Registers";
constexpr std::string_view kSize = "Checks Related to Address-Space Size";

bool host64(In in) { return exit_on(in.vmcs, exit_control::host_address_space_size); }

bool cr0_fixed(In in) {
  const uint64_t value = in[Field::host_cr0];
  return (value & arch::kVmxCr0Fixed0) == arch::kVmxCr0Fixed0 &&
         (value & ~arch::kVmxCr0Fixed1) == 0;
}
bool cr4_fixed(In in) {
  const uint64_t value = in[Field::host_cr4];
  return (value & arch::kVmxCr4Fixed0) == arch::kVmxCr4Fixed0 &&
         (value & ~arch::legal_cr4(in.profile)) == 0;
}
bool cr3_width(In in) { return fits_physical(in, in[Field::host_cr3]); }
bool sysenter_canonical(In in) {
  return canonical(in[Field::host_sysenter_esp]) && canonical(in[Field::host_sysenter_eip]);
}
bool pat_types(In in) {
  return !exit_on(in.vmcs, exit_control::load_pat) || arch::valid_pat(in[Field::host_pat]);
}
bool efer_reserved(In in) {
  return !exit_on(in.vmcs, exit_control::load_efer) ||
         (in[Field::host_efer] & ~arch::legal_efer(in.profile)) == 0;
}
bool efer_mode(In in) {
  if (!exit_on(in.vmcs, exit_control::load_efer)) return true;
  const uint64_t both = efer::lma | efer::lme;
  return (in[Field::host_efer] & both) == (host64(in) ? both : 0);
}

/// RPL and TI are 0.
bool plain_selector(uint64_t selector) { return (selector & 7) == 0; }
bool selectors_plain(In in) {
  return plain_selector(in[Field::host_es_selector]) &&
         plain_selector(in[Field::host_cs_selector]) &&
         plain_selector(in[Field::host_ss_selector]) &&
         plain_selector(in[Field::host_ds_selector]) &&
         plain_selector(in[Field::host_fs_selector]) &&
         plain_selector(in[Field::host_gs_selector]) && plain_selector(in[Field::host_tr_selector]);
}
bool cs_selector(In in) { return in[Field::host_cs_selector] != 0; }
bool tr_selector(In in) { return in[Field::host_tr_selector] != 0; }
bool ss_selector(In in) { return host64(in) || in[Field::host_ss_selector] != 0; }
bool segment_bases(In in) {
  return canonical(in[Field::host_fs_base]) && canonical(in[Field::host_gs_base]) &&
         canonical(in[Field::host_tr_base]);
}
bool table_bases(In in) {
  return canonical(in[Field::host_gdtr_base]) && canonical(in[Field::host_idtr_base]);
}

bool legacy_host(In in) {
  return in.long_mode || (!entry_on(in.vmcs, entry_control::ia32e_mode_guest) && !host64(in));
}
bool long_host(In in) { return !in.long_mode || host64(in); }
bool size_small(In in) {
  return host64(in) ||
         (!entry_on(in.vmcs, entry_control::ia32e_mode_guest) &&
          (in[Field::host_cr4] & cr4::pcide) == 0 && (in[Field::host_rip] >> 32) == 0);
}
bool size_large(In in) {
  return !host64(in) || ((in[Field::host_cr4] & cr4::pae) != 0 && canonical(in[Field::host_rip]));
}

// clang-format off
constexpr auto kH = CheckKind::host;
constexpr auto kChecks = std::to_array<EntryCheck>({
    {kH, kRegisters, "CR0 has no bit that is unsupported in VMX operation", cr0_fixed, reads(Field::host_cr0)},
    {kH, kRegisters, "CR4 has no bit that is unsupported in VMX operation", cr4_fixed, reads(Field::host_cr4)},
    {kH, kRegisters, "CR3 is in the physical-address width", cr3_width, reads(Field::host_cr3)},
    {kH, kRegisters, "IA32_SYSENTER_ESP and IA32_SYSENTER_EIP are canonical", sysenter_canonical, reads(Field::host_sysenter_esp, Field::host_sysenter_eip)},
    {kH, kRegisters, "IA32_PAT holds memory types only", pat_types, reads(Field::exit_controls, Field::host_pat)},
    {kH, kRegisters, "IA32_EFER has no reserved bits", efer_reserved, reads(Field::exit_controls, Field::host_efer)},
    {kH, kRegisters, "IA32_EFER.LMA and LME equal the host address-space size", efer_mode, reads(Field::exit_controls, Field::host_efer)},

    {kH, kSegments, "RPL and TI of every selector are 0", selectors_plain, reads(Field::host_es_selector, Field::host_cs_selector, Field::host_ss_selector, Field::host_ds_selector, Field::host_fs_selector, Field::host_gs_selector, Field::host_tr_selector)},
    {kH, kSegments, "CS is not 0000H", cs_selector, reads(Field::host_cs_selector)},
    {kH, kSegments, "TR is not 0000H", tr_selector, reads(Field::host_tr_selector)},
    {kH, kSegments, "SS is not 0000H for a 32-bit host", ss_selector, reads(Field::exit_controls, Field::host_ss_selector)},
    {kH, kSegments, "FS, GS and TR bases are canonical", segment_bases, reads(Field::host_fs_base, Field::host_gs_base, Field::host_tr_base)},
    {kH, kSegments, "GDTR and IDTR bases are canonical", table_bases, reads(Field::host_gdtr_base, Field::host_idtr_base)},

    {kH, kSize, "Outside IA-32e mode: IA-32e mode guest and host address-space size are 0", legacy_host, reads(Field::entry_controls, Field::exit_controls), {}, true},
    {kH, kSize, "In IA-32e mode: host address-space size is 1", long_host, reads(Field::exit_controls), {}, true},
    {kH, kSize, "32-bit host: no IA-32e mode guest, CR4.PCIDE 0, RIP below 4 GiB", size_small, reads(Field::entry_controls, Field::exit_controls, Field::host_cr4, Field::host_rip)},
    {kH, kSize, "64-bit host: CR4.PAE 1, RIP canonical", size_large, reads(Field::exit_controls, Field::host_cr4, Field::host_rip)},
});
// clang-format on

}  // namespace

std::span<const EntryCheck> host_checks() { return kChecks; }

}  // namespace vitrine::emu::vmx
