// Segment registers: MOV, PUSH and POP of a selector, LDS to LSS; and the groups' rows joined.
#include "emu/cpu/segmentation.h"

#include <vector>

#include "emu/cpu/handlers/system.h"

namespace vitrine::emu {

namespace {

/// SDM "Masking Exceptions and Interrupts When Switching Stacks": MOV SS and POP SS hold them off
/// until the next instruction is done.
Flow loaded(Cpu& cpu, uint8_t segment) {
  if (segment == arch::ss) cpu.state.mov_ss_shadow = true;
  return Flow::branch;
}

// MOV r/m, Sreg
Flow mov_from_segment(Cpu& cpu, const Insn& insn) {
  const auto stored = write_word(cpu, insn, cpu.state.segments[insn.op[1]].selector);
  if (!stored) return cpu.raise(stored.error());
  return Flow::next;
}

Handler select_mov_from(const Decoded& d) {
  return d.operands[1].kind == OperandKind::segment ? mov_from_segment : nullptr;
}

// MOV Sreg, r/m16
Flow mov_to_segment(Cpu& cpu, const Insn& insn) {
  const auto selector = read_word(cpu, insn, 1);
  if (!selector) return cpu.raise(selector.error());
  const uint8_t segment = insn.op[0];
  if (const auto r = load_segment(cpu, segment, *selector); !r) return cpu.raise(r.error());
  return loaded(cpu, segment);
}

Handler select_mov_to(const Decoded& d) {
  const Operand& to = d.operands[0];
  return to.kind == OperandKind::segment && to.number != arch::cs ? mov_to_segment : nullptr;
}

// PUSH Sreg. A 32-bit push writes 16 bits and leaves the upper half of its slot alone.
template <class T>
Flow push_segment(Cpu& cpu, const Insn& insn) {
  const uint16_t selector = cpu.state.segments[insn.op[0]].selector;
  if constexpr (sizeof(T) == 4) {
    const uint64_t top = (cpu.state.regs[arch::rsp] - 4) & cpu.stack_mask();
    const auto r = cpu.store_at<uint16_t>(arch::ss, top, selector, cpu.segments_checked());
    if (!r) return cpu.raise(r.error());
    cpu.set_stack_pointer(top);
  } else {
    const auto r = cpu.push<T>(selector);
    if (!r) return cpu.raise(r.error());
  }
  return Flow::next;
}

Handler select_push(const Decoded& d) {
  if (d.operands[0].kind != OperandKind::segment) return nullptr;
  return for_word_width(d.operand_size, []<class T>() -> Handler { return push_segment<T>; });
}

// POP Sreg
template <class T>
Flow pop_segment(Cpu& cpu, const Insn& insn) {
  const uint64_t old_rsp = cpu.state.regs[arch::rsp];
  const auto value = cpu.pop<T>();
  if (!value) return cpu.raise(value.error());
  const uint8_t segment = insn.op[0];
  if (const auto r = load_segment(cpu, segment, static_cast<uint16_t>(*value)); !r) {
    cpu.state.regs[arch::rsp] = old_rsp;
    return cpu.raise(r.error());
  }
  return loaded(cpu, segment);
}

Handler select_pop(const Decoded& d) {
  if (d.operands[0].kind != OperandKind::segment) return nullptr;
  return for_word_width(d.operand_size, []<class T>() -> Handler { return pop_segment<T>; });
}

// LDS, LES, LFS, LGS, LSS r, m16:16/32/64
template <uint8_t segment, class T>
Flow load_far_pointer(Cpu& cpu, const Insn& insn) {
  const uint64_t at = cpu.effective_address(insn);
  const auto offset = cpu.load_at<T>(insn.segment, at, is_checked(insn));
  if (!offset) return cpu.raise(offset.error());
  const auto selector =
      cpu.load_at<uint16_t>(insn.segment, (at + sizeof(T)) & address_mask(insn), is_checked(insn));
  if (!selector) return cpu.raise(selector.error());
  if (const auto r = load_segment(cpu, segment, *selector); !r) return cpu.raise(r.error());
  cpu.set_reg<T>(insn.op[0], *offset);
  return Flow::branch;
}

template <uint8_t segment>
Handler select_far_pointer(const Decoded& d) {
  if (!is_memory(d.operands[1])) return nullptr;
  return for_word_width(d.operand_size,
                        []<class T>() -> Handler { return load_far_pointer<segment, T>; });
}

// clang-format off
constexpr std::array<Row, 9> kRows = {{
  {"mov",  Feature::base, InsnClass::plain, CostClass::alu,      {}, select_mov_from},
  {"push", Feature::base, InsnClass::plain, CostClass::push_pop, {}, select_push},
  system_row("mov", select_mov_to,               CostClass::segment_load),
  system_row("pop", select_pop,                  CostClass::segment_load),
  system_row("lds", select_far_pointer<arch::ds>, CostClass::segment_load),
  system_row("les", select_far_pointer<arch::es>, CostClass::segment_load),
  system_row("lfs", select_far_pointer<arch::fs>, CostClass::segment_load),
  system_row("lgs", select_far_pointer<arch::gs>, CostClass::segment_load),
  system_row("lss", select_far_pointer<arch::ss>, CostClass::segment_load),
}};
// clang-format on

}  // namespace

std::span<const Row> segment_load_rows() { return kRows; }

std::span<const Row> segment_rows() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> joined;
    for (const auto group : {segment_load_rows(), segment_query_rows(), descriptor_table_rows(),
                             far_transfer_rows(), far_return_rows()}) {
      joined.insert(joined.end(), group.begin(), group.end());
    }
    return joined;
  }();
  return rows;
}

}  // namespace vitrine::emu
