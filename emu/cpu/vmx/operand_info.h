// What a VM exit says about the operands of the instruction that caused it.
#pragma once

#include <cstdint>

#include "emu/arch/vmx_info.h"
#include "emu/cpu/insn.h"

namespace vitrine::emu::vmx {

/// Number of the general-purpose register at byte offset `operand` into the register file.
constexpr unsigned gpr_number(uint8_t operand) { return operand / 8u; }

/// SDM "VM-Exit Instruction-Information Field": the part about the memory operand. Register fields
/// are the caller's.
constexpr uint32_t memory_information(const Insn& insn) {
  using Info = arch::InstructionInfo;
  constexpr uint8_t kLastGpr = 15;
  uint32_t value = insn.scale;
  value |= (insn.address_size - 1u) << Info::kAddressSizeShift;
  value |= uint32_t{insn.segment} << Info::kSegmentShift;
  value |= insn.index <= kLastGpr ? uint32_t{insn.index} << Info::kIndexShift : Info::kIndexInvalid;
  value |= insn.base <= kLastGpr ? uint32_t{insn.base} << Info::kBaseShift : Info::kBaseInvalid;
  return value;
}

/// Exit qualification of instructions with a memory operand: the displacement; RIP-relative ones
/// report the address itself. `next_rip` is the RIP behind the instruction.
constexpr uint64_t displacement_qualification(const Insn& insn, uint64_t next_rip) {
  constexpr uint8_t kRip = 17;
  const auto displacement = static_cast<uint64_t>(int64_t{insn.disp});
  return insn.base == kRip ? displacement + next_rip : displacement;
}

}  // namespace vitrine::emu::vmx
