// CyclesView: a ledger per processor, symbols for addresses, and the table that people read.
#include "frontend/inspect/cycles_view.h"

#include <algorithm>
#include <cstdio>

#include "frontend/record/timeline.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {

using emu::timing::Cause;
using emu::timing::Ticks;

constexpr int64_t kTicks = emu::timing::kTicksPerCycle;

/// An instruction of one mode: the hypervisor's addresses are not those of its guests.
struct Where {
  bool root_mode = false;
  uint64_t address = 0;
  friend auto operator<=>(const Where&, const Where&) = default;
};

std::string place_of(const BootPlan& plan, const Where& where, CyclesBy by) {
  const LoadedImage* const hv = plan.image("hv");
  const LoadedImage* const root = plan.image("root");
  const LoadedImage* const image = where.root_mode && hv != nullptr ? hv : root;
  if (image == nullptr) return by == CyclesBy::symbol ? "(no symbols)" : hex(where.address);
  const std::string role = image == hv ? "hv: " : hv != nullptr ? "guest: " : "root: ";
  if (by == CyclesBy::instruction) return role + image->symbols.describe(where.address);
  const auto* const symbol = image->symbols.find(where.address);
  return role + (symbol == nullptr ? "(no symbol)" : std::string(short_name(symbol->name)));
}

}  // namespace

class CycleCollector::Ledger final : public emu::timing::CycleLedger {
 public:
  explicit Ledger(emu::Cpu& cpu) : cpu_(cpu) { entered(); }

  void entered() override { root_mode_ = !cpu_.vmx.nonroot; }
  void spent(uint64_t address, Cause cause, Ticks ticks) override {
    if (ticks == 0) return;
    const auto amount = static_cast<int64_t>(ticks) * sign_;
    spent_[{root_mode_, address}][static_cast<size_t>(cause)] += amount;
  }
  /// What lies before the start is in the next account of its block: it is taken off here.
  void start() {
    entered();
    sign_ = -1;
    cpu_.account_position(*this);
    sign_ = 1;
    cpu_.set_ledger(this);
  }
  void stop() {
    cpu_.account_position(*this);
    cpu_.set_ledger(nullptr);
  }
  const std::map<Where, CauseTicks>& all() const { return spent_; }

 private:
  emu::Cpu& cpu_;
  bool root_mode_ = true;
  int64_t sign_ = 1;
  std::map<Where, CauseTicks> spent_;
};

CycleCollector::CycleCollector(emu::Machine& machine, const BootPlan& plan)
    : machine_(machine), plan_(plan) {
  for (uint32_t i = 0; i < machine.processors(); ++i) {
    ledgers_.push_back(std::make_unique<Ledger>(machine.cpu(i)));
  }
}

CycleCollector::~CycleCollector() {
  for (uint32_t i = 0; i < machine_.processors(); ++i) machine_.cpu(i).set_ledger(nullptr);
}

void CycleCollector::start() {
  for (const auto& ledger : ledgers_) ledger->start();
}

void CycleCollector::stop() {
  for (const auto& ledger : ledgers_) ledger->stop();
}

CyclesView CycleCollector::view(CyclesBy by) const {
  std::map<std::string, CyclesRow> rows;
  CyclesView out;
  for (const auto& ledger : ledgers_) {
    for (const auto& [where, ticks] : ledger->all()) {
      const std::string place = place_of(plan_, where, by);
      CyclesRow& row = rows[place];
      row.place = place;
      row.address = where.address;
      for (size_t i = 0; i < kCauses; ++i) {
        row.ticks[i] += ticks[i];
        row.total += ticks[i];
        out.causes[i] += ticks[i];
        out.total += ticks[i];
      }
    }
  }
  for (auto& [place, row] : rows) out.rows.push_back(std::move(row));
  std::stable_sort(out.rows.begin(), out.rows.end(),
                   [](const auto& a, const auto& b) { return a.total > b.total; });
  return out;
}

std::string cycles_text(int64_t ticks) {
  const int64_t whole = ticks / kTicks;
  const int64_t part = ticks % kTicks * 10000 / kTicks;
  std::string text = grouped(static_cast<uint64_t>(whole));
  if (part == 0) return text;
  std::string decimals = std::to_string(10000 + part).substr(1);
  while (decimals.back() == '0') decimals.pop_back();
  return text + "." + decimals;
}

std::string text(const CyclesView& view, size_t most) {
  constexpr size_t kCycleWidth = 18;
  std::string out = pad_left(cycles_text(view.total), kCycleWidth) + "  cycles\n\nby cause\n";
  const auto share = [&](int64_t ticks) {
    const int64_t tenths = view.total == 0 ? 0 : (ticks * 1000 + view.total / 2) / view.total;
    return pad_left(std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %", 8);
  };
  std::vector<size_t> order;
  for (size_t i = 0; i < kCauses; ++i) {
    if (view.causes[i] != 0) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return view.causes[a] > view.causes[b]; });
  for (const size_t i : order) {
    out += pad_left(cycles_text(view.causes[i]), kCycleWidth) + share(view.causes[i]) + "  " +
           std::string(emu::timing::kCauseNames[i]) + "\n";
  }
  out += "\nby place\n";
  int64_t rest = 0;
  for (size_t n = 0; n < view.rows.size(); ++n) {
    const CyclesRow& row = view.rows[n];
    if (n >= most) {
      rest += row.total;
      continue;
    }
    std::vector<size_t> causes;
    for (size_t i = 0; i < kCauses; ++i) {
      if (row.ticks[i] != 0) causes.push_back(i);
    }
    std::stable_sort(causes.begin(), causes.end(),
                     [&](size_t a, size_t b) { return row.ticks[a] > row.ticks[b]; });
    out += pad_left(cycles_text(row.total), kCycleWidth) + share(row.total) + "  " +
           pad_right(row.place, 36);
    for (const size_t i : causes) {
      out += " " + std::string(emu::timing::kCauseNames[i]) + " " + cycles_text(row.ticks[i]);
    }
    out += "\n";
  }
  if (rest != 0) {
    out += pad_left(cycles_text(rest), kCycleWidth) + share(rest) + "  " +
           std::to_string(view.rows.size() - most) + " more\n";
  }
  return out;
}

}  // namespace vitrine::ui
