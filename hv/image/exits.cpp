// VM exits: the table of handlers, and the handlers that need only the processor.
#include "hv/image/exits.h"

#include <array>

#include "emu/arch/msr.h"
#include "hv/image/console.h"
#include "hv/image/cpuid_view.h"
#include "hv/image/exit_log.h"
#include "hv/image/instructions.h"
#include "hv/image/interrupts.h"
#include "hv/image/msr_view.h"
#include "hv/image/processor.h"
#include "hv/image/tlfs_exits.h"

namespace vitrine::hv {
namespace {

using arch::ExitReason;
using arch::InterruptionInfo;
using arch::Vector;

void on_exception_or_nmi(VpContext& vp) {
  const InterruptionInfo information{read_vmcs32(Field::exit_interruption_information)};
  if (information.type() == arch::EventType::nmi) return take_nmi();
  if (exception_intercepted(vp)) return;
  vp.exception = {.present = true,
                  .vector = information.vector(),
                  .has_error_code = information.error_code_valid(),
                  .error_code = read_vmcs32(Field::exit_interruption_error_code)};
}

void on_external_interrupt(VpContext&) {
  take_external_interrupt(
      InterruptionInfo{read_vmcs32(Field::exit_interruption_information)}.vector());
}

void on_triple_fault(VpContext& vp) {
  if (vp.is_root) {
    stop("triple fault in the root, rip", read_vmcs(Field::guest_rip));
  }
  unrecoverable_exception(vp);
}

// prepare_entry() delivers what was waiting.
void on_window(VpContext&) {}

void on_cpuid(VpContext& vp) {
  const CpuidResult r = guest_cpuid(vp, vp.low(arch::rax), vp.low(arch::rcx));
  if (cpuid_intercepted(vp, r)) return;
  vp.registers.gpr[arch::rax] = r.eax;
  vp.registers.gpr[arch::rbx] = r.ebx;
  vp.registers.gpr[arch::rcx] = r.ecx;
  vp.registers.gpr[arch::rdx] = r.edx;
  skip_instruction();
}

void on_hlt(VpContext& vp) {
  vp.halted = true;
  skip_instruction();
}

// INVD would throw away what others have written: write back instead.
void on_invd(VpContext&) {
  asm volatile("wbinvd" : : : "memory");
  skip_instruction();
}

// TLFS "MSR accesses": virtualized, else the parent's intercept, else #GP.
void on_rdmsr(VpContext& vp) {
  const std::uint32_t index = vp.low(arch::rcx);
  std::uint64_t value = 0;
  if (!guest_read_msr(vp, index, value)) {
    if (msr_read_intercepted(vp, index)) return;
    return raise(vp, Vector::general_protection);
  }
  vp.registers.gpr[arch::rax] = static_cast<std::uint32_t>(value);
  vp.registers.gpr[arch::rdx] = value >> 32;
  skip_instruction();
}

void on_wrmsr(VpContext& vp) {
  const std::uint32_t index = vp.low(arch::rcx);
  const std::uint64_t value = (std::uint64_t{vp.low(arch::rdx)} << 32) | vp.low(arch::rax);
  if (!guest_write_msr(vp, index, value)) {
    if (msr_write_intercepted(vp, index)) return;
    return raise(vp, Vector::general_protection);
  }
  skip_instruction();
}

// What the guest does not see does not exist: VMX, GETSEC, MONITOR and MWAIT.
void on_undefined(VpContext& vp) { raise(vp, Vector::invalid_opcode); }

void on_control_register(VpContext& vp) {
  using Type = arch::CrAccess::Type;
  const arch::CrAccess access{read_vmcs(Field::exit_qualification)};
  if (access.number() == 8) {
    if (access.type() == Type::mov_from_cr) {
      vp.set_gpr(access.gpr(), vp.apic.task_priority() >> 4);
    } else {
      const std::uint64_t value = vp.gpr(access.gpr());
      if (value > 15) return raise(vp, Vector::general_protection);
      vp.apic.set_task_priority(static_cast<std::uint8_t>(value << 4));
    }
    return skip_instruction();
  }
  const bool written = access.type() == Type::mov_to_cr &&
                       (access.number() == 0 ? write_guest_cr0(vp.gpr(access.gpr()))
                                             : write_guest_cr4(vp.gpr(access.gpr())));
  if (!written) return raise(vp, Vector::general_protection);
  skip_instruction();
}

// SDM "XSETBV—Set Extended Control Register": the processor checks the rest while the guest runs,
// but not here, in root mode.
void on_xsetbv(VpContext& vp) {
  constexpr std::uint64_t kX87 = 1;
  constexpr std::uint64_t kSse = 2;
  constexpr std::uint64_t kAvx = 4;
  const std::uint64_t value = (std::uint64_t{vp.low(arch::rdx)} << 32) | vp.low(arch::rax);
  const CpuidResult r = cpuid(0xD, 0);
  const std::uint64_t supported = (std::uint64_t{r.edx} << 32) | r.eax;
  constexpr std::uint64_t kWhole = kX87 | kSse | kAvx;
  const bool legal = vp.low(arch::rcx) == 0 && (value & kX87) != 0 && (value & ~supported) == 0 &&
                     (value & ~kWhole) == 0 && ((value & kAvx) == 0 || (value & kSse) != 0);
  if (!legal) return raise(vp, Vector::general_protection);
  write_xcr0(value);
  skip_instruction();
}

void on_wbinvd(VpContext&) {
  asm volatile("wbinvd" : : : "memory");
  skip_instruction();
}

// The slice of the running virtual processor is over; the run loop chooses anew.
void on_preemption_timer(VpContext&) {}

[[noreturn]] void stop_on(VpContext&, const char* why) {
  say("rip ", Hex{read_vmcs(Field::guest_rip)}, " qualification ",
      Hex{read_vmcs(Field::exit_qualification)}, " gpa ",
      Hex{read_vmcs(Field::guest_physical_address)});
  stop(why);
}

void on_invalid_guest_state(VpContext& vp) { stop_on(vp, "VM entry refused the guest's state"); }
void on_task_switch(VpContext& vp) { stop_on(vp, "task switch in a guest"); }
void on_ept_misconfiguration(VpContext& vp) { stop_on(vp, "misconfigured EPT entry"); }

using Handler = void (*)(VpContext&);
struct ExitRow {
  ExitReason reason;
  Handler handler;
};
// clang-format off
constexpr auto kExits = std::to_array<ExitRow>({
    {ExitReason::exception_or_nmi,        on_exception_or_nmi},
    {ExitReason::external_interrupt,      on_external_interrupt},
    {ExitReason::triple_fault,            on_triple_fault},
    {ExitReason::interrupt_window,        on_window},
    {ExitReason::nmi_window,              on_window},
    {ExitReason::task_switch,             on_task_switch},
    {ExitReason::cpuid,                   on_cpuid},
    {ExitReason::getsec,                  on_undefined},
    {ExitReason::hlt,                     on_hlt},
    {ExitReason::invd,                    on_invd},
    {ExitReason::vmcall,                  on_vmcall},
    {ExitReason::vmclear,                 on_undefined},
    {ExitReason::vmlaunch,                on_undefined},
    {ExitReason::vmptrld,                 on_undefined},
    {ExitReason::vmptrst,                 on_undefined},
    {ExitReason::vmread,                  on_undefined},
    {ExitReason::vmresume,                on_undefined},
    {ExitReason::vmwrite,                 on_undefined},
    {ExitReason::vmxoff,                  on_undefined},
    {ExitReason::vmxon,                   on_undefined},
    {ExitReason::control_register_access, on_control_register},
    {ExitReason::io_instruction,          on_io_instruction},
    {ExitReason::rdmsr,                   on_rdmsr},
    {ExitReason::wrmsr,                   on_wrmsr},
    {ExitReason::invalid_guest_state,     on_invalid_guest_state},
    {ExitReason::mwait,                   on_undefined},
    {ExitReason::monitor,                 on_undefined},
    {ExitReason::ept_violation,           on_ept_violation},
    {ExitReason::ept_misconfiguration,    on_ept_misconfiguration},
    {ExitReason::invept,                  on_undefined},
    {ExitReason::preemption_timer,        on_preemption_timer},
    {ExitReason::invvpid,                 on_undefined},
    {ExitReason::wbinvd,                  on_wbinvd},
    {ExitReason::xsetbv,                  on_xsetbv},
});
// clang-format on

constexpr std::size_t kReasons = 65;

// Expanded by reason so that an exit costs one load; reasons that no control of ours can cause are
// empty.
constexpr std::array<Handler, kReasons> make_dispatch() {
  std::array<Handler, kReasons> handlers{};
  for (const ExitRow& row : kExits) handlers[static_cast<std::size_t>(row.reason)] = row.handler;
  return handlers;
}
constexpr std::array<Handler, kReasons> kDispatch = make_dispatch();

constexpr bool exits_ascend() {
  for (std::size_t i = 1; i < kExits.size(); ++i) {
    if (kExits[i].reason <= kExits[i - 1].reason) return false;
  }
  return true;
}
static_assert(exits_ascend());

}  // namespace

void handle_exit(VpContext& vp) {
  const std::uint32_t reason = read_vmcs32(Field::exit_reason);
  const std::uint32_t basic = reason & 0xFFFF;
  if ((reason & arch::kEntryFailure) == 0) keep_interrupted_event(vp);
  const Handler handler = basic < kReasons ? kDispatch[basic] : nullptr;
  if (handler == nullptr) {
    const arch::ExitReasonRow* const row = arch::find_exit_reason(basic);
    say("unexpected exit ", row != nullptr ? row->name : "unknown");
    stop("unexpected VM exit, reason", reason);
  }
  if (!exits_are_logged()) return handler(vp);
  const ExitSnapshot before = take_snapshot(vp);
  handler(vp);
  log_exit(vp, static_cast<ExitReason>(basic), before);
}

}  // namespace vitrine::hv
