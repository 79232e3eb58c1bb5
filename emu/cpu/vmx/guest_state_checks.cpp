// VM-entry checks on guest non-register state and PDPTEs, and the order in which all lists are
// judged.
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/entry_checks.h"
#include "emu/cpu/vmx/vmcs_region.h"

namespace vitrine::emu::vmx {

namespace {

namespace interruptibility = arch::interruptibility;
namespace pending = arch::pending_debug;
namespace rflags = arch::rflags;
using arch::EntryFailureDetail;
using arch::EventType;
using arch::InterruptionInfo;
using In = const EntryInputs&;
using ActivityState = arch::Activity;

constexpr std::string_view kSection = "Checks on Guest Non-Register State";
constexpr std::string_view kPdptes = "Checks on Guest Page-Directory-Pointer-Table Entries";

ActivityState activity(In in) { return static_cast<ActivityState>(in[Field::guest_activity] & 3); }
bool blocked(In in, uint32_t by) { return (in[Field::guest_interruptibility] & by) != 0; }
InterruptionInfo injected(In in) { return {in.vmcs.word(Field::entry_interruption_information)}; }
bool injects(In in, EventType type) { return injected(in).valid() && injected(in).type() == type; }

bool activity_supported(In in) { return in[Field::guest_activity] <= 3; }
bool halted_privilege(In in) {
  return activity(in) != ActivityState::hlt ||
         arch::SegmentRights{in.vmcs.word(Field::guest_ss_rights)}.dpl() == 0;
}
bool inactive_unblocked(In in) {
  return activity(in) == ActivityState::active ||
         !blocked(in, interruptibility::blocking_by_sti | interruptibility::blocking_by_mov_ss);
}
bool injection_activity(In in) {
  if (!injected(in).valid()) return true;
  const EventType type = injected(in).type();
  const unsigned vector = injected(in).vector();
  const bool machine_check = type == EventType::hardware_exception && vector == 18;
  switch (activity(in)) {
    case ActivityState::active: return true;
    case ActivityState::hlt:
      return type == EventType::external_interrupt || type == EventType::nmi ||
             type == EventType::other || machine_check ||
             (type == EventType::hardware_exception && vector == 1);
    case ActivityState::shutdown: return type == EventType::nmi || machine_check;
    case ActivityState::wait_for_sipi: return false;
  }
  return false;
}

bool interruptibility_reserved(In in) { return (in[Field::guest_interruptibility] >> 5) == 0; }
bool one_shadow(In in) {
  return !blocked(in, interruptibility::blocking_by_sti) ||
         !blocked(in, interruptibility::blocking_by_mov_ss);
}
bool sti_needs_if(In in) {
  return !blocked(in, interruptibility::blocking_by_sti) ||
         (in[Field::guest_rflags] & rflags::if_) != 0;
}
bool interrupt_unblocked(In in) {
  return !injects(in, EventType::external_interrupt) ||
         !blocked(in, interruptibility::blocking_by_sti | interruptibility::blocking_by_mov_ss);
}
bool nmi_unshadowed(In in) {
  return !injects(in, EventType::nmi) || !blocked(in, interruptibility::blocking_by_mov_ss);
}
bool no_smi_blocking(In in) { return !blocked(in, interruptibility::blocking_by_smi); }
bool nmi_unblocked(In in) {
  return !injects(in, EventType::nmi) || !pin_on(in.vmcs, pin::virtual_nmis) ||
         !blocked(in, interruptibility::blocking_by_nmi);
}
bool no_enclave(In in) { return !blocked(in, interruptibility::enclave); }

bool pending_reserved(In in) { return (in[Field::guest_pending_debug] & ~pending::defined) == 0; }
bool pending_single_step(In in) {
  const bool held =
      blocked(in, interruptibility::blocking_by_sti | interruptibility::blocking_by_mov_ss) ||
      activity(in) == ActivityState::hlt;
  if (!held) return true;
  const bool traps = (in[Field::guest_rflags] & rflags::tf) != 0 &&
                     (in[Field::guest_debugctl] & arch::debugctl::btf) == 0;
  return ((in[Field::guest_pending_debug] & pending::single_step) != 0) == traps;
}
bool pending_rtm(In in) { return (in[Field::guest_pending_debug] & pending::rtm) == 0; }

bool link_address(In in) {
  const uint64_t link = in[Field::vmcs_link_pointer];
  return link == kNoVmcs || valid_address(in, link, 4096);
}
bool link_revision(In in) {
  const uint64_t link = in[Field::vmcs_link_pointer];
  if (link == kNoVmcs || !link_address(in)) return true;
  const uint32_t shadow = secondary_on(in.vmcs, secondary::vmcs_shadowing) ? uint32_t{1} << 31 : 0;
  return read_revision(in.bus, link) == (arch::kVmcsRevision | shadow);
}
bool link_not_current(In in) {
  const uint64_t link = in[Field::vmcs_link_pointer];
  return link == kNoVmcs || link != in.vmcs_address;
}

bool uses_pdptes(In in) {
  return (in[Field::guest_cr0] & arch::cr0::pg) != 0 &&
         (in[Field::guest_cr4] & arch::cr4::pae) != 0 &&
         !entry_on(in.vmcs, entry_control::ia32e_mode_guest) &&
         secondary_on(in.vmcs, secondary::enable_ept);
}
template <Field pdpte>
bool pdpte_reserved(In in) {
  if (!uses_pdptes(in) || (in[pdpte] & 1) == 0) return true;
  return (in[pdpte] & (0x1E6 | ~in.profile.physical_mask())) == 0;
}

constexpr auto kPae = [](Field pdpte) {
  return reads(Field::guest_cr0, Field::guest_cr4, Field::entry_controls, Field::primary_controls,
               Field::secondary_controls, pdpte);
};

// clang-format off
constexpr auto kG = CheckKind::guest;
constexpr auto kChecks = std::to_array<EntryCheck>({
    {kG, kSection, "The activity state is supported", activity_supported, reads(Field::guest_activity)},
    {kG, kSection, "The HLT state needs SS.DPL 0", halted_privilege, reads(Field::guest_activity, Field::guest_ss_rights)},
    {kG, kSection, "An inactive state excludes blocking by STI and by MOV SS", inactive_unblocked, reads(Field::guest_activity, Field::guest_interruptibility)},
    {kG, kSection, "The injected event is possible in the activity state", injection_activity, reads(Field::guest_activity, Field::entry_interruption_information)},

    {kG, kSection, "Reserved bits of the interruptibility state are 0", interruptibility_reserved, reads(Field::guest_interruptibility)},
    {kG, kSection, "Blocking by STI and by MOV SS exclude each other", one_shadow, reads(Field::guest_interruptibility)},
    {kG, kSection, "Blocking by STI needs RFLAGS.IF", sti_needs_if, reads(Field::guest_interruptibility, Field::guest_rflags)},
    {kG, kSection, "An injected external interrupt excludes blocking by STI and by MOV SS", interrupt_unblocked, reads(Field::entry_interruption_information, Field::guest_interruptibility)},
    {kG, kSection, "An injected NMI excludes blocking by MOV SS", nmi_unshadowed, reads(Field::entry_interruption_information, Field::guest_interruptibility)},
    {kG, kSection, "Blocking by SMI is 0 outside SMM", no_smi_blocking, reads(Field::guest_interruptibility)},
    {kG, kSection, "An injected NMI excludes virtual-NMI blocking", nmi_unblocked, reads(Field::entry_interruption_information, Field::guest_interruptibility, Field::pin_controls)},
    {kG, kSection, "Enclave interruption is 0 without SGX", no_enclave, reads(Field::guest_interruptibility)},

    {kG, kSection, "Reserved bits of the pending debug exceptions are 0", pending_reserved, reads(Field::guest_pending_debug)},
    {kG, kSection, "BS is 1 exactly when a held single-step trap is due", pending_single_step, reads(Field::guest_pending_debug, Field::guest_interruptibility, Field::guest_activity, Field::guest_rflags, Field::guest_debugctl)},
    {kG, kSection, "RTM is 0 without transactional memory", pending_rtm, reads(Field::guest_pending_debug)},

    {kG, kSection, "The VMCS link pointer is aligned and in the physical-address width", link_address, reads(Field::vmcs_link_pointer), EntryFailureDetail::vmcs_link_pointer},
    {kG, kSection, "The linked VMCS has our revision and the shadow indicator asked for", link_revision, reads(Field::vmcs_link_pointer, Field::primary_controls, Field::secondary_controls), EntryFailureDetail::vmcs_link_pointer, true},
    {kG, kSection, "The VMCS link pointer is not the current VMCS", link_not_current, reads(Field::vmcs_link_pointer), EntryFailureDetail::vmcs_link_pointer, true},

    {kG, kPdptes, "PDPTE0 has no reserved bits", pdpte_reserved<Field::guest_pdpte0>, kPae(Field::guest_pdpte0), EntryFailureDetail::pdpte_loading},
    {kG, kPdptes, "PDPTE1 has no reserved bits", pdpte_reserved<Field::guest_pdpte1>, kPae(Field::guest_pdpte1), EntryFailureDetail::pdpte_loading},
    {kG, kPdptes, "PDPTE2 has no reserved bits", pdpte_reserved<Field::guest_pdpte2>, kPae(Field::guest_pdpte2), EntryFailureDetail::pdpte_loading},
    {kG, kPdptes, "PDPTE3 has no reserved bits", pdpte_reserved<Field::guest_pdpte3>, kPae(Field::guest_pdpte3), EntryFailureDetail::pdpte_loading},
});
// clang-format on

}  // namespace

std::span<const EntryCheck> guest_state_checks() { return kChecks; }

}  // namespace vitrine::emu::vmx
