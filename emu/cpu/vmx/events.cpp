// Exceptions, interrupts and boundaries that cause VM exits (SDM "Other Causes of VM Exits").
#include "emu/arch/ept.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/transitions.h"
#include "emu/cpu/vmx/virtual_apic.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu::vmx {

namespace {

using arch::EventType;
using arch::ExitReason;
using arch::InterruptionInfo;
using arch::Vector;

/// Whether the exception bitmap, with the page-fault mask and match, makes the vector exit.
bool bitmap_selects(const Vmcs& v, const Fault& fault) {
  const auto vector = static_cast<unsigned>(fault.vector);
  const bool bit = (v[Field::exception_bitmap] >> vector & 1) != 0;
  if (fault.vector != Vector::page_fault) return bit;
  const bool matches = (fault.error_code & v[Field::page_fault_mask]) == v[Field::page_fault_match];
  return bit == matches;
}

EventType software_type(Vector vector) {
  return vector == Vector::debug ? EventType::privileged_software_exception
                                 : EventType::software_exception;
}

BoundaryMark boundary(const Cpu& cpu) {
  const CpuState& s = cpu.state;
  return {s.retired, s.exceptions + s.interrupts, s.regs[arch::rcx]};
}

/// SDM "Monitor Trap Flag": pending at the first boundary behind one instruction or event delivery.
bool monitor_trap_due(Cpu& cpu) {
  State& vmx = cpu.vmx;
  if (vmx.trap == State::Trap::now) return true;
  if (!primary_on(vmx.vmcs, primary::monitor_trap_flag)) return false;
  const BoundaryMark here = boundary(cpu);
  if (vmx.trap == State::Trap::marked) return !(here == vmx.mark);
  vmx.trap = State::Trap::marked;
  vmx.mark = here;
  return false;
}

bool preemption_timer_due(const Cpu& cpu) {
  return cpu.state.activity != Activity::wait_for_sipi && cpu.now() >= cpu.vmx.preemption_deadline;
}

/// SDM "Convertible EPT Violations" and "Virtualization-Exception Information".
bool becomes_exception(Cpu& cpu, const EptFault& ept) {
  const Vmcs& v = cpu.vmx.vmcs;
  if (!secondary_on(v, secondary::ept_violation_ve) || !ept.convertible) return false;
  if (!cpu.state.protected_mode()) return false;
  struct Information {
    uint32_t reason;
    uint32_t busy;
    uint64_t qualification;
    uint64_t linear;
    uint64_t physical;
    uint16_t eptp_index;
  };
  constexpr size_t kBytes = 34;
  const Hpa address{v[Field::virtualization_exception_address]};
  Information information{};
  cpu.bus().read_block(address, std::as_writable_bytes(std::span{&information, 1}).first(kBytes));
  if (information.busy != 0) return false;
  information = {static_cast<uint32_t>(ExitReason::ept_violation),
                 0xFFFFFFFF,
                 ept.qualification,
                 ept.gva_valid ? ept.gva.value : 0,
                 ept.gpa.value,
                 static_cast<uint16_t>(v[Field::eptp_index])};
  cpu.bus().write_block(address, std::as_bytes(std::span{&information, 1}).first(kBytes));
  cpu.deliver_exception(emu::fault(Vector::virtualization));
  return true;
}

bool plain_exit(Cpu& cpu, ExitReason reason) {
  vm_exit(cpu, Exit{reason});
  return true;
}

}  // namespace

bool exits_on_exception(Cpu& cpu, const Fault& fault, uint64_t dr6, uint8_t instruction_length,
                        bool software) {
  if (!cpu.vmx.nonroot || !bitmap_selects(cpu.vmx.vmcs, fault)) return false;
  CpuState& s = cpu.state;
  Exit exit{ExitReason::exception_or_nmi};
  const bool has_code = fault.has_error_code && s.protected_mode();
  exit.interruption =
      InterruptionInfo::make(software ? software_type(fault.vector) : EventType::hardware_exception,
                             static_cast<uint8_t>(fault.vector), has_code);
  exit.interruption_error_code = has_code ? fault.error_code : 0;
  if (fault.vector == Vector::page_fault) exit.qualification = cpu.mmu.fault_address().value;
  if (fault.vector == Vector::debug && !software) exit.qualification = dr6 & 0x600F;
  if (software) {
    exit.instruction_length = instruction_length;
    s.set_rip(s.rip() - instruction_length);
  } else if (fault.vector != Vector::debug) {
    exit.resume = Exit::Resume::set;
  }
  exit.reports_vectoring = fault.vector != Vector::double_fault;
  const bool from_iret = cpu.vmx.iret_unblocked_nmi && cpu.vmx.vectoring.information == 0;
  if (from_iret && exit.reports_vectoring) {
    exit.interruption.value |= InterruptionInfo::kNmiUnblocking;
  }
  vm_exit(cpu, exit);
  return true;
}

void exit_on_triple_fault(Cpu& cpu) {
  Exit exit{ExitReason::triple_fault};
  exit.reports_vectoring = false;
  vm_exit(cpu, exit);
}

bool exits_on_task_switch(Cpu& cpu, const Insn* insn, uint16_t selector, unsigned source) {
  if (!cpu.vmx.nonroot) return false;
  Exit exit{ExitReason::task_switch};
  exit.qualification =
      arch::TaskSwitchExit::make(selector, static_cast<arch::TaskSwitchSource>(source)).value;
  if (insn == nullptr) {
    vm_exit(cpu, exit);
    return true;
  }
  cpu.state.set_rip(cpu.current_rip(*insn));
  exit.instruction_length = insn->length;
  vm_exit(cpu, exit);
  return true;
}

bool interrupts_exit(const Cpu& cpu) { return guest_pin(cpu.vmx, pin::external_interrupt_exiting); }

bool exits_on_external_interrupt(Cpu& cpu) {
  if (!interrupts_exit(cpu)) return false;
  Exit exit{ExitReason::external_interrupt};
  if (exit_on(cpu.vmx.vmcs, exit_control::acknowledge_interrupt)) {
    const auto vector = cpu.ports().acknowledge_interrupt(cpu.index(), cpu.now());
    if (!vector) return false;
    if (consumes_posted_interrupt(cpu, *vector)) return true;
    exit.interruption = InterruptionInfo::make(EventType::external_interrupt, *vector, false);
  }
  vm_exit(cpu, exit);
  return true;
}

bool exits_on_nmi(Cpu& cpu) {
  if (!guest_pin(cpu.vmx, pin::nmi_exiting)) return false;
  Exit exit{ExitReason::exception_or_nmi};
  exit.interruption = InterruptionInfo::make(EventType::nmi, 2, false);
  vm_exit(cpu, exit);
  return true;
}

bool nmi_blocked(const Cpu& cpu) {
  return cpu.state.nmi_blocked && !guest_pin(cpu.vmx, pin::virtual_nmis);
}

bool iret_unblocks_nmi(const Cpu& cpu) {
  return !guest_pin(cpu.vmx, pin::nmi_exiting) || guest_pin(cpu.vmx, pin::virtual_nmis);
}

bool init_blocked(const Cpu& cpu) {
  const bool asleep = cpu.state.activity == Activity::wait_for_sipi;
  return cpu.vmx.on && (!cpu.vmx.nonroot || asleep);
}

bool exits_on_init(Cpu& cpu) {
  return cpu.vmx.nonroot && plain_exit(cpu, ExitReason::init_signal);
}

bool exits_on_sipi(Cpu& cpu, uint8_t vector) {
  if (!cpu.vmx.nonroot || cpu.state.activity != Activity::wait_for_sipi) return false;
  Exit exit{ExitReason::startup_ipi};
  exit.qualification = vector;
  vm_exit(cpu, exit);
  return true;
}

bool exits_at_boundary(Cpu& cpu) {
  if (!cpu.vmx.nonroot) return false;
  CpuState& s = cpu.state;
  const Vmcs& v = cpu.vmx.vmcs;
  if (exits_behind_apic_operation(cpu)) return true;
  if (monitor_trap_due(cpu)) return plain_exit(cpu, ExitReason::monitor_trap_flag);
  if (s.pending_debug != 0 && !s.mov_ss_shadow) return false;
  if (preemption_timer_due(cpu)) return plain_exit(cpu, ExitReason::preemption_timer);
  const bool awake = s.activity == Activity::active || s.activity == Activity::hlt;
  if (primary_on(v, primary::nmi_window_exiting) && !s.nmi_blocked && !s.mov_ss_shadow &&
      !s.sti_shadow && s.activity != Activity::wait_for_sipi) {
    return plain_exit(cpu, ExitReason::nmi_window);
  }
  const bool nmi_next = s.nmi_pending && !nmi_blocked(cpu);
  if (primary_on(v, primary::interrupt_window_exiting) && awake && !nmi_next &&
      (s.rflags_system & arch::rflags::if_) != 0 && !s.sti_shadow && !s.mov_ss_shadow) {
    return plain_exit(cpu, ExitReason::interrupt_window);
  }
  return false;
}

void exit_on_ept_fault(Cpu& cpu, const Fault& fault, uint8_t instruction_length) {
  const EptFault& ept = cpu.mmu.ept_fault();
  const bool delivering = cpu.vmx.vectoring.information != 0;
  const uint64_t from_iret =
      !delivering && cpu.vmx.iret_unblocked_nmi ? arch::ept_violation::nmi_unblocking : 0;
  Exit exit{};
  exit.instruction_length = instruction_length;
  if (!delivering) exit.resume = Exit::Resume::set;
  switch (fault.kind) {
    case Fault::Kind::apic_access:
      exit.reason = ExitReason::apic_access;
      exit.qualification = cpu.vmx.apic_access;
      break;
    case Fault::Kind::page_log_full:
      exit.reason = ExitReason::pml_full;
      exit.qualification = from_iret;
      break;
    case Fault::Kind::ept_misconfiguration:
      exit.reason = ExitReason::ept_misconfiguration;
      exit.guest_physical_address = ept.gpa.value;
      break;
    default:
      if (!delivering && becomes_exception(cpu, ept)) return;
      exit.reason = ExitReason::ept_violation;
      exit.qualification = ept.qualification | from_iret;
      exit.guest_physical_address = ept.gpa.value;
      if (ept.gva_valid) exit.guest_linear_address = ept.gva.value;
      break;
  }
  vm_exit(cpu, exit);
}

Cycle preemption_deadline(const Cpu& cpu) {
  if (!cpu.vmx.nonroot || cpu.state.activity == Activity::wait_for_sipi) return kNever;
  return cpu.vmx.preemption_deadline;
}

bool wants_step(const Cpu& cpu) {
  return cpu.vmx.nonroot &&
         (cpu.vmx.trap == State::Trap::now || primary_on(cpu.vmx.vmcs, primary::monitor_trap_flag));
}

uint16_t current_vpid(const Cpu& cpu) {
  const bool tagged = guest_secondary(cpu.vmx, secondary::enable_vpid);
  return tagged ? static_cast<uint16_t>(cpu.vmx.vmcs[Field::vpid]) : uint16_t{0};
}

uint64_t paging_eptp(const Cpu& cpu) {
  return guest_secondary(cpu.vmx, secondary::enable_ept) ? cpu.vmx.vmcs[Field::eptp] : 0;
}

bool ept_mbec(const Cpu& cpu) { return guest_secondary(cpu.vmx, secondary::mode_based_execute); }

bool logs_pages(const Cpu& cpu) { return guest_secondary(cpu.vmx, secondary::enable_pml); }

uint64_t apic_page(const Cpu& cpu) {
  const bool on = guest_secondary(cpu.vmx, secondary::virtualize_apic_accesses);
  return on ? cpu.vmx.vmcs[Field::apic_access_address] : kNoApicPage;
}

void begin_vectoring(Cpu& cpu, uint32_t interruption_information, uint32_t error_code,
                     uint32_t instruction_length) {
  cpu.vmx.vectoring = {interruption_information, error_code, instruction_length};
}

void end_vectoring(Cpu& cpu) { cpu.vmx.vectoring = {}; }

}  // namespace vitrine::emu::vmx
