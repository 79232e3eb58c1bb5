// Descriptor-table registers and the bases of FS and GS: LGDT to STR, SWAPGS, RDFSBASE to WRGSBASE.
#include "emu/cpu/handlers/system.h"
#include "emu/cpu/segmentation.h"

namespace vitrine::emu {

namespace {

using vmx::Intercept;

/// Instruction identities of VM-exit instruction information (bits 29:28).
enum class TableIdentity : uint32_t { sgdt = 0, sidt = 1, lgdt = 2, lidt = 3 };
enum class SelectorIdentity : uint32_t { sldt = 0, str = 1, lldt = 2, ltr = 3 };
constexpr unsigned kIdentityShift = 28;

bool umip_refuses(const Cpu& cpu) {
  return cpu.state.cpl != 0 && (cpu.state.cr4 & arch::cr4::umip) != 0;
}

bool table_exits(Cpu& cpu, const Insn& insn, TableIdentity identity) {
  return vmx::exits(cpu, Intercept::gdtr_idtr_access, insn, 0,
                    static_cast<uint32_t>(identity) << kIdentityShift);
}

// SGDT m; SIDT m
template <bool interrupt_table>
Flow store_table(Cpu& cpu, const Insn& insn) {
  if (umip_refuses(cpu)) return cpu.raise(kGeneralProtection0);
  if (table_exits(cpu, insn, interrupt_table ? TableIdentity::sidt : TableIdentity::sgdt)) {
    return Flow::exit;
  }
  const TableRegister& table = interrupt_table ? cpu.state.idtr : cpu.state.gdtr;
  const uint64_t at = cpu.effective_address(insn);
  const uint64_t base_at = (at + 2) & address_mask(insn);
  const bool checked = is_checked(insn);
  if (const auto r = cpu.store_at<uint16_t>(insn.segment, at, table.limit, checked); !r) {
    return cpu.raise(r.error());
  }
  const auto stored = cpu.mode().code_size == 8
                          ? cpu.store_at<uint64_t>(insn.segment, base_at, table.base, checked)
                          : cpu.store_at<uint32_t>(insn.segment, base_at,
                                                   static_cast<uint32_t>(table.base), checked);
  if (!stored) return cpu.raise(stored.error());
  return Flow::next;
}

// LGDT m; LIDT m
template <bool interrupt_table>
Flow load_table(Cpu& cpu, const Insn& insn) {
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  if (table_exits(cpu, insn, interrupt_table ? TableIdentity::lidt : TableIdentity::lgdt)) {
    return Flow::exit;
  }
  const uint64_t at = cpu.effective_address(insn);
  const uint64_t base_at = (at + 2) & address_mask(insn);
  const auto limit = cpu.load_at<uint16_t>(insn.segment, at, is_checked(insn));
  if (!limit) return cpu.raise(limit.error());
  uint64_t base = 0;
  if (cpu.mode().code_size == 8) {
    const auto wide = cpu.load_at<uint64_t>(insn.segment, base_at, is_checked(insn));
    if (!wide) return cpu.raise(wide.error());
    if (!Cpu::canonical(*wide)) return cpu.raise(kGeneralProtection0);
    base = *wide;
  } else {
    const auto narrow = cpu.load_at<uint32_t>(insn.segment, base_at, is_checked(insn));
    if (!narrow) return cpu.raise(narrow.error());
    base = insn.operand_size == 1 ? *narrow & 0xFFFFFF : *narrow;
  }
  (interrupt_table ? cpu.state.idtr : cpu.state.gdtr) = TableRegister{base, *limit};
  return Flow::branch;
}

bool selector_exits(Cpu& cpu, const Insn& insn, SelectorIdentity identity) {
  return vmx::exits(cpu, Intercept::ldtr_tr_access, insn, 0,
                    static_cast<uint32_t>(identity) << kIdentityShift);
}

// SLDT r/m; STR r/m
template <uint8_t segment>
Flow store_selector(Cpu& cpu, const Insn& insn) {
  if (!selector_mode(cpu)) return cpu.raise(kUndefinedOpcode);
  if (umip_refuses(cpu)) return cpu.raise(kGeneralProtection0);
  const auto identity = segment == arch::ldtr ? SelectorIdentity::sldt : SelectorIdentity::str;
  if (selector_exits(cpu, insn, identity)) return Flow::exit;
  const auto stored = write_word(cpu, insn, cpu.state.segments[segment].selector);
  if (!stored) return cpu.raise(stored.error());
  return Flow::next;
}

// LLDT r/m16; LTR r/m16
template <uint8_t segment>
Flow load_selector(Cpu& cpu, const Insn& insn) {
  if (!selector_mode(cpu)) return cpu.raise(kUndefinedOpcode);
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  const auto identity = segment == arch::ldtr ? SelectorIdentity::lldt : SelectorIdentity::ltr;
  if (selector_exits(cpu, insn, identity)) return Flow::exit;
  const auto selector = read_word(cpu, insn, 0);
  if (!selector) return cpu.raise(selector.error());
  const auto loaded = segment == arch::ldtr ? load_ldtr(cpu, *selector) : load_tr(cpu, *selector);
  if (!loaded) return cpu.raise(loaded.error());
  return Flow::branch;
}

// SWAPGS
Flow swapgs(Cpu& cpu, const Insn&) {
  if (!cpu.state.code64()) return cpu.raise(kUndefinedOpcode);
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  std::swap(cpu.state.segments[arch::gs].base, cpu.state.msr.kernel_gs_base);
  cpu.segments_changed();
  return Flow::branch;
}

bool base_access_enabled(const Cpu& cpu) {
  return cpu.state.code64() && (cpu.state.cr4 & arch::cr4::fsgsbase) != 0;
}

// RDFSBASE r; RDGSBASE r
template <uint8_t segment>
Flow read_base(Cpu& cpu, const Insn& insn) {
  if (!base_access_enabled(cpu)) return cpu.raise(kUndefinedOpcode);
  write_gpr(cpu, insn.op[0], cpu.state.segments[segment].base, operand_bytes(insn));
  return Flow::next;
}

// WRFSBASE r; WRGSBASE r
template <uint8_t segment>
Flow write_base(Cpu& cpu, const Insn& insn) {
  if (!base_access_enabled(cpu)) return cpu.raise(kUndefinedOpcode);
  const uint64_t base =
      operand_bytes(insn) == 8 ? cpu.reg<uint64_t>(insn.op[0]) : cpu.reg<uint32_t>(insn.op[0]);
  if (!Cpu::canonical(base)) return cpu.raise(kGeneralProtection0);
  cpu.state.segments[segment].base = base;
  cpu.segments_changed();
  return Flow::branch;
}

// clang-format off
constexpr std::array<Row, 13> kRows = {{
  system_row("sgdt", always<store_table<false>>), system_row("sidt", always<store_table<true>>),
  system_row("lgdt", always<load_table<false>>),  system_row("lidt", always<load_table<true>>),
  system_row("sldt", always<store_selector<arch::ldtr>>), system_row("str", always<store_selector<arch::tr>>),
  system_row("lldt", always<load_selector<arch::ldtr>>, CostClass::segment_load),
  system_row("ltr",  always<load_selector<arch::tr>>,   CostClass::segment_load),
  system_row("swapgs", always<swapgs>),
  system_row("rdfsbase", always<read_base<arch::fs>>,  CostClass::system, Feature::fsgsbase),
  system_row("rdgsbase", always<read_base<arch::gs>>,  CostClass::system, Feature::fsgsbase),
  system_row("wrfsbase", always<write_base<arch::fs>>, CostClass::system, Feature::fsgsbase),
  system_row("wrgsbase", always<write_base<arch::gs>>, CostClass::system, Feature::fsgsbase),
}};
// clang-format on

}  // namespace

std::span<const Row> descriptor_table_rows() { return kRows; }

}  // namespace vitrine::emu
