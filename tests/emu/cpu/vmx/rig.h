// A processor in 64-bit ring 0 over identity-mapped memory, with a VMCS ready to enter a guest.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "emu/arch/cpuid_profile.h"
#include "emu/arch/require.h"
#include "emu/arch/vm_instruction_error.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/instruction_table.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/transitions.h"
#include "emu/cpu/vmx/vmcs_region.h"
#include "emu/cpu/vmx/vmx.h"
#include "tests/emu/cpu/vmx/valid_vmcs.h"

namespace vitrine::emu::vmx {

class QuietPorts : public CpuPorts {
 public:
  std::optional<uint8_t> pending;
  uint8_t priority = 0;
  unsigned ended = 0;

  void end_interrupt(uint32_t, Cycle) override { ++ended; }
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
  void triple_fault(uint32_t, Cycle) override {}
  void set_ferr(uint32_t, bool, Cycle) override {}
};

constexpr arch::CpuProfile with_vmx(arch::CpuProfile profile) {
  profile.features[static_cast<size_t>(arch::CpuFeature::vmx)] = true;
  return profile;
}
inline constexpr arch::CpuProfile kVmxProfile = with_vmx(arch::kSkylakeSp);

inline constexpr uint64_t kTables = 0x1000;  // PML4; PDPT behind it
inline constexpr uint64_t kVmxon = 0x10000;
inline constexpr uint64_t kVmcsA = 0x11000;
inline constexpr uint64_t kVmcsB = 0x12000;
inline constexpr uint64_t kOperand = 0x20000;
inline constexpr uint64_t kBitmaps = 0x30000;
inline constexpr uint64_t kRootRip = 0x6000;
inline constexpr uint64_t kHandler = 0x7000;  // of every vector
inline constexpr uint64_t kIdt = 0x40000;
inline constexpr uint64_t kGdt = 0x41000;

struct Rig {
  Memory memory{uint64_t{4} << 20};
  Bus bus{memory};
  BlockCache blocks{bus};
  QuietPorts ports;
  Cpu cpu;

  explicit Rig(const arch::CpuProfile& profile = kVmxProfile)
      : cpu((map(), 0), bus, blocks, ports, profile) {
    poke<uint64_t>(kTables, kTables + 0x1000 + 0x27);
    poke<uint64_t>(kTables + 0x1000, 0xE7);  // 1 GiB, identity; accessed and dirty
    CpuState& s = cpu.state;
    s.cr0 = 0x80010033;
    s.cr3 = kTables;
    s.cr4 = arch::cr4::pae | arch::cr4::vmxe;
    s.efer = arch::efer::lma | arch::efer::lme;
    for (unsigned i = arch::es; i <= arch::gs; ++i) {
      s.segments[i] = {0, 0xFFFFFFFF, {static_cast<uint32_t>(kDataRights)}, 0x10};
    }
    s.segments[arch::cs] = {0, 0xFFFFFFFF, {static_cast<uint32_t>(kCodeRights)}, 0x08};
    s.segments[arch::tr] = {0, 0x67, {static_cast<uint32_t>(kTssRights)}, 0x18};
    s.segments[arch::ldtr] = {0, 0, {arch::kUnusableSegment}, 0};
    s.cpl = 0;
    s.set_rip(kRootRip);
    s.activity = Activity::active;
    cpu.context_changed();
    poke<uint64_t>(kGdt + 0x08, 0x00AF9B000000FFFF);
    poke<uint64_t>(kGdt + 0x10, 0x00CF93000000FFFF);
    for (uint64_t vector = 0; vector < 256; ++vector) {
      poke<uint64_t>(kIdt + 16 * vector, kHandler | 0x08u << 16 | uint64_t{0x8E00} << 32);
    }
    for (const uint64_t region : {kVmxon, kVmcsA, kVmcsB}) poke(region, arch::kVmcsRevision);
  }

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

  static Handler handler_of(std::string_view mnemonic) {
    for (const Row& row : vmx_rows()) {
      if (row.mnemonic == mnemonic) return row.select(Decoded{});
    }
    require(false, "the mnemonic has a row");
    return nullptr;
  }
  /// Executes one VMX instruction of 3 bytes at RIP, as the engine would.
  Flow run(std::string_view mnemonic, Insn insn = {}) {
    insn.length = 3;
    insn.handler = handler_of(mnemonic);
    cpu.state.set_rip(cpu.state.rip() + insn.length);
    const Flow flow = insn.handler(cpu, insn);
    if (flow == Flow::fault) cpu.state.set_rip(cpu.state.rip() - insn.length);
    return flow;
  }
  /// The same with the memory operand at kOperand.
  Flow run_on(std::string_view mnemonic, uint64_t value) {
    poke(kOperand, value);
    return run(mnemonic, memory_insn());
  }
  static Insn memory_insn() {
    Insn insn;
    insn.op[0] = kMemory;
    insn.disp = static_cast<int32_t>(kOperand);
    return insn;
  }
  /// Any instruction, for the intercept questions.
  Insn plain_insn() {
    Insn insn;
    insn.length = 2;
    cpu.state.set_rip(cpu.state.rip() + insn.length);
    return insn;
  }

  bool succeeded() const { return cpu.state.flags.arithmetic() == 0; }
  bool failed_invalid() const { return cpu.state.flags.arithmetic() == arch::rflags::cf; }
  bool failed_with(arch::VmInstructionError error) const {
    return cpu.state.flags.arithmetic() == arch::rflags::zf &&
           cpu.vmx.vmcs[Field::vm_instruction_error] == static_cast<uint64_t>(error);
  }

  Vmcs& vmcs() { return cpu.vmx.vmcs; }
  void set(Field field, uint64_t value) { vmcs().set(field, value); }
  void add(Field field, uint64_t bits) { set(field, vmcs()[field] | bits); }
  void secondary_bits(uint32_t mask) {
    add(Field::primary_controls, primary::activate_secondary);
    add(Field::secondary_controls, mask);
  }
  /// VMXON and a current VMCS that passes every check, with the guest on the root's page tables.
  void become_root() {
    run_on("vmxon", kVmxon);
    run_on("vmptrld", kVmcsA);
    vmcs() = valid_vmcs();
    set(Field::host_cr3, kTables);
    set(Field::guest_cr3, kTables);
    set(Field::guest_idtr_base, kIdt);
    set(Field::guest_idtr_limit, 0xFFF);
    set(Field::guest_gdtr_base, kGdt);
    set(Field::guest_gdtr_limit, 0x17);
  }
  /// Enters the guest and forgets the cost.
  Flow enter() { return run(vmcs().launched ? "vmresume" : "vmlaunch"); }
  void become_guest() {
    become_root();
    enter();
    require(cpu.vmx.nonroot, "the guest was entered");
  }
  bool left_with(arch::ExitReason reason) {
    return !cpu.vmx.nonroot && vmcs()[Field::exit_reason] == static_cast<uint64_t>(reason);
  }
  uint64_t qualification() { return vmcs()[Field::exit_qualification]; }

 private:
  void map() { bus.map({Hpa{0}, memory.size(), BusRange::Kind::ram, 0, nullptr, 0}); }
};

}  // namespace vitrine::emu::vmx
