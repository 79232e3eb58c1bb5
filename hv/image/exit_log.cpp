// VM exits in the event log. TLFS "Event Log Entry Types" names the parameters and their order.
#include "hv/image/exit_log.h"

#include <array>
#include <initializer_list>

#include "hv/image/image_state.h"
#include "hv/image/processor.h"

namespace vitrine::hv {
namespace {

using tlfs::EventSource;
using tlfs::EventType;

void write(EventType type, std::initializer_list<std::uint64_t> parameters) {
  log_event(hypervisor, this_processor().index, EventSource::intercept, type,
            {parameters.begin(), parameters.size()});
}

std::uint64_t pair_of(std::uint64_t high, std::uint64_t low) {
  return (high << 32) | static_cast<std::uint32_t>(low);
}

}  // namespace

bool exits_are_logged() { return logs(hypervisor, EventSource::intercept); }

ExitSnapshot take_snapshot(const VpContext& vp) {
  return {read_vmcs(Field::guest_rip), vp.gpr(arch::rax), vp.gpr(arch::rcx), vp.gpr(arch::rdx)};
}

void log_exit(const VpContext& vp, arch::ExitReason reason, const ExitSnapshot& before) {
  using arch::ExitReason;
  const arch::InterruptionInfo event{read_vmcs32(Field::exit_interruption_information)};
  const std::uint64_t qualification = read_vmcs(Field::exit_qualification);
  switch (reason) {
    case ExitReason::exception_or_nmi:
      if (event.type() == arch::EventType::nmi) return write(EventType::nmi, {before.rip});
      return write(EventType::guest_exception, {before.rip, event.vector()});
    case ExitReason::external_interrupt:
      return write(EventType::external_interrupt, {event.vector()});
    case ExitReason::interrupt_window: return write(EventType::interrupt_window, {before.rip});
    case ExitReason::cpuid:
      return write(EventType::cpuid,
                   {before.rip, before.rax & 0xFFFFFFFF, before.rcx & 0xFFFFFFFF});
    case ExitReason::hlt: return write(EventType::halt, {before.rip});
    case ExitReason::control_register_access: {
      const arch::CrAccess access{qualification};
      const bool read = access.type() == arch::CrAccess::Type::mov_from_cr;
      return write(read ? EventType::cr_read : EventType::cr_write,
                   {before.rip, access.number(), vp.gpr(access.gpr())});
    }
    case ExitReason::io_instruction: {
      const arch::IoAccess access{qualification};
      return write(access.in() ? EventType::io_read : EventType::io_write,
                   {before.rip, access.port(), vp.gpr(arch::rax)});
    }
    case ExitReason::rdmsr: {
      const bool failed = vp.exception.present;
      const std::uint64_t value = failed ? 0 : pair_of(vp.gpr(arch::rdx), vp.gpr(arch::rax));
      return write(EventType::msr_read, {before.rip, before.rcx & 0xFFFFFFFF, value});
    }
    case ExitReason::wrmsr:
      return write(EventType::msr_write,
                   {before.rip, before.rcx & 0xFFFFFFFF, pair_of(before.rdx, before.rax)});
    case ExitReason::ept_violation:
      return write(EventType::memory_intercept,
                   {before.rip, read_vmcs(Field::guest_physical_address)});
    default: return;
  }
}

}  // namespace vitrine::hv
