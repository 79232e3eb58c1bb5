// Decoded: an instruction taken apart, in our own words; what rows choose handlers from.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "emu/cpu/insn.h"

namespace vitrine::emu {

/// What the bytes mean depends on this much of the processor's mode.
struct DecodeMode {
  uint8_t code_size = 8;   ///< bytes: 2, 4 (legacy or compatibility) or 8 (64-bit mode)
  bool stack32 = true;     ///< SS.B; ignored in 64-bit mode
  bool flat = true;        ///< ES, CS, SS, DS have base 0 and limit 4 GiB: no checks are needed
};

enum class OperandKind : uint8_t {
  none, gpr, memory, immediate, relative, far_pointer, segment, control, debug, xmm, ymm, mmx, x87
};

struct Operand {
  OperandKind kind = OperandKind::none;
  uint8_t number = 0;     ///< register number (GPR: 0-15; AH CH DH BH: 0x14-0x17)
  uint16_t bits = 0;      ///< size of the operand
  bool is_signed = false; ///< immediate
  uint64_t value = 0;     ///< immediate (sign-extended when signed), displacement, far offset
  uint16_t selector = 0;  ///< far pointer
};

struct MemoryOperand {
  bool present = false;
  uint8_t segment = 3;    ///< effective segment, override applied: 0 ES … 5 GS
  bool segment_override = false;
  uint8_t base = 16;      ///< 0-15, kZeroRegister, kRipRegister
  uint8_t index = 16;
  uint8_t scale = 0;      ///< log2
  int64_t disp = 0;       ///< sign-extended; for moffs forms the absolute address
  bool moffs = false;
  uint16_t bits = 0;
};

/// Explicit operands only, in the manual's order. String instructions, whose operands are implicit,
/// have none; their source segment is in `memory.segment`.
struct Decoded {
  std::string_view mnemonic;      ///< lower case, as Zydis spells it
  uint8_t length = 0;
  uint8_t operand_size = 4;       ///< effective operand size in bytes: 1 for byte forms, 2, 4, 8
  uint8_t address_size = 8;       ///< bytes
  uint8_t stack_size = 8;         ///< bytes of a stack-pointer access: 2, 4, 8
  uint8_t code_size = 8;
  uint8_t opcode = 0;             ///< last opcode byte
  uint8_t modrm = 0;              ///< 0 where there is none
  uint8_t opcode_map = 0;         ///< 0 one-byte, 1 0F, 2 0F38, 3 0F3A
  uint8_t mandatory_prefix = 0;   ///< 0, 0x66, 0xF3 or 0xF2
  bool vex = false;
  uint8_t vector_bits_log2 = 0;   ///< VEX: 7 (128) or 8 (256)
  bool lock = false, rep = false, repne = false, rex_w = false, rex = false;
  uint8_t operand_count = 0;
  std::array<Operand, 5> operands{};
  MemoryOperand memory;
};

}  // namespace vitrine::emu
