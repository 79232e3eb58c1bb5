// Far JMP and CALL: code segments, call gates and tasks, in every mode.
#include "emu/cpu/event_stack.h"
#include "emu/cpu/handlers/far.h"
#include "emu/cpu/handlers/system.h"
#include "emu/cpu/segmentation.h"
#include "emu/cpu/task_switch.h"

namespace vitrine::emu {

namespace {

using arch::SegmentRights;
using arch::Vector;
namespace rflags = arch::rflags;

/// SDM "Direct Calls or Jumps to Code Segments": checks for a transfer that keeps the CPL.
Result<void, Fault> check_same_level(const CpuState& s, uint16_t selector, const Descriptor& d) {
  const SegmentRights rights = d.rights();
  const unsigned rpl = selector & 3;
  const bool level_fits =
      rights.conforming() ? rights.dpl() <= s.cpl : rpl <= s.cpl && rights.dpl() == s.cpl;
  if (!level_fits) return Err{selector_fault(Vector::general_protection, selector)};
  if (s.long_mode() && rights.long_mode() && rights.big()) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  if (!rights.present()) return Err{selector_fault(Vector::segment_not_present, selector)};
  return {};
}

/// The last checks before a transfer: the offset, then the descriptor's accessed bit.
Result<void, Fault> ready_to_enter(Cpu& cpu, uint16_t selector, const Descriptor& d,
                                   uint64_t offset) {
  if (!offset_fits(cpu.state, d, offset)) return Err{kGeneralProtection0};
  return mark_accessed(cpu, selector, d);
}

/// Pushes with the fault of the stack it belongs to.
Flow push_frame(Cpu& cpu, EventStack& stack, std::initializer_list<uint64_t> values,
                unsigned width) {
  for (const uint64_t value : values) {
    if (const auto pushed = stack.push(cpu, value, width); !pushed) {
      return cpu.raise(Cpu::locate_fault(pushed.error(), arch::ss));
    }
  }
  return Flow::next;
}

// --- Call gates ---

struct Gate {
  Descriptor gate;
  Descriptor code;
  uint16_t selector = 0;
  uint64_t offset = 0;
  unsigned width = 4;
};

/// SDM "Call Gates" and "Accessing a Code Segment Through a Call Gate".
Result<Gate, Fault> open_gate(Cpu& cpu, uint16_t selector, const Descriptor& low) {
  const CpuState& s = cpu.state;
  Gate g;
  g.gate = low;
  const uint32_t type = low.rights().type();
  const bool wide = s.long_mode();
  if (wide ? type != 12 : type != 12 && type != 4) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  const unsigned rpl = selector & 3;
  if (low.rights().dpl() < s.cpl || low.rights().dpl() < rpl) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  if (!low.rights().present()) return Err{selector_fault(Vector::segment_not_present, selector)};
  if (wide) {
    const auto full = read_descriptor(cpu, selector, Vector::general_protection, true);
    if (!full) return Err{full.error()};
    g.gate = *full;
  }
  g.width = wide ? 8 : type == 12 ? 4 : 2;
  g.selector = g.gate.gate_selector();
  g.offset = g.width == 2   ? g.gate.gate_offset() & 0xFFFF
             : g.width == 4 ? g.gate.gate_offset() & 0xFFFFFFFF
                            : g.gate.gate_offset();
  if (null_selector(g.selector)) return Err{kGeneralProtection0};
  const auto code = read_descriptor(cpu, g.selector, Vector::general_protection);
  if (!code) return Err{code.error()};
  const SegmentRights rights = code->rights();
  if (!rights.code() || rights.dpl() > s.cpl || (wide && (!rights.long_mode() || rights.big()))) {
    return Err{selector_fault(Vector::general_protection, g.selector)};
  }
  if (!rights.present()) return Err{selector_fault(Vector::segment_not_present, g.selector)};
  g.code = *code;
  return g;
}

/// Copies the parameters from the caller's stack; IA-32e mode gates have none.
Result<void, Fault> copy_parameters(Cpu& cpu, EventStack& stack, const Gate& g) {
  const auto count = g.width == 8 ? 0u : static_cast<unsigned>(g.gate.low >> 32) & 31;
  for (unsigned i = count; i-- > 0;) {
    const uint64_t at = (cpu.state.regs[arch::rsp] + uint64_t{i} * g.width) & cpu.stack_mask();
    uint64_t parameter = 0;
    if (g.width == 4) {
      const auto value = cpu.load_at<uint32_t>(arch::ss, at, cpu.segments_checked());
      if (!value) return Err{value.error()};
      parameter = *value;
    } else {
      const auto value = cpu.load_at<uint16_t>(arch::ss, at, cpu.segments_checked());
      if (!value) return Err{value.error()};
      parameter = *value;
    }
    if (const auto pushed = stack.push(cpu, parameter, g.width); !pushed) return pushed;
  }
  return {};
}

Flow call_gate(Cpu& cpu, uint16_t selector, const Descriptor& low, bool is_call) {
  CpuState& s = cpu.state;
  const auto g = open_gate(cpu, selector, low);
  if (!g) return cpu.raise(g.error());
  const SegmentRights rights = g->code.rights();
  const bool inward = is_call && !rights.conforming() && rights.dpl() < s.cpl;
  if (!is_call && !rights.conforming() && rights.dpl() != s.cpl) {
    return cpu.raise(selector_fault(Vector::general_protection, g->selector));
  }
  const unsigned cpl = inward ? rights.dpl() : s.cpl;
  if (is_call) {
    EventStack stack = current_stack(cpu);
    if (s.long_mode()) stack.flat = true;
    if (inward) {
      const auto inner =
          g->width == 8 ? long_mode_stack(cpu, tss_rsp(cpl), cpl, 0) : inner_stack(cpu, cpl, 0);
      if (!inner) return cpu.raise(inner.error());
      stack = *inner;
      const Flow outer =
          push_frame(cpu, stack, {s.segments[arch::ss].selector, s.regs[arch::rsp]}, g->width);
      if (outer != Flow::next) return outer;
      if (const auto copied = copy_parameters(cpu, stack, *g); !copied) {
        return cpu.raise(copied.error());
      }
    }
    const Flow frame = push_frame(cpu, stack, {s.segments[arch::cs].selector, s.rip()}, g->width);
    if (frame != Flow::next) return frame;
    if (const auto ready = ready_to_enter(cpu, g->selector, g->code, g->offset); !ready) {
      return cpu.raise(ready.error());
    }
    if (inward) s.segments[arch::ss] = stack.ss;
    s.regs[arch::rsp] = stack.sp;
  } else if (const auto ready = ready_to_enter(cpu, g->selector, g->code, g->offset); !ready) {
    return cpu.raise(ready.error());
  }
  return finish_transfer(cpu, g->selector, g->code, cpl, g->offset);
}

// --- JMP and CALL ---

/// A TSS, busy or not, or a task gate.
bool is_task(uint32_t type) { return (type & 5) == 1 || type == 5; }

Flow far_jump_or_call(Cpu& cpu, const Insn& insn, const FarPointer& target, bool is_call) {
  CpuState& s = cpu.state;
  const unsigned width = 1u << insn.operand_size;
  if (real_like(s)) {
    if (target.offset > s.segments[arch::cs].limit) return cpu.raise(kGeneralProtection0);
    if (is_call) {
      EventStack stack = current_stack(cpu);
      const Flow pushed = push_frame(cpu, stack, {s.segments[arch::cs].selector, s.rip()}, width);
      if (pushed != Flow::next) return pushed;
      s.regs[arch::rsp] = stack.sp;
    }
    return go_real(cpu, target);
  }
  if (null_selector(target.selector)) return cpu.raise(kGeneralProtection0);
  const auto d = read_descriptor(cpu, target.selector, Vector::general_protection);
  if (!d) return cpu.raise(d.error());
  if (!d->rights().code_or_data()) {
    if (is_task(d->rights().type()) && !s.long_mode()) {
      return far_task_switch(cpu, insn, target.selector, *d, is_call);
    }
    return call_gate(cpu, target.selector, *d, is_call);
  }
  if (!d->rights().code()) {
    return cpu.raise(selector_fault(Vector::general_protection, target.selector));
  }
  if (const auto level = check_same_level(s, target.selector, *d); !level) {
    return cpu.raise(level.error());
  }
  EventStack stack = current_stack(cpu);
  if (is_call) {
    const Flow pushed = push_frame(cpu, stack, {s.segments[arch::cs].selector, s.rip()}, width);
    if (pushed != Flow::next) return pushed;
  }
  if (const auto ready = ready_to_enter(cpu, target.selector, *d, target.offset); !ready) {
    return cpu.raise(ready.error());
  }
  if (is_call) s.regs[arch::rsp] = stack.sp;
  return finish_transfer(cpu, target.selector, *d, s.cpl, target.offset);
}

// JMP/CALL ptr16:16, ptr16:32
template <bool is_call>
Flow far_direct(Cpu& cpu, const Insn& insn) {
  const FarPointer target{insn.imm & 0xFFFFFFFF, static_cast<uint16_t>(insn.imm >> 32)};
  return far_jump_or_call(cpu, insn, target, is_call);
}

// JMP/CALL m16:16, m16:32, m16:64
template <bool is_call, class T>
Flow far_indirect(Cpu& cpu, const Insn& insn) {
  const auto offset = cpu.load<T>(insn);
  if (!offset) return cpu.raise(offset.error());
  const uint64_t at = (cpu.effective_address(insn) + sizeof(T)) & address_mask(insn);
  const auto selector = cpu.load_at<uint16_t>(insn.segment, at, insn.flags & insn_flag::checked);
  if (!selector) return cpu.raise(selector.error());
  return far_jump_or_call(cpu, insn, {*offset, *selector}, is_call);
}

template <bool is_call>
Handler select_far(const Decoded& d) {
  const Operand& target = d.operands[0];
  if (target.kind == OperandKind::far_pointer) return far_direct<is_call>;
  if (target.kind != OperandKind::memory || target.bits != d.operand_size * 8 + 16) return nullptr;
  switch (d.operand_size) {
    case 2: return far_indirect<is_call, uint16_t>;
    case 4: return far_indirect<is_call, uint32_t>;
    case 8: return far_indirect<is_call, uint64_t>;
    default: return nullptr;
  }
}

constexpr Row far_row(std::string_view mnemonic, Handler (*select)(const Decoded&)) {
  return system_row(mnemonic, select, CostClass::far_transfer);
}

constexpr std::array<Row, 2> kRows = {
    {far_row("jmp", select_far<false>), far_row("call", select_far<true>)}};

}  // namespace

std::span<const Row> far_transfer_rows() { return kRows; }

}  // namespace vitrine::emu
