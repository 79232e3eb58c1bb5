// Interrupts between the physical processor and the virtual ones.
#include "hv/image/interrupts.h"

#include "emu/arch/msr.h"
#include "hv/image/instructions.h"
#include "hv/image/local_apic.h"
#include "hv/image/processor.h"

namespace vitrine::hv {
namespace {

namespace msr = arch::msr;
using arch::EventType;
using arch::InterruptionInfo;

void inject(InterruptionInfo information, std::uint32_t error_code) {
  write_vmcs(Field::entry_interruption_information, information.value);
  if (information.error_code_valid()) write_vmcs(Field::entry_exception_error_code, error_code);
  write_vmcs(Field::guest_activity, static_cast<std::uint64_t>(arch::Activity::active));
}

void set_primary(VpContext& vp, std::uint32_t mask, bool on) {
  const std::uint32_t value = on ? vp.primary | mask : vp.primary & ~mask;
  if (value == vp.primary) return;
  vp.primary = value;
  write_vmcs(Field::primary_controls, value);
}

bool event_is_set() {
  return InterruptionInfo{read_vmcs32(Field::entry_interruption_information)}.valid();
}

bool interrupts_open(std::uint64_t shadow) {
  constexpr std::uint64_t kBlocking =
      arch::interruptibility::blocking_by_sti | arch::interruptibility::blocking_by_mov_ss;
  return (read_vmcs(Field::guest_rflags) & arch::rflags::if_) != 0 && (shadow & kBlocking) == 0;
}

// Ends physically what the root has ended: EOI always retires the highest vector in service, so a
// lower one waits until its turn comes.
void end_owed_levels(Processor& processor) {
  for (std::uint8_t vector = highest_in_service(); vector != 0 && processor.level_owed[vector];
       vector = highest_in_service()) {
    processor.level_owed[vector] = false;
    end_of_interrupt();
  }
}

// SDM "Interrupt Command Register (ICR)", x2APIC form. A virtual processor reaches itself; the
// other processors of a partition are reached when there are any.
void send_command(VpContext& vp, std::uint64_t command) {
  enum Delivery : std::uint32_t { fixed = 0, nmi = 4 };
  enum Shorthand : std::uint32_t { none, self, all, others };
  const auto low = static_cast<std::uint32_t>(command);
  const auto destination = static_cast<std::uint32_t>(command >> 32);
  const std::uint32_t shorthand = low >> 18 & 3;
  const bool logical = (low >> 11 & 1) != 0;
  const std::uint32_t id = vp.apic.id();
  const bool logical_match =
      (destination >> 16) == (id >> 4) && (destination & (1U << (id & 15))) != 0;
  const bool addressed = destination == 0xFFFFFFFF || (logical ? logical_match : destination == id);
  const bool reaches_self =
      shorthand == self || shorthand == all || (shorthand == none && addressed);
  if (!reaches_self) return;
  if ((low >> 8 & 7) == fixed) vp.apic.request(static_cast<std::uint8_t>(low));
  if ((low >> 8 & 7) == nmi) vp.nmi_pending = true;
}

}  // namespace

void take_external_interrupt(std::uint8_t vector) {
  Processor& processor = this_processor();
  if (vector == kTimerVector || vector == kKickVector) {
    end_of_interrupt();
    if (vector == kTimerVector) processor.armed = 0;
    return;
  }
  if (vector == kSpuriousVector) return;
  VpContext& root = *processor.root;
  if (!in_service(vector)) {
    root.external_vector = vector;
    return;
  }
  const bool level = level_triggered(vector);
  if (!level) end_of_interrupt();
  root.apic.request(vector, level);
}

void take_nmi() { this_processor().root->nmi_pending = true; }

void run_timers() {
  Processor& processor = this_processor();
  const std::uint64_t now = read_tsc();
  std::uint64_t next = 0;
  for (VpContext* const vp : {processor.root, processor.current}) {
    vp->apic.run_timer(now);
    const std::uint64_t expiry = vp->apic.next_expiry();
    if (expiry != 0 && (next == 0 || expiry < next)) next = expiry;
  }
  if (next == processor.armed) return;
  processor.armed = next;
  arm_physical_timer(next);
}

void keep_interrupted_event(VpContext& vp) {
  const InterruptionInfo vectoring{read_vmcs32(Field::idt_vectoring_information)};
  if (!vectoring.valid()) return;
  const auto type = vectoring.type();
  const bool software = type == EventType::software_interrupt ||
                        type == EventType::privileged_software_exception ||
                        type == EventType::software_exception;
  if (software) {
    write_vmcs(Field::entry_instruction_length, read_vmcs(Field::exit_instruction_length));
  }
  // SDM "Information for VM Exits During Event Delivery": blocking by NMI belongs to the delivery.
  if (type == EventType::nmi) {
    const std::uint64_t shadow = read_vmcs(Field::guest_interruptibility);
    write_vmcs(Field::guest_interruptibility,
               shadow & ~std::uint64_t{arch::interruptibility::blocking_by_nmi});
  }
  constexpr std::uint32_t kDefined =
      InterruptionInfo::kValid | InterruptionInfo::kErrorCode | 0x7FF;
  inject({vectoring.value & kDefined}, read_vmcs32(Field::idt_vectoring_error_code));
  vp.halted = false;
}

void prepare_entry(VpContext& vp) {
  Processor& processor = this_processor();
  if (processor.nmi_pending) {
    processor.nmi_pending = false;
    processor.root->nmi_pending = true;
  }
  const std::uint64_t shadow = read_vmcs(Field::guest_interruptibility);
  const std::uint8_t vector = vp.external_vector != 0 ? vp.external_vector : vp.apic.deliverable();
  bool delivered = event_is_set();
  if (!delivered && vp.exception.present) {
    inject(InterruptionInfo::make(EventType::hardware_exception, vp.exception.vector,
                                  vp.exception.has_error_code),
           vp.exception.error_code);
    vp.exception.present = false;
    delivered = true;
  }
  constexpr std::uint64_t kNmiBlocking = arch::interruptibility::blocking_by_nmi |
                                         arch::interruptibility::blocking_by_sti |
                                         arch::interruptibility::blocking_by_mov_ss;
  if (!delivered && vp.nmi_pending && (shadow & kNmiBlocking) == 0) {
    constexpr auto kNmi = static_cast<std::uint8_t>(arch::Vector::nmi);
    inject(InterruptionInfo::make(EventType::nmi, kNmi, false), 0);
    vp.nmi_pending = false;
    delivered = true;
  }
  bool waiting = vector != 0;
  if (!delivered && waiting && interrupts_open(shadow)) {
    inject(InterruptionInfo::make(EventType::external_interrupt, vector, false), 0);
    if (vp.external_vector != 0) {
      vp.external_vector = 0;
    } else {
      vp.apic.accept(vector);
    }
    delivered = true;
    waiting = vp.apic.deliverable() != 0;
  }
  if (delivered) vp.halted = false;
  set_primary(vp, arch::primary::interrupt_window_exiting, waiting);
  set_primary(vp, arch::primary::nmi_window_exiting, vp.nmi_pending);
}

bool read_apic_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value) {
  if (index == msr::ia32_tsc_deadline) {
    value = vp.apic.deadline();
    return true;
  }
  if (index == msr::ia32_apic_base) {
    value = arch::apic_base::default_address | arch::apic_base::enable | arch::apic_base::x2apic |
            (vp.apic.id() == 0 ? arch::apic_base::bootstrap : 0);
    return true;
  }
  return vp.apic.read(index - msr::x2apic_first, read_tsc(), value);
}

bool write_apic_msr(VpContext& vp, std::uint32_t index, std::uint64_t value) {
  using Kind = ApicEffect::Kind;
  if (index == msr::ia32_tsc_deadline) {
    vp.apic.set_deadline(value);
    return true;
  }
  if (index == msr::ia32_apic_base) {
    // Differs: the virtual local APIC has x2APIC mode only, so it can neither be moved nor left.
    std::uint64_t now = 0;
    return read_apic_msr(vp, index, now) && value == now;
  }
  const ApicEffect effect = vp.apic.write(index - msr::x2apic_first, value, read_tsc());
  Processor& processor = this_processor();
  switch (effect.kind) {
    case Kind::fault: return false;
    case Kind::end_of_interrupt: {
      const auto vector = static_cast<std::uint8_t>(effect.value);
      if (vector != 0 && vp.apic.was_level(vector)) {
        processor.level_owed[vector] = true;
        end_owed_levels(processor);
      }
      return true;
    }
    case Kind::command: send_command(vp, effect.value); return true;
    case Kind::local_vector:
      if (&vp == processor.root) {
        write_local_vector(static_cast<std::uint32_t>(effect.value),
                           static_cast<std::uint32_t>(value));
      }
      return true;
    case Kind::none:
    case Kind::timer_changed: return true;
  }
  return true;
}

bool has_wake_event(const VpContext& vp) {
  return vp.exception.present || vp.nmi_pending || vp.external_vector != 0 ||
         vp.apic.deliverable() != 0;
}

}  // namespace vitrine::hv
