// Planning a block: which instructions are native, which registers they get, whose flags are seen.
#include "emu/cpu/jit/plan.h"

#include <algorithm>
#include <bit>

#include "emu/cpu/state.h"

namespace vitrine::emu::jit {

namespace {

/// Host registers for guest registers: all but the stack pointer, RBP (state), R14 and R15 (time) and
/// RAX, RCX and RDX (scratch).
constexpr std::array<uint8_t, 9> kPool = {3, 6, 7, 8, 9, 10, 11, 12, 13};

enum class FlagEffect : uint8_t {
  none,
  reads,
  sets,        ///< all six
  changes,     ///< some of them, or all from some
  sets_alone,  ///< all six, left in the frame and not in the host
  spoils,      ///< native only where dead
};

FlagEffect flag_effect(const Form& f) {
  switch (f.op) {
    case Op::add:
    case Op::sub:
    case Op::cmp:
    case Op::and_:
    case Op::or_:
    case Op::xor_:
    case Op::test:
    case Op::neg: return FlagEffect::sets;
    case Op::adc:
    case Op::sbb:
    case Op::inc:
    case Op::dec: return FlagEffect::changes;
    case Op::imul: return FlagEffect::sets_alone;
    case Op::shl:
    case Op::shr:
    case Op::sar: return f.shape == Shape::rc ? FlagEffect::spoils : FlagEffect::sets_alone;
    case Op::rol:
    case Op::ror: return FlagEffect::spoils;
    case Op::cmov:
    case Op::setcc:
    case Op::jcc: return FlagEffect::reads;
    case Op::vector:
      return f.vector->pattern == Pattern::flags ? FlagEffect::sets : FlagEffect::none;
    default: return FlagEffect::none;
  }
}

bool canonical(uint64_t address) { return ((address + (uint64_t{1} << 47)) >> 48) == 0; }

/// Visits the guest registers that a native form needs; false when one is no whole register.
template <class Visit>
bool for_registers(const Insn& insn, const Form& f, Visit visit) {
  const auto operand = [&](size_t i) {
    if (insn.op[i] >= 128 || (insn.op[i] & 7) != 0) return false;
    visit(insn.op[i] >> 3);
    return true;
  };
  bool whole = true;
  if (f.op == Op::vector) {
    const size_t general = vector_general_operand(insn, *f.vector);
    if (general < insn.op.size()) whole = operand(general);
  }
  switch (f.op == Op::vector ? Shape::none : f.shape) {
    case Shape::r:
    case Shape::ri:
    case Shape::rm:
    case Shape::rmi: whole = operand(0); break;
    case Shape::rr:
    case Shape::rri:
    case Shape::rc: whole = operand(0) && operand(1); break;
    case Shape::mr: whole = operand(1); break;
    default: break;
  }
  if (f.op == Op::lea || (touches_memory(f) && f.shape != Shape::r && f.shape != Shape::i)) {
    if (insn.base < 16) visit(insn.base);
    if (insn.index < 16) visit(insn.index);
  }
  if (f.op == Op::push || f.op == Op::pop || f.op == Op::call || f.op == Op::ret) visit(arch::rsp);
  if (f.op == Op::cbw || f.op == Op::cwd) visit(arch::rax);
  if (f.op == Op::cwd) visit(arch::rdx);
  return whole;
}

/// Whether a native form changes its first operand, where that is a register.
bool writes_operand(const Form& f) {
  if (f.op == Op::cmp || f.op == Op::test || f.op == Op::push || is_transfer(f.op)) return false;
  switch (f.shape) {
    case Shape::r:
    case Shape::rr:
    case Shape::ri:
    case Shape::rm:
    case Shape::rri:
    case Shape::rmi:
    case Shape::rc: return true;
    default: return false;
  }
}

uint16_t written_by(const Insn& insn, const Form& f) {
  const auto bit = [](unsigned guest) { return static_cast<uint16_t>(1u << guest); };
  uint16_t written = 0;
  if (f.op == Op::vector) {
    const size_t general = vector_general_operand(insn, *f.vector);
    return general < insn.op.size() ? bit(insn.op[general] >> 3) : written;
  }
  if (writes_operand(f)) written = bit(insn.op[0] >> 3);
  switch (f.op) {
    case Op::push:
    case Op::pop:
    case Op::call:
    case Op::ret: written |= bit(arch::rsp); break;
    case Op::cbw: written |= bit(arch::rax); break;
    case Op::cwd: written |= bit(arch::rdx); break;
    default: break;
  }
  return written;
}

/// At least those that the form names.
void note_vectors(const Insn& insn, const VectorForm& v, Plan& plan) {
  const size_t general = vector_general_operand(insn, v);
  for (size_t i = 0; i < insn.op.size(); ++i) {
    if (insn.op[i] >= 16 || i == general) continue;
    const auto guest = static_cast<uint16_t>(1u << insn.op[i]);
    plan.vectors |= guest;
    if (i == 0) plan.vectors_written |= guest;
  }
  (v.legacy ? plan.legacy_vectors : plan.wide_vectors) = true;
}

bool has_memory_operand(const Form& f) {
  return f.op == Op::lea || (touches_memory(f) && f.op != Op::push && f.op != Op::pop &&
                             f.op != Op::ret && !(f.op == Op::call && f.shape != Shape::m));
}

bool native_form(const Insn& insn, const Form& f, uint64_t next_rip) {
  if (f.op == Op::none) return false;
  if ((insn.flags & (insn_flag::lock | insn_flag::checked)) != 0) return false;
  if (has_memory_operand(f) && insn.address_size != 3) return false;
  if (is_transfer(f.op) && f.shape == Shape::i && !canonical(next_rip + insn.imm)) return false;
  const bool shift = f.op == Op::shl || f.op == Op::shr || f.op == Op::sar;
  const bool turn = f.op == Op::rol || f.op == Op::ror;
  if ((shift || turn) && f.shape != Shape::rc) {
    const uint64_t count = insn.imm & (f.width == 8 ? 63 : 31);
    if (count == 0 || count >= f.width * 8u) return false;
  }
  return true;
}

/// Instructions at which the flags must be where the interpreter finds them.
bool looks(const Plan& plan, uint32_t k) {
  const Form& f = plan.form[k];
  const bool indirect = f.op == Op::jmp && f.shape != Shape::i;
  return !plan.native[k] || touches_memory(f) || f.op == Op::vector || indirect;
}

bool flags_seen(const Plan& plan, const Block& block, uint32_t k) {
  for (uint32_t j = k + 1; j < block.count; ++j) {
    if (looks(plan, j)) return true;
    const FlagEffect effect = flag_effect(plan.form[j]);
    if (effect != FlagEffect::none && effect != FlagEffect::reads) return false;
  }
  return false;
}

/// Whether all flags are set from instruction k on before anybody sees them.
bool flags_killed(const Plan& plan, const Block& block, uint32_t k) {
  for (uint32_t j = k; j < block.count; ++j) {
    if (looks(plan, j)) return false;
    switch (flag_effect(plan.form[j])) {
      case FlagEffect::none: break;
      case FlagEffect::reads:
      case FlagEffect::changes: return false;
      case FlagEffect::sets:
      case FlagEffect::sets_alone:
      case FlagEffect::spoils: return true;
    }
  }
  return false;
}

}  // namespace

Plan survey(const Block& block, const FormTable& forms) {
  Plan plan;
  plan.host.fill(kNoHost);
  uint64_t rip = block.gva.value;
  for (uint32_t k = 0; k < block.count; ++k) {
    const Insn& insn = block.insns[k];
    rip += insn.length;
    plan.form[k] = forms.find(insn);
    plan.native[k] =
        native_form(insn, plan.form[k], rip) && for_registers(insn, plan.form[k], [](unsigned) {});
    if (!plan.native[k]) continue;
    for_registers(insn, plan.form[k], [&](unsigned g) { ++plan.uses[g]; });
    plan.written |= written_by(insn, plan.form[k]);
    if (plan.form[k].op == Op::vector) note_vectors(insn, *plan.form[k].vector, plan);
  }
  return plan;
}

uint32_t registers_of(const Insn& insn, const Form& f) {
  uint32_t mask = 0;
  for_registers(insn, f, [&](unsigned g) { mask |= uint32_t{1} << g; });
  return mask;
}

HostRegisters assign_hosts(const std::array<uint16_t, 16>& uses, size_t places) {
  HostRegisters hosts;
  hosts.fill(kNoHost);
  std::array<uint16_t, 16> left = uses;
  for (const uint8_t host : kPool) {
    if (places-- == 0) break;
    const auto most = std::max_element(left.begin(), left.end());
    if (*most == 0) break;
    hosts[static_cast<size_t>(most - left.begin())] = host;
    *most = 0;
  }
  return hosts;
}

void finish_plan(Plan& plan, const Block& block, const HostRegisters& shared) {
  const auto needed = std::count_if(plan.uses.begin(), plan.uses.end(), [](uint16_t n) { return n != 0; });
  plan.floating = static_cast<size_t>(needed) > kPool.size();
  const HostRegisters own =
      assign_hosts(plan.uses, plan.floating ? kPool.size() - kFloats : kPool.size());
  uint32_t free = 0;
  for (const uint8_t host : kPool) free |= uint32_t{1} << host;
  for (size_t g = 0; g < 16; ++g) {
    if (own[g] == kNoHost || shared[g] == kNoHost) continue;
    plan.host[g] = shared[g];
    free &= ~(uint32_t{1} << shared[g]);
  }
  for (size_t g = 0; g < 16; ++g) {
    if (own[g] == kNoHost || shared[g] != kNoHost) continue;
    // Places that nobody shares go first.
    uint32_t idle = free;
    for (const uint8_t host : shared) idle &= host == kNoHost ? ~uint32_t{0} : ~(uint32_t{1} << host);
    const auto host = static_cast<uint8_t>(std::countr_zero(idle != 0 ? idle : free));
    plan.host[g] = host;
    free &= ~(uint32_t{1} << host);
  }
  for (size_t i = 0; plan.floating && i < kFloats; ++i) {
    plan.floats[i] = static_cast<uint8_t>(std::countr_zero(free));
    free &= free - 1;
  }
  for (size_t g = 0; g < 16; ++g) {
    const bool kept = plan.uses[g] == 0 && shared[g] != kNoHost && (free >> shared[g] & 1) != 0;
    if (kept) plan.host[g] = shared[g];
  }

  // Backwards: what a later instruction needs decides whether an earlier one is native.
  for (uint32_t k = block.count; k-- > 0;) {
    plan.dead[k] = flags_killed(plan, block, k + 1);
    if (flag_effect(plan.form[k]) == FlagEffect::spoils && !plan.dead[k]) plan.native[k] = false;
  }
  for (uint32_t k = 0; k < block.count; ++k) plan.seen[k] = flags_seen(plan, block, k);
  plan.kills_flags = flags_killed(plan, block, 0);
}

}  // namespace vitrine::emu::jit
