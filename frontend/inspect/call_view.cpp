// CallView: gathered from the tables of hv/tlfs and the core's table of handlers.
#include "frontend/inspect/call_view.h"

#include <nlohmann/json.hpp>

#include <array>

#include "frontend/text.h"
#include "hv/core/call.h"
#include "hv/tlfs/call_fields.h"
#include "hv/tlfs/refusals.h"

namespace vitrine::ui {

namespace {

namespace tlfs = hv::tlfs;

constexpr std::array<std::string_view, 6> kClassNames = {
    "simple",     "rep",     "simple with a variable header", "rep with a variable header",
    "VTL switch", "reserved"};
constexpr std::array<std::string_view, 4> kPartNames = {"input", "input element", "output",
                                                        "output element"};

CallStatusView status_view(tlfs::Status status, std::string_view when) {
  return {static_cast<uint16_t>(status), tlfs::status_name(status), when};
}

std::string_view privilege_name(tlfs::Privilege privilege) {
  for (const tlfs::PrivilegeRow& row : tlfs::kPrivileges) {
    if (row.bit == privilege) return row.name;
  }
  return "none for the call as a whole";
}

void add_parts(CallView& view, const hv::CallRow& row) {
  const std::array<uint16_t, 4> sizes = {row.input_size, row.input_element, row.output_size,
                                         row.output_element};
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) continue;
    CallPartView part{kPartNames[i], sizes[i], {}};
    uint32_t offset = 0;
    for (const tlfs::CallField& field : tlfs::kCallFields) {
      if (field.call != row.code || field.part != static_cast<tlfs::CallPart>(i)) continue;
      part.fields.push_back({offset, field.size, field.name});
      offset += field.size;
    }
    view.parts.push_back(std::move(part));
  }
}

std::string rows_text(const std::vector<CallStatusView>& rows) {
  Columns columns;
  for (const CallStatusView& row : rows) {
    columns.row({hex(row.code, 4), std::string(row.name), std::string(row.when)});
  }
  return columns.text("  ");
}

nlohmann::ordered_json rows_json(const std::vector<CallStatusView>& rows) {
  auto out = nlohmann::ordered_json::array();
  for (const CallStatusView& row : rows) {
    out.push_back({{"code", row.code}, {"name", row.name}, {"when", row.when}});
  }
  return out;
}

/// "finalizepartition" of "HvCallFinalizePartition", "HvFinalizePartition" and "finalize_partition".
std::string bare_name(std::string_view name) {
  std::string out;
  for (const char c : expression_name(name)) {
    if (c != '_') out += c;
  }
  for (const std::string_view prefix : {"hvcall", "hv"}) {
    if (out.starts_with(prefix)) return out.substr(prefix.size());
  }
  return out;
}

}  // namespace

std::optional<uint16_t> find_call_code(const std::string& subject) {
  if (const auto number = parse_number(subject)) {
    const bool known = *number <= 0xFFFF && tlfs::find_call(static_cast<uint16_t>(*number));
    return known ? std::optional(static_cast<uint16_t>(*number)) : std::nullopt;
  }
  for (const tlfs::CallCode& row : tlfs::kCallCodes) {
    if (bare_name(row.name) == bare_name(subject)) return row.code;
  }
  return std::nullopt;
}

std::optional<CallView> view_call(uint16_t code) {
  const tlfs::CallCode* const row = tlfs::find_call(code);
  if (row == nullptr) return std::nullopt;
  CallView view;
  view.code = code;
  view.name = row->name;
  view.call_class = kClassNames[static_cast<size_t>(row->kind)];
  view.rep = row->kind == tlfs::CallClass::rep || row->kind == tlfs::CallClass::variable_rep;
  view.documented_fast = row->fast;
  view.privilege = privilege_name(row->privilege);
  for (const tlfs::CommonRefusal& refusal : tlfs::kCommonRefusals) {
    view.common.push_back(status_view(refusal.status, refusal.when));
  }
  const hv::CallRow* const implemented = hv::find_call_row(code);
  if (implemented == nullptr) return view;
  view.implemented = true;
  add_parts(view, *implemented);
  view.statuses.push_back(status_view(tlfs::Status::success, "the call has done what it promises"));
  for (const tlfs::CallStatus& status : tlfs::kCallStatuses) {
    if (status.call == implemented->code) {
      view.statuses.push_back(status_view(status.status, status.when));
    }
  }
  for (const tlfs::CallStatus& status : tlfs::kRefusals) {
    if (status.call == implemented->code) {
      view.refusals.push_back(status_view(status.status, status.when));
    }
  }
  return view;
}

std::string text(const CallView& view) {
  std::string out = std::string(view.name) + ", call code " + hex(view.code, 4) + "\n";
  out += "class: " + std::string(view.call_class) +
         (view.documented_fast ? ", documented as fast" : "") + "\n";
  out += "privilege: " + std::string(view.privilege) + "\n";
  if (!view.implemented) {
    return out + "not implemented here: answered with HV_STATUS_INVALID_HYPERCALL_CODE\n";
  }
  Columns wire;
  for (const CallPartView& part : view.parts) {
    wire.row({std::string(part.name), std::to_string(part.size) + " bytes"});
    for (const CallFieldView& field : part.fields) {
      wire.row({"  +" + std::to_string(field.offset), std::to_string(field.size),
                std::string(field.name)});
    }
  }
  out += "\nwire form\n" + wire.text("  ");
  out += view.rep ? "  the control word counts the elements in bits 43:32, from the one in 59:48\n"
                  : "";
  out += "  fast: RCX = " + hex(uint64_t{view.code} | 0x10000) +
         ", the input in RDX, R8 and XMM0-5; memory: RCX = " + hex(view.code) +
         ", RDX = GPA of the input, R8 = GPA of the output\n"
         "  RAX = status in bits 15:0, elements done in bits 43:32\n";
  out += "\nstatuses documented for this call\n" + rows_text(view.statuses);
  out += "\nrefused in this order, whatever the call\n" + rows_text(view.common);
  if (!view.refusals.empty()) {
    out += "\nthen by this call, in this order\n" + rows_text(view.refusals);
  }
  return out;
}

nlohmann::ordered_json json(const CallView& view) {
  nlohmann::ordered_json out;
  out["code"] = view.code;
  out["name"] = view.name;
  out["class"] = view.call_class;
  out["documented_fast"] = view.documented_fast;
  out["privilege"] = view.privilege;
  out["implemented"] = view.implemented;
  out["parts"] = nlohmann::ordered_json::array();
  for (const CallPartView& part : view.parts) {
    auto fields = nlohmann::ordered_json::array();
    for (const CallFieldView& field : part.fields) {
      fields.push_back({{"offset", field.offset}, {"size", field.size}, {"name", field.name}});
    }
    out["parts"].push_back({{"part", part.name}, {"size", part.size}, {"fields", fields}});
  }
  out["statuses"] = rows_json(view.statuses);
  out["common_refusals"] = rows_json(view.common);
  out["refusals"] = rows_json(view.refusals);
  return out;
}

}  // namespace vitrine::ui
