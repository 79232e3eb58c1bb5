// VM-entry checks on guest control registers, debug registers, MSRs, descriptor tables, RIP and
// RFLAGS.
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/entry_checks.h"

namespace vitrine::emu::vmx {

namespace {

namespace cr0 = arch::cr0;
namespace cr4 = arch::cr4;
namespace efer = arch::efer;
namespace rflags = arch::rflags;
using In = const EntryInputs&;

constexpr std::string_view kRegisters =
    "Checks on Guest Control Registers, Debug Registers, and MSRs";
constexpr std::string_view kTables = "Checks on Guest Descriptor-Table Registers";
constexpr std::string_view kRip = "Checks on Guest RIP, RFLAGS, and SSP";

bool ia32e(In in) { return entry_on(in.vmcs, entry_control::ia32e_mode_guest); }
bool unrestricted(In in) { return secondary_on(in.vmcs, secondary::unrestricted_guest); }
bool loads_debug(In in) { return entry_on(in.vmcs, entry_control::load_debug_controls); }

bool cr0_fixed(In in) {
  const uint64_t exempt = unrestricted(in) ? cr0::pe | cr0::pg : 0;
  const uint64_t required = arch::kVmxCr0Fixed0 & ~exempt;
  return (in[Field::guest_cr0] & required) == required &&
         (in[Field::guest_cr0] & ~arch::kVmxCr0Fixed1) == 0;
}
bool paging_protected(In in) {
  return (in[Field::guest_cr0] & cr0::pg) == 0 || (in[Field::guest_cr0] & cr0::pe) != 0;
}
bool cr4_fixed(In in) {
  return (in[Field::guest_cr4] & arch::kVmxCr4Fixed0) == arch::kVmxCr4Fixed0 &&
         (in[Field::guest_cr4] & ~arch::legal_cr4(in.profile)) == 0;
}
bool debugctl_reserved(In in) {
  return !loads_debug(in) || (in[Field::guest_debugctl] & ~arch::debugctl::writable) == 0;
}
bool ia32e_paging(In in) {
  return !ia32e(in) ||
         ((in[Field::guest_cr0] & cr0::pg) != 0 && (in[Field::guest_cr4] & cr4::pae) != 0);
}
bool legacy_pcide(In in) { return ia32e(in) || (in[Field::guest_cr4] & cr4::pcide) == 0; }
bool cr3_width(In in) { return fits_physical(in, in[Field::guest_cr3]); }
bool dr7_width(In in) { return !loads_debug(in) || (in[Field::guest_dr7] >> 32) == 0; }
bool sysenter_canonical(In in) {
  return canonical(in[Field::guest_sysenter_esp]) && canonical(in[Field::guest_sysenter_eip]);
}
bool pat_types(In in) {
  return !entry_on(in.vmcs, entry_control::load_pat) || arch::valid_pat(in[Field::guest_pat]);
}
bool efer_reserved(In in) {
  return !entry_on(in.vmcs, entry_control::load_efer) ||
         (in[Field::guest_efer] & ~arch::legal_efer(in.profile)) == 0;
}
bool efer_lma(In in) {
  return !entry_on(in.vmcs, entry_control::load_efer) ||
         ((in[Field::guest_efer] & efer::lma) != 0) == ia32e(in);
}
bool efer_lme(In in) {
  return !entry_on(in.vmcs, entry_control::load_efer) || (in[Field::guest_cr0] & cr0::pg) == 0 ||
         ((in[Field::guest_efer] & efer::lma) != 0) == ((in[Field::guest_efer] & efer::lme) != 0);
}

bool table_bases(In in) {
  return canonical(in[Field::guest_gdtr_base]) && canonical(in[Field::guest_idtr_base]);
}
bool table_limits(In in) {
  return (in[Field::guest_gdtr_limit] >> 16) == 0 && (in[Field::guest_idtr_limit] >> 16) == 0;
}

bool code64(In in) {
  return ia32e(in) && arch::SegmentRights{in.vmcs.word(Field::guest_cs_rights)}.long_mode();
}
bool rip_narrow(In in) { return code64(in) || (in[Field::guest_rip] >> 32) == 0; }
bool rip_canonical(In in) { return !code64(in) || canonical(in[Field::guest_rip]); }
bool rflags_reserved(In in) {
  constexpr uint64_t kZero = ~uint64_t{0x3FFFFF} | arch::bit(15) | arch::bit(5) | arch::bit(3);
  return (in[Field::guest_rflags] & kZero) == 0 && (in[Field::guest_rflags] & rflags::fixed1) != 0;
}
bool virtual_8086_mode(In in) {
  return (in[Field::guest_rflags] & rflags::vm) == 0 ||
         (!ia32e(in) && (in[Field::guest_cr0] & cr0::pe) != 0);
}
bool interruptible(In in) {
  const arch::InterruptionInfo info{in.vmcs.word(Field::entry_interruption_information)};
  return !info.valid() || info.type() != arch::EventType::external_interrupt ||
         (in[Field::guest_rflags] & rflags::if_) != 0;
}

constexpr auto kUnrestricted = [](auto... more) {
  return reads(Field::primary_controls, Field::secondary_controls, more...);
};

// clang-format off
constexpr auto kG = CheckKind::guest;
constexpr auto kChecks = std::to_array<EntryCheck>({
    {kG, kRegisters, "CR0 has no bit that is unsupported in VMX operation", cr0_fixed, kUnrestricted(Field::guest_cr0)},
    {kG, kRegisters, "CR0.PG needs CR0.PE", paging_protected, reads(Field::guest_cr0)},
    {kG, kRegisters, "CR4 has no bit that is unsupported in VMX operation", cr4_fixed, reads(Field::guest_cr4)},
    {kG, kRegisters, "IA32_DEBUGCTL has no reserved bits", debugctl_reserved, reads(Field::entry_controls, Field::guest_debugctl)},
    {kG, kRegisters, "IA-32e mode guest needs CR0.PG and CR4.PAE", ia32e_paging, reads(Field::entry_controls, Field::guest_cr0, Field::guest_cr4)},
    {kG, kRegisters, "CR4.PCIDE needs an IA-32e mode guest", legacy_pcide, reads(Field::entry_controls, Field::guest_cr4)},
    {kG, kRegisters, "CR3 is in the physical-address width", cr3_width, reads(Field::guest_cr3)},
    {kG, kRegisters, "Bits 63:32 of DR7 are 0", dr7_width, reads(Field::entry_controls, Field::guest_dr7)},
    {kG, kRegisters, "IA32_SYSENTER_ESP and IA32_SYSENTER_EIP are canonical", sysenter_canonical, reads(Field::guest_sysenter_esp, Field::guest_sysenter_eip)},
    {kG, kRegisters, "IA32_PAT holds memory types only", pat_types, reads(Field::entry_controls, Field::guest_pat)},
    {kG, kRegisters, "IA32_EFER has no reserved bits", efer_reserved, reads(Field::entry_controls, Field::guest_efer)},
    {kG, kRegisters, "IA32_EFER.LMA equals IA-32e mode guest", efer_lma, reads(Field::entry_controls, Field::guest_efer)},
    {kG, kRegisters, "IA32_EFER.LMA equals LME if CR0.PG is 1", efer_lme, reads(Field::entry_controls, Field::guest_cr0, Field::guest_efer)},

    {kG, kTables, "GDTR and IDTR bases are canonical", table_bases, reads(Field::guest_gdtr_base, Field::guest_idtr_base)},
    {kG, kTables, "Bits 31:16 of the GDTR and IDTR limits are 0", table_limits, reads(Field::guest_gdtr_limit, Field::guest_idtr_limit)},

    {kG, kRip, "RIP is below 4 GiB outside 64-bit mode", rip_narrow, reads(Field::entry_controls, Field::guest_cs_rights, Field::guest_rip)},
    {kG, kRip, "RIP is canonical in 64-bit mode", rip_canonical, reads(Field::entry_controls, Field::guest_cs_rights, Field::guest_rip)},
    {kG, kRip, "Reserved bits of RFLAGS have their fixed values", rflags_reserved, reads(Field::guest_rflags)},
    {kG, kRip, "RFLAGS.VM needs CR0.PE and no IA-32e mode guest", virtual_8086_mode, reads(Field::entry_controls, Field::guest_cr0, Field::guest_rflags)},
    {kG, kRip, "RFLAGS.IF is 1 when an external interrupt is injected", interruptible, reads(Field::entry_interruption_information, Field::guest_rflags)},
});
// clang-format on

}  // namespace

std::span<const EntryCheck> guest_register_checks() { return kChecks; }

}  // namespace vitrine::emu::vmx
