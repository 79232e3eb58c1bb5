// Our side of the silicon harness: a Cpu with the window mapped as on the host.
#include <cstring>

#include "emu/arch/require.h"
#include "emu/cpu/build_insn.h"
#include "emu/cpu/instruction_table.h"
#include "tests/silicon/harness.h"

namespace vitrine::test {

namespace {

using namespace vitrine::emu;

constexpr uint64_t kTables = 0x1000;
constexpr uint64_t kWindowPages = 0x20000;
constexpr uint64_t kMemoryBytes = 0x40000;

constexpr uint64_t kPresent = 1, kWritable = 2, kUser = 4, kAccessed = 0x20, kDirty = 0x40;

class NoPorts final : public CpuPorts {
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

/// Every feature with rows, whether or not a profile shows it yet.
constexpr arch::CpuProfile everything() {
  arch::CpuProfile profile = arch::kSkylakeSp;
  profile.features.fill(true);
  return profile;
}
constexpr arch::CpuProfile kEverything = everything();

SegmentState flat_segment(uint16_t selector, uint32_t rights) {
  return {.base = 0, .limit = 0xFFFFFFFF, .rights = {rights}, .selector = selector};
}

SegmentState small_segment(uint16_t selector, uint32_t rights, uint64_t base, uint64_t bytes) {
  const auto limit = static_cast<uint32_t>(bytes - 1);
  return {.base = base, .limit = limit, .rights = {rights}, .selector = selector};
}

SegmentState code_segment(CodeSize size) {
  switch (size) {
    case CodeSize::bits16: return small_segment(0x0F, 0x00FB, kCode, kCodeBytes);
    case CodeSize::bits32: return flat_segment(0x23, 0xC0FB);
    case CodeSize::bits64: return flat_segment(0x33, 0xA0FB);
  }
  return {};
}

SegmentState data_segment(CodeSize size) {
  return size == CodeSize::bits16 ? small_segment(0x17, 0x00F3, kWindow, kMappedBytes)
                                  : flat_segment(0x2B, 0xC0F3);
}

}  // namespace

struct OurProcessor::Machine {
  Memory memory{kMemoryBytes};
  Bus bus{memory};
  BlockCache blocks{bus};
  NoPorts ports;
  Cpu cpu{0, bus, blocks, ports, kEverything};
  CodeSize size = CodeSize::bits64;

  void write_entry(uint64_t at, uint64_t value) {
    memory.write(at, std::as_bytes(std::span{&value, 1}));
  }

  /// The window alone: code is decoded from the case, and an access to its page would be a mistake.
  void map_pages() {
    constexpr uint64_t kLink = kPresent | kWritable | kUser | kAccessed;
    const uint64_t pdpt = kTables + 0x1000, pd = kTables + 0x2000;
    const uint64_t window_table = kTables + 0x3000;
    write_entry(kTables, pdpt | kLink);
    write_entry(pdpt, pd | kLink);
    write_entry(pd + (kWindow >> 21) * 8, window_table | kLink);
    write_entry(window_table, kWindowPages | kLink | kDirty);
    write_entry(window_table + 8, (kWindowPages + 0x1000) | kLink | kDirty);
    write_entry(window_table + 16, (kWindowPages + 0x2000) | kPresent | kUser | kAccessed | kDirty);
  }

  void set_mode(CodeSize code) {
    size = code;
    CpuState& s = cpu.state;
    s.cr0 = arch::cr0::pe | arch::cr0::pg | arch::cr0::wp | arch::cr0::ne | arch::cr0::et;
    s.cr4 = arch::cr4::pae | arch::cr4::osfxsr | arch::cr4::osxmmexcpt | arch::cr4::osxsave |
            arch::cr4::fsgsbase;
    s.cr3 = kTables;
    s.efer = arch::efer::lme | arch::efer::lma | arch::efer::nxe | arch::efer::sce;
    s.xcr0 = 7;
    s.cpl = 3;
    for (auto& segment : s.segments) segment = data_segment(code);
    s.segments[arch::cs] = code_segment(code);
    s.segments[arch::fs] = flat_segment(0, arch::kUnusableSegment);
    s.segments[arch::gs] = flat_segment(0, arch::kUnusableSegment);
    s.segments[arch::gs].base = kWindow + kGsOffset;
    cpu.context_changed();
  }
};

OurProcessor::OurProcessor() : machine_(std::make_unique<Machine>()) {
  machine_->bus.map({.start = Hpa{0}, .size = kMemoryBytes, .kind = BusRange::Kind::ram});
  machine_->map_pages();
  machine_->set_mode(CodeSize::bits64);
}

OurProcessor::~OurProcessor() = default;

emu::Cpu& OurProcessor::cpu() { return machine_->cpu; }

std::span<uint8_t> OurProcessor::memory() {
  return {reinterpret_cast<uint8_t*>(machine_->memory.host(kWindowPages)), kMappedBytes};
}

Outcome OurProcessor::execute(const Case& c, Insn& insn) {
  Cpu& cpu = machine_->cpu;
  if (machine_->size != c.size) machine_->set_mode(c.size);
  CpuState& s = cpu.state;
  for (size_t i = 0; i < 16; ++i) s.regs[i] = c.before.gpr[i];
  s.set_rip(c.before.rip);
  s.set_rflags(c.before.rflags | (c.single_step ? arch::rflags::tf : 0));
  if (c.with_vectors) {
    s.x87 = c.before.x87;
    s.vector = c.before.vector;
  }

  Outcome out;
  Flow flow = Flow::next;
  for (unsigned left = c.instructions; left != 0 && flow != Flow::fault; --left) {
    const uint64_t at = s.rip() - c.before.rip;
    const auto bytes = std::as_bytes(std::span{c.bytes}.subspan(at).first(15));
    const bool built = build_insn(bytes, cpu.mode(), cpu.profile(), insn);
    require(built, "fifteen bytes decide");
    do {
      s.regs[kRipRegister] += insn.length;
      flow = insn.handler(cpu, insn);
      if (flow == Flow::fault || flow == Flow::again) s.regs[kRipRegister] -= insn.length;
    } while (flow == Flow::again && !c.single_step);
  }
  out.faulted = flow == Flow::fault;
  if (out.faulted) {
    out.fault = cpu.pending_fault();
    if (out.fault.vector == arch::Vector::page_fault) {
      out.fault_address = cpu.mmu.fault_address().value;
    }
  }
  for (size_t i = 0; i < 16; ++i) out.after.gpr[i] = s.regs[i];
  out.after.rip = s.rip();
  out.after.rflags = s.rflags();
  if (c.with_vectors) {
    out.after.x87 = s.x87;
    out.after.vector = s.vector;
  }
  return out;
}

}  // namespace vitrine::test
