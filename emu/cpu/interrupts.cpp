// Interrupts and exceptions: SDM "Interrupt and Exception Handling", delivery in every mode.
#include "emu/arch/vmx_info.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/event_stack.h"
#include "emu/cpu/segmentation.h"
#include "emu/cpu/task_switch.h"
#include "emu/cpu/timing/count.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

namespace {

using arch::Vector;
namespace rflags = arch::rflags;

/// One event on its way through the IDT.
struct Delivery {
  uint8_t vector = 0;
  bool software = false;  ///< INT n, INT3, INTO: gate DPL is checked, no EXT bit
  bool has_error_code = false;
  uint32_t error_code = 0;
  uint64_t return_rip = 0;
  uint64_t flags_image = 0;
  const Insn* insn = nullptr;  ///< of a software interrupt

  uint32_t ext() const { return software ? 0 : 1; }
  uint32_t idt_error() const { return uint32_t{vector} * 8 + 2 + ext(); }
};

Fault gate_fault(Vector vector, const Delivery& d) { return fault(vector, d.idt_error()); }
Fault code_fault(Vector vector, uint16_t selector, const Delivery& d) {
  return fault(vector, selector_error(selector) | d.ext());
}

void clear_event_flags(CpuState& s, bool interrupt_gate) {
  s.rflags_system &= ~(rflags::tf | rflags::nt | rflags::rf | rflags::vm);
  if (interrupt_gate) s.rflags_system &= ~rflags::if_;
}

Result<void, Fault> deliver_real(Cpu& cpu, const Delivery& d) {
  CpuState& s = cpu.state;
  if (uint32_t{d.vector} * 4 + 3 > s.idtr.limit) {
    return Err{fault(Vector::general_protection)};
  }
  const auto entry = cpu.mmu.read_system<uint32_t>(Gva{s.idtr.base + uint64_t{d.vector} * 4});
  if (!entry) return Err{entry.error()};
  EventStack stack = current_stack(cpu);
  for (const uint64_t value :
       {d.flags_image, uint64_t{s.segments[arch::cs].selector}, d.return_rip}) {
    if (const auto pushed = stack.push(cpu, value & 0xFFFF, 2); !pushed) return pushed;
  }
  s.regs[arch::rsp] = stack.sp;
  s.rflags_system &= ~(rflags::if_ | rflags::tf | rflags::ac | rflags::rf);
  load_real_segment(cpu, arch::cs, static_cast<uint16_t>(*entry >> 16));
  s.set_rip(*entry & 0xFFFF);
  cpu.segments_changed();
  return {};
}

/// The gate's target code segment, checked; and the level it runs at.
struct Target {
  Descriptor descriptor;
  uint16_t selector = 0;
  unsigned cpl = 0;
};

Result<Target, Fault> check_target(Cpu& cpu, const Descriptor& gate, const Delivery& d) {
  Target target;
  target.selector = gate.gate_selector();
  if (null_selector(target.selector)) return Err{fault(Vector::general_protection, d.ext())};
  const auto code = read_descriptor(cpu, target.selector, Vector::general_protection);
  if (!code) {
    Fault f = code.error();
    if (f.vector == Vector::general_protection) f.error_code |= d.ext();
    return Err{f};
  }
  const arch::SegmentRights rights = code->rights();
  if (!rights.code() || rights.dpl() > cpu.state.cpl) {
    return Err{code_fault(Vector::general_protection, target.selector, d)};
  }
  if (cpu.state.long_mode() && (!rights.long_mode() || rights.big())) {
    return Err{code_fault(Vector::general_protection, target.selector, d)};
  }
  if (!rights.present()) {
    return Err{code_fault(Vector::segment_not_present, target.selector, d)};
  }
  target.descriptor = *code;
  target.cpl = rights.conforming() ? cpu.state.cpl : rights.dpl();
  return target;
}

/// A task gate: the frame is the old task's TSS, and an error code goes on the new task's stack.
Result<void, Fault> deliver_task(Cpu& cpu, const Descriptor& gate, const Delivery& d) {
  TaskSwitch how;
  how.selector = gate.gate_selector();
  how.source = TaskSource::gate;
  how.insn = d.insn;
  how.ext = d.ext();
  how.return_rip = d.return_rip;
  how.flags_image = d.flags_image;
  how.has_error_code = d.has_error_code;
  how.error_code = d.error_code;
  bool committed = false;
  return switch_task(cpu, how, committed);
}

Result<void, Fault> deliver_protected(Cpu& cpu, const Delivery& d) {
  CpuState& s = cpu.state;
  if (uint32_t{d.vector} * 8 + 7 > s.idtr.limit) {
    return Err{gate_fault(Vector::general_protection, d)};
  }
  const auto low = cpu.mmu.read_system<uint64_t>(Gva{s.idtr.base + uint64_t{d.vector} * 8});
  if (!low) return Err{low.error()};
  const Descriptor gate{*low, 0};
  const uint32_t type = gate.rights().type();
  const bool interrupt_or_trap = type == 6 || type == 7 || type == 14 || type == 15;
  const bool task = type == static_cast<uint32_t>(SystemType::task_gate);
  if (gate.rights().code_or_data() || (!interrupt_or_trap && !task)) {
    return Err{gate_fault(Vector::general_protection, d)};
  }
  if (d.software && gate.rights().dpl() < s.cpl) {
    return Err{gate_fault(Vector::general_protection, d)};
  }
  if (!gate.rights().present()) return Err{gate_fault(Vector::segment_not_present, d)};
  if (task) return deliver_task(cpu, gate, d);
  const auto target = check_target(cpu, gate, d);
  if (!target) return Err{target.error()};
  const bool from_v8086 = s.v8086();
  if (from_v8086 && target->cpl != 0) {
    return Err{code_fault(Vector::general_protection, target->selector, d)};
  }
  const unsigned width = (type & 8) != 0 ? 4 : 2;
  const uint64_t offset =
      width == 4 ? gate.gate_offset() & 0xFFFFFFFF : gate.gate_offset() & 0xFFFF;
  const bool inward = target->cpl < s.cpl;

  EventStack stack = current_stack(cpu);
  if (inward) {
    const auto inner = inner_stack(cpu, target->cpl, d.ext());
    if (!inner) return Err{inner.error()};
    stack = *inner;
    if (from_v8086) {
      for (const uint8_t segment : {arch::gs, arch::fs, arch::ds, arch::es}) {
        if (const auto p = stack.push(cpu, s.segments[segment].selector, width); !p) return p;
      }
    }
    if (const auto p = stack.push(cpu, s.segments[arch::ss].selector, width); !p) return p;
    if (const auto p = stack.push(cpu, s.regs[arch::rsp], width); !p) return p;
  }
  if (const auto p = stack.push(cpu, d.flags_image, width); !p) return p;
  if (const auto p = stack.push(cpu, s.segments[arch::cs].selector, width); !p) return p;
  if (const auto p = stack.push(cpu, d.return_rip, width); !p) return p;
  if (d.has_error_code) {
    if (const auto p = stack.push(cpu, d.error_code, width); !p) return p;
  }
  if (offset > target->descriptor.limit()) return Err{fault(Vector::general_protection, d.ext())};

  if (const auto marked = mark_accessed(cpu, target->selector, target->descriptor); !marked) {
    return marked;
  }
  load_code_segment(cpu, target->selector, target->descriptor, target->cpl);
  s.segments[arch::ss] = stack.ss;
  s.regs[arch::rsp] = inward ? stack.sp & stack.mask : stack.sp;
  if (from_v8086) {
    for (const uint8_t segment : {arch::gs, arch::fs, arch::ds, arch::es}) {
      s.segments[segment] = SegmentState{0, 0, arch::SegmentRights{arch::kUnusableSegment}, 0};
    }
  }
  s.set_rip(offset);
  clear_event_flags(s, (type & 1) == 0);
  cpu.segments_changed();
  return {};
}

/// The stack an IA-32e gate delivers on: its IST entry, the inner level's, or the running one.
Result<EventStack, Fault> gate_stack(Cpu& cpu, unsigned ist, unsigned cpl, uint32_t ext) {
  if (ist != 0) return long_mode_stack(cpu, tss_ist(ist), cpl, ext);
  if (cpl < cpu.state.cpl) return long_mode_stack(cpu, tss_rsp(cpl), cpl, ext);
  EventStack stack;
  stack.sp = cpu.state.regs[arch::rsp];
  stack.user = cpl == 3;
  stack.flat = true;
  stack.fault_code = ext;
  return stack;
}

Result<void, Fault> deliver_long(Cpu& cpu, const Delivery& d) {
  CpuState& s = cpu.state;
  if (uint32_t{d.vector} * 16 + 15 > s.idtr.limit) {
    return Err{gate_fault(Vector::general_protection, d)};
  }
  const Gva at{s.idtr.base + uint64_t{d.vector} * 16};
  const auto low = cpu.mmu.read_system<uint64_t>(at);
  if (!low) return Err{Cpu::locate_fault(low.error(), arch::ds)};
  const auto high = cpu.mmu.read_system<uint64_t>(at + 8);
  if (!high) return Err{Cpu::locate_fault(high.error(), arch::ds)};
  const Descriptor gate{*low, *high & 0xFFFFFFFF};
  const uint32_t type = gate.rights().type();
  if (gate.rights().code_or_data() || (type != 14 && type != 15) ||
      (*high & 0x00001F0000000000) != 0) {
    return Err{gate_fault(Vector::general_protection, d)};
  }
  if (d.software && gate.rights().dpl() < s.cpl) {
    return Err{gate_fault(Vector::general_protection, d)};
  }
  if (!gate.rights().present()) return Err{gate_fault(Vector::segment_not_present, d)};
  const auto target = check_target(cpu, gate, d);
  if (!target) return Err{target.error()};
  const bool inward = target->cpl < s.cpl;
  const auto ist = static_cast<unsigned>((gate.low >> 32) & 7);
  const auto chosen = gate_stack(cpu, ist, target->cpl, d.ext());
  if (!chosen) return Err{chosen.error()};
  EventStack stack = *chosen;
  stack.sp &= ~uint64_t{15};
  if (const auto p = stack.push(cpu, s.segments[arch::ss].selector, 8); !p) return p;
  if (const auto p = stack.push(cpu, s.regs[arch::rsp], 8); !p) return p;
  if (const auto p = stack.push(cpu, d.flags_image, 8); !p) return p;
  if (const auto p = stack.push(cpu, s.segments[arch::cs].selector, 8); !p) return p;
  if (const auto p = stack.push(cpu, d.return_rip, 8); !p) return p;
  if (d.has_error_code) {
    if (const auto p = stack.push(cpu, d.error_code, 8); !p) return p;
  }
  if (!Cpu::canonical(gate.gate_offset())) {
    return Err{fault(Vector::general_protection, d.ext())};
  }
  if (const auto marked = mark_accessed(cpu, target->selector, target->descriptor); !marked) {
    return marked;
  }
  load_code_segment(cpu, target->selector, target->descriptor, target->cpl);
  if (inward) {
    const uint32_t rights = arch::kUnusableSegment | target->cpl << 5;
    s.segments[arch::ss] =
        SegmentState{0, 0, arch::SegmentRights{rights}, static_cast<uint16_t>(target->cpl)};
  }
  s.regs[arch::rsp] = stack.sp;
  s.set_rip(gate.gate_offset());
  clear_event_flags(s, type == 14);
  cpu.segments_changed();
  return {};
}

Result<void, Fault> deliver(Cpu& cpu, const Delivery& d) {
  if (!cpu.state.protected_mode()) return deliver_real(cpu, d);
  if (cpu.state.long_mode()) return deliver_long(cpu, d);
  return deliver_protected(cpu, d);
}

bool contributory(Vector v) {
  return v == Vector::divide_error || (v >= Vector::invalid_tss && v <= Vector::general_protection);
}

/// SDM "Interrupt 8 - Double Fault Exception": which second exceptions make a double fault.
bool doubles(Vector first, Vector second) {
  if (contributory(first)) return contributory(second);
  return first == Vector::page_fault && (contributory(second) || second == Vector::page_fault);
}

bool pushes_resume_flag(Vector v) {
  return v != Vector::debug && v != Vector::breakpoint && v != Vector::overflow &&
         v != Vector::nmi && v != Vector::double_fault && v != Vector::machine_check;
}

/// SDM "Debug Exception (#DB)": DR6 says why; DR7.GD, LBR and BTF are cleared for the handler.
void note_debug(CpuState& s, uint64_t dr6_bits) {
  constexpr uint64_t kGeneralDetect = uint64_t{1} << 13;
  s.dr6 |= dr6_bits;
  s.dr7 &= ~kGeneralDetect;
  s.msr.debugctl &= ~(arch::debugctl::lbr | arch::debugctl::btf);
}

uint32_t interruption_information(uint8_t vector, Cpu::EventType type, bool has_error_code) {
  return uint32_t{vector} | static_cast<uint32_t>(type) << 8 | uint32_t{has_error_code} << 11 |
         1u << 31;
}

}  // namespace

void Cpu::deliver_exception(const Fault& raised) {
  Fault current = raised;
  for (;;) {
    // A fault behind a task switch belongs to the new task's first instruction.
    const uint64_t rip = state.rip();
    const uint64_t debug_bits = current.vector == Vector::debug ? take_fault_debug() : 0;
    if (vmx::exits_on_exception(*this, current, debug_bits, 0, false)) return;
    if (state.activity == Activity::hlt) state.activity = Activity::active;
    if (current.vector == Vector::page_fault) state.cr2 = mmu.fault_address().value;
    if (current.vector == Vector::debug) note_debug(state, debug_bits);
    ++state.exceptions;
    if (observer_ != nullptr) observer_->exception(*this, current);

    Delivery d;
    d.vector = static_cast<uint8_t>(current.vector);
    d.has_error_code = current.has_error_code && state.protected_mode();
    d.error_code = current.error_code;
    d.return_rip = rip;
    d.flags_image = state.rflags();
    if (pushes_resume_flag(current.vector)) d.flags_image |= rflags::rf;
    vmx::begin_vectoring(
        *this,
        interruption_information(d.vector, EventType::hardware_exception, current.has_error_code),
        current.error_code, 0);
    const auto delivered = deliver(*this, d);
    if (delivered) {
      vmx::end_vectoring(*this);
      charge_event(timing::kEventCosts.exception, timing::Cause::exception);
      attention();
      return;
    }
    const Fault second = locate_fault(delivered.error(), arch::ss);
    if (second.kind != Fault::Kind::exception) {
      vmx::exit_on_ept_fault(*this, second);
      return;
    }
    if (vmx::exits_on_exception(*this, second, 0, 0, false)) return;
    if (current.vector == Vector::double_fault) {
      shut_down();
      return;
    }
    if (doubles(current.vector, second.vector)) {
      if (second.vector == Vector::page_fault) state.cr2 = mmu.fault_address().value;
      current = fault(Vector::double_fault);
    } else {
      current = second;
    }
  }
}

void Cpu::deliver_event(uint8_t vector, EventType type, bool has_error_code, uint32_t error_code,
                        uint64_t return_rip) {
  const bool software = type == EventType::software || type == EventType::software_exception ||
                        type == EventType::privileged_software;
  Delivery d;
  d.vector = vector;
  d.software = software && type != EventType::privileged_software;
  d.has_error_code = has_error_code && state.protected_mode();
  d.error_code = error_code;
  d.return_rip = return_rip;
  d.flags_image = state.rflags();
  if (type == EventType::hardware_exception && pushes_resume_flag(static_cast<Vector>(vector))) {
    d.flags_image |= rflags::rf;
  }
  ++state.interrupts;
  if (observer_ != nullptr) observer_->interrupt(*this, vector, software);
  const auto delivered = deliver(*this, d);
  if (delivered) {
    vmx::end_vectoring(*this);
    charge_event(timing::kEventCosts.external_interrupt, timing::Cause::interrupt);
    attention();
    return;
  }
  const Fault second = locate_fault(delivered.error(), arch::ss);
  if (second.kind != Fault::Kind::exception) {
    vmx::exit_on_ept_fault(*this, second);
    return;
  }
  // The exception bitmap judges an exception as it is met, before that becomes a double fault.
  if (vmx::exits_on_exception(*this, second, 0, 0, false)) return;
  // A hardware exception injected by VM entry follows the double-fault rules; interrupts are benign.
  const auto first = static_cast<Vector>(vector);
  if (type == EventType::hardware_exception && first == Vector::double_fault) {
    shut_down();
  } else if (type == EventType::hardware_exception && doubles(first, second.vector)) {
    if (second.vector == Vector::page_fault) state.cr2 = mmu.fault_address().value;
    deliver_exception(fault(Vector::double_fault));
  } else {
    deliver_exception(second);
  }
}

Flow Cpu::software_interrupt(const Insn& insn, uint8_t vector, EventType type) {
  const bool exception = type != EventType::software;
  if (exception) {
    const Fault as_fault = fault(static_cast<Vector>(vector));
    if (vmx::exits_on_exception(*this, as_fault, 0, insn.length, true)) return Flow::exit;
  }
  Delivery d;
  d.vector = vector;
  d.software = type != EventType::privileged_software;
  d.return_rip = state.rip();
  d.flags_image = state.rflags();
  d.insn = &insn;
  const bool was_nonroot = vmx::nonroot(vmx);
  const uint16_t task = state.segments[arch::tr].selector;
  vmx::begin_vectoring(*this, interruption_information(vector, type, false), 0, insn.length);
  const auto delivered = deliver(*this, d);
  if (was_nonroot && !vmx::nonroot(vmx)) return Flow::exit;
  if (!delivered) {
    // The fault is reported at the instruction, or at the first one of a task that was switched to;
    // vectoring information is kept for an exit.
    if (state.segments[arch::tr].selector != task) state.set_rip(state.rip() + insn.length);
    return raise(locate_fault(delivered.error(), arch::ss));
  }
  vmx::end_vectoring(*this);
  ++state.interrupts;
  if (observer_ != nullptr) observer_->interrupt(*this, vector, true);
  charge(timing::kEventCosts.exception, timing::Cause::exception);
  attention();
  return Flow::branch;
}

void Cpu::shut_down() {
  if (vmx::nonroot(vmx)) {
    vmx::exit_on_triple_fault(*this);
    return;
  }
  state.activity = Activity::shutdown;
  attention();
  ports_.triple_fault(index_, now());
}

}  // namespace vitrine::emu
