// Debug registers at work: instruction, data and I/O breakpoints, and single-step traps (SDM "Debug
// Exceptions").
#include "emu/cpu/cpu.h"
#include "emu/cpu/instruction_table.h"

namespace vitrine::emu {

namespace {

constexpr uint64_t kSingleStep = uint64_t{1} << 14;  // DR6.BS

/// SDM "Debug Control Register (DR7)", R/W0 to R/W3.
enum class Watch : uint8_t { fetch, write, port, access };

/// What DR7 says of breakpoint `i`; LEN 10B is 8 bytes.
struct Breakpoint {
  bool enabled;
  Watch watch;
  unsigned length;

  Breakpoint(uint64_t dr7, unsigned i)
      : enabled(((dr7 >> (2 * i)) & 3) != 0),
        watch(static_cast<Watch>((dr7 >> (16 + 4 * i)) & 3)),
        length(kLengths[(dr7 >> (18 + 4 * i)) & 3]) {}

  /// The breakpoint covers `length` bytes, and its address loses its low bits.
  bool overlaps(uint64_t address, uint64_t first, uint64_t size) const {
    const uint64_t start = address & ~uint64_t{length - 1};
    return start - first < size || first - start < length;
  }

 private:
  static constexpr std::array<unsigned, 4> kLengths = {1, 2, 8, 4};
};

}  // namespace

bool Cpu::watches_data() const {
  for (unsigned i = 0; i < 4; ++i) {
    const Breakpoint b(state.dr7, i);
    if (b.enabled && (b.watch == Watch::write || b.watch == Watch::access)) return true;
  }
  return false;
}

bool Cpu::breakpoint_hit(uint64_t rip) {
  if (!breakpoints_armed() || (state.rflags_system & arch::rflags::rf) != 0) return false;
  const uint64_t linear_rip = (code_base_ + rip) & linear_mask_;
  uint64_t hits = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const Breakpoint b(state.dr7, i);
    if (b.enabled && b.watch == Watch::fetch && state.dr[i] == linear_rip) hits |= uint64_t{1} << i;
  }
  if (hits == 0) return false;
  fault_debug_ = hits;
  deliver_exception(fault(arch::Vector::debug));
  settle();
  return true;
}

/// Hits of an instruction count when it completes; those of an event's delivery at once.
void Cpu::watch_hit(uint64_t hits) {
  if (hits == 0) return;
  if (running_ != nullptr) {
    watch_hits_ |= hits;
  } else {
    state.pending_debug |= hits;
    attention_ = true;
  }
}

void Cpu::data_accessed(Gva gva, Hpa hpa, size_t size, bool write) {
  if (core_ != nullptr && running_ != nullptr) {
    (write ? store_ : load_) = {hpa.value, gva.value, static_cast<uint32_t>(size)};
  }
  if (!breakpoints_armed()) return;
  uint64_t hits = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const Breakpoint b(state.dr7, i);
    const bool selected = b.watch == Watch::access || (b.watch == Watch::write && write);
    if (b.enabled && selected && b.overlaps(state.dr[i], gva.value, size)) hits |= uint64_t{1} << i;
  }
  watch_hit(hits);
}

void Cpu::port_accessed(uint16_t port, unsigned size) {
  if (!breakpoints_armed() || (state.cr4 & arch::cr4::de) == 0) return;
  uint64_t hits = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const Breakpoint b(state.dr7, i);
    if (b.enabled && b.watch == Watch::port && b.overlaps(state.dr[i], port, size)) {
      hits |= uint64_t{1} << i;
    }
  }
  watch_hit(hits);
}

/// SDM "Single-Step Exception Condition"; with IA32_DEBUGCTL.BTF, "Single-Stepping on Branches".
void Cpu::trap_after(const Insn& insn, uint64_t rip, bool stepped) {
  state.pending_debug |= watch_hits_;
  // A software interrupt clears TF and with it its own trap.
  const bool software_interrupt = instruction_table()[insn.row].cost == CostClass::interrupt &&
                                  (state.rflags_system & arch::rflags::tf) == 0;
  const bool on_branches = (state.msr.debugctl & arch::debugctl::btf) != 0;
  const bool straight = state.rip() == rip || state.rip() == rip + insn.length;
  if (stepped && !software_interrupt && !(on_branches && straight)) {
    state.pending_debug |= kSingleStep;
  }
  if (state.pending_debug != 0) attention_ = true;
}

}  // namespace vitrine::emu
