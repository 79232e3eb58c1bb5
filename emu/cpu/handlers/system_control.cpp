// Control and debug registers: MOV CR, MOV DR, LMSW, SMSW, CLTS, and the caches and TLBs they govern.
#include "emu/cpu/control_registers.h"

#include "emu/cpu/handlers/system.h"
#include "emu/cpu/vmx/virtual_apic.h"

namespace vitrine::emu {

namespace {

using vmx::Intercept;

// --- MOV CR ---

uint64_t source_gpr(const Cpu& cpu, uint8_t offset) {
  return cpu.mode().code_size == 8 ? cpu.reg<uint64_t>(offset) : cpu.reg<uint32_t>(offset);
}
void set_gpr(Cpu& cpu, uint8_t offset, uint64_t value) {
  write_gpr(cpu, offset, value, cpu.mode().code_size == 8 ? 8 : 4);
}

Result<void, Fault> write_cr8(Cpu& cpu, uint64_t value) {
  if (value > 15) return Err{kGeneralProtection0};
  if (vmx::write_virtual_tpr(cpu, value) != vmx::Virtualised::no) return {};
  cpu.ports().set_task_priority(cpu.index(), static_cast<uint8_t>(value), cpu.now());
  cpu.attention();
  return {};
}

Result<void, Fault> write_control(Cpu& cpu, unsigned cr, uint64_t value) {
  switch (cr) {
    case 0: return write_cr0(cpu, value);
    case 2: cpu.state.cr2 = value; return {};
    case 3: return write_cr3(cpu, value);
    case 4: return write_cr4(cpu, value);
    default: return write_cr8(cpu, value);
  }
}

uint64_t read_control(Cpu& cpu, unsigned cr) {
  const CpuState& s = cpu.state;
  switch (cr) {
    case 0: return s.cr0;
    case 2: return s.cr2;
    case 3: return s.cr3;
    case 4: return s.cr4;
    default: return cpu.ports().task_priority(cpu.index());
  }
}

// MOV CRn, r
Flow mov_to_control(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  const unsigned cr = insn.op[0];
  uint64_t value = source_gpr(cpu, insn.op[1]);
  if (vmx::exits_on_cr_write(cpu, insn, cr, insn.op[1] / 8u, value)) return Flow::exit;
  if (const auto r = write_control(cpu, cr, value); !r) return cpu.raise(r.error());
  return Flow::branch;
}

// MOV r, CRn
Flow mov_from_control(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  const unsigned cr = insn.op[1];
  uint64_t value = read_control(cpu, cr);
  if (vmx::exits_on_cr_read(cpu, insn, cr, insn.op[0] / 8u, value)) return Flow::exit;
  set_gpr(cpu, insn.op[0], value);
  return Flow::branch;
}

bool existing_control(const Operand& o) {
  return o.kind == OperandKind::control &&
         (o.number == 0 || o.number == 8 || (o.number >= 2 && o.number <= 4));
}

Handler select_control(const Decoded& d) {
  if (existing_control(d.operands[0])) return mov_to_control;
  return existing_control(d.operands[1]) ? mov_from_control : nullptr;
}

// --- MOV DR: SDM "Debug Registers" ---

constexpr uint64_t kDr6Fixed = 0xFFFF0FF0;
constexpr uint64_t kDr6Writable = 0xE00F;
constexpr uint64_t kDr7Fixed = 0x400;
constexpr uint64_t kDr7Writable = 0xFFFF23FF;
constexpr uint64_t kGeneralDetect = uint64_t{1} << 13;  // DR7.GD, and DR6.BD

/// What is checked before a debug register is touched; Flow::next when it may be.
Flow debug_access(Cpu& cpu, const Insn& insn, unsigned dr, uint8_t gpr, bool read) {
  const bool alias = dr == 4 || dr == 5;
  if (alias && (cpu.state.cr4 & arch::cr4::de) != 0) return cpu.raise(kUndefinedOpcode);
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  if (vmx::exits_on_dr_access(cpu, insn, dr, gpr / 8u, read)) return Flow::exit;
  if ((cpu.state.dr7 & kGeneralDetect) != 0) return cpu.raise_debug(kGeneralDetect);
  return Flow::next;
}

// MOV DRn, r
Flow mov_to_debug(Cpu& cpu, const Insn& insn) {
  const unsigned dr = insn.op[0];
  if (const Flow f = debug_access(cpu, insn, dr, insn.op[1], false); f != Flow::next) return f;
  const uint64_t value = source_gpr(cpu, insn.op[1]);
  CpuState& s = cpu.state;
  if (dr < 4) {
    s.dr[dr] = value;
    return Flow::branch;
  }
  if ((value >> 32) != 0) return cpu.raise(kGeneralProtection0);
  if (dr == 4 || dr == 6) {
    s.dr6 = (value & kDr6Writable) | kDr6Fixed;
  } else {
    s.dr7 = (value & kDr7Writable) | kDr7Fixed;
    cpu.privilege_changed();
  }
  return Flow::branch;
}

// MOV r, DRn
Flow mov_from_debug(Cpu& cpu, const Insn& insn) {
  const unsigned dr = insn.op[1];
  if (const Flow f = debug_access(cpu, insn, dr, insn.op[0], true); f != Flow::next) return f;
  const CpuState& s = cpu.state;
  set_gpr(cpu, insn.op[0], dr < 4 ? s.dr[dr] : dr == 4 || dr == 6 ? s.dr6 : s.dr7);
  return Flow::branch;
}

bool existing_debug(const Operand& o) { return o.kind == OperandKind::debug && o.number < 8; }

Handler select_debug(const Decoded& d) {
  if (existing_debug(d.operands[0])) return mov_to_debug;
  return existing_debug(d.operands[1]) ? mov_from_debug : nullptr;
}

// --- The machine status word ---

// SMSW r/m
Flow smsw(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu) && (cpu.state.cr4 & arch::cr4::umip) != 0) {
    return cpu.raise(kGeneralProtection0);
  }
  uint64_t value = cpu.state.cr0;
  if (vmx::exits_on_cr_read(cpu, insn, 0, 0, value)) return Flow::exit;
  if (const auto r = write_word(cpu, insn, value); !r) return cpu.raise(r.error());
  return Flow::next;
}

// LMSW r/m16
Flow lmsw(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  const auto source = read_word(cpu, insn, 0);
  if (!source) return cpu.raise(source.error());
  const bool memory = insn.op[0] == kMemory;
  const uint64_t linear = memory ? cpu.segment_base(insn.segment) + cpu.effective_address(insn) : 0;
  uint64_t value = 0;
  if (vmx::exits_on_lmsw(cpu, insn, *source, memory, linear, value)) return Flow::exit;
  // PE can be set but not cleared.
  value |= cpu.state.cr0 & arch::cr0::pe;
  if (const auto r = write_cr0(cpu, value); !r) return cpu.raise(r.error());
  return Flow::branch;
}

// CLTS
Flow clts(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  bool clears = true;
  if (vmx::exits_on_clts(cpu, insn, clears)) return Flow::exit;
  if (clears) cpu.state.cr0 &= ~arch::cr0::ts;
  cpu.context_changed();
  return Flow::branch;
}

// --- Caches and translations: always coherent here; the timing model alone hears of them ---

// INVLPG m
Flow invlpg(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  const uint64_t linear = cpu.segment_base(insn.segment) + cpu.effective_address(insn);
  if (vmx::exits(cpu, Intercept::invlpg, insn, linear)) return Flow::exit;
  cpu.invalidate_translations(timing::Invalidation::Scope::address, Gva{linear});
  return Flow::branch;
}

/// SDM "INVPCID": types 0 to 3, and the descriptor's reserved bits.
bool invpcid_valid(const Cpu& cpu, uint64_t type, uint64_t pcid, uint64_t linear) {
  constexpr uint64_t kReserved = ~uint64_t{0xFFF};
  if (type > 3) return false;
  if ((pcid & kReserved) != 0) return false;
  if (type == 0 && !Cpu::canonical(linear)) return false;
  const bool pcids = (cpu.state.cr4 & arch::cr4::pcide) != 0;
  return type > 1 || pcids || pcid == 0;
}

// INVPCID r, m128
Flow invpcid(Cpu& cpu, const Insn& insn) {
  if (vmx::disabled(cpu, Intercept::invpcid) || cpu.state.v8086()) {
    return cpu.raise(cpu.state.v8086() ? kGeneralProtection0 : kUndefinedOpcode);
  }
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  if (vmx::exits(cpu, Intercept::invpcid, insn)) return Flow::exit;
  const uint64_t at = cpu.effective_address(insn);
  const auto pcid = cpu.load_at<uint64_t>(insn.segment, at, is_checked(insn));
  if (!pcid) return cpu.raise(pcid.error());
  const auto linear =
      cpu.load_at<uint64_t>(insn.segment, (at + 8) & address_mask(insn), is_checked(insn));
  if (!linear) return cpu.raise(linear.error());
  const uint64_t type = source_gpr(cpu, insn.op[0]);
  if (!invpcid_valid(cpu, type, *pcid, *linear)) return cpu.raise(kGeneralProtection0);
  using Scope = timing::Invalidation::Scope;
  constexpr std::array kScopes = {Scope::pcid_address, Scope::one_pcid, Scope::everything,
                                  Scope::all_but_global};
  timing::AddressSpace space;
  space.vpid = vmx::current_vpid(cpu);
  space.pcid = static_cast<uint16_t>(*pcid);
  cpu.invalidate_translations({kScopes[type], space, Gva{*linear}});
  return Flow::branch;
}

// INVD; WBINVD
template <Intercept intercept>
Flow flush_caches(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  if (vmx::exits(cpu, intercept, insn)) return Flow::exit;
  cpu.flush_caches();
  return Flow::branch;
}

// CLAC; STAC
template <bool set>
Flow set_ac(Cpu& cpu, const Insn&) {
  if (!supervisor(cpu)) return cpu.raise(kUndefinedOpcode);
  auto& flags = cpu.state.rflags_system;
  flags = set ? flags | arch::rflags::ac : flags & ~arch::rflags::ac;
  cpu.privilege_changed();
  return Flow::branch;
}

// clang-format off
constexpr std::array<Row, 11> kRows = {{
  system_row("mov",     select_control,                           CostClass::control_register),
  system_row("mov",     select_debug,                             CostClass::control_register),
  system_row("smsw",    always<smsw>),
  system_row("lmsw",    always<lmsw>,                             CostClass::control_register),
  system_row("clts",    always<clts>),
  system_row("invlpg",  always<invlpg>,                           CostClass::tlb_control),
  system_row("invpcid", always<invpcid>,                          CostClass::tlb_control, Feature::invpcid),
  system_row("invd",    always<flush_caches<Intercept::invd>>,    CostClass::cache_control),
  system_row("wbinvd",  always<flush_caches<Intercept::wbinvd>>,  CostClass::cache_control),
  system_row("clac",    always<set_ac<false>>,                    CostClass::system, Feature::smap),
  system_row("stac",    always<set_ac<true>>,                     CostClass::system, Feature::smap),
}};
// clang-format on

}  // namespace

std::span<const Row> control_register_rows() { return kRows; }

}  // namespace vitrine::emu
