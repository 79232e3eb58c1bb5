// BlockRunner: a processor, two kinds of pages, and runs that start again after each page touched.
#include "frontend/timing/block_runner.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "emu/arch/registers.h"
#include "emu/cpu/build_insn.h"
#include "emu/cpu/cpu.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {

using namespace emu;

constexpr uint64_t kMemoryBytes = uint64_t{16} << 20;
constexpr uint64_t kDataPage = 0x1000;
constexpr uint64_t kRoot = 0x2000;
constexpr uint64_t kTables = 0x3000;             // more tables, taken in order
constexpr uint64_t kTablesEnd = uint64_t{8} << 20;
constexpr uint64_t kCodeMemory = uint64_t{8} << 20;
constexpr uint64_t kCodeBytes = uint64_t{4} << 20;
constexpr uint64_t kCodeAddress = uint64_t{0x4000} << 20;
constexpr uint64_t kFill = 0x12345600;
constexpr size_t kRepeatedInsns = 6000;          ///< enough to fill every buffer of a core many times
constexpr size_t kFewestRepetitions = 40;

class NoDevices final : public CpuPorts {
 public:
  bool interrupt_pending(uint32_t, Cycle) override { return false; }
  std::optional<uint8_t> acknowledge_interrupt(uint32_t, Cycle) override { return std::nullopt; }
  uint8_t task_priority(uint32_t) override { return 0; }
  void set_task_priority(uint32_t, uint8_t, Cycle) override {}
  Result<void, Fault> set_apic_base(uint32_t, uint64_t) override { return {}; }
  Result<uint64_t, Fault> read_apic_msr(uint32_t, uint32_t, Cycle) override { return uint64_t{0}; }
  Result<void, Fault> write_apic_msr(uint32_t, uint32_t, uint64_t, Cycle) override { return {}; }
  void tsc_changed(uint32_t, Cycle) override {}
  void triple_fault(uint32_t, Cycle) override {}
  void set_ferr(uint32_t, bool, Cycle) override {}
};

/// Keeps the first exception, which in this machine leads to a shutdown.
class FirstFault final : public CpuObserver {
 public:
  void exception(const Cpu&, const Fault& fault) override {
    if (!fault_) fault_ = fault;
  }
  void clear() { fault_.reset(); }
  const std::optional<Fault>& fault() const { return fault_; }

 private:
  std::optional<Fault> fault_;
};

SegmentState flat(uint16_t selector, uint32_t rights) {
  return {.base = 0, .limit = 0xFFFFFFFF, .rights = {rights}, .selector = selector};
}

/// A processor in 64-bit user mode over the pages of one block's protocol.
class Bench {
 public:
  Bench(const timing::CoreParameters& core, bool memory) : core_(core) {
    bus_.map({.start = Hpa{0}, .size = kMemoryBytes, .kind = BusRange::Kind::ram});
    cpu_.set_observer(&fault_, false);
    cpu_.use_core_timing(core, memory);
  }

  void place(std::span<const std::byte> code) {
    memory_.write(kCodeMemory, code);
    for (uint64_t at = 0; at < code.size(); at += kPageSize) {
      map(kCodeAddress + at, kCodeMemory + at, false);
    }
  }

  /// Everything but the clock as at the start of a measurement.
  void start(bool warm) {
    const std::vector<uint64_t> fill(kPageSize / 8, kFill);
    memory_.write(kDataPage, std::as_bytes(std::span{fill}));
    if (!warm) {
      cpu_.reset(false);
      cpu_.state.retired = 0;
    }
    CpuState& s = cpu_.state;
    s.cr0 = arch::cr0::pe | arch::cr0::pg | arch::cr0::wp | arch::cr0::ne | arch::cr0::et;
    s.cr4 = arch::cr4::pae | arch::cr4::osfxsr | arch::cr4::osxmmexcpt | arch::cr4::osxsave;
    s.cr3 = kRoot;
    s.efer = arch::efer::lme | arch::efer::lma | arch::efer::nxe;
    s.xcr0 = 7;
    s.cpl = 3;
    for (auto& segment : s.segments) segment = flat(0x2B, 0xC0F3);
    s.segments[arch::cs] = flat(0x33, 0xA0FB);
    for (size_t i = 0; i < 16; ++i) s.regs[i] = kFill;
    if (core_.stack_aliases_data == 0) s.regs[arch::rsp] = kFill - kFill % kPageSize + 0x800;
    s.set_rip(kCodeAddress);
    s.set_rflags(2);
    s.activity = Activity::active;
    s.position.index = 0;
    fault_.clear();
    cpu_.context_changed();
  }

  /// Runs until so many instructions are retired since reset; false when something faulted.
  bool run(uint64_t retired) {
    cpu_.run({.deadline = kNever, .max_retired = retired});
    return !fault_.fault().has_value();
  }

  Cpu& cpu() { return cpu_; }
  const std::optional<Fault>& fault() const { return fault_.fault(); }
  uint64_t fault_address() const { return cpu_.state.cr2; }

  /// Maps the page of a linear address to the data page; false when no table is left for it.
  bool map_data(uint64_t address) { return map(address, kDataPage, true); }

 private:
  uint64_t entry(uint64_t at) const {
    uint64_t value = 0;
    memory_.read(at, std::as_writable_bytes(std::span{&value, 1}));
    return value;
  }
  void set_entry(uint64_t at, uint64_t value) {
    memory_.write(at, std::as_bytes(std::span{&value, 1}));
  }

  bool map(uint64_t linear, uint64_t physical, bool writable) {
    constexpr uint64_t kLink = 0x27;  // present, writable, user, accessed
    uint64_t table = kRoot;
    for (unsigned shift = 39; shift > 12; shift -= 9) {
      const uint64_t at = table + ((linear >> shift) & 0x1FF) * 8;
      if (entry(at) == 0) {
        if (next_table_ == kTablesEnd) return false;
        set_entry(at, next_table_ | kLink);
        next_table_ += kPageSize;
      }
      table = entry(at) & ~uint64_t{0xFFF};
    }
    set_entry(table + ((linear >> 12) & 0x1FF) * 8, physical | (writable ? 0x67 : 0x25));
    return true;
  }

  const timing::CoreParameters& core_;
  Memory memory_{kMemoryBytes};
  Bus bus_{memory_};
  BlockCache blocks_{bus_};
  NoDevices ports_;
  FirstFault fault_;
  Cpu cpu_{0, bus_, blocks_, ports_, arch::kSkylakeSp};
  uint64_t next_table_ = kTables;
};

/// Instructions in the block, or nothing when its bytes are not whole instructions.
std::optional<size_t> count_insns(std::span<const std::byte> block) {
  size_t count = 0;
  while (!block.empty()) {
    timing::DataFlow flow;
    if (!timing::analyse(block, 8, flow) || flow.length > block.size()) return std::nullopt;
    block = block.subspan(flow.length);
    ++count;
  }
  return count;
}

std::string describe(const Fault& fault, uint64_t address) {
  if (fault.vector == arch::Vector::page_fault) {
    return "writes or executes what it may not, at " + hex(address);
  }
  return "raises exception " + std::to_string(static_cast<unsigned>(fault.vector));
}

}  // namespace

BlockTime BlockRunner::run(std::span<const std::byte> block) const {
  const auto insns = count_insns(block);
  if (!insns || *insns == 0) return {0, "not a block of whole instructions"};
  const size_t wanted = std::max(kFewestRepetitions, kRepeatedInsns / *insns);
  const size_t repetitions = std::min(wanted, kCodeBytes / block.size());
  if (repetitions < kFewestRepetitions) return {0, "too long to be repeated"};

  std::vector<std::byte> code;
  for (size_t i = 0; i < repetitions; ++i) code.insert(code.end(), block.begin(), block.end());
  Bench bench(core_, memory_);
  bench.place(code);

  const uint64_t total = repetitions * *insns;
  const uint64_t half = repetitions / 2 * *insns;
  for (;;) {
    bench.start(false);
    uint64_t passed = 0;
    bool whole = true;
    for (uint32_t pass = 1; pass < core_.block_passes && whole; ++pass) {
      whole = bench.run(passed + total);
      passed += total;
      if (whole) bench.start(true);
    }
    whole = whole && bench.run(passed + half);
    const timing::Ticks middle = bench.cpu().ticks();
    whole = whole && bench.run(passed + total);
    if (whole) {
      const auto time = static_cast<double>(bench.cpu().ticks() - middle);
      const auto repeated = static_cast<double>(repetitions - repetitions / 2);
      return {time / timing::kTicksPerCycle / repeated, {}};
    }
    const Fault& fault = *bench.fault();
    const bool absent = fault.vector == arch::Vector::page_fault && (fault.error_code & 1) == 0;
    if (!absent) return {0, describe(fault, bench.fault_address())};
    if (!bench.map_data(bench.fault_address())) return {0, "touches too many pages"};
  }
}

}  // namespace vitrine::ui
