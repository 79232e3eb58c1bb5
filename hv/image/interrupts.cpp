// Interrupts between the physical processor and the virtual ones.
#include "hv/image/interrupts.h"

#include "emu/arch/msr.h"
#include "hv/image/image_state.h"
#include "hv/image/instructions.h"
#include "hv/image/kick.h"
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

// What would interrupt the guest next: the 8259's vector, the line of HvAssertVirtualInterrupt, the
// virtual local APIC; 0 for nothing.
std::uint8_t waiting_vector(const VpContext& vp) {
  if (vp.external_vector != 0) return vp.external_vector;
  return vp.asserted ? vp.asserted_vector : vp.apic.deliverable();
}

void take_waiting(VpContext& vp, std::uint8_t vector) {
  if (vp.external_vector != 0) {
    vp.external_vector = 0;
  } else if (vp.asserted) {
    vp.asserted = false;
    acknowledge_interrupt(hypervisor, *vp.core);
  } else if (vp.apic.accept(vector)) {
    end_of_interrupt(hypervisor, this_processor().index, *vp.core);
  }
}

InterruptCommand decode_command(std::uint64_t command) {
  const auto low = static_cast<std::uint32_t>(command);
  return {.delivery = static_cast<Delivery>(low >> 8 & 7),
          .vector = static_cast<std::uint8_t>(low),
          .level = false,
          .logical = (low >> 11 & 1) != 0,
          .shorthand = low >> 18 & 3,
          .destination = static_cast<std::uint32_t>(command >> 32)};
}

// SDM "Interrupt Command Register": INIT with trigger mode level and level 0 does nothing any more.
bool is_deassertion(std::uint64_t command) {
  constexpr std::uint64_t kAssert = 1U << 14;
  constexpr std::uint64_t kLevel = 1U << 15;
  return decode_command(command).delivery == Delivery::init && (command & kLevel) != 0 &&
         (command & kAssert) == 0;
}

bool addressed(const VpContext& vp, const VpContext* sender, const InterruptCommand& command) {
  enum : std::uint32_t { none, self, all, others };
  constexpr std::uint32_t kBroadcast = 0xFFFFFFFF;
  const std::uint32_t id = vp.apic.id();
  switch (command.shorthand) {
    case self: return &vp == sender;
    case all: return true;
    case others: return &vp != sender;
    default: break;
  }
  if (command.destination == kBroadcast) return true;
  if (!command.logical) return command.destination == id;
  return (command.destination >> 16) == (id >> 4) &&
         (command.destination & 0xFFFF & (1U << (id & 15))) != 0;
}

void deliver_to(VpContext& vp, const InterruptCommand& command) {
  switch (command.delivery) {
    case Delivery::fixed:
    case Delivery::lowest_priority: vp.apic.request(command.vector, command.level); return;
    case Delivery::nmi: vp.nmi_pending = true; return;
    case Delivery::init: vp.startup = Startup::init_pending; return;
    case Delivery::startup:
      if (vp.startup != Startup::wait_for_sipi) return;
      vp.startup = Startup::sipi_pending;
      vp.startup_vector = command.vector;
      return;
    case Delivery::smi:
    case Delivery::reserved: return;
  }
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
    // From the 8259, which reaches the root through LINT0. Bochs 2.7 connects it to the processor
    // whatever LINT0 says: such a vector is none of the root's.
    if (root.apic.external_open()) root.external_vector = vector;
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
  constexpr std::uint64_t kNever = ~std::uint64_t{0};
  std::uint64_t next = next_timer(hypervisor, processor.index);
  if (next <= now) {
    expire_timers(hypervisor, processor.index);
    next = next_timer(hypervisor, processor.index);
  }
  for (VpContext* vp = processor.first; vp != nullptr; vp = vp->next) {
    vp->apic.run_timer(now);
    const std::uint64_t expiry = vp->apic.next_expiry();
    if (expiry != 0 && expiry < next) next = expiry;
    if (vp->held_until > now && vp->held_until < next) next = vp->held_until;
  }
  const std::uint64_t wanted = next == kNever ? 0 : next;
  if (wanted == processor.armed) return;
  processor.armed = wanted;
  arm_physical_timer(wanted);
}

bool deliver(const Partition& partition, const VpContext* sender, const InterruptCommand& command) {
  bool any = false;
  for (const std::uint64_t address : partition.vps) {
    if (address == 0) continue;
    VpContext& vp = context_of(*hypervisor.at<VirtualProcessor>(address));
    if (!addressed(vp, sender, command)) continue;
    deliver_to(vp, command);
    kick(vp);
    any = true;
    if (command.delivery == Delivery::lowest_priority) break;
  }
  return any;
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

void prepare_wait(VpContext& vp) {
  write_vmcs(Field::entry_interruption_information, 0);
  set_primary(vp, arch::primary::interrupt_window_exiting, false);
  set_primary(vp, arch::primary::nmi_window_exiting, false);
}

void prepare_entry(VpContext& vp) {
  Processor& processor = this_processor();
  if (processor.nmi_pending) {
    processor.nmi_pending = false;
    processor.root->nmi_pending = true;
  }
  const std::uint64_t shadow = read_vmcs(Field::guest_interruptibility);
  const std::uint8_t vector = waiting_vector(vp);
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
    take_waiting(vp, vector);
    delivered = true;
    waiting = waiting_vector(vp) != 0;
  }
  if (delivered) vp.halted = vp.idle = false;
  set_primary(vp, arch::primary::interrupt_window_exiting, waiting);
  set_primary(vp, arch::primary::nmi_window_exiting, vp.nmi_pending);
}

bool read_apic_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value) {
  if (index == msr::ia32_tsc_deadline) {
    value = vp.apic.deadline();
    return true;
  }
  if (index == msr::ia32_apic_base) {
    value = vp.apic.base_msr();
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
    return value == vp.apic.base_msr();
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
      end_of_interrupt(hypervisor, processor.index, *vp.core);
      return true;
    }
    case Kind::command:
      if (is_deassertion(effect.value)) return true;
      deliver(partition_of(hypervisor, *vp.core), &vp, decode_command(effect.value));
      return true;
    case Kind::local_vector:
      if (vp.is_root) {
        std::uint64_t kept = 0;
        vp.apic.read(static_cast<std::uint32_t>(effect.value), 0, kept);
        write_local_vector(static_cast<std::uint32_t>(effect.value),
                           static_cast<std::uint32_t>(kept));
      }
      return true;
    case Kind::none:
    case Kind::timer_changed: return true;
  }
  return true;
}

bool has_wake_event(const VpContext& vp) {
  return vp.exception.present || vp.nmi_pending || vp.external_vector != 0 || vp.asserted ||
         vp.apic.deliverable() != 0;
}

}  // namespace vitrine::hv
