// SSE4.2 string comparison: PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM with every control byte.
#include <bit>

#include "emu/cpu/handlers/avx.h"

namespace vitrine::emu {

namespace {

enum class Lengths : uint8_t { in_registers, until_zero };
enum class Answer : uint8_t { index, mask };

/// SDM "Imm8 Control Byte Operation for PCMPESTRI / PCMPESTRM / PCMPISTRI / PCMPISTRM".
struct Control {
  uint8_t imm = 0;

  bool words() const { return (imm & 1) != 0; }
  bool is_signed() const { return (imm & 2) != 0; }
  unsigned aggregation() const { return imm >> 2 & 3; }
  bool negated() const { return (imm & 0x10) != 0; }
  bool only_valid() const { return (imm & 0x20) != 0; }
  bool from_top() const { return (imm & 0x40) != 0; }
  size_t elements() const { return words() ? 8 : 16; }
};

struct Text {
  std::array<int32_t, 16> elements{};
  size_t length = 0;
};

Text read_text(const Xmm& value, Control control) {
  Text text;
  const auto bytes = as<uint8_t>(value);
  const auto words = as<uint16_t>(value);
  for (size_t i = 0; i < control.elements(); ++i) {
    if (control.words()) {
      text.elements[i] = control.is_signed() ? int32_t{as_signed(words[i])} : int32_t{words[i]};
    } else {
      text.elements[i] = control.is_signed() ? int32_t{as_signed(bytes[i])} : int32_t{bytes[i]};
    }
  }
  return text;
}

size_t length_until_zero(const Text& text, size_t most) {
  size_t length = 0;
  while (length < most && text.elements[length] != 0) ++length;
  return length;
}

/// The absolute value of EAX or RAX, at most the number of elements.
size_t length_in_register(const Cpu& cpu, const Insn& insn, uint8_t offset, size_t most) {
  const bool wide = (insn.flags & insn_flag::rex_w) != 0;
  const int64_t given =
      wide ? as_signed(cpu.reg<uint64_t>(offset)) : int64_t{as_signed(cpu.reg<uint32_t>(offset))};
  const uint64_t size =
      given < 0 ? uint64_t{0} - static_cast<uint64_t>(given) : static_cast<uint64_t>(given);
  return size < most ? static_cast<size_t>(size) : most;
}

/// Whether element j of the second text is in the set, or in a range, of the first.
bool equal_any(const Text& set, const Text& text, size_t j) {
  bool found = false;
  for (size_t i = 0; i < set.length; ++i) found = found || set.elements[i] == text.elements[j];
  return j < text.length && found;
}
bool in_ranges(const Text& ranges, const Text& text, size_t j) {
  bool found = false;
  for (size_t i = 0; i + 1 < ranges.length; i += 2) {
    found = found ||
            (ranges.elements[i] <= text.elements[j] && text.elements[j] <= ranges.elements[i + 1]);
  }
  return j < text.length && found;
}
/// Element by element; behind the ends both are equal.
bool equal_each(const Text& a, const Text& b, size_t j) {
  const bool in_a = j < a.length;
  const bool in_b = j < b.length;
  return in_a && in_b ? a.elements[j] == b.elements[j] : in_a == in_b;
}
/// The first text begins at element j of the second; what lies behind the register may match.
bool equal_ordered(const Text& part, const Text& text, size_t j, size_t elements) {
  for (size_t i = 0; i < part.length && i + j < elements; ++i) {
    if (i + j >= text.length || part.elements[i] != text.elements[i + j]) return false;
  }
  return true;
}

uint32_t compare(const Text& a, const Text& b, Control control) {
  const size_t elements = control.elements();
  uint32_t bits = 0;
  for (size_t j = 0; j < elements; ++j) {
    bool holds = false;
    switch (control.aggregation()) {
      case 0: holds = equal_any(a, b, j); break;
      case 1: holds = in_ranges(a, b, j); break;
      case 2: holds = equal_each(a, b, j); break;
      default: holds = equal_ordered(a, b, j, elements); break;
    }
    const bool negate = control.negated() && (!control.only_valid() || j < b.length);
    if (holds != negate) bits |= 1u << j;
  }
  return bits;
}

Xmm mask_of(uint32_t bits, Control control) {
  if (!control.from_top()) return {bits, 0};
  if (control.words()) {
    Lanes<uint16_t> r{};
    for (size_t i = 0; i < r.size(); ++i) r[i] = (bits >> i & 1) != 0 ? 0xFFFF : 0;
    return from<uint16_t>(r);
  }
  Lanes<uint8_t> r{};
  for (size_t i = 0; i < r.size(); ++i) r[i] = (bits >> i & 1) != 0 ? 0xFF : 0;
  return from<uint8_t>(r);
}

// PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM xmm, xmm/m128, imm8
template <bool vex, Lengths lengths, Answer result>
Flow compare_strings(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (vex ? avx_blocked(cpu, flow) : sse_blocked(cpu, flow)) return flow;
  Xmm second{};
  if (insn.op[1] == kMemory) {
    // These operands need no alignment.
    const auto loaded = load_xmm<Alignment::free>(cpu, insn);
    if (!loaded) return cpu.raise(loaded.error());
    second = *loaded;
  } else {
    second = read_xmm(cpu, insn.op[1]);
  }
  const Control control{static_cast<uint8_t>(insn.imm)};
  const size_t elements = control.elements();
  Text a = read_text(read_xmm(cpu, insn.op[0]), control);
  Text b = read_text(second, control);
  if constexpr (lengths == Lengths::in_registers) {
    a.length = length_in_register(cpu, insn, at::rax, elements);
    b.length = length_in_register(cpu, insn, at::rdx, elements);
  } else {
    a.length = length_until_zero(a, elements);
    b.length = length_until_zero(b, elements);
  }
  const uint32_t bits = compare(a, b, control);
  if constexpr (result == Answer::index) {
    const auto most = static_cast<uint32_t>(elements);
    const uint32_t top = static_cast<uint32_t>(std::bit_width(bits)) - 1;
    const auto bottom = static_cast<uint32_t>(std::countr_zero(bits));
    const uint32_t index = bits == 0 ? most : control.from_top() ? top : bottom;
    cpu.set_reg<uint32_t>(at::rcx, index);
  } else {
    const Xmm mask = mask_of(bits, control);
    if (vex) {
      write_low(cpu, 0, mask);
    } else {
      write_xmm(cpu, 0, mask);
    }
  }
  cpu.state.flags.set_arithmetic(
      (bits != 0 ? flag::cf : 0u) | (b.length < elements ? flag::zf : 0u) |
      (a.length < elements ? flag::sf : 0u) | ((bits & 1) != 0 ? flag::of : 0u));
  return Flow::next;
}

template <Lengths lengths, Answer result>
constexpr Row string_row(std::string_view mnemonic) {
  return {mnemonic,          Feature::sse4_2,
          InsnClass::plain,  CostClass::sse_mul,
          {0, flag::all, 0}, select_sse<compare_strings<false, lengths, result>>};
}

// clang-format off
constexpr std::array<Row, 4> kRows = {{
    string_row<Lengths::in_registers, Answer::index>("pcmpestri"), string_row<Lengths::in_registers, Answer::mask>("pcmpestrm"),
    string_row<Lengths::until_zero, Answer::index>("pcmpistri"),   string_row<Lengths::until_zero, Answer::mask>("pcmpistrm"),
}};
// clang-format on

template <Lengths lengths, Answer result>
constexpr Row avx_string_row(std::string_view mnemonic) {
  Row row = avx_row(mnemonic, select_vex<compare_strings<true, lengths, result>, kNoForm>,
                    CostClass::sse_mul);
  row.flags.written = flag::all;
  return row;
}

// clang-format off
constexpr std::array<Row, 4> kAvxRows = {{
    avx_string_row<Lengths::in_registers, Answer::index>("vpcmpestri"), avx_string_row<Lengths::in_registers, Answer::mask>("vpcmpestrm"),
    avx_string_row<Lengths::until_zero, Answer::index>("vpcmpistri"),   avx_string_row<Lengths::until_zero, Answer::mask>("vpcmpistrm"),
}};
// clang-format on

}  // namespace

std::span<const Row> vector_string_rows() { return kRows; }
std::span<const Row> avx_string_rows() { return kAvxRows; }

}  // namespace vitrine::emu
