// `vitrine explain`: a hypercall, a status, a VM exit, why a VM entry fails, or cycles.
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>

#include "emu/arch/exit_reasons.h"
#include "emu/cpu/vmx/explain.h"
#include "frontend/commands/commands.h"
#include "frontend/commands/moment.h"
#include "frontend/expression/expression.h"
#include "frontend/inspect/call_view.h"
#include "frontend/text.h"
#include "hv/tlfs/call_statuses.h"

namespace vitrine::ui {

namespace {

using Json = nlohmann::ordered_json;
namespace arch = emu::arch;
namespace tlfs = hv::tlfs;

void print(const CommandLine& line, const std::string& text, Json json) {
  if (!line.json && !line.run.json) {
    std::fputs(text.c_str(), stdout);
    return;
  }
  Json out = {{"schema", kSchema}};
  out.update(json);
  std::printf("%s\n", out.dump(2).c_str());
}

[[noreturn]] void unknown(const std::string& what, const std::string& subject,
                          const std::vector<std::string>& known) {
  std::string near = nearest(subject, known);
  // A part of a name is nearer than any other word.
  for (const std::string& name : known) {
    if (subject.size() > 2 && name.find(subject) != std::string::npos) near = name;
  }
  throw UsageError("there is no " + what + " '" + subject + "'" +
                   (near.empty() ? "" : "; did you mean '" + near + "'?"));
}

void explain_call(const CommandLine& line) {
  const auto code = find_call_code(line.subject);
  if (!code) {
    std::vector<std::string> known;
    for (const tlfs::CallCode& row : tlfs::kCallCodes) known.emplace_back(row.name);
    unknown("hypercall", line.subject, known);
  }
  const CallView view = *view_call(*code);
  print(line, text(view), json(view));
}

/// "accessdenied" of HV_STATUS_ACCESS_DENIED, Access_Denied and access_denied.
std::string bare_status(std::string_view name) {
  const std::string lower = expression_name(name);
  constexpr std::string_view kPrefix = "hv_status_";
  return lower.starts_with(kPrefix) ? lower.substr(kPrefix.size()) : lower;
}

void explain_status(const CommandLine& line) {
  const auto number = parse_number(line.subject);
  const tlfs::StatusRow* found = nullptr;
  std::vector<std::string> known;
  for (const tlfs::StatusRow& row : tlfs::kStatuses) {
    const bool same = number ? static_cast<uint16_t>(row.code) == *number
                             : bare_status(row.name) == bare_status(line.subject);
    if (same) found = &row;
    known.push_back(bare_status(row.name));
  }
  if (found == nullptr) unknown("status", number ? line.subject : bare_status(line.subject), known);
  Columns calls;
  Json answered = Json::array();
  for (const tlfs::CallStatus& row : tlfs::kCallStatuses) {
    if (row.status != found->code) continue;
    const auto code = static_cast<uint16_t>(row.call);
    calls.row({hex(code, 4), std::string(tlfs::find_call(code)->name), std::string(row.when)});
    answered.push_back({{"code", code}, {"when", row.when}});
  }
  const auto code = static_cast<uint16_t>(found->code);
  std::string text =
      std::string(found->name) + " (" + hex(code, 4) + "): " + std::string(found->meaning) + "\n";
  const std::string rows = calls.text("  ");
  if (!rows.empty()) text += "\nanswered by\n" + rows;
  print(line, text,
        {{"code", code}, {"name", found->name}, {"meaning", found->meaning}, {"calls", answered}});
}

struct InfoName {
  uint8_t bit;
  std::string_view name;
};
constexpr std::array<InfoName, 6> kInfoNames = {{
    {arch::exit_info::qualification, "Exit qualification"},
    {arch::exit_info::instruction_length, "VM-exit instruction length"},
    {arch::exit_info::instruction_information, "VM-exit instruction information"},
    {arch::exit_info::interruption, "VM-exit interruption information and error code"},
    {arch::exit_info::guest_linear_address, "Guest-linear address"},
    {arch::exit_info::guest_physical_address, "Guest-physical address"},
}};

void explain_exit(const CommandLine& line) {
  const auto number = parse_number(line.subject);
  const arch::ExitReasonRow* found = nullptr;
  std::vector<std::string> known;
  for (const arch::ExitReasonRow& row : arch::kExitReasons) {
    const bool same = number ? static_cast<uint64_t>(row.reason) == *number
                             : expression_name(row.name) == expression_name(line.subject);
    if (same) found = &row;
    known.push_back(expression_name(row.name));
  }
  if (found == nullptr) unknown("VM exit", line.subject, known);
  const auto reason = static_cast<unsigned>(found->reason);
  std::string text = std::string(found->name) + ", basic exit reason " + std::to_string(reason) +
                     " (SDM \"VMX Basic Exit Reasons\")\nin expressions: exit(" +
                     expression_name(found->name) + ")\nfills, beside the exit reason:\n";
  Json fields = Json::array();
  for (const InfoName& info : kInfoNames) {
    if ((found->info & info.bit) == 0) continue;
    text += "  " + std::string(info.name) + "\n";
    fields.push_back(info.name);
  }
  if (fields.empty()) text += "  nothing\n";
  print(line, text,
        {{"reason", reason},
         {"name", found->name},
         {"expression", "exit(" + expression_name(found->name) + ")"},
         {"fields", fields}});
}

ExitCode explain_entry(CommandLine& line) {
  finish_options(line.run);
  Moment moment(line.run);
  const ExitCode code = moment.run();
  emu::Machine& machine = moment.session().machine();
  const emu::Cpu& cpu = machine.cpu(machine.current_processor());
  if (!cpu.vmx.on || cpu.vmx.current_vmcs == emu::vmx::kNoVmcs) {
    print(line, "no VMCS is current on processor " + std::to_string(cpu.index()) + "\n",
          {{"current", false}});
    return code;
  }
  const emu::vmx::EntryInputs in{cpu.vmx.vmcs, cpu.profile(), machine.bus(), cpu.state.long_mode(),
                                 cpu.vmx.current_vmcs};
  const auto failing = emu::vmx::explain_entry(in);
  Json rows = Json::array();
  for (const emu::vmx::Explanation& e : failing) {
    Json fields = Json::object();
    for (const auto& field : e.fields) fields[std::string(field.name)] = hex(field.value);
    rows.push_back({{"failure", emu::vmx::failure_words(e.kind)},
                    {"section", e.section},
                    {"claim", e.claim},
                    {"fields", fields}});
  }
  const std::string head = "VMCS " + hex(cpu.vmx.current_vmcs) + " on processor " +
                           std::to_string(cpu.index()) + " at cycle " +
                           std::to_string(machine.now().value) + ": ";
  const std::string text = failing.empty() ? head + "every check passes, a VM entry would succeed\n"
                                           : head + std::to_string(failing.size()) +
                                                 " checks fail\n" + emu::vmx::explain_text(failing);
  print(line, text, {{"current", true}, {"failing", rows}});
  return code;
}

}  // namespace

void add_explain(CLI::App& command, CommandLine& line) {
  command.require_subcommand(1);
  const auto add = [&](const char* kind, const char* meaning, const char* subject) {
    CLI::App* const sub = command.add_subcommand(kind, meaning);
    sub->add_option("subject", line.subject, subject)->required();
    sub->add_flag("--json", line.json, "print JSON");
    sub->callback([&line, kind] { line.kind = kind; });
  };
  add("call", "a hypercall: wire form, statuses, order of refusals", "code like 0x42, or name");
  add("status", "a hypercall status and the calls that answer it", "code like 0x11, or name");
  add("exit", "a VM exit and the fields it fills", "name like ept_violation, or number");
  CLI::App* const entry =
      command.add_subcommand("entry", "every VM-entry check that fails, at a moment of a run");
  add_run_options(*entry, line.run);
  entry->callback([&line] { line.kind = "entry"; });
  CLI::App* const cycles = command.add_subcommand(
      "cycles", "what the core waited for in a stretch of a run, by symbol or instruction");
  add_explain_cycles(*cycles, line);
  cycles->callback([&line] { line.kind = "cycles"; });
}

ExitCode explain_command(CommandLine& line) {
  if (line.kind == "entry") return explain_entry(line);
  if (line.kind == "cycles") return explain_cycles(line);
  if (line.kind == "call") explain_call(line);
  if (line.kind == "status") explain_status(line);
  if (line.kind == "exit") explain_exit(line);
  return ExitCode::success;
}

}  // namespace vitrine::ui
