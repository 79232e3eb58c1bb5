// The decoder over Zydis; what the timing model asks of that library is in timing/data_flow.cpp.
#include "emu/cpu/decode.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <array>
#include <bit>

#include "emu/arch/registers.h"
#include "emu/arch/require.h"
#include "emu/cpu/state.h"

namespace vitrine::emu {

namespace {

using Kind = DecodeError::Kind;

constexpr uint8_t kNone = 0xFF;

ZydisDecoder make_decoder(ZydisMachineMode mode, ZydisStackWidth width) {
  ZydisDecoder decoder;
  const auto made = ZydisDecoderInit(&decoder, mode, width);
  require(ZYAN_SUCCESS(made), "the decoder library initialises");
  // Extensions that the processor lacks and whose encodings are NOPs there.
  for (const auto off : {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET,
                         ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE}) {
    const auto disabled = ZydisDecoderEnableMode(&decoder, off, ZYAN_FALSE);
    require(ZYAN_SUCCESS(disabled), "the decoder library knows its modes");
  }
  return decoder;
}

const ZydisDecoder& decoder_for(uint8_t code_size) {
  static const std::array<ZydisDecoder, 3> decoders = {
      make_decoder(ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16),
      make_decoder(ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32),
      make_decoder(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)};
  return decoders[code_size == 8 ? 2 : code_size == 4 ? 1 : 0];
}

Operand register_operand(ZydisRegister reg) {
  const auto id = static_cast<uint8_t>(std::max<int>(ZydisRegisterGetId(reg), 0));
  switch (ZydisRegisterGetClass(reg)) {
    case ZYDIS_REGCLASS_GPR8: {
      // AL CL DL BL, AH CH DH BH, SPL BPL SIL DIL, R8B…
      const unsigned at = static_cast<unsigned>(reg) - ZYDIS_REGISTER_AL;
      const unsigned number = at < 4 ? at : at < 8 ? 0x10 + at : at - 4;
      return {.kind = OperandKind::gpr, .number = static_cast<uint8_t>(number)};
    }
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64: return {.kind = OperandKind::gpr, .number = id};
    case ZYDIS_REGCLASS_SEGMENT: return {.kind = OperandKind::segment, .number = id};
    case ZYDIS_REGCLASS_CONTROL: return {.kind = OperandKind::control, .number = id};
    case ZYDIS_REGCLASS_DEBUG: return {.kind = OperandKind::debug, .number = id};
    case ZYDIS_REGCLASS_X87: return {.kind = OperandKind::x87, .number = id};
    case ZYDIS_REGCLASS_MMX: return {.kind = OperandKind::mmx, .number = id};
    case ZYDIS_REGCLASS_XMM: return {.kind = OperandKind::xmm, .number = id};
    case ZYDIS_REGCLASS_YMM: return {.kind = OperandKind::ymm, .number = id};
    default: return {};
  }
}

uint8_t address_register(ZydisRegister reg) {
  if (reg == ZYDIS_REGISTER_NONE) return kZeroRegister;
  if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) return kRipRegister;
  return static_cast<uint8_t>(ZydisRegisterGetId(reg));
}

/// SDM "32-Bit Addressing Forms with the SIB Byte": base 101B with mod 00B is a displacement alone,
/// whatever REX.B says. The library sees R13D there under a 67H prefix.
bool is_displacement_without_base(const ZydisDecodedInstruction& insn) {
  const auto& raw = insn.raw;
  return (insn.attributes & ZYDIS_ATTRIB_HAS_SIB) != 0 && raw.modrm.mod == 0 && raw.sib.base == 5;
}

MemoryOperand memory_operand(const ZydisDecodedInstruction& insn,
                             const ZydisDecodedOperand& operand, uint8_t segment_prefix) {
  const auto& mem = operand.mem;
  MemoryOperand m;
  m.present = true;
  m.base = address_register(mem.base);
  m.index = address_register(mem.index);
  m.scale = mem.scale == 0 ? 0 : static_cast<uint8_t>(std::countr_zero(mem.scale));
  m.disp = mem.disp.has_displacement ? mem.disp.value : 0;
  if (is_displacement_without_base(insn)) {
    m.base = kZeroRegister;
    m.disp = insn.raw.disp.value;
  }
  m.moffs = operand.encoding == ZYDIS_OPERAND_ENCODING_DISP16_32_64;
  m.bits = operand.size;
  m.segment_override = segment_prefix != kNone;
  // SDM "Specifying a Segment Selector": SS for a base of rSP or rBP, else DS.
  const bool stack = m.base == arch::rsp || m.base == arch::rbp;
  m.segment = m.segment_override ? segment_prefix : uint8_t{stack ? arch::ss : arch::ds};
  return m;
}

/// The segment prefix in force. SDM "Segmentation in 64-Bit Mode": only FS and GS count there.
uint8_t segment_prefix(const ZydisDecodedInstruction& insn, bool code64) {
  uint8_t segment = kNone;
  for (unsigned i = 0; i < insn.raw.prefix_count; ++i) {
    switch (insn.raw.prefixes[i].value) {
      case 0x26: segment = code64 ? segment : uint8_t{arch::es}; break;
      case 0x2E: segment = code64 ? segment : uint8_t{arch::cs}; break;
      case 0x36: segment = code64 ? segment : uint8_t{arch::ss}; break;
      case 0x3E: segment = code64 ? segment : uint8_t{arch::ds}; break;
      case 0x64: segment = arch::fs; break;
      case 0x65: segment = arch::gs; break;
      default: break;
    }
  }
  return segment;
}

/// A form that a processor of this family could have. Knights Corner, which did without SSE, encoded
/// instructions of its own and some of ours (POPCNT, LZCNT, TZCNT) with VEX.
bool of_this_family(const ZydisDecodedInstruction& insn) {
  const bool knights_corner = insn.meta.isa_ext == ZYDIS_ISA_EXT_KNC ||
                              insn.meta.isa_ext == ZYDIS_ISA_EXT_KNCE ||
                              insn.meta.isa_ext == ZYDIS_ISA_EXT_KNCV;
  return !knights_corner && (insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
                             insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX);
}

bool is_string(const ZydisDecodedInstruction& insn) {
  return insn.meta.category == ZYDIS_CATEGORY_STRINGOP ||
         insn.meta.category == ZYDIS_CATEGORY_IOSTRINGOP;
}

void take_prefixes(const ZydisDecodedInstruction& insn, Decoded& d) {
  for (unsigned i = 0; i < insn.raw.prefix_count; ++i) {
    const auto& prefix = insn.raw.prefixes[i];
    if (prefix.type == ZYDIS_PREFIX_TYPE_MANDATORY) d.mandatory_prefix = prefix.value;
    if (!is_string(insn)) continue;
    // Either prefix repeats a string instruction; the last one decides how SCAS and CMPS end.
    if (prefix.value == 0xF3 || prefix.value == 0xF2) {
      d.rep = prefix.value == 0xF3;
      d.repne = !d.rep;
    }
  }
  d.lock = (insn.attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
  if (insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) {
    constexpr std::array<uint8_t, 4> kPrefixes = {0, 0x66, 0xF3, 0xF2};
    d.vex = true;
    d.rex_w = insn.raw.vex.W != 0;
    d.mandatory_prefix = kPrefixes[insn.raw.vex.pp & 3];
    d.vector_bits_log2 = insn.avx.vector_length == 256 ? 8 : 7;
  } else {
    d.rex = (insn.attributes & ZYDIS_ATTRIB_HAS_REX) != 0;
    d.rex_w = d.rex && insn.raw.rex.W != 0;
  }
}

void take_operands(const ZydisDecodedInstruction& insn, std::span<const ZydisDecodedOperand> all,
                   Decoded& d) {
  const uint8_t prefix = segment_prefix(insn, d.code_size == 8);
  d.memory.segment_override = prefix != kNone;
  d.memory.segment = d.memory.segment_override ? prefix : uint8_t{arch::ds};
  if (is_string(insn)) return;
  for (const auto& operand : all.first(insn.operand_count_visible)) {
    Operand o;
    switch (operand.type) {
      case ZYDIS_OPERAND_TYPE_REGISTER: o = register_operand(operand.reg.value); break;
      case ZYDIS_OPERAND_TYPE_MEMORY:
        o.kind = OperandKind::memory;
        d.memory = memory_operand(insn, operand, prefix);
        break;
      case ZYDIS_OPERAND_TYPE_POINTER:
        o.kind = OperandKind::far_pointer;
        o.value = operand.ptr.offset;
        o.selector = operand.ptr.segment;
        break;
      case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        o.kind = operand.imm.is_relative ? OperandKind::relative : OperandKind::immediate;
        o.is_signed = operand.imm.is_signed;
        o.value = operand.imm.value.u;
        break;
      default: break;
    }
    o.bits = operand.size;
    if (d.operand_count < d.operands.size()) d.operands[d.operand_count++] = o;
  }
}

/// F3 90 is PAUSE, but with REX.B it stays XCHG R8, rAX.
void restore_exchange(const ZydisDecodedInstruction& insn, Decoded& d) {
  if (insn.mnemonic != ZYDIS_MNEMONIC_PAUSE || !d.rex || insn.raw.rex.B == 0) return;
  const auto bits = static_cast<uint16_t>(d.operand_size * 8);
  d.mnemonic = "xchg";
  d.mandatory_prefix = 0;
  d.operand_count = 2;
  d.operands[0] = {.kind = OperandKind::gpr, .number = arch::r8, .bits = bits};
  d.operands[1] = {.kind = OperandKind::gpr, .number = arch::rax, .bits = bits};
}

/// How many bytes it takes to see that an instruction is invalid: a store to one of them may make
/// it valid, a store behind them cannot.
uint8_t deciding_length(const ZydisDecoder& decoder, std::span<const std::byte> bytes) {
  for (size_t n = 1; n < bytes.size(); ++n) {
    ZydisDecodedInstruction insn;
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
    const auto status = ZydisDecoderDecodeFull(&decoder, bytes.data(), n, &insn, operands.data());
    if (status != ZYDIS_STATUS_NO_MORE_DATA) return static_cast<uint8_t>(n);
  }
  return static_cast<uint8_t>(bytes.size());
}

}  // namespace

Result<Decoded, DecodeError> decode(std::span<const std::byte> bytes, const DecodeMode& mode) {
  bytes = bytes.first(std::min(bytes.size(), kMaxInsnBytes));
  const ZydisDecoder& decoder = decoder_for(mode.code_size);
  ZydisDecodedInstruction insn;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
  const auto status =
      ZydisDecoderDecodeFull(&decoder, bytes.data(), bytes.size(), &insn, operands.data());
  if (status == ZYDIS_STATUS_NO_MORE_DATA) return Err{DecodeError{Kind::more_bytes, 0}};
  if (status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) {
    return Err{DecodeError{Kind::too_long, static_cast<uint8_t>(bytes.size())}};
  }
  const bool known = ZYAN_SUCCESS(status) && of_this_family(insn);
  if (!known) {
    return Err{DecodeError{Kind::invalid, deciding_length(decoder, bytes)}};
  }

  Decoded d;
  d.mnemonic = ZydisMnemonicGetString(insn.mnemonic);
  d.length = insn.length;
  d.code_size = mode.code_size;
  d.operand_size = static_cast<uint8_t>(insn.operand_width / 8);
  d.address_size = static_cast<uint8_t>(insn.address_width / 8);
  d.stack_size = mode.code_size == 8 ? 8 : mode.stack32 ? 4 : 2;
  d.opcode = insn.opcode;
  if ((insn.attributes & ZYDIS_ATTRIB_HAS_MODRM) != 0) {
    d.modrm = static_cast<uint8_t>(insn.raw.modrm.mod << 6 | insn.raw.modrm.reg << 3 |
                                   insn.raw.modrm.rm);
  }
  d.opcode_map = static_cast<uint8_t>(insn.opcode_map);
  take_prefixes(insn, d);
  take_operands(insn, operands, d);
  restore_exchange(insn, d);
  return d;
}

}  // namespace vitrine::emu
