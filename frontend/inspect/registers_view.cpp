// RegistersView: copied from the processor's state; names of bits as the SDM prints them.
#include "frontend/inspect/registers_view.h"

#include <nlohmann/json.hpp>

#include <span>

#include "frontend/text.h"

namespace vitrine::ui {

namespace {

namespace arch = emu::arch;

// clang-format off
constexpr std::array<BitName, 16> kFlags = {{
    {arch::rflags::id, "ID"}, {arch::rflags::vip, "VIP"}, {arch::rflags::vif, "VIF"}, {arch::rflags::ac, "AC"},
    {arch::rflags::vm, "VM"}, {arch::rflags::rf, "RF"},   {arch::rflags::nt, "NT"},   {arch::rflags::of, "OF"},
    {arch::rflags::df, "DF"}, {arch::rflags::if_, "IF"},  {arch::rflags::tf, "TF"},   {arch::rflags::sf, "SF"},
    {arch::rflags::zf, "ZF"}, {arch::rflags::af, "AF"},   {arch::rflags::pf, "PF"},   {arch::rflags::cf, "CF"},
}};
constexpr std::array<BitName, 11> kCr0 = {{
    {arch::cr0::pg, "PG"}, {arch::cr0::cd, "CD"}, {arch::cr0::nw, "NW"}, {arch::cr0::am, "AM"}, {arch::cr0::wp, "WP"},
    {arch::cr0::ne, "NE"}, {arch::cr0::et, "ET"}, {arch::cr0::ts, "TS"}, {arch::cr0::em, "EM"}, {arch::cr0::mp, "MP"},
    {arch::cr0::pe, "PE"},
}};
constexpr std::array<BitName, 20> kCr4 = {{
    {arch::cr4::smap, "SMAP"}, {arch::cr4::smep, "SMEP"}, {arch::cr4::osxsave, "OSXSAVE"}, {arch::cr4::pcide, "PCIDE"},
    {arch::cr4::fsgsbase, "FSGSBASE"}, {arch::cr4::smxe, "SMXE"}, {arch::cr4::vmxe, "VMXE"}, {arch::cr4::la57, "LA57"},
    {arch::cr4::umip, "UMIP"}, {arch::cr4::osxmmexcpt, "OSXMMEXCPT"}, {arch::cr4::osfxsr, "OSFXSR"}, {arch::cr4::pce, "PCE"},
    {arch::cr4::pge, "PGE"}, {arch::cr4::mce, "MCE"}, {arch::cr4::pae, "PAE"}, {arch::cr4::pse, "PSE"},
    {arch::cr4::de, "DE"}, {arch::cr4::tsd, "TSD"}, {arch::cr4::pvi, "PVI"}, {arch::cr4::vme, "VME"},
}};
constexpr std::array<BitName, 4> kEfer = {{
    {arch::efer::nxe, "NXE"}, {arch::efer::lma, "LMA"}, {arch::efer::lme, "LME"}, {arch::efer::sce, "SCE"},
}};
// clang-format on

std::string spell(uint64_t value, std::span<const BitName> names) {
  std::string out;
  for (const BitName& bit : names) {
    if ((value & bit.mask) == 0) continue;
    if (!out.empty()) out += ' ';
    out += bit.name;
  }
  return out;
}

std::string spell_flags(uint64_t value) {
  std::string out = spell(value, kFlags);
  const uint64_t iopl = (value & arch::rflags::iopl) >> 12;
  if (iopl != 0) out += (out.empty() ? "" : " ") + ("IOPL=" + std::to_string(iopl));
  return out;
}

std::string mode_of(const emu::CpuState& s) {
  std::string mode = "real mode";
  if (s.v8086()) {
    mode = "virtual-8086 mode";
  } else if (s.code64()) {
    mode = "64-bit mode";
  } else if (s.long_mode()) {
    mode = "compatibility mode";
  } else if (s.protected_mode()) {
    mode = s.segments[arch::cs].rights.big() ? "32-bit protected mode" : "16-bit protected mode";
  }
  return mode + ", CPL " + std::to_string(s.cpl);
}

std::string rights_of(const arch::SegmentRights& rights) {
  if (rights.unusable()) return "unusable";
  std::string out = rights.present() ? "" : "not present ";
  if (!rights.code_or_data()) {
    out += "system type " + std::to_string(rights.type());
  } else if (rights.code()) {
    out += rights.long_mode() ? "code 64-bit" : rights.big() ? "code 32-bit" : "code 16-bit";
    if (rights.conforming()) out += " conforming";
  } else {
    out += rights.writable() ? "data writable" : "data read-only";
    if (rights.expand_down()) out += " expand-down";
  }
  return out + " dpl " + std::to_string(rights.dpl());
}

}  // namespace

RegistersView view_registers(const emu::Cpu& cpu) {
  constexpr std::array<std::string_view, 4> kActivities = {"active", "hlt", "shutdown",
                                                           "wait for SIPI"};
  const emu::CpuState& s = cpu.state;
  RegistersView view;
  view.processor = cpu.index();
  view.cycle = cpu.now().value;
  view.instructions = s.retired;
  view.mode = mode_of(s);
  view.vmx_mode = !cpu.vmx.on ? "off" : cpu.vmx.nonroot ? "non-root" : "root";
  view.activity = kActivities[static_cast<size_t>(s.activity)];
  for (size_t i = 0; i < view.general.size(); ++i) view.general[i] = s.regs[i];
  view.rip = cpu.executing_rip();
  view.system = {
      {"rflags", s.rflags(), spell_flags(s.rflags())},
      {"cr0", s.cr0, spell(s.cr0, kCr0)},
      {"cr2", s.cr2, ""},
      {"cr3", s.cr3, ""},
      {"cr4", s.cr4, spell(s.cr4, kCr4)},
      {"efer", s.efer, spell(s.efer, kEfer)},
      {"xcr0", s.xcr0, ""},
      {"dr0", s.dr[0], ""},
      {"dr1", s.dr[1], ""},
      {"dr2", s.dr[2], ""},
      {"dr3", s.dr[3], ""},
      {"dr6", s.dr6, ""},
      {"dr7", s.dr7, ""},
      {"gdtr", s.gdtr.base, "limit " + hex(s.gdtr.limit, 4)},
      {"idtr", s.idtr.base, "limit " + hex(s.idtr.limit, 4)},
  };
  for (size_t i = 0; i < s.segments.size(); ++i) {
    const emu::SegmentState& segment = s.segments[i];
    view.segments.push_back({arch::kSegmentNames[i], segment.selector, segment.base, segment.limit,
                             rights_of(segment.rights)});
  }
  return view;
}

std::string text(const RegistersView& view) {
  std::string out = "processor " + std::to_string(view.processor) + " at cycle " +
                    std::to_string(view.cycle) + ", " + std::to_string(view.instructions) +
                    " instructions, " + view.mode + ", VMX " + view.vmx_mode + ", " +
                    view.activity + "\n\n";
  Columns general;
  constexpr size_t kPerLine = 4;
  for (size_t i = 0; i < view.general.size(); i += kPerLine) {
    std::vector<std::string> cells;
    for (size_t k = i; k < i + kPerLine; ++k) {
      cells.emplace_back(arch::kGprNames[k]);
      cells.push_back(hex(view.general[k], 16));
    }
    general.row(std::move(cells));
  }
  general.row({"rip", hex(view.rip, 16)});
  out += general.text() + "\n";
  Columns system;
  for (const NamedRegister& r : view.system) {
    system.row({std::string(r.name), hex(r.value, 16), r.bits});
  }
  out += system.text() + "\n";
  Columns segments;
  for (const SegmentView& s : view.segments) {
    segments.row(
        {std::string(s.name), hex(s.selector, 4), hex(s.base, 16), hex(s.limit, 8), s.rights});
  }
  return out + segments.text();
}

nlohmann::ordered_json json(const RegistersView& view) {
  nlohmann::ordered_json out;
  out["processor"] = view.processor;
  out["cycle"] = view.cycle;
  out["instructions"] = view.instructions;
  out["mode"] = view.mode;
  out["vmx"] = view.vmx_mode;
  out["activity"] = view.activity;
  for (size_t i = 0; i < view.general.size(); ++i) {
    out["registers"][std::string(arch::kGprNames[i])] = hex(view.general[i], 16);
  }
  out["registers"]["rip"] = hex(view.rip, 16);
  for (const NamedRegister& r : view.system) {
    out["system"][std::string(r.name)] = {{"value", hex(r.value, 16)}, {"bits", r.bits}};
  }
  for (const SegmentView& s : view.segments) {
    out["segments"][std::string(s.name)] = {{"selector", s.selector},
                                            {"base", hex(s.base, 16)},
                                            {"limit", s.limit},
                                            {"rights", s.rights}};
  }
  return out;
}

}  // namespace vitrine::ui
