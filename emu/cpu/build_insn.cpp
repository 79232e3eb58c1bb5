// The builder: finds the row and handler of an instruction and packs its operands into an Insn.
#include "emu/cpu/build_insn.h"

#include <bit>
#include <string_view>

#include "emu/cpu/cpu.h"
#include "emu/cpu/features.h"
#include "emu/cpu/instruction_table.h"
#include "emu/cpu/timing/count.h"

namespace vitrine::emu {

namespace {

/// Encodings that mean an older instruction where the newer feature is absent: the F3 prefix of
/// LZCNT and TZCNT is then ignored (SDM "LZCNT", "TZCNT").
struct OlderMeaning {
  std::string_view mnemonic;
  Feature feature;
  std::string_view older;
};
constexpr std::array<OlderMeaning, 2> kOlderMeanings = {
    {{"lzcnt", Feature::lzcnt, "bsr"}, {"tzcnt", Feature::bmi1, "bsf"}}};

uint8_t log2_bytes(uint8_t bytes) {
  return bytes == 0 ? 0 : static_cast<uint8_t>(std::countr_zero(bytes));
}

uint8_t packed_operand(const Operand& operand) {
  switch (operand.kind) {
    case OperandKind::gpr: {
      const bool high_byte = operand.number >= 0x14;
      const int offset = high_byte ? (operand.number - 0x14) * 8 + 1 : operand.number * 8;
      return static_cast<uint8_t>(offset);
    }
    case OperandKind::memory: return kMemory;
    case OperandKind::none:
    case OperandKind::immediate:
    case OperandKind::relative:
    case OperandKind::far_pointer: return kNoOperand;
    default: return operand.number;
  }
}

/// Immediate operands share `imm`: the one there is, or two side by side (ENTER: size in the low
/// 16 bits, level above), or a far pointer's offset with its selector above the offset. An x87
/// instruction, which never has one, keeps its opcode as the x87 unit records it. A fourth operand
/// that is a register, which VEX forms encode in an immediate, is its number.
uint64_t packed_immediate(const Decoded& d) {
  const bool x87 = d.opcode_map == 0 && (d.opcode & 0xF8) == 0xD8;
  if (x87) return (d.opcode & 7u) << 8 | d.modrm;
  uint64_t imm = 0;
  bool first = true;
  for (uint8_t i = 0; i < d.operand_count; ++i) {
    const Operand& o = d.operands[i];
    if (i == 3 && (o.kind == OperandKind::xmm || o.kind == OperandKind::ymm)) return o.number;
    if (o.kind == OperandKind::far_pointer) return o.value | uint64_t{o.selector} << 32;
    if (o.kind != OperandKind::immediate && o.kind != OperandKind::relative) continue;
    imm = first ? o.value : (imm & 0xFFFF) | o.value << 16;
    first = false;
  }
  return d.memory.moffs ? static_cast<uint64_t>(d.memory.disp) : imm;
}

bool ends_block(const Row& row, const Decoded& d) {
  switch (row.insn_class) {
    case InsnClass::plain: return false;
    case InsnClass::string: return d.rep || d.repne;
    case InsnClass::branch:
    case InsnClass::serialising: return true;
  }
  return true;
}

void make_undefined(Insn& insn, Handler handler, uint8_t length) {
  insn = Insn{};
  insn.handler = handler;
  insn.length = length;
  insn.flags = insn_flag::ends_block;
}

void pack(const Decoded& d, const DecodeMode& mode, Insn& insn) {
  insn.imm = packed_immediate(d);
  insn.length = d.length;
  insn.segment = d.memory.segment & 0xF;
  insn.address_size = log2_bytes(d.address_size) & 3;
  insn.operand_size = log2_bytes(d.operand_size);
  if (d.memory.present) {
    insn.disp = d.memory.moffs ? 0 : static_cast<int32_t>(d.memory.disp);
    insn.base = d.memory.base;
    insn.index = d.memory.index;
    insn.scale = d.memory.scale & 3;
  }
  for (size_t i = 0; i < insn.op.size(); ++i) insn.op[i] = packed_operand(d.operands[i]);
  // A flat segment needs no checks; FS and GS are never assumed flat, and CS is not writable.
  const bool flat_segment =
      d.memory.segment != arch::fs && d.memory.segment != arch::gs && d.memory.segment != arch::cs;
  if (mode.code_size != 8 && (!mode.flat || !flat_segment)) insn.flags |= insn_flag::checked;
  if (d.lock) insn.flags |= insn_flag::lock;
  if (d.rep) insn.flags |= insn_flag::rep;
  if (d.repne) insn.flags |= insn_flag::repne;
  if (d.rex_w) insn.flags |= insn_flag::rex_w;
}

}  // namespace

Flow undefined_opcode(Cpu& cpu, const Insn&) { return cpu.raise(kUndefinedOpcode); }

Flow instruction_too_long(Cpu& cpu, const Insn&) { return cpu.raise(kGeneralProtection0); }

bool build_insn(std::span<const std::byte> bytes, const DecodeMode& mode,
                const arch::CpuProfile& profile, Insn& insn) {
  const auto result = decode(bytes, mode);
  if (!result) {
    const DecodeError error = result.error();
    if (error.kind == DecodeError::Kind::more_bytes) return false;
    const bool too_long = error.kind == DecodeError::Kind::too_long;
    make_undefined(insn, too_long ? instruction_too_long : undefined_opcode, error.length);
    return true;
  }
  Decoded d = *result;
  for (const OlderMeaning& m : kOlderMeanings) {
    if (d.mnemonic == m.mnemonic && !has_feature(profile, m.feature)) d.mnemonic = m.older;
  }
  const auto match = find_row(d);
  if (!match) {
    make_undefined(insn, undefined_opcode, d.length);
    return true;
  }
  const Row& row = instruction_table()[match->row];
  if (!has_feature(profile, row.feature)) {
    make_undefined(insn, undefined_opcode, d.length);
    return true;
  }
  insn = Insn{};
  pack(d, mode, insn);
  insn.handler = match->handler;
  insn.row = match->row;
  insn.cost = timing::class_cycles(d.lock ? CostClass::lock_op : row.cost);
  if (ends_block(row, d)) insn.flags |= insn_flag::ends_block;
  return true;
}

}  // namespace vitrine::emu
