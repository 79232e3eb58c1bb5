// AVX2 gathers: elements from base + index * scale, in order, with the mask as their progress.
#include "emu/cpu/handlers/avx.h"

namespace vitrine::emu {

namespace {

/// The address without its vector index, which Insn::index names.
uint64_t base_address(const Cpu& cpu, const Insn& insn) {
  return cpu.state.regs[insn.base] + static_cast<uint64_t>(int64_t{insn.disp});
}

// VGATHERxx, VPGATHERxx v, [base + v * scale + disp], v: `count` elements. SDM "VPGATHERDD": before a
// fault the elements below are complete and their mask is clear; at the end all of the mask is.
template <class T, class Index, size_t count>
Flow gather(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (avx_blocked(cpu, flow)) return flow;
  const uint8_t target = insn.op[0];
  const uint8_t mask_register = insn.op[2];
  // One register in two of the three places is #UD.
  if (target == mask_register || target == insn.index || mask_register == insn.index) {
    return cpu.raise(kUndefinedOpcode);
  }
  const auto index = elements_of<Index>(read_vector<2>(cpu, insn.index));
  const auto mask = elements_of<T>(read_vector<2>(cpu, mask_register));
  auto x = elements_of<T>(read_vector<2>(cpu, target));
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  Elements<T, 2> left{};
  for (size_t i = 0; i < count; ++i) left[i] = sign(mask[i]) ? static_cast<T>(~T{0}) : T{0};
  for (size_t i = 0; i < count; ++i) {
    if (left[i] == 0) continue;
    const auto scaled = static_cast<uint64_t>(int64_t{index[i]}) << insn.scale;
    const uint64_t offset = (base_address(cpu, insn) + scaled) & address_mask(insn);
    const auto loaded = cpu.load_at<T>(insn.segment, offset, checked);
    if (!loaded) {
      // What lies above the elements is cleared at the end in the destination, but at once in the mask.
      write_vector<2>(cpu, target, vector_of<2>(x));
      write_vector<2>(cpu, mask_register, vector_of<2>(left));
      return cpu.raise(loaded.error());
    }
    x[i] = *loaded;
    left[i] = 0;
  }
  for (size_t i = count; i < x.size(); ++i) x[i] = 0;
  write_vector<2>(cpu, target, vector_of<2>(x));
  write_vector<2>(cpu, mask_register, {});
  return Flow::next;
}

/// The wider of element and index decides how many there are.
template <class T, class Index>
constexpr Row gather_row(std::string_view mnemonic) {
  constexpr size_t kCount = 16 / (sizeof(T) > sizeof(Index) ? sizeof(T) : sizeof(Index));
  return avx_row(mnemonic, select_vex<gather<T, Index, kCount>, gather<T, Index, 2 * kCount>>,
                 CostClass::sse_convert, Feature::avx2);
}

// clang-format off
constexpr std::array<Row, 8> kRows = {{
    gather_row<uint32_t, int32_t>("vpgatherdd"), gather_row<uint64_t, int32_t>("vpgatherdq"),
    gather_row<uint32_t, int64_t>("vpgatherqd"), gather_row<uint64_t, int64_t>("vpgatherqq"),
    gather_row<uint32_t, int32_t>("vgatherdps"), gather_row<uint64_t, int32_t>("vgatherdpd"),
    gather_row<uint32_t, int64_t>("vgatherqps"), gather_row<uint64_t, int64_t>("vgatherqpd"),
}};
// clang-format on

}  // namespace

std::span<const Row> avx_gather_rows() { return kRows; }

}  // namespace vitrine::emu
