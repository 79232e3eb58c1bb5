// AVX and AVX2 masked moves: elements whose mask is clear are neither read, written nor checked.
#include "emu/cpu/handlers/avx.h"

namespace vitrine::emu {

namespace {

template <class T>
uint64_t offset_of(const Cpu& cpu, const Insn& insn, size_t element) {
  return (cpu.effective_address(insn) + element * sizeof(T)) & address_mask(insn);
}

// VMASKMOVPx, VPMASKMOVx v, v, m: elements that are not read become 0
template <size_t lanes, class T>
Flow load_masked(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto mask = elements_of<T>(read_vector<lanes>(cpu, insn.op[1]));
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  Elements<T, lanes> r{};
  for (size_t i = 0; i < r.size(); ++i) {
    if (!sign(mask[i])) continue;
    const auto loaded = cpu.load_at<T>(insn.segment, offset_of<T>(cpu, insn, i), checked);
    if (!loaded) return cpu.raise(loaded.error());
    r[i] = *loaded;
  }
  write_vector<lanes>(cpu, insn.op[0], vector_of<lanes>(r));
  return Flow::next;
}

// VMASKMOVPx, VPMASKMOVx m, v, v: nothing is written when an element faults
template <size_t lanes, class T>
Flow store_elements(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const auto mask = elements_of<T>(read_vector<lanes>(cpu, insn.op[1]));
  const auto x = elements_of<T>(read_vector<lanes>(cpu, insn.op[2]));
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!sign(mask[i])) continue;
    const auto probed = probe_store(cpu, insn, offset_of<T>(cpu, insn, i), sizeof(T));
    if (!probed) return cpu.raise(probed.error());
  }
  for (size_t i = 0; i < x.size(); ++i) {
    if (!sign(mask[i])) continue;
    const uint64_t offset = offset_of<T>(cpu, insn, i);
    const auto stored = cpu.store_at<T>(insn.segment, offset, x[i], checked);
    if (!stored) return cpu.raise(stored.error());
  }
  return Flow::next;
}

template <class T>
Handler select_masked(const Decoded& d) {
  if (is_memory(d.operands[0])) return select_vex<store_elements<1, T>, store_elements<2, T>>(d);
  return select_vex<load_masked<1, T>, load_masked<2, T>>(d);
}

constexpr auto kMove = CostClass::sse_move;

// clang-format off
constexpr std::array<Row, 4> kRows = {{
    avx_row("vmaskmovps", select_masked<uint32_t>, kMove), avx_row("vmaskmovpd", select_masked<uint64_t>, kMove),
    avx_row("vpmaskmovd", select_masked<uint32_t>, kMove, Feature::avx2),
    avx_row("vpmaskmovq", select_masked<uint64_t>, kMove, Feature::avx2),
}};
// clang-format on

}  // namespace

Result<void, Fault> probe_store(Cpu& cpu, const Insn& insn, uint64_t offset, size_t size) {
  Gva at{cpu.segment_base(insn.segment) + offset};
  if ((insn.flags & insn_flag::checked) != 0) {
    const auto linear = cpu.checked_linear(insn.segment, offset, size, true);
    if (!linear) return Err{linear.error()};
    at = *linear;
  }
  AccessRequest request = cpu.mmu.ordinary();
  request.write = true;
  const auto probed = cpu.mmu.probe_write(at, size, request);
  if (!probed) return Err{Cpu::locate_fault(probed.error(), insn.segment)};
  return {};
}

std::span<const Row> avx_masked_rows() { return kRows; }

}  // namespace vitrine::emu
