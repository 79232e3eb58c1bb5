// Data flow over Zydis: operands and flags with their actions, and the form's name in class tables.
#include "emu/cpu/timing/data_flow.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <string>

#include "emu/arch/registers.h"

namespace vitrine::emu::timing {

namespace {

const ZydisDecoder& decoder_for(uint8_t code_size) {
  const auto make = [](ZydisMachineMode mode, ZydisStackWidth width) {
    ZydisDecoder decoder;
    require(ZYAN_SUCCESS(ZydisDecoderInit(&decoder, mode, width)), "the decoder initialises");
    return decoder;
  };
  static const std::array<ZydisDecoder, 3> decoders = {
      make(ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16),
      make(ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32),
      make(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)};
  return decoders[code_size == 8 ? 2 : code_size == 4 ? 1 : 0];
}

constexpr uint8_t kNoResource = 0xFF;

uint8_t resource_of(ZydisRegister reg) {
  const auto wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  const auto id = static_cast<uint8_t>(std::max<int>(ZydisRegisterGetId(wide), 0));
  switch (ZydisRegisterGetClass(wide)) {
    case ZYDIS_REGCLASS_GPR64: return static_cast<uint8_t>(resource::gpr + id);
    case ZYDIS_REGCLASS_ZMM:
      return id < 16 ? static_cast<uint8_t>(resource::vector + id) : kNoResource;
    case ZYDIS_REGCLASS_X87:
    case ZYDIS_REGCLASS_MMX: return resource::x87;
    default: return kNoResource;
  }
}

std::string kind_of(const ZydisDecodedOperand& operand) {
  if (operand.type == ZYDIS_OPERAND_TYPE_MEMORY) return "m" + std::to_string(operand.size);
  if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER) return "i";
  switch (ZydisRegisterGetClass(operand.reg.value)) {
    case ZYDIS_REGCLASS_XMM: return "x";
    case ZYDIS_REGCLASS_YMM: return "y";
    case ZYDIS_REGCLASS_MMX: return "mm";
    case ZYDIS_REGCLASS_X87: return "st";
    default: return "r" + std::to_string(operand.size);
  }
}

bool is_register(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER;
}

/// LEA has classes by the parts of its address: two parts are fast, three or RIP are not.
std::string lea_name(const ZydisDecodedOperand& memory) {
  const bool base = memory.mem.base != ZYDIS_REGISTER_NONE;
  const bool index = memory.mem.index != ZYDIS_REGISTER_NONE;
  const bool slow =
      memory.mem.base == ZYDIS_REGISTER_RIP ||
      (base && index && memory.mem.disp.has_displacement && memory.mem.disp.value != 0);
  return slow ? "lea_slow" : "lea";
}

bool is_fast_string(const ZydisDecodedInstruction& insn) {
  if ((insn.attributes & ZYDIS_ATTRIB_HAS_REP) == 0) return false;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_MOVSB:
    case ZYDIS_MNEMONIC_MOVSW:
    case ZYDIS_MNEMONIC_MOVSD:
    case ZYDIS_MNEMONIC_MOVSQ:
    case ZYDIS_MNEMONIC_STOSB:
    case ZYDIS_MNEMONIC_STOSW:
    case ZYDIS_MNEMONIC_STOSD:
    case ZYDIS_MNEMONIC_STOSQ: return true;
    default: return false;
  }
}

BranchKind branch_of(const ZydisDecodedInstruction& insn, const ZydisDecodedOperand* operands) {
  if (insn.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE ||
      insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) {
    return BranchKind::none;
  }
  const bool direct = operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  switch (insn.meta.category) {
    case ZYDIS_CATEGORY_COND_BR: return BranchKind::conditional;
    case ZYDIS_CATEGORY_CALL: return direct ? BranchKind::call : BranchKind::indirect_call;
    case ZYDIS_CATEGORY_RET: return BranchKind::ret;
    case ZYDIS_CATEGORY_UNCOND_BR: return direct ? BranchKind::jump : BranchKind::indirect_jump;
    default: return BranchKind::none;
  }
}

bool is_zero_idiom(const ZydisDecodedInstruction& insn, const ZydisDecodedOperand* operands) {
  const bool vex = insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
  const size_t sources = vex ? 1 : 0;
  if (insn.operand_count_visible < sources + 2) return false;
  const auto& a = operands[sources];
  const auto& b = operands[sources + 1];
  if (!is_register(a) || !is_register(b) || a.reg.value != b.reg.value) return false;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_SUB: return a.size >= 32;
    case ZYDIS_MNEMONIC_PXOR:
    case ZYDIS_MNEMONIC_XORPS:
    case ZYDIS_MNEMONIC_XORPD:
    case ZYDIS_MNEMONIC_PSUBB:
    case ZYDIS_MNEMONIC_PSUBW:
    case ZYDIS_MNEMONIC_PSUBD:
    case ZYDIS_MNEMONIC_PSUBQ:
    case ZYDIS_MNEMONIC_PCMPGTB:
    case ZYDIS_MNEMONIC_PCMPGTW:
    case ZYDIS_MNEMONIC_PCMPGTD:
    case ZYDIS_MNEMONIC_VPXOR:
    case ZYDIS_MNEMONIC_VXORPS:
    case ZYDIS_MNEMONIC_VXORPD:
    case ZYDIS_MNEMONIC_VPSUBB:
    case ZYDIS_MNEMONIC_VPSUBW:
    case ZYDIS_MNEMONIC_VPSUBD:
    case ZYDIS_MNEMONIC_VPSUBQ: return true;
    default: return false;
  }
}

/// Moves that renaming carries out (Intel optimisation manual, "Move Elimination").
bool is_eliminated_move(const ZydisDecodedInstruction& insn, const ZydisDecodedOperand* operands) {
  if (insn.operand_count_visible != 2 || !is_register(operands[0]) || !is_register(operands[1])) {
    return false;
  }
  if (operands[0].reg.value == operands[1].reg.value) return false;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
      return operands[0].size >= 32 &&
             ZydisRegisterGetClass(operands[0].reg.value) != ZYDIS_REGCLASS_SEGMENT &&
             resource_of(operands[1].reg.value) != kNoResource;
    case ZYDIS_MNEMONIC_MOVZX:
      return operands[1].size == 8 && operands[0].size >= 32 &&
             !(operands[1].reg.value >= ZYDIS_REGISTER_AH &&
               operands[1].reg.value <= ZYDIS_REGISTER_BH);
    case ZYDIS_MNEMONIC_MOVAPS:
    case ZYDIS_MNEMONIC_MOVAPD:
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQA:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_VMOVAPS:
    case ZYDIS_MNEMONIC_VMOVAPD:
    case ZYDIS_MNEMONIC_VMOVUPS:
    case ZYDIS_MNEMONIC_VMOVUPD:
    case ZYDIS_MNEMONIC_VMOVDQA:
    case ZYDIS_MNEMONIC_VMOVDQU: return true;
    default: return false;
  }
}

MacroFusion fusion_of(const ZydisDecodedInstruction& insn, const ZydisDecodedOperand* operands) {
  bool memory = false, immediate = false;
  for (size_t i = 0; i < insn.operand_count_visible; ++i) {
    memory |= operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY;
    immediate |= operands[i].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  }
  if (memory && immediate) return MacroFusion::none;
  const bool to_memory = operands[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_TEST: return MacroFusion::all;
    case ZYDIS_MNEMONIC_AND: return to_memory ? MacroFusion::none : MacroFusion::all;
    case ZYDIS_MNEMONIC_CMP: return MacroFusion::compare;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB: return to_memory ? MacroFusion::none : MacroFusion::compare;
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC: return to_memory ? MacroFusion::none : MacroFusion::increment;
    default: return MacroFusion::none;
  }
}

bool waits_for_all(const ZydisDecodedInstruction& insn, bool memory) {
  if ((insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0) return true;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_XCHG: return memory;
    case ZYDIS_MNEMONIC_CPUID:
    case ZYDIS_MNEMONIC_LFENCE:
    case ZYDIS_MNEMONIC_MFENCE:
    case ZYDIS_MNEMONIC_SFENCE:
    case ZYDIS_MNEMONIC_PAUSE: return true;
    default: return false;
  }
}

bool is_division(std::string_view name) {
  if (name == "div" || name == "idiv") return true;
  const bool vector = name.size() > 4 && name[name.size() - 1] >= 'd';
  return vector &&
         (name.find("divp") != name.npos || name.find("divs") != name.npos ||
          name.find("sqrtp") != name.npos || name.find("sqrts") != name.npos) &&
         name.find("rsqrt") == name.npos;
}

void add_register(const ZydisDecodedOperand& operand, DataFlow& out) {
  const uint8_t id = resource_of(operand.reg.value);
  if (id == kNoResource) return;
  // The stack pointer of PUSH, POP, CALL and RET moves in the front end.
  const bool visible = operand.visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT;
  if (id == arch::rsp && !visible) return;
  if (id == arch::rsp) out.explicit_rsp = true;
  const bool merges = id < resource::vector && operand.size < 32;
  const bool writes = (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  const bool keeps = merges || (operand.actions & ZYDIS_OPERAND_ACTION_CONDWRITE) != 0;
  if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0 || (writes && keeps)) {
    out.sources.add(id);
  }
  if (writes) out.results.add(id);
}

void add_memory(const ZydisDecodedInstruction& insn, const ZydisDecodedOperand& operand,
                DataFlow& out) {
  const bool implicit = operand.visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT;
  const bool computes_only = operand.mem.type == ZYDIS_MEMOP_TYPE_AGEN;
  const auto add = [&](ZydisRegister reg) {
    if (reg == ZYDIS_REGISTER_NONE) return;
    const uint8_t id = resource_of(reg);
    if (id == kNoResource || (implicit && id == arch::rsp)) return;
    if (id == arch::rsp) out.explicit_rsp = true;
    if (computes_only) {
      out.sources.add(id);
    } else {
      out.address.add(id);
    }
  };
  add(operand.mem.base);
  add(operand.mem.index);
  if (computes_only || insn.mnemonic == ZYDIS_MNEMONIC_NOP) return;
  out.loads |= (operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
  out.stores |= (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0;
  out.access_size = static_cast<uint8_t>(std::min<unsigned>(operand.size / 8, 64));
  if (implicit) return;
  out.indexed = operand.mem.index != ZYDIS_REGISTER_NONE;
  if (operand.mem.base != ZYDIS_REGISTER_NONE && (operand.size == 32 || operand.size == 64)) {
    const auto part = [](uint64_t value, unsigned bits) {
      return value & ((uint64_t{1} << bits) - 1);
    };
    const uint64_t name = static_cast<uint64_t>(operand.mem.base) |
                          uint64_t{operand.mem.index} << 9 | uint64_t{operand.mem.scale} << 18 |
                          static_cast<uint64_t>(operand.mem.disp.value) << 22;
    out.address_name = static_cast<uint32_t>(part(name * 0x9E3779B97F4A7C15 >> 32, 31)) | 1u;
  }
  out.short_displacement = operand.mem.base != ZYDIS_REGISTER_NONE && !out.indexed &&
                           operand.mem.disp.value >= 0 && operand.mem.disp.value < 2048;
}

void add_flags(const ZydisDecodedInstruction& insn, DataFlow& out) {
  if (insn.cpu_flags == nullptr) return;
  const auto& use = *insn.cpu_flags;
  constexpr ZydisAccessedFlagsMask kOthers =
      ZYDIS_CPUFLAG_ZF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF | ZYDIS_CPUFLAG_PF | ZYDIS_CPUFLAG_AF;
  const auto written = use.modified | use.set_0 | use.set_1 | use.undefined;
  if ((use.tested & ZYDIS_CPUFLAG_CF) != 0) out.sources.add(resource::carry);
  if ((use.tested & kOthers) != 0) out.sources.add(resource::flags);
  if ((written & ZYDIS_CPUFLAG_CF) != 0) out.results.add(resource::carry);
  if ((written & kOthers) != 0) out.results.add(resource::flags);
}

}  // namespace

bool analyse(std::span<const std::byte> bytes, uint8_t code_size, DataFlow& out) {
  ZydisDecodedInstruction insn;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_for(code_size), bytes.data(), bytes.size(),
                                           &insn, operands))) {
    return false;
  }
  out = {};
  out.length = insn.length;
  for (size_t i = 0; i < insn.operand_count; ++i) {
    if (is_register(operands[i])) add_register(operands[i], out);
    if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY) add_memory(insn, operands[i], out);
  }
  add_flags(insn, out);

  out.form.name = ZydisMnemonicGetString(insn.mnemonic);
  for (size_t i = 0; i < insn.operand_count_visible; ++i) {
    out.form.operands.push_back(kind_of(operands[i]));
  }
  out.form.locked = (insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
  out.form.vex = insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX;
  out.form.loads = out.loads;
  out.form.stores = out.stores;
  if (insn.mnemonic == ZYDIS_MNEMONIC_MOV && out.form.operands.size() == 2 &&
      is_register(operands[0]) && is_register(operands[1]) &&
      operands[0].reg.value == operands[1].reg.value) {
    out.form.name = "mov_same";
  }
  if (insn.mnemonic == ZYDIS_MNEMONIC_LEA) {
    out.form.name = lea_name(operands[1]);
    out.form.operands.resize(1);
  }

  const bool memory = out.loads || out.stores;
  out.zero_idiom = is_zero_idiom(insn, operands);
  out.move = is_eliminated_move(insn, operands);
  if (out.zero_idiom) out.sources.clear();
  out.memory_updated = insn.operand_count_visible != 0 && is_register(operands[0]) &&
                       (operands[0].actions & ZYDIS_OPERAND_ACTION_MASK_READ) != 0;
  out.changes_length = (insn.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0 &&
                       insn.raw.imm[0].size == (code_size == 2 ? 32 : 16) &&
                       insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
  if (insn.mnemonic == ZYDIS_MNEMONIC_PUSH) out.stack = Stack::push;
  if (insn.mnemonic == ZYDIS_MNEMONIC_POP) out.stack = Stack::pop;
  if (insn.meta.category == ZYDIS_CATEGORY_CALL && !out.form.operands.empty())
    out.stack = Stack::push;
  if (insn.mnemonic == ZYDIS_MNEMONIC_RET) out.stack = Stack::pop;
  out.fusion = fusion_of(insn, operands);
  out.is_jcc =
      insn.meta.category == ZYDIS_CATEGORY_COND_BR &&
      (insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT ? insn.opcode >> 4 == 7 : insn.opcode >> 4 == 8);
  out.condition = insn.opcode & 0xF;
  out.branch = branch_of(insn, operands);
  out.serialises = waits_for_all(insn, memory);
  out.fast_string = is_fast_string(insn);
  if (is_division(out.form.name)) out.divider_bits = operands[0].size;
  return true;
}

}  // namespace vitrine::emu::timing
