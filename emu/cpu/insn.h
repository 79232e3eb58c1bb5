// Insn: one decoded instruction as the engines execute it, 32 bytes made once by the decoder.
#pragma once

#include <array>
#include <cstdint>

namespace vitrine::emu {

class Cpu;
struct Insn;

/// How an instruction ended.
enum class Flow : uint8_t {
  next,    ///< fell through to the instruction behind it
  branch,  ///< RIP was set, or the block must end behind this instruction; it retired
  fault,   ///< did not retire: deliver Cpu::pending_fault() with RIP on this instruction
  exit,    ///< did not retire: a VM exit (or reset) has replaced the state; RIP is final
  again,   ///< a string iteration was done: it goes on with RIP on this instruction
};

/// The meaning of an instruction form. Called with RIP already behind the instruction.
using Handler = Flow (*)(Cpu&, const Insn&);

/// Bits of Insn::flags.
namespace insn_flag {
inline constexpr uint8_t lock = 1;
inline constexpr uint8_t rep = 2;       ///< F3 as REP/REPE
inline constexpr uint8_t repne = 4;     ///< F2 as REPNE
inline constexpr uint8_t ends_block = 8;///< set by the decoder from the row's class
inline constexpr uint8_t checked = 16;  ///< memory operand needs segment limit and type checks
inline constexpr uint8_t rex_w = 32;
}  // namespace insn_flag

/// Operand numbering in `op`, in the order of the manual's operand list (explicit operands):
/// general-purpose registers as the byte offset into CpuState::regs (RAX 0, RCX 8 … AH 1, CH 9 …);
/// vector, x87, segment, control and debug registers as their number; a memory operand as kMemory.
inline constexpr uint8_t kMemory = 0xFF;
inline constexpr uint8_t kNoOperand = 0xFE;

struct Insn {
  Handler handler = nullptr;
  uint64_t imm = 0;      ///< immediate, sign-extended to 64 bit; branch displacement; far offset
  int32_t disp = 0;      ///< of the memory operand
  uint8_t length = 0;    ///< bytes
  uint8_t base = 16;     ///< register number of the base, kZeroRegister or kRipRegister
  uint8_t index = 16;
  uint8_t scale : 2 = 0;         ///< log2 of the scale
  uint8_t segment : 4 = 3;       ///< segment of the memory operand, overrides applied
  uint8_t address_size : 2 = 3;  ///< log2 of bytes: 1, 2, 3
  std::array<uint8_t, 3> op{kNoOperand, kNoOperand, kNoOperand};
  uint8_t operand_size = 2;  ///< log2 of bytes of the effective operand size: 1, 2, 3 (0 for byte forms)
  uint16_t row = 0;          ///< index into the instruction table
  uint8_t cost = 1;          ///< cycles at timing level `count`
  uint8_t flags = 0;
};
static_assert(sizeof(Insn) == 32);

}  // namespace vitrine::emu
