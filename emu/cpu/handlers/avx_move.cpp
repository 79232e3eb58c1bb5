// AVX data movement: whole vectors, scalars, halves, masks of signs, and clearing registers.
#include "emu/cpu/handlers/avx.h"

namespace vitrine::emu {

namespace {

// VMOVAPx/VMOVDQA/VMOVNTxx/VMOVNTDQA (aligned to their size), VMOVUPx/VMOVDQU/VLDDQU (free)
template <size_t lanes, Alignment alignment>
Flow move_whole(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const bool in_memory = insn.op[0] == kMemory || insn.op[1] == kMemory;
  if (alignment == Alignment::required && in_memory) {
    const uint64_t linear = cpu.segment_base(insn.segment) + cpu.effective_address(insn);
    if ((linear & (lanes * 16 - 1)) != 0) return cpu.raise(kGeneralProtection0);
  }
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store(insn, read_vector<lanes>(cpu, insn.op[1]));
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  const auto value = vector_source<lanes>(cpu, insn, 1);
  if (!value) return cpu.raise(value.error());
  write_vector<lanes>(cpu, insn.op[0], *value);
  return Flow::next;
}

// VMOVSS, VMOVSD m, xmm; xmm, m; xmm, xmm, xmm
template <class T>
Flow move_scalar(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<T>(insn, as<T>(read_xmm(cpu, insn.op[1]))[0]);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  Lanes<T> r{};
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    r[0] = *loaded;
  } else {
    r = as<T>(read_xmm(cpu, insn.op[1]));
    r[0] = as<T>(read_xmm(cpu, insn.op[2]))[0];
  }
  write_low(cpu, insn.op[0], from<T>(r));
  return Flow::next;
}

// VMOVLPx, VMOVHPx m64, xmm; VMOVLPx, VMOVHPx, VMOVHLPS, VMOVLHPS xmm, xmm, m64 or xmm
template <size_t to, size_t from_half>
Flow move_half(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<uint64_t>(insn, read_xmm(cpu, insn.op[1])[to]);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  Xmm r = read_xmm(cpu, insn.op[1]);
  if (insn.op[2] == kMemory) {
    const auto loaded = cpu.load<uint64_t>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    r[to] = *loaded;
  } else {
    r[to] = read_xmm(cpu, insn.op[2])[from_half];
  }
  write_low(cpu, insn.op[0], r);
  return Flow::next;
}

// VMOVD, VMOVQ between a vector register and a general-purpose one or memory
template <class T, bool from_vector>
Flow move_low(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  T value = 0;
  if (insn.op[1] == kMemory) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = from_vector ? as<T>(read_xmm(cpu, insn.op[1]))[0] : cpu.reg<T>(insn.op[1]);
  }
  write_low(cpu, insn.op[0], {value, 0});
  return Flow::next;
}
template <class T>
Flow move_out(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const T value = as<T>(read_xmm(cpu, insn.op[1]))[0];
  if (insn.op[0] == kMemory) {
    const auto stored = cpu.store<T>(insn, value);
    return stored ? Flow::next : cpu.raise(stored.error());
  }
  cpu.set_reg<T>(insn.op[0], value);
  return Flow::next;
}
template <class T>
Handler select_move_low(const Decoded& d) {
  if (!is_xmm(d.operands[0])) return move_out<T>;
  return is_xmm(d.operands[1]) ? move_low<T, true> : move_low<T, false>;
}

// VMOVMSKPx, VPMOVMSKB r32, v
template <size_t lanes, class T>
Flow move_mask(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto x = elements_of<T>(read_vector<lanes>(cpu, insn.op[1]));
  uint32_t mask = 0;
  for (size_t i = 0; i < x.size(); ++i) mask |= uint32_t{sign(x[i])} << i;
  cpu.set_reg<uint32_t>(insn.op[0], mask);
  return Flow::next;
}

// VMASKMOVDQU xmm, xmm
Flow store_bytes_masked(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto value = as<uint8_t>(read_xmm(cpu, insn.op[0]));
  const auto mask = as<uint8_t>(read_xmm(cpu, insn.op[1]));
  const auto stored = store_masked(cpu, insn, value, mask);
  return stored ? Flow::next : cpu.raise(stored.error());
}

// VZEROUPPER, VZEROALL: outside 64-bit mode the first eight registers
template <size_t first_word>
Flow clear(Cpu& cpu, const Insn&) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const size_t count = cpu.mode().code_size == 8 ? 16 : 8;
  for (size_t i = 0; i < count; ++i) {
    auto& ymm = cpu.state.vector.ymm[i];
    for (size_t word = first_word; word < ymm.size(); ++word) ymm[word] = 0;
  }
  return Flow::next;
}

constexpr auto kMove = CostClass::sse_move;

template <Handler narrow, Handler wide>
constexpr Row move_row(std::string_view mnemonic) {
  return avx_row(mnemonic, select_vex<narrow, wide>, kMove);
}
constexpr Row aligned_row(std::string_view mnemonic) {
  return move_row<move_whole<1, Alignment::required>, move_whole<2, Alignment::required>>(mnemonic);
}
constexpr Row free_row(std::string_view mnemonic) {
  return move_row<move_whole<1, Alignment::free>, move_whole<2, Alignment::free>>(mnemonic);
}
template <Handler handler>
constexpr Row low_row(std::string_view mnemonic) {
  return move_row<handler, kNoForm>(mnemonic);
}
/// VEX.L does not count.
template <Handler handler>
constexpr Row any_row(std::string_view mnemonic) {
  return move_row<handler, handler>(mnemonic);
}

// clang-format off
constexpr auto kSingles = std::to_array<Row>({
    aligned_row("vmovaps"), aligned_row("vmovapd"), aligned_row("vmovdqa"), aligned_row("vmovntps"),
    aligned_row("vmovntpd"), aligned_row("vmovntdq"), free_row("vmovups"), free_row("vmovupd"),
    free_row("vmovdqu"), free_row("vlddqu"),
    any_row<move_scalar<uint32_t>>("vmovss"), any_row<move_scalar<uint64_t>>("vmovsd"),
    low_row<move_half<0, 0>>("vmovlps"), low_row<move_half<0, 0>>("vmovlpd"), low_row<move_half<1, 0>>("vmovhps"),
    low_row<move_half<1, 0>>("vmovhpd"), low_row<move_half<0, 1>>("vmovhlps"), low_row<move_half<1, 0>>("vmovlhps"),
    avx_row("vmovd", select_move_low<uint32_t>, kMove), avx_row("vmovq", select_move_low<uint64_t>, kMove),
    move_row<move_mask<1, uint32_t>, move_mask<2, uint32_t>>("vmovmskps"),
    move_row<move_mask<1, uint64_t>, move_mask<2, uint64_t>>("vmovmskpd"),
    low_row<store_bytes_masked>("vmaskmovdqu"),
    any_row<clear<2>>("vzeroupper"), any_row<clear<0>>("vzeroall"),
});
constexpr auto kRows = join(kSingles,
    both_widths<move_whole<1, Alignment::required>, move_whole<2, Alignment::required>>("vmovntdqa", kMove),
    both_widths<move_mask<1, uint8_t>, move_mask<2, uint8_t>>("vpmovmskb", kMove));
// clang-format on

}  // namespace

std::span<const Row> avx_move_rows() { return kRows; }

}  // namespace vitrine::emu
