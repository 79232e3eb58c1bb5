// UopTable: class lines unfolded once into a map, and the rules that derive forms without a line.
#include "emu/cpu/timing/uop_table.h"

#include <algorithm>

#include "emu/arch/require.h"

namespace vitrine::emu::timing {

namespace {

std::vector<std::string> words(std::string_view text, char separator) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(separator), text.size());
    if (end != 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// "2p23": two micro-operations for ports 2 and 3.
UopGroup parse_group(std::string_view text) {
  UopGroup group;
  const size_t p = text.find('p');
  require(p != std::string_view::npos, "a group of micro-operations names its ports");
  for (const char digit : text.substr(0, p)) {
    group.count = group.count * 10 + static_cast<uint32_t>(digit - '0');
  }
  if (p == 0) group.count = 1;
  for (const char digit : text.substr(p + 1)) {
    const int port = digit >= 'a' ? digit - 'a' + 10 : digit - '0';
    group.ports = static_cast<PortSet>(group.ports | 1u << port);
  }
  return group;
}

bool is_memory(const std::string& operand) {
  return operand.size() > 1 && operand[0] == 'm' && operand[1] != 'm';
}

std::string general(const std::string& operand) {
  if (operand == "x" || operand == "y") return "v";
  if (is_memory(operand)) return "m";
  return operand[0] == 'r' ? "r" : operand;
}

std::string key(const std::string& name, const std::vector<std::string>& operands) {
  std::string out = name;
  for (const auto& operand : operands) (out += ' ') += operand;
  return out;
}

void add_uop(FormCost& cost, PortSet ports) {
  const auto same = std::find_if(cost.uops.begin(), cost.uops.end(),
                                 [&](const UopGroup& group) { return group.ports == ports; });
  if (same != cost.uops.end()) {
    ++same->count;
  } else {
    cost.uops.push_back({ports, 1});
  }
}

}  // namespace

uint32_t FormCost::uop_count() const {
  uint32_t count = 0;
  for (const auto& group : uops) count += group.count;
  return count;
}

UopTable::UopTable(std::span<const UopRow> rows, MemoryPorts ports) : ports_(ports) {
  for (const auto& row : rows) {
    FormCost cost;
    for (const auto& group : words(row.uops, ' ')) cost.uops.push_back(parse_group(group));
    cost.latency = row.latency;
    cost.slots = row.slots;
    cost.load_apart = row.load_apart;
    const auto operands = words(row.operands, ',');
    for (const auto& name : words(row.names, ' ')) {
      const bool added = costs_.emplace(key(name, operands), cost).second;
      require(added, "a form has one line in its class table");
      names_.insert(std::string(name));
    }
  }
}

const FormCost* UopTable::line(const std::string& name,
                               const std::vector<std::string>& operands) const {
  if (const auto exact = costs_.find(key(name, operands)); exact != costs_.end()) {
    return &exact->second;
  }
  auto wide = operands;
  for (auto& operand : wide) operand = general(operand);
  const auto found = costs_.find(key(name, wide));
  return found == costs_.end() ? nullptr : &found->second;
}

const FormCost* UopTable::line_or_legacy(const Form& form,
                                         const std::vector<std::string>& operands) const {
  const std::string name = (form.locked ? "lock_" : "") + form.name;
  if (const FormCost* own = line(name, operands)) return own;
  if (!form.vex || form.name.size() < 2 || form.name[0] != 'v') return nullptr;
  // VEX forms have the first source as an operand of its own.
  const std::string legacy = form.name.substr(1);
  if (operands.size() >= 3) {
    auto shorter = operands;
    shorter.erase(shorter.begin() + 1);
    if (const FormCost* found = line(legacy, shorter)) return found;
  }
  return line(legacy, operands);
}

bool UopTable::find(const Form& form, FormCost& out) const {
  if (const FormCost* own = line_or_legacy(form, form.operands)) {
    out = *own;
    return true;
  }
  const auto memory = std::find_if(form.operands.begin(), form.operands.end(), is_memory);
  if (memory == form.operands.end()) return false;
  const auto at = static_cast<size_t>(memory - form.operands.begin());

  // The register that stands in for the memory operand: of the kind of the other operands, else a
  // general-purpose one of its size.
  std::vector<std::string> kinds;
  for (const auto& operand : form.operands) {
    if (operand == "x" || operand == "y" || operand == "mm") kinds.push_back(operand);
  }
  if (kinds.size() > 1) kinds.resize(1);
  kinds.push_back("r" + memory->substr(1));
  for (const auto& kind : kinds) {
    auto operands = form.operands;
    operands[at] = kind;
    const FormCost* const base = line_or_legacy(form, operands);
    if (base == nullptr) continue;
    out = *base;
    if (form.loads) add_uop(out, ports_.load);
    if (form.stores) {
      add_uop(out, ports_.store_address);
      add_uop(out, ports_.store_data);
    }
    const bool operates = base->uop_count() != 0;
    const bool extra = form.loads ? form.stores || base->load_apart : operates;
    if (extra) ++out.slots;
    return true;
  }
  return false;
}

}  // namespace vitrine::emu::timing
