// What the processor must offer, VMXON, VMCS regions and the invalidation instructions.
#include "hv/image/vmx.h"

#include <array>
#include <string_view>

#include "emu/arch/msr.h"
#include "emu/arch/registers.h"
#include "hv/image/console.h"
#include "hv/image/instructions.h"
#include "hv/image/page_heap.h"

namespace vitrine::hv {
namespace {

namespace msr = arch::msr;
using arch::ControlWord;

// How each control word is made: the capability MSR, what we cannot do without, what we take if
// offered.
struct WordRow {
  ControlWord word;
  std::uint32_t capability;
  std::uint32_t needed;
  std::uint32_t wanted;
};
// clang-format off
constexpr auto kWords = std::to_array<WordRow>({
    {ControlWord::pin, msr::ia32_vmx_true_pinbased_ctls,
     arch::pin::external_interrupt_exiting | arch::pin::nmi_exiting | arch::pin::virtual_nmis |
     arch::pin::preemption_timer, 0},
    {ControlWord::primary, msr::ia32_vmx_true_procbased_ctls,
     arch::primary::use_tsc_offsetting | arch::primary::hlt_exiting | arch::primary::mwait_exiting |
     arch::primary::monitor_exiting | arch::primary::cr8_load_exiting | arch::primary::cr8_store_exiting |
     arch::primary::use_io_bitmaps | arch::primary::use_msr_bitmaps | arch::primary::activate_secondary, 0},
    {ControlWord::secondary, msr::ia32_vmx_procbased_ctls2,
     arch::secondary::enable_ept | arch::secondary::unrestricted_guest,
     arch::secondary::enable_rdtscp | arch::secondary::enable_vpid | arch::secondary::enable_invpcid |
     arch::secondary::enable_xsaves},
    {ControlWord::exit, msr::ia32_vmx_true_exit_ctls,
     arch::exit_control::save_debug_controls | arch::exit_control::host_address_space_size |
     arch::exit_control::acknowledge_interrupt | arch::exit_control::save_pat | arch::exit_control::load_pat |
     arch::exit_control::save_efer | arch::exit_control::load_efer, 0},
    {ControlWord::entry, msr::ia32_vmx_true_entry_ctls,
     arch::entry_control::load_debug_controls | arch::entry_control::load_pat | arch::entry_control::load_efer |
     arch::entry_control::ia32e_mode_guest, 0},
});

// Features outside the control words.
struct FeatureRow {
  std::string_view name;
  std::uint32_t capability;
  std::uint64_t bits;
};
constexpr auto kFeatures = std::to_array<FeatureRow>({
    {"TRUE capability MSRs",    msr::ia32_vmx_basic,        arch::bit(55)},
    {"HLT activity state",      msr::ia32_vmx_misc,         arch::vmx_misc::activity_hlt},
    {"EPT walk length 4",       msr::ia32_vmx_ept_vpid_cap, arch::ept_vpid_cap::walk_length_4},
    {"EPT write-back memory",   msr::ia32_vmx_ept_vpid_cap, arch::ept_vpid_cap::type_wb},
    {"EPT 2 MiB pages",         msr::ia32_vmx_ept_vpid_cap, arch::ept_vpid_cap::pages_2m},
    {"INVEPT single context",   msr::ia32_vmx_ept_vpid_cap, arch::ept_vpid_cap::invept | arch::ept_vpid_cap::invept_single_context},
    {"INVEPT all contexts",     msr::ia32_vmx_ept_vpid_cap, arch::ept_vpid_cap::invept_all_context},
});
// clang-format on

constexpr std::string_view kWordNames[] = {"pin-based", "primary", "secondary", "VM-exit",
                                           "VM-entry"};

unsigned report_missing(ControlWord word, std::uint32_t missing) {
  unsigned count = 0;
  for (unsigned position = 0; position < 32; ++position) {
    if ((missing >> position & 1) == 0) continue;
    say("this processor lacks the ", kWordNames[static_cast<std::size_t>(word)], " control '",
        arch::control_name(word, position), "'");
    ++count;
  }
  return count;
}

void require_vmx_is_there() {
  constexpr std::uint32_t kVmxBit = 1U << 5;
  constexpr std::uint64_t kEnabled =
      arch::feature_control::lock | arch::feature_control::vmx_outside_smx;
  if ((cpuid(1).ecx & kVmxBit) == 0) stop("this processor has no VMX");
  const std::uint64_t feature_control = read_msr(msr::ia32_feature_control);
  if ((feature_control & kEnabled) == kEnabled) return;
  if ((feature_control & arch::feature_control::lock) != 0) stop("the firmware has disabled VMX");
  write_msr(msr::ia32_feature_control, feature_control | kEnabled);
}

struct InvalidateDescriptor {
  std::uint64_t context;
  std::uint64_t address;
};

}  // namespace

Controls check_vmx() {
  require_vmx_is_there();
  unsigned missing = 0;
  for (const FeatureRow& row : kFeatures) {
    if ((read_msr(row.capability) & row.bits) == row.bits) continue;
    say("this processor lacks ", row.name);
    ++missing;
  }
  if (missing != 0) stop("the processor's VMX is not enough for this hypervisor");

  std::array<std::uint32_t, kWords.size()> values{};
  for (std::size_t i = 0; i < kWords.size(); ++i) {
    const WordRow& row = kWords[i];
    const std::uint64_t capability = read_msr(row.capability);
    const auto must_be_1 = static_cast<std::uint32_t>(capability);
    const auto may_be_1 = static_cast<std::uint32_t>(capability >> 32);
    missing += report_missing(row.word, row.needed & ~may_be_1);
    values[i] = row.needed | (row.wanted & may_be_1) | must_be_1;
  }
  if (missing != 0) stop("the processor's VMX is not enough for this hypervisor");
  return {values[0], values[1], values[2], values[3], values[4]};
}

void vmx_on(std::uint64_t region) {
  // SDM "VMX-Fixed Bits in CR0" and "… in CR4".
  const std::uint64_t cr0_fixed0 = read_msr(msr::ia32_vmx_cr0_fixed0);
  const std::uint64_t cr4_fixed0 = read_msr(msr::ia32_vmx_cr4_fixed0);
  write_cr0(read_cr0() | cr0_fixed0);
  write_cr4(read_cr4() | cr4_fixed0 | arch::cr4::vmxe);
  initialize_vmcs(region);
  bool failed;
  asm volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region) : "memory");
  if (failed) stop("VMXON failed");
}

void initialize_vmcs(std::uint64_t vmcs) {
  constexpr std::uint64_t kRevisionMask = 0x7FFFFFFF;
  *at<std::uint32_t>(vmcs) =
      static_cast<std::uint32_t>(read_msr(msr::ia32_vmx_basic) & kRevisionMask);
}

void clear_vmcs(std::uint64_t vmcs) {
  bool failed;
  asm volatile("vmclear %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
  if (failed) stop("VMCLEAR failed on", vmcs);
}

void load_vmcs(std::uint64_t vmcs) {
  bool failed;
  asm volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(vmcs) : "memory");
  if (failed) stop("VMPTRLD failed on", vmcs);
}

void vmcs_access_failed(Field field, bool write) {
  stop(write ? "VMWRITE failed on field" : "VMREAD failed on field",
       static_cast<std::uint64_t>(field));
}

void invalidate_ept(std::uint64_t eptp) {
  const InvalidateDescriptor descriptor{eptp, 0};
  const auto type = static_cast<std::uint64_t>(arch::InveptType::single_context);
  bool failed;
  asm volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(type) : "memory");
  if (failed) stop("INVEPT failed on", eptp);
}

void invalidate_vpid(std::uint16_t vpid) {
  const InvalidateDescriptor descriptor{vpid, 0};
  const auto type = static_cast<std::uint64_t>(arch::InvvpidType::single_context);
  bool failed;
  asm volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(type) : "memory");
  if (failed) stop("INVVPID failed on", vpid);
}

void invalidate_everything(const Controls& controls) {
  const InvalidateDescriptor descriptor{0, 0};
  const auto tables = static_cast<std::uint64_t>(arch::InveptType::all_context);
  bool failed;
  asm volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(tables) : "memory");
  if (failed) stop("INVEPT of all contexts failed");
  if ((controls.secondary & arch::secondary::enable_vpid) == 0) return;
  const auto all = static_cast<std::uint64_t>(arch::InvvpidType::all_context);
  asm volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(all) : "memory");
  if (failed) stop("INVVPID of all contexts failed");
}

}  // namespace vitrine::hv
