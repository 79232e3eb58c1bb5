// Integer moves: MOV, MOVZX, MOVSX, MOVSXD, MOVBE, MOVNTI, LEA, XLAT, CMOVcc, SETcc, LAHF, SAHF,
// flag bits.
#include "emu/cpu/handlers/forms.h"

namespace vitrine::emu {

namespace {

template <class T>
constexpr T swapped(T value) {
  if constexpr (sizeof(T) == 2)
    return __builtin_bswap16(value);
  else if constexpr (sizeof(T) == 4)
    return __builtin_bswap32(value);
  else
    return __builtin_bswap64(value);
}

// MOV r/m, r/imm; MOV r, r/m
template <class T, Place dst, Place src>
Flow mov(Cpu& cpu, const Insn& insn) {
  if constexpr (src == Place::mem) {
    const auto value = cpu.load<T>(insn);
    if (!value) [[unlikely]]
      return cpu.raise(value.error());
    cpu.set_reg<T>(insn.op[0], *value);
  } else if constexpr (dst == Place::mem) {
    const auto stored = cpu.store<T>(insn, second_value<T, src>(cpu, insn));
    if (!stored) [[unlikely]]
      return cpu.raise(stored.error());
  } else {
    cpu.set_reg<T>(insn.op[0], second_value<T, src>(cpu, insn));
  }
  return Flow::next;
}

// MOV rAX, moffs; MOV moffs, rAX: the offset is in `imm`, at its full 64 bits
template <class T, bool store>
Flow mov_offset(Cpu& cpu, const Insn& insn) {
  const uint64_t offset = insn.imm & address_mask(insn);
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  if constexpr (store) {
    const auto stored = cpu.store_at<T>(insn.segment, offset, cpu.reg<T>(at::rax), checked);
    if (!stored) return cpu.raise(stored.error());
  } else {
    const auto value = cpu.load_at<T>(insn.segment, offset, checked);
    if (!value) return cpu.raise(value.error());
    cpu.set_reg<T>(at::rax, *value);
  }
  return Flow::next;
}

Handler select_mov(const Decoded& d) {
  const Shape shape = shape_of(d);
  const bool moffs = d.memory.moffs;
  return for_width(d.operand_size, [=]<class T>() -> Handler {
    switch (shape) {
      case Shape::reg_reg: return mov<T, Place::reg, Place::reg>;
      case Shape::reg_mem: return moffs ? mov_offset<T, false> : mov<T, Place::reg, Place::mem>;
      case Shape::mem_reg: return moffs ? mov_offset<T, true> : mov<T, Place::mem, Place::reg>;
      case Shape::reg_imm: return mov<T, Place::reg, Place::imm>;
      case Shape::mem_imm: return mov<T, Place::mem, Place::imm>;
      case Shape::other: return nullptr;
    }
    return nullptr;
  });
}

// MOVZX r, r/m; MOVSX r, r/m; MOVSXD r, r/m
template <class T, class S, bool sign_extended, Place src>
Flow mov_extended(Cpu& cpu, const Insn& insn) {
  S value;
  if constexpr (src == Place::mem) {
    const auto loaded = cpu.load<S>(insn);
    if (!loaded) [[unlikely]]
      return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = cpu.reg<S>(insn.op[1]);
  }
  if constexpr (sign_extended) {
    cpu.set_reg<T>(insn.op[0], static_cast<T>(as_signed(value)));
  } else {
    cpu.set_reg<T>(insn.op[0], static_cast<T>(value));
  }
  return Flow::next;
}

template <bool sign_extended>
Handler select_extended(const Decoded& d) {
  const bool memory = is_memory(d.operands[1]);
  const unsigned source_bits = d.operands[1].bits;
  return for_word_width(d.operand_size, [=]<class T>() -> Handler {
    const auto from = [memory]<class S>() -> Handler {
      return memory ? mov_extended<T, S, sign_extended, Place::mem>
                    : mov_extended<T, S, sign_extended, Place::reg>;
    };
    switch (source_bits) {
      case 8: return from.template operator()<uint8_t>();
      case 16: return from.template operator()<uint16_t>();
      case 32: return from.template operator()<uint32_t>();
      default: return nullptr;
    }
  });
}

// MOVBE r, m; MOVBE m, r
template <class T, bool store>
Flow movbe(Cpu& cpu, const Insn& insn) {
  if constexpr (store) {
    const auto stored = cpu.store<T>(insn, swapped(cpu.reg<T>(insn.op[1])));
    if (!stored) return cpu.raise(stored.error());
  } else {
    const auto value = cpu.load<T>(insn);
    if (!value) return cpu.raise(value.error());
    cpu.set_reg<T>(insn.op[0], swapped(*value));
  }
  return Flow::next;
}

Handler select_movbe(const Decoded& d) {
  const bool store = is_memory(d.operands[0]);
  return for_word_width(d.operand_size, [store]<class T>() -> Handler {
    return store ? movbe<T, true> : movbe<T, false>;
  });
}

// MOVNTI m, r: 32 bits unless REX.W, in 16-bit code as well
Handler select_movnti(const Decoded& d) {
  return for_word_width(d.operands[1].bits / 8u,
                        []<class T>() -> Handler { return mov<T, Place::mem, Place::reg>; });
}

// LEA r, m
template <class T>
Flow lea(Cpu& cpu, const Insn& insn) {
  cpu.set_reg<T>(insn.op[0], static_cast<T>(cpu.effective_address(insn)));
  return Flow::next;
}

Handler select_lea(const Decoded& d) {
  return for_word_width(d.operand_size, []<class T>() -> Handler { return lea<T>; });
}

// XLAT
Flow xlat(Cpu& cpu, const Insn& insn) {
  const uint64_t offset = cpu.state.regs[arch::rbx] + cpu.reg<uint8_t>(at::al);
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  const auto value = cpu.load_at<uint8_t>(insn.segment, offset & address_mask(insn), checked);
  if (!value) return cpu.raise(value.error());
  cpu.set_reg<uint8_t>(at::al, *value);
  return Flow::next;
}

Handler select_xlat(const Decoded&) { return xlat; }

// CMOVcc r, r/m: the load happens, and a 32-bit destination is extended, whatever the condition
template <unsigned cc, class T, Place src>
Flow cmov(Cpu& cpu, const Insn& insn) {
  T value;
  if constexpr (src == Place::mem) {
    const auto loaded = cpu.load<T>(insn);
    if (!loaded) [[unlikely]]
      return cpu.raise(loaded.error());
    value = *loaded;
  } else {
    value = cpu.reg<T>(insn.op[1]);
  }
  const T old = cpu.reg<T>(insn.op[0]);
  cpu.set_reg<T>(insn.op[0], holds<cc>(cpu.state.flags) ? value : old);
  return Flow::next;
}

template <unsigned cc>
Handler select_cmov(const Decoded& d) {
  const bool memory = is_memory(d.operands[1]);
  return for_word_width(d.operand_size, [memory]<class T>() -> Handler {
    return memory ? cmov<cc, T, Place::mem> : cmov<cc, T, Place::reg>;
  });
}

// SETcc r/m8
template <unsigned cc, Place dst>
Flow setcc(Cpu& cpu, const Insn& insn) {
  const uint8_t value = holds<cc>(cpu.state.flags);
  if constexpr (dst == Place::mem) {
    const auto stored = cpu.store<uint8_t>(insn, value);
    if (!stored) [[unlikely]]
      return cpu.raise(stored.error());
  } else {
    cpu.set_reg<uint8_t>(insn.op[0], value);
  }
  return Flow::next;
}

template <unsigned cc>
Handler select_setcc(const Decoded& d) {
  return is_memory(d.operands[0]) ? setcc<cc, Place::mem> : setcc<cc, Place::reg>;
}

// LAHF
Flow lahf(Cpu& cpu, const Insn&) {
  cpu.set_reg<uint8_t>(at::ah, static_cast<uint8_t>(cpu.state.rflags()));
  return Flow::next;
}

// SAHF
Flow sahf(Cpu& cpu, const Insn&) {
  constexpr uint64_t kLoaded = arch::rflags::arithmetic & ~arch::rflags::of;
  const uint64_t kept = cpu.state.flags.arithmetic() & ~kLoaded;
  cpu.state.flags.set_arithmetic(kept | (cpu.reg<uint8_t>(at::ah) & kLoaded));
  return Flow::next;
}

/// LAHF and SAHF exist in 64-bit mode only where CPUID says so: two rows each.
template <Handler handler, bool code64>
Handler select_flag_byte(const Decoded& d) {
  return (d.code_size == 8) == code64 ? handler : nullptr;
}

// CLC, STC, CMC
enum class Carry : uint8_t { clear, set, complement };
template <Carry change>
Flow change_carry(Cpu& cpu, const Insn&) {
  Flags& flags = cpu.state.flags;
  flags.set_cf(change == Carry::set || (change == Carry::complement && !flags.cf()));
  return Flow::next;
}
template <Carry change>
Handler select_carry(const Decoded&) {
  return change_carry<change>;
}

// CLD, STD
template <bool down>
Flow change_direction(Cpu& cpu, const Insn&) {
  uint64_t& system = cpu.state.rflags_system;
  system = down ? system | arch::rflags::df : system & ~arch::rflags::df;
  return Flow::next;
}
template <bool down>
Handler select_direction(const Decoded&) {
  return change_direction<down>;
}

constexpr Row cmov_row(std::string_view mnemonic, unsigned cc, Handler (*select)(const Decoded&)) {
  return {mnemonic, Feature::cmov, InsnClass::plain, CostClass::alu, {condition_flags(cc), 0, 0},
          select};
}
constexpr Row setcc_row(std::string_view mnemonic, unsigned cc, Handler (*select)(const Decoded&)) {
  return {mnemonic, Feature::base, InsnClass::plain, CostClass::alu, {condition_flags(cc), 0, 0},
          select};
}

constexpr uint16_t kFlagByte = flag::all & ~flag::of;

// clang-format off
constexpr std::array<Row, 49> kRows = {{
  {"mov",    Feature::base,   InsnClass::plain, CostClass::alu,         {}, select_mov},
  {"movzx",  Feature::base,   InsnClass::plain, CostClass::alu,         {}, select_extended<false>},
  {"movsx",  Feature::base,   InsnClass::plain, CostClass::alu,         {}, select_extended<true>},
  {"movsxd", Feature::base,   InsnClass::plain, CostClass::alu,         {}, select_extended<true>},
  {"movbe",  Feature::movbe,  InsnClass::plain, CostClass::alu,         {}, select_movbe},
  {"movnti", Feature::sse2,   InsnClass::plain, CostClass::store_op,    {}, select_movnti},
  {"lea",    Feature::base,   InsnClass::plain, CostClass::alu,         {}, select_lea},
  {"xlat",   Feature::base,   InsnClass::plain, CostClass::load_op,     {}, select_xlat},
  {"lahf",   Feature::base,   InsnClass::plain, CostClass::alu,         {kFlagByte, 0, 0}, select_flag_byte<lahf, false>},
  {"lahf",   Feature::lahf64, InsnClass::plain, CostClass::alu,         {kFlagByte, 0, 0}, select_flag_byte<lahf, true>},
  {"sahf",   Feature::base,   InsnClass::plain, CostClass::alu,         {0, kFlagByte, 0}, select_flag_byte<sahf, false>},
  {"sahf",   Feature::lahf64, InsnClass::plain, CostClass::alu,         {0, kFlagByte, 0}, select_flag_byte<sahf, true>},
  {"clc",    Feature::base,   InsnClass::plain, CostClass::alu,         {0, flag::cf, 0}, select_carry<Carry::clear>},
  {"stc",    Feature::base,   InsnClass::plain, CostClass::alu,         {0, flag::cf, 0}, select_carry<Carry::set>},
  {"cmc",    Feature::base,   InsnClass::plain, CostClass::alu,         {flag::cf, flag::cf, 0}, select_carry<Carry::complement>},
  {"cld",    Feature::base,   InsnClass::plain, CostClass::alu,         {0, flag::df, 0}, select_direction<false>},
  {"std",    Feature::base,   InsnClass::plain, CostClass::alu,         {0, flag::df, 0}, select_direction<true>},
  cmov_row("cmovo",  0x0, select_cmov<0x0>), cmov_row("cmovno",  0x1, select_cmov<0x1>),
  cmov_row("cmovb",  0x2, select_cmov<0x2>), cmov_row("cmovnb",  0x3, select_cmov<0x3>),
  cmov_row("cmovz",  0x4, select_cmov<0x4>), cmov_row("cmovnz",  0x5, select_cmov<0x5>),
  cmov_row("cmovbe", 0x6, select_cmov<0x6>), cmov_row("cmovnbe", 0x7, select_cmov<0x7>),
  cmov_row("cmovs",  0x8, select_cmov<0x8>), cmov_row("cmovns",  0x9, select_cmov<0x9>),
  cmov_row("cmovp",  0xA, select_cmov<0xA>), cmov_row("cmovnp",  0xB, select_cmov<0xB>),
  cmov_row("cmovl",  0xC, select_cmov<0xC>), cmov_row("cmovnl",  0xD, select_cmov<0xD>),
  cmov_row("cmovle", 0xE, select_cmov<0xE>), cmov_row("cmovnle", 0xF, select_cmov<0xF>),
  setcc_row("seto",  0x0, select_setcc<0x0>), setcc_row("setno",  0x1, select_setcc<0x1>),
  setcc_row("setb",  0x2, select_setcc<0x2>), setcc_row("setnb",  0x3, select_setcc<0x3>),
  setcc_row("setz",  0x4, select_setcc<0x4>), setcc_row("setnz",  0x5, select_setcc<0x5>),
  setcc_row("setbe", 0x6, select_setcc<0x6>), setcc_row("setnbe", 0x7, select_setcc<0x7>),
  setcc_row("sets",  0x8, select_setcc<0x8>), setcc_row("setns",  0x9, select_setcc<0x9>),
  setcc_row("setp",  0xA, select_setcc<0xA>), setcc_row("setnp",  0xB, select_setcc<0xB>),
  setcc_row("setl",  0xC, select_setcc<0xC>), setcc_row("setnl",  0xD, select_setcc<0xD>),
  setcc_row("setle", 0xE, select_setcc<0xE>), setcc_row("setnle", 0xF, select_setcc<0xF>),
}};
// clang-format on

}  // namespace

std::span<const Row> move_rows() { return kRows; }

}  // namespace vitrine::emu
