// Lockstep: running, comparing whole states, and halving the stretch in which two machines part.
#include "emu/machine/lockstep.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

namespace vitrine::emu {

namespace {

constexpr size_t kReportedFields = 40;

std::string hex(uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%llx", static_cast<unsigned long long>(value));
  return text.data();
}

/// Every field by its path; a page of memory by its offset.
class FieldList final : public StateVisitor {
 public:
  void enter(std::string_view part) override { path_.emplace_back(part); }
  void leave() override { path_.pop_back(); }
  bool loading() const override { return false; }
  void bytes(std::string_view name, std::span<std::byte> data) override {
    if (name == "offset" && data.size() == sizeof(page_)) {
      std::memcpy(&page_, data.data(), sizeof(page_));
      return;
    }
    std::string path;
    for (const std::string& part : path_) path += part + ".";
    path += name == "page" ? "page " + hex(page_) : std::string(name);
    const size_t number = ++seen_[path];
    if (number > 1) path += "#" + std::to_string(number);
    fields[path].assign(data.begin(), data.end());
  }
  void blob(std::string_view name, std::vector<std::byte>& data) override { bytes(name, data); }

  std::map<std::string, std::vector<std::byte>> fields;

 private:
  std::vector<std::string> path_;
  std::map<std::string, size_t> seen_;
  uint64_t page_ = 0;
};

/// The bytes around the first that differs: one line of memory, or a whole small field.
std::string excerpt(const std::vector<std::byte>& bytes, size_t at, bool number) {
  std::string text;
  if (number) {
    for (size_t i = bytes.size(); i-- > 0;) {
      std::array<char, 3> two{};
      std::snprintf(two.data(), two.size(), "%02x", std::to_integer<unsigned>(bytes[i]));
      text += two.data();
    }
    return text;
  }
  const size_t end = std::min(bytes.size(), at + 16);
  for (size_t i = at; i < end; ++i) {
    std::array<char, 4> two{};
    std::snprintf(two.data(), two.size(), "%02x ", std::to_integer<unsigned>(bytes[i]));
    text += two.data();
  }
  return text;
}

}  // namespace

std::vector<std::string> differing_fields(Machine& a, Machine& b, size_t limit) {
  FieldList first;
  FieldList second;
  a.visit(first);
  b.visit(second);
  for (const auto& [path, bytes] : second.fields) first.fields.try_emplace(path, bytes.size());
  std::vector<std::string> lines;
  for (const auto& [path, one] : first.fields) {
    auto other = second.fields[path];
    other.resize(std::max(one.size(), other.size()));
    const auto pair = std::mismatch(one.begin(), one.end(), other.begin());
    if (pair.first == one.end()) continue;
    const auto at = static_cast<size_t>(pair.first - one.begin()) & ~size_t{7};
    const bool number = one.size() <= 8;
    std::string line = path;
    if (!number) line += " + " + hex(at);
    line += ": " + excerpt(one, at, number) + " instead of " + excerpt(other, at, number);
    lines.push_back(std::move(line));
    if (lines.size() == limit) break;
  }
  return lines;
}

bool Lockstep::run_both(Cycle until) {
  const StopReason tested = tested_.run({.until = until});
  reason_ = reference_.run({.until = until});
  return tested == reason_;
}

std::optional<Difference> Lockstep::compare() const {
  if (tested_.state_hash() == reference_.state_hash()) return std::nullopt;
  return Difference{reference_.now(), false,
                    differing_fields(tested_, reference_, kReportedFields)};
}

std::optional<Difference> Lockstep::run(Cycle until, uint64_t stretch) {
  equal_ = reference_.save();
  Cycle good = reference_.now();
  for (;;) {
    const Cycle next = std::min(until, good + stretch);
    const bool same_end = run_both(next);
    auto difference = compare();
    if (!same_end && !difference) difference = Difference{next, false, {"the reason to stop"}};
    if (difference) return narrow(good, next, std::move(*difference));
    if (reason_ != StopReason::cycle_limit || next >= until) return std::nullopt;
    equal_ = reference_.save();
    good = next;
  }
}

/// Halves (good, bad]: both machines start at the last equal moment and run to the middle in one go.
Difference Lockstep::narrow(Cycle good, Cycle bad, Difference found) {
  const auto part_until = [&](Cycle end) -> std::optional<Difference> {
    if (!tested_.load(equal_) || !reference_.load(equal_)) return std::nullopt;
    const bool same_end = run_both(end);
    auto difference = compare();
    if (!difference && !same_end) difference = Difference{end, false, {"the reason to stop"}};
    return difference;
  };
  auto again = part_until(bad);
  if (!again) return found;  // it took more than what a snapshot holds: both engines start cold
  while (good + 1 < bad) {
    const Cycle middle{good.value + (bad.value - good.value) / 2};
    auto difference = part_until(middle);
    if (difference) {
      bad = middle;
      again = std::move(difference);
    } else {
      good = middle;
    }
  }
  again->cycle = bad;
  again->exact = true;
  return std::move(*again);
}

}  // namespace vitrine::emu
