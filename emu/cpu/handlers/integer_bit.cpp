// Bits: BT, BTS, BTR, BTC, BSF, BSR, TZCNT, LZCNT, POPCNT, CRC32.
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

enum class BitChange : uint8_t { none, set, reset, complement };

template <BitChange change, class T>
constexpr T changed(T value, T mask) {
  if constexpr (change == BitChange::set) return static_cast<T>(value | mask);
  if constexpr (change == BitChange::reset) return static_cast<T>(value & ~mask);
  if constexpr (change == BitChange::complement) return static_cast<T>(value ^ mask);
  return value;
}

/// OF, SF, AF and PF, undefined in the SDM, stay as they are, like ZF.
template <BitChange change, class T>
T test_bit(Flags& flags, T value, uint64_t number) {
  const auto mask = static_cast<T>(T{1} << (number & (kBits<T> - 1)));
  flags.set_cf((value & mask) != 0);
  return changed<change, T>(value, mask);
}

// BT r, r/imm8
template <BitChange change, class T, Place src>
Flow bit_in_register(Cpu& cpu, const Insn& insn) {
  const T number = second_value<T, src>(cpu, insn);
  const T r = test_bit<change, T>(cpu.state.flags, cpu.reg<T>(insn.op[0]), number);
  if constexpr (change != BitChange::none) cpu.set_reg<T>(insn.op[0], r);
  return Flow::next;
}

// BT m, r/imm8: a register numbers any bit before or behind the operand's address
template <BitChange change, class T, Place src>
Flow bit_in_memory(Cpu& cpu, const Insn& insn) {
  const T number = second_value<T, src>(cpu, insn);
  uint64_t offset = cpu.effective_address(insn);
  if constexpr (src == Place::reg) {
    const int64_t word = int64_t{as_signed(number)} >> std::countr_zero(kBits<T>);
    offset += static_cast<uint64_t>(word) * sizeof(T);
    offset &= address_mask(insn);
  }
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  if constexpr (change == BitChange::none) {
    const auto value = cpu.load_at<T>(insn.segment, offset, checked);
    if (!value) [[unlikely]]
      return cpu.raise(value.error());
    test_bit<change, T>(cpu.state.flags, *value, number);
  } else {
    const auto value = cpu.begin_modify_at<T>(insn.segment, offset, checked);
    if (!value) [[unlikely]]
      return cpu.raise(value.error());
    cpu.commit<T>(test_bit<change, T>(cpu.state.flags, *value, number));
  }
  return Flow::next;
}

template <BitChange change>
Handler select_bit_test(const Decoded& d) {
  const Shape shape = shape_of(d);
  return for_word_width(d.operand_size, [shape]<class T>() -> Handler {
    switch (shape) {
      case Shape::reg_reg: return bit_in_register<change, T, Place::reg>;
      case Shape::reg_imm: return bit_in_register<change, T, Place::imm>;
      case Shape::mem_reg: return bit_in_memory<change, T, Place::reg>;
      case Shape::mem_imm: return bit_in_memory<change, T, Place::imm>;
      default: return nullptr;
    }
  });
}

/// ZF and CF as given, the undefined flags 0.
void set_zero_and_carry(Flags& flags, bool zero, bool carry) {
  flags.set_arithmetic((zero ? arch::rflags::zf : 0) | (carry ? arch::rflags::cf : 0));
}

// Each scan: its result and flags. BSF and BSR of 0 give no result.

struct Bsf {
  template <class T>
  static bool apply(Flags& flags, T source, T& r) {
    set_zero_and_carry(flags, source == 0, false);
    r = static_cast<T>(std::countr_zero(source));
    return source != 0;
  }
};

struct Bsr {
  template <class T>
  static bool apply(Flags& flags, T source, T& r) {
    set_zero_and_carry(flags, source == 0, false);
    r = static_cast<T>(kBits<T> - 1 - static_cast<unsigned>(std::countl_zero(source)));
    return source != 0;
  }
};

struct Tzcnt {
  template <class T>
  static bool apply(Flags& flags, T source, T& r) {
    r = static_cast<T>(std::countr_zero(source));
    set_zero_and_carry(flags, r == 0, source == 0);
    return true;
  }
};

struct Lzcnt {
  template <class T>
  static bool apply(Flags& flags, T source, T& r) {
    r = static_cast<T>(std::countl_zero(source));
    set_zero_and_carry(flags, r == 0, source == 0);
    return true;
  }
};

struct Popcnt {
  template <class T>
  static bool apply(Flags& flags, T source, T& r) {
    r = static_cast<T>(std::popcount(source));
    set_zero_and_carry(flags, source == 0, false);
    return true;
  }
};

// op r, r/m
template <class Op, class T, Place src>
Flow scan(Cpu& cpu, const Insn& insn) {
  T source;
  if constexpr (src == Place::mem) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) [[unlikely]]
      return cpu.raise(loaded.error());
    source = *loaded;
  } else {
    source = cpu.reg<T>(insn.op[1]);
  }
  T r;
  if (Op::template apply<T>(cpu.state.flags, source, r)) cpu.set_reg<T>(insn.op[0], r);
  return Flow::next;
}

template <class Op>
Handler select_scan(const Decoded& d) {
  const bool memory = is_memory(d.operands[1]);
  return for_word_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? scan<Op, T, Place::mem> : scan<Op, T, Place::reg>;
  });
}

/// CRC-32C, polynomial 11EDC6F41H bit-reflected.
constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
    table[i] = crc;
  }
  return table;
}
constexpr auto kCrcTable = crc_table();
static_assert(kCrcTable[1] == 0xF26B8303 && kCrcTable[255] == 0xAD7D5351);

// CRC32 r32/r64, r/m
template <class T, Place src>
Flow crc32(Cpu& cpu, const Insn& insn) {
  T data;
  if constexpr (src == Place::mem) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) [[unlikely]]
      return cpu.raise(loaded.error());
    data = *loaded;
  } else {
    data = cpu.reg<T>(insn.op[1]);
  }
  auto crc = cpu.reg<uint32_t>(insn.op[0]);
  for (unsigned shift = 0; shift < kBits<T>; shift += 8) {
    crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint32_t>(data >> shift)) & 0xFF];
  }
  cpu.set_reg<uint32_t>(insn.op[0], crc);
  return Flow::next;
}

Handler select_crc32(const Decoded& d) {
  const bool memory = is_memory(d.operands[1]);
  return for_width(d.operands[1].bits / 8, [memory]<class T>() -> Handler {
    return memory ? crc32<T, Place::mem> : crc32<T, Place::reg>;
  });
}

constexpr uint16_t kRest = flag::of | flag::sf | flag::af | flag::pf;
constexpr FlagUse kTests{0, flag::cf, kRest};
constexpr FlagUse kScans{0, flag::all, kRest | flag::cf};
constexpr FlagUse kCounts{0, flag::all, kRest};
constexpr FlagUse kPopulation{0, flag::all, 0};

// clang-format off
constexpr std::array<Row, 10> kRows = {{
  {"bt",     Feature::base,   InsnClass::plain, CostClass::alu,      kTests,      select_bit_test<BitChange::none>},
  {"bts",    Feature::base,   InsnClass::plain, CostClass::alu,      kTests,      select_bit_test<BitChange::set>},
  {"btr",    Feature::base,   InsnClass::plain, CostClass::alu,      kTests,      select_bit_test<BitChange::reset>},
  {"btc",    Feature::base,   InsnClass::plain, CostClass::alu,      kTests,      select_bit_test<BitChange::complement>},
  {"bsf",    Feature::base,   InsnClass::plain, CostClass::bit_scan, kScans,      select_scan<Bsf>},
  {"bsr",    Feature::base,   InsnClass::plain, CostClass::bit_scan, kScans,      select_scan<Bsr>},
  {"tzcnt",  Feature::bmi1,   InsnClass::plain, CostClass::bit_scan, kCounts,     select_scan<Tzcnt>},
  {"lzcnt",  Feature::lzcnt,  InsnClass::plain, CostClass::bit_scan, kCounts,     select_scan<Lzcnt>},
  {"popcnt", Feature::popcnt, InsnClass::plain, CostClass::bit_scan, kPopulation, select_scan<Popcnt>},
  {"crc32",  Feature::sse4_2, InsnClass::plain, CostClass::mul,      {},          select_crc32},
}};
// clang-format on

}  // namespace

std::span<const Row> bit_rows() { return kRows; }

}  // namespace vitrine::emu
