// VmcsView: every field that exists, by access type, in the order of encodings.
#include "frontend/inspect/vmcs_view.h"

#include <nlohmann/json.hpp>

#include <array>

#include "emu/arch/exit_reasons.h"
#include "emu/arch/vmx_controls.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {

namespace arch = emu::arch;

struct ControlField {
  arch::Field field;
  arch::ControlWord word;
};
constexpr std::array<ControlField, 6> kControlFields = {{
    {arch::Field::pin_controls, arch::ControlWord::pin},
    {arch::Field::primary_controls, arch::ControlWord::primary},
    {arch::Field::secondary_controls, arch::ControlWord::secondary},
    {arch::Field::exit_controls, arch::ControlWord::exit},
    {arch::Field::entry_controls, arch::ControlWord::entry},
    {arch::Field::vm_function_controls, arch::ControlWord::vm_function},
}};
constexpr std::array<std::string_view, 4> kGroupNames = {"control fields", "read-only data fields",
                                                         "guest-state fields", "host-state fields"};

std::string meaning_of(arch::Field field, uint64_t value) {
  if (field == arch::Field::exit_reason) {
    const auto* const row = arch::find_exit_reason(static_cast<uint32_t>(value & 0xFFFF));
    return row == nullptr ? "" : std::string(row->name);
  }
  std::string out;
  for (const ControlField& control : kControlFields) {
    if (control.field != field) continue;
    for (const arch::ControlRow& row : arch::kControls) {
      if (row.word != control.word || (value >> row.position & 1) == 0) continue;
      if (!out.empty()) out += ", ";
      out += row.name;
    }
  }
  return out;
}

}  // namespace

VmcsView view_vmcs(const emu::Cpu& cpu) {
  const emu::vmx::State& state = cpu.vmx;
  VmcsView view;
  view.processor = cpu.index();
  view.vmx_on = state.on;
  view.nonroot = state.nonroot;
  view.current = state.on && state.current_vmcs != emu::vmx::kNoVmcs;
  if (!view.current) return view;
  view.address = state.current_vmcs;
  view.launched = state.vmcs.launched;
  for (size_t type = 0; type < kGroupNames.size(); ++type) {
    VmcsGroupView group{kGroupNames[type], {}};
    for (const arch::FieldRow& row : arch::kFields) {
      const arch::FieldEncoding encoding{row.field};
      if (static_cast<size_t>(encoding.type()) != type) continue;
      const uint64_t value = state.vmcs[row.field];
      group.fields.push_back(
          {row.name, encoding.value, encoding.size(), value, meaning_of(row.field, value)});
    }
    view.groups.push_back(std::move(group));
  }
  return view;
}

std::string text(const VmcsView& view) {
  std::string out = "processor " + std::to_string(view.processor) + ": ";
  if (!view.vmx_on) return out + "VMX is off\n";
  out += view.nonroot ? "VMX non-root, " : "VMX root, ";
  if (!view.current) return out + "no VMCS is current\n";
  out += "VMCS at " + hex(view.address) + (view.launched ? ", launched\n" : ", clear\n");
  for (const VmcsGroupView& group : view.groups) {
    Columns columns;
    for (const VmcsFieldView& field : group.fields) {
      columns.row({hex(field.encoding, 4), std::string(field.name),
                   hex(field.value, 2 * field.size), field.meaning});
    }
    out += "\n" + std::string(group.name) + "\n" + columns.text("  ");
  }
  return out;
}

nlohmann::ordered_json json(const VmcsView& view) {
  nlohmann::ordered_json out;
  out["processor"] = view.processor;
  out["vmx"] = !view.vmx_on ? "off" : view.nonroot ? "non-root" : "root";
  out["current"] = view.current;
  if (!view.current) return out;
  out["address"] = hex(view.address);
  out["launched"] = view.launched;
  for (const VmcsGroupView& group : view.groups) {
    auto fields = nlohmann::ordered_json::array();
    for (const VmcsFieldView& field : group.fields) {
      fields.push_back({{"encoding", field.encoding},
                        {"name", field.name},
                        {"value", hex(field.value, 2 * field.size)},
                        {"meaning", field.meaning}});
    }
    out["groups"][std::string(group.name)] = fields;
  }
  return out;
}

}  // namespace vitrine::ui
