// SSE and SSE2 data movement: whole registers, scalars, halves, and between register files.
#include "emu/cpu/handlers/vector.h"

namespace vitrine::emu {

namespace {

// MOVAPS/MOVAPD/MOVDQA (aligned) and MOVUPS/MOVUPD/MOVDQU (free), both directions
template <Alignment alignment>
Flow move_whole(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  if (insn.op[0] == kMemory) {
    if constexpr (alignment == Alignment::required) {
      const uint64_t linear = cpu.segment_base(insn.segment) + cpu.effective_address(insn);
      if ((linear & 15) != 0) return cpu.raise(kGeneralProtection0);
    }
    const auto stored = cpu.store<Xmm>(insn, read_xmm(cpu, insn.op[1]));
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  if (insn.op[1] == kMemory) {
    const auto value = load_xmm<alignment>(cpu, insn);
    if (!value) return cpu.raise(value.error());
    write_xmm(cpu, insn.op[0], *value);
    return Flow::next;
  }
  write_xmm(cpu, insn.op[0], read_xmm(cpu, insn.op[1]));
  return Flow::next;
}

// MOVSS, MOVSD: a load clears the rest, a register move keeps it
template <class T>
Flow move_scalar(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<T>(insn, as<T>(read_xmm(cpu, insn.op[1]))[0]);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  if (insn.op[1] == kMemory) {
    const auto value = cpu.load<T>(insn);
    if (!value) return cpu.raise(value.error());
    Lanes<T> lanes{};
    lanes[0] = *value;
    write_xmm(cpu, insn.op[0], from<T>(lanes));
    return Flow::next;
  }
  auto lanes = as<T>(read_xmm(cpu, insn.op[0]));
  lanes[0] = as<T>(read_xmm(cpu, insn.op[1]))[0];
  write_xmm(cpu, insn.op[0], from<T>(lanes));
  return Flow::next;
}

// MOVQ xmm, xmm/m64 and m64, xmm; MOVLPS/MOVLPD, MOVHPS/MOVHPD; MOVHLPS, MOVLHPS
template <size_t to, size_t from_half, bool clears>
Flow move_half(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<uint64_t>(insn, read_xmm(cpu, insn.op[1])[to]);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  uint64_t half = 0;
  if (insn.op[1] == kMemory) {
    const auto value = cpu.load<uint64_t>(insn);
    if (!value) return cpu.raise(value.error());
    half = *value;
  } else {
    half = read_xmm(cpu, insn.op[1])[from_half];
  }
  Xmm result = clears ? Xmm{} : read_xmm(cpu, insn.op[0]);
  result[to] = half;
  write_xmm(cpu, insn.op[0], result);
  return Flow::next;
}

// MOVD/MOVQ between XMM and a general-purpose register or memory
template <class T>
Flow to_xmm(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  T value = 0;
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = cpu.reg<T>(insn.op[1]);
  }
  write_xmm(cpu, insn.op[0], {value, 0});
  return Flow::next;
}
template <class T>
Flow from_xmm(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const T value = as<T>(read_xmm(cpu, insn.op[1]))[0];
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<T>(insn, value);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  cpu.set_reg<T>(insn.op[0], value);
  return Flow::next;
}

Handler select_movd(const Decoded& d) {
  if (!sse_form(d)) return nullptr;
  return is_xmm(d.operands[0]) ? to_xmm<uint32_t> : from_xmm<uint32_t>;
}
Handler select_movq(const Decoded& d) {
  if (!sse_form(d)) return nullptr;
  if (is_xmm(d.operands[0]) && !is_gpr(d.operands[1])) return move_half<0, 0, true>;
  if (is_memory(d.operands[0])) return move_half<0, 0, true>;
  return is_xmm(d.operands[0]) ? to_xmm<uint64_t> : from_xmm<uint64_t>;
}
/// MOVSD the string instruction has no explicit operands.
Handler select_movsd(const Decoded& d) {
  return d.operand_count == 2 ? select_sse<move_scalar<uint64_t>>(d) : nullptr;
}

// MOVMSKPS, MOVMSKPD, PMOVMSKB
template <class T>
Flow move_mask(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const auto lanes = as<T>(read_xmm(cpu, insn.op[1]));
  uint32_t mask = 0;
  for (size_t i = 0; i < lanes.size(); ++i) mask |= uint32_t{sign(lanes[i])} << i;
  cpu.set_reg<uint32_t>(insn.op[0], mask);
  return Flow::next;
}

// MASKMOVDQU xmm, xmm
Flow store_xmm_masked(Cpu& cpu, const Insn& insn) {
  Flow blocked;
  if (sse_blocked(cpu, blocked)) return blocked;
  const auto value = as<uint8_t>(read_xmm(cpu, insn.op[0]));
  const auto mask = as<uint8_t>(read_xmm(cpu, insn.op[1]));
  const auto stored = store_masked(cpu, insn, value, mask);
  return stored ? Flow::next : cpu.raise(stored.error());
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    sse_row("movaps",   select_sse<move_whole<Alignment::required>>, CostClass::sse_move, Feature::sse),
    sse_row("movapd",   select_sse<move_whole<Alignment::required>>, CostClass::sse_move),
    sse_row("movdqa",   select_sse<move_whole<Alignment::required>>, CostClass::sse_move),
    sse_row("movntps",  select_sse<move_whole<Alignment::required>>, CostClass::sse_move, Feature::sse),
    sse_row("movntpd",  select_sse<move_whole<Alignment::required>>, CostClass::sse_move),
    sse_row("movntdq",  select_sse<move_whole<Alignment::required>>, CostClass::sse_move),
    sse_row("movups",   select_sse<move_whole<Alignment::free>>,     CostClass::sse_move, Feature::sse),
    sse_row("movupd",   select_sse<move_whole<Alignment::free>>,     CostClass::sse_move),
    sse_row("movdqu",   select_sse<move_whole<Alignment::free>>,     CostClass::sse_move),
    sse_row("movss",    select_sse<move_scalar<uint32_t>>,           CostClass::sse_move, Feature::sse),
    sse_row("movsd",    select_movsd,                                CostClass::sse_move),
    sse_row("movlps",   select_sse<move_half<0, 0, false>>,          CostClass::sse_move, Feature::sse),
    sse_row("movlpd",   select_sse<move_half<0, 0, false>>,          CostClass::sse_move),
    sse_row("movhps",   select_sse<move_half<1, 0, false>>,          CostClass::sse_move, Feature::sse),
    sse_row("movhpd",   select_sse<move_half<1, 0, false>>,          CostClass::sse_move),
    sse_row("movhlps",  select_sse<move_half<0, 1, false>>,          CostClass::sse_move, Feature::sse),
    sse_row("movlhps",  select_sse<move_half<1, 0, false>>,          CostClass::sse_move, Feature::sse),
    sse_row("movd",     select_movd,                                 CostClass::sse_move),
    sse_row("movq",     select_movq,                                 CostClass::sse_move),
    sse_row("movmskps", select_sse<move_mask<uint32_t>>,             CostClass::sse_move, Feature::sse),
    sse_row("movmskpd", select_sse<move_mask<uint64_t>>,             CostClass::sse_move),
    sse_row("pmovmskb", select_sse<move_mask<uint8_t>>,              CostClass::sse_move),
    sse_row("maskmovdqu", select_sse<store_xmm_masked>,              CostClass::sse_move),
});
// clang-format on

}  // namespace

Result<void, Fault> store_masked(Cpu& cpu, const Insn& insn, std::span<const uint8_t> value,
                                 std::span<const uint8_t> mask) {
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  const auto offset_of = [&](size_t i) {
    return (cpu.state.regs[arch::rdi] + i) & address_mask(insn);
  };
  AccessRequest request = cpu.mmu.ordinary();
  request.write = true;
  // Every byte is asked for before the first is written: a fault leaves memory as it was.
  for (size_t i = 0; i < value.size(); ++i) {
    if (!sign(mask[i])) continue;
    Gva at{cpu.segment_base(insn.segment) + offset_of(i)};
    if (checked) {
      const auto linear = cpu.checked_linear(insn.segment, offset_of(i), 1, true);
      if (!linear) return Err{linear.error()};
      at = *linear;
    }
    const auto probed = cpu.mmu.probe_write(at, 1, request);
    if (!probed) return Err{Cpu::locate_fault(probed.error(), insn.segment)};
  }
  for (size_t i = 0; i < value.size(); ++i) {
    if (!sign(mask[i])) continue;
    const auto stored = cpu.store_at<uint8_t>(insn.segment, offset_of(i), value[i], checked);
    if (!stored) return stored;
  }
  return {};
}

std::span<const Row> vector_move_rows() { return kRows; }

}  // namespace vitrine::emu
