// Questions about selectors: LAR, LSL, VERR, VERW, ARPL.
#include "emu/cpu/handlers/system.h"
#include "emu/cpu/segmentation.h"

namespace vitrine::emu {

namespace {

/// System-descriptor types that an instruction accepts, one bit per type, legacy and IA-32e mode.
struct SystemTypes {
  uint16_t legacy;
  uint16_t ia32e;
};
// SDM "LAR", "LSL": segments and gates valid for each.
constexpr SystemTypes kLarTypes{0b0001'1010'0011'1110, 0b0001'1010'0000'0100};
constexpr SystemTypes kLslTypes{0b0000'1010'0000'1110, 0b0000'1010'0000'0100};
constexpr SystemTypes kNoSystemTypes{0, 0};

/// The answer to a question about a selector: the descriptor when it is visible.
struct Answer {
  Descriptor descriptor;
  bool visible = false;
};

/// Reads the descriptor and applies the visibility rule (CPL and RPL against DPL). Only memory
/// faults are faults here.
Result<Answer, Fault> look_up(Cpu& cpu, uint16_t selector, SystemTypes types) {
  Answer answer;
  if (null_selector(selector)) return answer;
  const auto d = read_descriptor(cpu, selector, arch::Vector::general_protection);
  if (!d) {
    const Fault& f = d.error();
    const bool outside = f.kind == Fault::Kind::exception &&
                         f.vector == arch::Vector::general_protection && f.error_code != 0;
    if (outside) return answer;
    return Err{f};
  }
  answer.descriptor = *d;
  const arch::SegmentRights rights = d->rights();
  if (!rights.code_or_data()) {
    const uint16_t allowed = cpu.state.long_mode() ? types.ia32e : types.legacy;
    if ((allowed >> rights.type() & 1) == 0) return answer;
  }
  const unsigned rpl = selector & 3;
  answer.visible = rights.conforming() || (cpu.state.cpl <= rights.dpl() && rpl <= rights.dpl());
  return answer;
}

void set_zf(Cpu& cpu, bool zf) {
  const uint64_t rest = cpu.state.flags.arithmetic() & ~arch::rflags::zf;
  cpu.state.flags.set_arithmetic(rest | (zf ? arch::rflags::zf : 0));
}

template <SystemTypes (*types)(), uint64_t (*value)(const Descriptor&)>
Flow query(Cpu& cpu, const Insn& insn) {
  if (!selector_mode(cpu)) return cpu.raise(kUndefinedOpcode);
  const auto selector = read_word(cpu, insn, 1);
  if (!selector) return cpu.raise(selector.error());
  const auto answer = look_up(cpu, *selector, types());
  if (!answer) return cpu.raise(answer.error());
  set_zf(cpu, answer->visible);
  if (answer->visible) {
    write_gpr(cpu, insn.op[0], value(answer->descriptor), operand_bytes(insn));
  }
  return Flow::next;
}

// LAR r, r/m16: the middle two bytes and a half of the descriptor's upper half
uint64_t rights_of(const Descriptor& d) { return (d.low >> 32) & 0x00FFFF00; }
// LSL r, r/m16: the limit in bytes
uint64_t limit_of(const Descriptor& d) { return d.limit(); }
SystemTypes lar_types() { return kLarTypes; }
SystemTypes lsl_types() { return kLslTypes; }

// VERR r/m16; VERW r/m16
template <bool write>
Flow verify(Cpu& cpu, const Insn& insn) {
  if (!selector_mode(cpu)) return cpu.raise(kUndefinedOpcode);
  const auto selector = read_word(cpu, insn, 0);
  if (!selector) return cpu.raise(selector.error());
  const auto answer = look_up(cpu, *selector, kNoSystemTypes);
  if (!answer) return cpu.raise(answer.error());
  const arch::SegmentRights rights = answer->descriptor.rights();
  set_zf(cpu, answer->visible && (write ? rights.writable() : rights.readable()));
  return Flow::next;
}

// ARPL r/m16, r16: raises the RPL of the destination to that of the source
Flow arpl(Cpu& cpu, const Insn& insn) {
  if (!selector_mode(cpu)) return cpu.raise(kUndefinedOpcode);
  const uint16_t source = cpu.reg<uint16_t>(insn.op[1]);
  const bool memory = insn.op[0] == kMemory;
  const auto old = memory ? cpu.begin_modify<uint16_t>(insn)
                          : Result<uint16_t, Fault>{cpu.reg<uint16_t>(insn.op[0])};
  if (!old) return cpu.raise(old.error());
  const bool raised = (*old & 3) < (source & 3);
  const auto result = static_cast<uint16_t>(raised ? (*old & ~3) | (source & 3) : *old);
  if (memory) {
    cpu.commit<uint16_t>(result);
  } else {
    cpu.set_reg<uint16_t>(insn.op[0], result);
  }
  set_zf(cpu, raised);
  return Flow::next;
}

constexpr Row query_row(std::string_view mnemonic, Handler (*select)(const Decoded&)) {
  return {mnemonic,         Feature::base, InsnClass::plain, CostClass::segment_load,
          {0, flag::zf, 0}, select};
}

// clang-format off
constexpr std::array<Row, 5> kRows = {{
  query_row("lar",  always<query<lar_types, rights_of>>),
  query_row("lsl",  always<query<lsl_types, limit_of>>),
  query_row("verr", always<verify<false>>),
  query_row("verw", always<verify<true>>),
  query_row("arpl", always<arpl>),
}};
// clang-format on

}  // namespace

std::span<const Row> segment_query_rows() { return kRows; }

}  // namespace vitrine::emu
