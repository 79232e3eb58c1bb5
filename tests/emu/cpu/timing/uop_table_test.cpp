// Class tables: every published x86-64-v3 form has its ports and slots in the table of its profile.
#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "emu/cpu/timing/uop_table.h"
#include "tests/skip.h"

using namespace vitrine::emu::timing;

namespace {

using Ports = std::map<PortSet, uint32_t>;

struct Published {
  std::string text;  ///< as printed in the data
  Form form;
  Ports ports;
  uint32_t slots = 0;
};

std::vector<std::string> split(const std::string& text, const std::string& separator) {
  std::vector<std::string> out;
  size_t at = 0;
  for (size_t next; (next = text.find(separator, at)) != std::string::npos;) {
    out.push_back(text.substr(at, next - at));
    at = next + separator.size();
  }
  out.push_back(text.substr(at));
  return out;
}

/// The table's word for an operand, or nothing for kinds it does not have.
std::string operand_word(const std::string& text) {
  const auto starts = [&](std::string_view prefix) { return text.starts_with(prefix); };
  if (text == "R8l" || text == "R8h" || text == "AL" || text == "CL") return "r8";
  if (text == "AX" || text == "R16") return "r16";
  if (text == "EAX" || text == "R32") return "r32";
  if (text == "RAX" || text == "R64") return "r64";
  if (text == "XMM" || text == "XMM0") return "x";
  if (text == "YMM") return "y";
  if (text == "MM") return "mm";
  if (text == "0" || text == "1" || (starts("I") && text.size() <= 3) || starts("Rel")) return "i";
  if (starts("M") && text.find_first_not_of("0123456789", 1) == std::string::npos) {
    return "m" + text.substr(1);
  }
  return {};
}

/// "MOVAPS_0F28", "ADD_03" and "CALL_NEAR" are encodings of one form.
std::string form_name(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  for (const char* suffix : {"_near", "_xmm", "_immb", "_immz", "_cl", "_lock"}) {
    const size_t at = name.find(suffix);
    if (at != std::string::npos) name.erase(at, std::string_view(suffix).size());
  }
  const size_t at = name.rfind('_');
  if (at != std::string::npos && name.size() - at <= 5 &&
      name.find_first_of("0123456789", at) != name.npos) {
    name.erase(at);
  }
  return name;
}

Ports parse_ports(const std::string& text) {
  Ports out;
  if (text.empty()) return out;
  for (const auto& part : split(text, "+")) {
    const size_t p = part.find("*p");
    PortSet ports = 0;
    for (const char digit : part.substr(p + 2))
      ports = static_cast<PortSet>(ports | 1u << (digit - '0'));
    out[ports] += static_cast<uint32_t>(std::stoul(part.substr(0, p)));
  }
  return out;
}

/// The rows of the measured table that a profile of level x86-64-v3 can execute.
std::vector<Published> published_forms(std::ifstream& file) {
  std::vector<Published> out;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const auto fields = split(line.substr(1, line.size() - 2), "\",\"");
    if (fields.size() < 6 || fields[1].starts_with("AVX512") || fields[1] == "MPX") continue;
    Published row;
    row.text = fields[0];
    const size_t space = fields[0].find(' ');
    const std::string name = fields[0].substr(0, space);
    // Repeats are priced per iteration, LEA by its address, privileged registers by their handlers.
    if (name.find("_REP") != name.npos || name.find("_REX") != name.npos ||
        name.starts_with("LEA_") || name == "MOV_CR" || name == "MOV_DR") {
      continue;
    }
    bool known = true;
    if (space != std::string::npos) {
      for (const auto& operand :
           split(fields[0].substr(space + 2, fields[0].size() - space - 3), ", ")) {
        const std::string word = operand_word(operand);
        known &= !word.empty();
        row.form.operands.push_back(word);
      }
    }
    if (!known) continue;
    row.form.name = form_name(name);
    row.form.locked = name.find("_LOCK") != name.npos;
    row.form.vex = name[0] == 'V';
    row.ports = parse_ports(fields[5]);
    row.form.loads = row.ports.contains(0x0C);
    row.form.stores = row.ports.contains(0x10);
    row.slots = static_cast<uint32_t>(std::stoul(fields[4]));
    out.push_back(row);
  }
  return out;
}

}  // namespace

TEST_CASE("every measured form of x86-64-v3 has the ports and slots of its measurement", "[uops]") {
  std::ifstream file(VITRINE_TIMING_DATA "/uops_skylakex.csv");
  if (!file) {
    vitrine::test::skip(vitrine::test::SkipReason::file_absent, "uops_skylakex.csv");
    return;
  }
  size_t seen = 0;
  std::map<std::string, bool> done;
  for (const auto& row : published_forms(file)) {
    std::string key = row.form.name + (row.form.locked ? "!" : "");
    for (const auto& operand : row.form.operands) (key += ' ') += operand;
    if (!done.emplace(key, true).second) continue;  // the first encoding of a form stands for it
    FormCost cost;
    INFO(row.text);
    const bool found = skylake_uops().find(row.form, cost);
    CHECK(found);
    if (!found) continue;
    Ports ports;
    for (const auto& group : cost.uops) ports[group.ports] += group.count;
    ++seen;
    // Locked forms of one shape share a line; their throughput is the lock's.
    const bool same = row.form.locked || (ports == row.ports && cost.slots == row.slots);
    CHECK(same);
  }
  CHECK(seen > 2500);
}

TEST_CASE("a memory form without a line is its register form and its accesses", "[uops]") {
  FormCost cost;
  REQUIRE(skylake_uops().find({.name = "add", .operands = {"r64", "m64"}, .loads = true}, cost));
  CHECK(cost.slots == 1);
  CHECK(cost.uop_count() == 2);
  REQUIRE(skylake_uops().find(
      {.name = "add", .operands = {"m64", "r64"}, .loads = true, .stores = true}, cost));
  CHECK(cost.slots == 2);
  CHECK(cost.uop_count() == 4);
}

TEST_CASE("a form that no line covers is not found", "[uops]") {
  FormCost cost;
  CHECK_FALSE(skylake_uops().find({.name = "fsin", .operands = {}}, cost));
  CHECK_FALSE(skylake_uops().find({.name = "add", .operands = {"x", "x"}}, cost));
}
