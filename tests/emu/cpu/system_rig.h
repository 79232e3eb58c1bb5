// A processor with GDT, IDT, TSS and page tables in memory, to run a few instruction bytes on.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include "emu/arch/cpuid_profile.h"
#include "emu/cpu/cpu.h"

namespace vitrine::emu {

class SystemPorts final : public CpuPorts {
 public:
  std::optional<uint8_t> pending;
  uint8_t priority = 0;
  unsigned triple_faults = 0;
  bool ferr = false;

  bool interrupt_pending(uint32_t, Cycle) override { return pending.has_value(); }
  std::optional<uint8_t> acknowledge_interrupt(uint32_t, Cycle) override {
    const auto vector = pending;
    pending.reset();
    return vector;
  }
  uint8_t task_priority(uint32_t) override { return priority; }
  void set_task_priority(uint32_t, uint8_t value, Cycle) override { priority = value; }
  Result<void, Fault> set_apic_base(uint32_t, uint64_t) override { return {}; }
  Result<uint64_t, Fault> read_apic_msr(uint32_t, uint32_t, Cycle) override { return uint64_t{0}; }
  Result<void, Fault> write_apic_msr(uint32_t, uint32_t, uint64_t, Cycle) override { return {}; }
  void tsc_changed(uint32_t, Cycle) override {}
  void triple_fault(uint32_t, Cycle) override { ++triple_faults; }
  void set_ferr(uint32_t, bool level, Cycle) override { ferr = level; }
};

/// One byte per port, for IN and OUT.
class PortLatch final : public BusTarget {
 public:
  std::vector<uint64_t> written;
  uint64_t value = 0;

  uint64_t read(uint64_t, unsigned, const BusAccess&) override { return value; }
  void write(uint64_t, unsigned, uint64_t v, const BusAccess&) override { written.push_back(v); }
  uint64_t peek(uint64_t, unsigned) const override { return value; }
};

struct SystemRig {
  // Physical places; linear addresses are equal where paging maps them.
  static constexpr uint64_t kGdt = 0x1000, kIdt = 0x2000, kTss = 0x4000, kTss2 = 0x4800;
  static constexpr uint64_t kStack0 = 0x8000, kStack1 = 0x8800, kStack3 = 0x9000, kIst = 0xA000;
  static constexpr uint64_t kCode = 0x10000, kHandlers = 0x18000, kData = 0x20000;
  static constexpr uint64_t kPml4 = 0x30000, kPdpt = 0x31000, kPd = 0x32000, kPt = 0x33000;
  /// A page of its own, mapped by the first entry of kPt: tests change its rights.
  static constexpr uint64_t kPage = 0x200000;
  static constexpr uint16_t kPort = 0x80;

  // Selectors.
  static constexpr uint16_t kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x18, kData3 = 0x20;
  static constexpr uint16_t kCode0_32 = 0x28, kCode3_32 = 0x30, kTssSelector = 0x38;
  static constexpr uint16_t kGate = 0x48, kSpare = 0x58, kSpare2 = 0x60, kTss2Selector = 0x68;
  static constexpr uint16_t kConforming = 0x70, kCode1 = 0x78, kData1 = 0x80;
  static constexpr uint16_t kGdtLimit = 0xFF;

  static constexpr uint64_t kFlatCode64 = 0x00AF9B000000FFFF;
  static constexpr uint64_t kFlatCode32 = 0x00CF9B000000FFFF;
  static constexpr uint64_t kFlatData = 0x00CF93000000FFFF;
  static constexpr uint64_t dpl(unsigned level) { return uint64_t{level} << 45; }

  Memory memory{uint64_t{4} << 20};
  Bus bus{memory};
  BlockCache blocks{bus};
  SystemPorts ports;
  PortLatch latch;
  Cpu cpu;

  explicit SystemRig(const arch::CpuProfile& profile = arch::kMax)
      : cpu((map(), 0), bus, blocks, ports, profile) {
    for (uint64_t vector = 0; vector < 256; ++vector) poke<uint8_t>(kHandlers + vector * 16, 0xF4);
  }

  CpuState& s() { return cpu.state; }

  template <class T>
  void poke(uint64_t address, T value) {
    bus.write_block(Hpa{address}, std::as_bytes(std::span{&value, 1}));
  }
  template <class T>
  T peek(uint64_t address) {
    T value{};
    bus.read_block(Hpa{address}, std::as_writable_bytes(std::span{&value, 1}));
    return value;
  }
  void descriptor(uint16_t selector, uint64_t value) { poke(kGdt + (selector & 0xFFF8), value); }

  // --- Modes, entered from the outside ---

  void long_mode(unsigned cpl = 0) {
    descriptor(kCode0, kFlatCode64);
    descriptor(kCode3, kFlatCode64 | dpl(3));
    common_descriptors();
    descriptor(kTssSelector, system_descriptor(kTss, 0x1FF, 11, 0));
    descriptor(kTssSelector + 8, 0);
    for (uint64_t v = 0; v < 256; ++v) idt64(static_cast<uint8_t>(v));
    poke<uint64_t>(kTss + 4, kStack0);
    poke<uint64_t>(kTss + 12, kStack1);
    poke<uint64_t>(kTss + 36, kIst);
    poke<uint16_t>(kTss + 0x66, 0x68);
    page_tables();
    s().cr0 = 0x80010033;
    s().cr3 = kPml4;
    s().cr4 = arch::cr4::pae | arch::cr4::osfxsr;
    s().efer = arch::efer::lme | arch::efer::lma | arch::efer::sce;
    s().idtr = {kIdt, 0xFFF};
    flat_segments(cpl, 0xA09B);
    s().segments[arch::tr] = {kTss, 0x1FF, {0x8B}, kTssSelector};
    s().regs[arch::rsp] = cpl == 0 ? kStack0 - 0x100 : kStack3;
    cpu.context_changed();
  }

  /// 32-bit protected mode without paging.
  void protected_mode(unsigned cpl = 0) {
    descriptor(kCode0, kFlatCode32);
    descriptor(kCode3, kFlatCode32 | dpl(3));
    common_descriptors();
    descriptor(kTssSelector, system_descriptor(kTss, 0x1FF, 11, 0));
    for (uint64_t v = 0; v < 256; ++v) idt32(static_cast<uint8_t>(v));
    poke<uint32_t>(kTss + 4, kStack0);
    poke<uint32_t>(kTss + 8, kData0);
    poke<uint32_t>(kTss + 12, kStack1);
    poke<uint32_t>(kTss + 16, kData1 | 1);
    poke<uint16_t>(kTss + 0x66, 0x68);
    s().cr0 = 0x33;
    s().idtr = {kIdt, 0x7FF};
    flat_segments(cpl, 0xC09B);
    s().segments[arch::tr] = {kTss, 0x1FF, {0x8B}, kTssSelector};
    s().regs[arch::rsp] = cpl == 0 ? kStack0 - 0x100 : kStack3;
    cpu.context_changed();
  }

  /// Real mode with CS = 1000H; vector n goes to 1800H:n*16.
  void real_mode() {
    for (uint32_t v = 0; v < 256; ++v) poke<uint32_t>(kIdt + v * 4, 0x18000000 | v * 16);
    s().cr0 = 0x10;
    s().idtr = {kIdt, 0x3FF};
    for (unsigned i = 0; i < 6; ++i) s().segments[i] = {0, 0xFFFF, {0x93}, 0};
    s().segments[arch::cs] = {kCode, 0xFFFF, {0x9B}, 0x1000};
    s().regs[arch::rsp] = kStack0;
    cpu.context_changed();
  }

  // --- Tables ---

  static uint64_t system_descriptor(uint64_t base, uint32_t limit, unsigned type, unsigned level) {
    return (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | uint64_t{type} << 40 | dpl(level) |
           uint64_t{1} << 47 | uint64_t{limit & 0xF0000} << 32 | (base & 0xFF000000) << 32;
  }
  static uint64_t gate(uint16_t selector, uint64_t offset, unsigned type, unsigned level,
                       unsigned ist_or_count = 0) {
    return (offset & 0xFFFF) | uint64_t{selector} << 16 | uint64_t{ist_or_count} << 32 |
           uint64_t{type} << 40 | dpl(level) | uint64_t{1} << 47 | (offset & 0xFFFF0000) << 32;
  }
  void idt64(uint8_t vector, unsigned type = 14, unsigned level = 0, unsigned ist = 0,
             uint16_t selector = kCode0) {
    poke(kIdt + vector * 16u, gate(selector, kHandlers + vector * 16u, type, level, ist));
    poke<uint64_t>(kIdt + vector * 16u + 8, 0);
  }
  void idt32(uint8_t vector, unsigned type = 14, unsigned level = 0, uint16_t selector = kCode0) {
    poke(kIdt + vector * 8u, gate(selector, kHandlers + vector * 16u, type, level));
  }

  // --- Running ---

  /// Runs the bytes at kCode until a HLT at CPL 0 or `limit` instructions.
  RunStop run(std::initializer_list<int> bytes, uint64_t limit = 40) {
    uint64_t at = kCode;
    for (const int byte : bytes) poke<uint8_t>(at++, static_cast<uint8_t>(byte));
    s().set_rip(kCode - (s().protected_mode() ? 0 : kCode));
    s().activity = Activity::active;
    cpu.attention();
    return cpu.run(RunLimits{.max_retired = s().retired + limit});
  }
  /// The vector whose handler's HLT stopped the processor; -1 when it stopped elsewhere.
  int vector() {
    const uint64_t base = s().long_mode() ? 0 : s().segments[arch::cs].base;
    const uint64_t at = base + s().rip() - 1;
    if (s().activity != Activity::hlt || at < kHandlers || at >= kHandlers + 256 * 16) return -1;
    return static_cast<int>((at - kHandlers) / 16);
  }
  /// Item i of the frame on the stack now.
  uint64_t frame(unsigned i, unsigned width = 8) {
    const uint64_t at = s().regs[arch::rsp] + uint64_t{i} * width;
    return width == 8 ? peek<uint64_t>(at) : width == 4 ? peek<uint32_t>(at) : peek<uint16_t>(at);
  }

 private:
  void map() {
    bus.map({Hpa{0}, memory.size(), BusRange::Kind::ram, 0, nullptr, 0});
    bus.map_ports(kPort, 4, latch);
  }
  void common_descriptors() {
    descriptor(kData0, kFlatData);
    descriptor(kData3, kFlatData | dpl(3));
    descriptor(kCode0_32, kFlatCode32);
    descriptor(kCode3_32, kFlatCode32 | dpl(3));
    descriptor(kConforming, kFlatCode32 | uint64_t{4} << 40);
    descriptor(kCode1, kFlatCode32 | dpl(1));
    descriptor(kData1, kFlatData | dpl(1));
    s().gdtr = {kGdt, kGdtLimit};
  }
  void flat_segments(unsigned cpl, uint32_t code_rights) {
    const auto level = static_cast<uint16_t>(cpl);
    const uint32_t bits = cpl << 5;
    const uint16_t data = cpl == 0 ? kData0 : kData3 | level;
    for (unsigned i = arch::es; i <= arch::gs; ++i) {
      s().segments[i] = {0, 0xFFFFFFFF, {0xC093u | bits}, data};
    }
    const uint16_t code = cpl == 0 ? kCode0 : kCode3 | level;
    s().segments[arch::cs] = {0, 0xFFFFFFFF, {code_rights | bits}, code};
    s().segments[arch::ldtr] = {0, 0, {arch::kUnusableSegment}, 0};
    s().cpl = static_cast<uint8_t>(cpl);
  }
  void page_tables() {
    poke<uint64_t>(kPml4, kPdpt | 7);
    poke<uint64_t>(kPdpt, kPd | 7);
    poke<uint64_t>(kPd, 0x87);
    poke<uint64_t>(kPd + 8, kPt | 7);
    for (uint64_t i = 0; i < 512; ++i) poke<uint64_t>(kPt + i * 8, (kPage + i * 0x1000) | 7);
  }
};

}  // namespace vitrine::emu
