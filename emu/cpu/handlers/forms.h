// What handler files share: operand shapes, widths, condition codes and the flag masks of their
// rows.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <type_traits>

#include "emu/arch/registers.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/instruction_table.h"

namespace vitrine::emu {

// --- Rows of the integer files, joined by integer_rows() ---

std::span<const Row> arithmetic_rows();
std::span<const Row> move_rows();
std::span<const Row> shift_rows();
std::span<const Row> bit_rows();
std::span<const Row> multiply_rows();
std::span<const Row> stack_rows();
std::span<const Row> decimal_rows();
std::span<const Row> exchange_rows();
std::span<const Row> bmi_rows();
std::span<const Row> hint_rows();

/// Flags by their names, for rows.
namespace flag {
inline constexpr uint16_t cf = arch::rflags::cf;
inline constexpr uint16_t pf = arch::rflags::pf;
inline constexpr uint16_t af = arch::rflags::af;
inline constexpr uint16_t zf = arch::rflags::zf;
inline constexpr uint16_t sf = arch::rflags::sf;
inline constexpr uint16_t of = arch::rflags::of;
inline constexpr uint16_t df = arch::rflags::df;
inline constexpr uint16_t all = cf | pf | af | zf | sf | of;
}  // namespace flag

// --- Operands ---

enum class Place : uint8_t { reg, mem, imm };

/// Where the first two operands of a form are.
enum class Shape : uint8_t { reg_reg, reg_mem, mem_reg, reg_imm, mem_imm, other };

inline Shape shape_of(const Decoded& d) {
  const auto first = d.operands[0].kind;
  const auto second = d.operands[1].kind;
  if (first == OperandKind::gpr) {
    if (second == OperandKind::gpr) return Shape::reg_reg;
    if (second == OperandKind::memory) return Shape::reg_mem;
    if (second == OperandKind::immediate) return Shape::reg_imm;
  } else if (first == OperandKind::memory) {
    if (second == OperandKind::gpr) return Shape::mem_reg;
    if (second == OperandKind::immediate) return Shape::mem_imm;
  }
  return Shape::other;
}

inline bool is_gpr(const Operand& operand) { return operand.kind == OperandKind::gpr; }
inline bool is_memory(const Operand& operand) { return operand.kind == OperandKind::memory; }

/// The handler that `make` gives for an operand of so many bytes; `make` is a template on the
/// width.
template <class Make>
Handler for_width(unsigned bytes, Make make) {
  switch (bytes) {
    case 1: return make.template operator()<uint8_t>();
    case 2: return make.template operator()<uint16_t>();
    case 4: return make.template operator()<uint32_t>();
    case 8: return make.template operator()<uint64_t>();
    default: return nullptr;
  }
}
/// As above for instructions without a byte form.
template <class Make>
Handler for_word_width(unsigned bytes, Make make) {
  switch (bytes) {
    case 2: return make.template operator()<uint16_t>();
    case 4: return make.template operator()<uint32_t>();
    case 8: return make.template operator()<uint64_t>();
    default: return nullptr;
  }
}

template <class T>
inline constexpr unsigned kBits = sizeof(T) * 8;

template <class T>
constexpr bool sign(T value) {
  return (value >> (kBits<T> - 1)) != 0;
}

template <class T>
constexpr std::make_signed_t<T> as_signed(T value) {
  return static_cast<std::make_signed_t<T>>(value);
}

/// Operand 2 of a two-operand form that is not in memory.
template <class T, Place src>
T second_value(const Cpu& cpu, const Insn& insn) {
  if constexpr (src == Place::imm) return static_cast<T>(insn.imm);
  return cpu.reg<T>(insn.op[1]);
}

/// Mask of offsets at the instruction's address size.
inline uint64_t address_mask(const Insn& insn) {
  constexpr std::array<uint64_t, 4> kMasks = {0xFF, 0xFFFF, 0xFFFFFFFF, ~uint64_t{0}};
  return kMasks[insn.address_size];
}

/// Writes an address-size register: 16 bits keep the rest, 32 bits clear the upper half.
inline void set_address_register(Cpu& cpu, const Insn& insn, uint8_t number, uint64_t value) {
  const auto offset = static_cast<uint8_t>(number * 8);
  switch (insn.address_size) {
    case 1: cpu.set_reg<uint16_t>(offset, static_cast<uint16_t>(value)); break;
    case 2: cpu.set_reg<uint32_t>(offset, static_cast<uint32_t>(value)); break;
    default: cpu.set_reg<uint64_t>(offset, value); break;
  }
}

/// Byte offsets of registers that instructions name implicitly.
namespace at {
inline constexpr uint8_t al = 0, ah = 1, rax = 0, rcx = 8, rdx = 16, rbx = 24;
}  // namespace at

/// OF alone; the other five flags keep their values.
constexpr void set_of(Flags& flags, bool overflow) {
  flags.carries =
      (flags.carries & ~Flags::kCfXorOf) | (flags.cf() != overflow ? Flags::kCfXorOf : 0);
}

// --- Condition codes, SDM "EFLAGS Condition Codes" ---

template <unsigned cc>
constexpr bool holds(const Flags& flags) {
  constexpr unsigned kPositive = cc & 0xE;
  bool value;
  if constexpr (kPositive == 0x0) value = flags.of();
  if constexpr (kPositive == 0x2) value = flags.cf();
  if constexpr (kPositive == 0x4) value = flags.zf();
  if constexpr (kPositive == 0x6) value = flags.cf() || flags.zf();
  if constexpr (kPositive == 0x8) value = flags.sf();
  if constexpr (kPositive == 0xA) value = flags.pf();
  if constexpr (kPositive == 0xC) value = flags.sf() != flags.of();
  if constexpr (kPositive == 0xE) value = flags.zf() || flags.sf() != flags.of();
  return value != ((cc & 1) != 0);
}

/// Flags that condition `cc` reads.
constexpr uint16_t condition_flags(unsigned cc) {
  constexpr std::array<uint16_t, 8> kRead = {flag::of,
                                             flag::cf,
                                             flag::zf,
                                             flag::cf | flag::zf,
                                             flag::sf,
                                             flag::pf,
                                             flag::sf | flag::of,
                                             flag::zf | flag::sf | flag::of};
  return kRead[cc >> 1];
}

}  // namespace vitrine::emu
