// CyclesView: where the cycles of a stretch of a run went, by symbol or instruction and by cause.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "emu/cpu/timing/cycle_ledger.h"
#include "emu/machine/machine.h"
#include "frontend/images.h"

namespace vitrine::ui {

inline constexpr size_t kCauses = static_cast<size_t>(emu::timing::Cause::kCount);
/// Ticks by cause; sixteenths of a cycle.
using CauseTicks = std::array<int64_t, kCauses>;

struct CyclesRow {
  std::string place;     ///< "hv: finalize_step", with the offset for an instruction
  uint64_t address = 0;  ///< linear; of an instruction
  CauseTicks ticks{};
  int64_t total = 0;
};

struct CyclesView {
  std::vector<CyclesRow> rows;  ///< the most expensive first; rows and causes sum to the total
  CauseTicks causes{};
  int64_t total = 0;
};

enum class CyclesBy : uint8_t { symbol, instruction };

/// Collects from all processors of a machine at the levels `core` and `memory`, from start() to
/// stop(), exact to the instruction at both ends.
class CycleCollector {
 public:
  CycleCollector(emu::Machine& machine, const BootPlan& plan);
  ~CycleCollector();
  CycleCollector(const CycleCollector&) = delete;
  CycleCollector& operator=(const CycleCollector&) = delete;

  void start();
  void stop();
  CyclesView view(CyclesBy by) const;

 private:
  class Ledger;

  emu::Machine& machine_;
  const BootPlan& plan_;
  std::vector<std::unique_ptr<Ledger>> ledgers_;
};

/// "12.0625": whole sixteenths are exact in decimals.
std::string cycles_text(int64_t ticks);
/// A table of the first `most` rows, the rest as one.
std::string text(const CyclesView& view, size_t most);

}  // namespace vitrine::ui
