// Controls whose effect is neither an exit nor a register: and that no control is offered untested.
#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "tests/emu/cpu/vmx/rig.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;

TEST_CASE("Every control that may be 1 is tested in both settings", "[vmx]") {
  // Where: E events_test, I intercepts_test, T transitions_test, X instructions_test, G
  // micro_guest_test, A virtual_apic_test, P ept_features_test, C this file. Adding a control to the table without a line here fails.
  const std::set<std::string> tested = {
      "External-interrupt exiting",       // E
      "NMI exiting",                      // E
      "Virtual NMIs",                     // E
      "Activate VMX-preemption timer",    // E, G
      "Interrupt-window exiting",         // E
      "Use TSC offsetting",               // I
      "HLT exiting",                      // I
      "INVLPG exiting",                   // I
      "MWAIT exiting",                    // I
      "RDPMC exiting",                    // I
      "RDTSC exiting",                    // I
      "CR3-load exiting",                 // I
      "CR3-store exiting",                // I
      "CR8-load exiting",                 // I
      "CR8-store exiting",                // I
      "NMI-window exiting",               // E
      "MOV-DR exiting",                   // I
      "Unconditional I/O exiting",        // I
      "Use I/O bitmaps",                  // I
      "Monitor trap flag",                // E, G
      "Use MSR bitmaps",                  // I
      "MONITOR exiting",                  // I
      "PAUSE exiting",                    // I
      "Activate secondary controls",      // C
      "Enable EPT",                       // T, G
      "Descriptor-table exiting",         // I
      "Enable RDTSCP",                    // I
      "Enable VPID",                      // C
      "WBINVD exiting",                   // I
      "Unrestricted guest",               // I, G
      "PAUSE-loop exiting",               // I
      "RDRAND exiting",                   // I
      "Enable INVPCID",                   // I
      "Enable VM functions",              // X
      "VMCS shadowing",                   // X
      "RDSEED exiting",                   // I
      "Enable XSAVES/XRSTORS",            // I
      "Use TSC scaling",                  // I
      "Save debug controls",              // T
      "Host address-space size",          // C
      "Acknowledge interrupt on exit",    // E
      "Save IA32_PAT",                    // T
      "Load IA32_PAT",                    // T
      "Save IA32_EFER",                   // T
      "Load IA32_EFER",                   // T
      "Save VMX-preemption timer value",  // E, C
      "Load debug controls",              // T
      "IA-32e mode guest",                // T
      "EPTP switching",                   // X
      "Process posted interrupts",        // A
      "Use TPR shadow",                   // A
      "Virtualize APIC accesses",         // A
      "Virtualize x2APIC mode",           // A
      "APIC-register virtualization",     // A
      "Virtual-interrupt delivery",       // A
      "Enable PML",                       // P
      "EPT-violation #VE",                // P
      "Mode-based execute control",       // P
  };
  for (const arch::ControlRow& row : arch::kControls) {
    if (row.setting == arch::Setting::absent) continue;
    CAPTURE(std::string(row.name));
    CHECK(tested.count(std::string(row.name)) == 1);
  }
}

TEST_CASE("Secondary controls are 0 until they are activated", "[vmx]") {
  for (const bool activated : {false, true}) {
    Rig rig;
    rig.become_root();
    rig.set(Field::secondary_controls, secondary::wbinvd_exiting | 1u << 31);
    if (activated) {
      rig.set(Field::secondary_controls, secondary::wbinvd_exiting);
      rig.add(Field::primary_controls, primary::activate_secondary);
    }
    rig.enter();
    REQUIRE(rig.cpu.vmx.nonroot);
    const Insn insn = rig.plain_insn();
    REQUIRE(exits(rig.cpu, Intercept::wbinvd, insn) == activated);
  }
}

TEST_CASE("A VPID changes nothing that a guest can see", "[vmx]") {
  std::array<std::array<uint64_t, 18>, 2> regs{};
  for (const bool vpid : {false, true}) {
    Rig rig;
    rig.become_root();
    if (vpid) {
      rig.secondary_bits(secondary::enable_vpid);
      rig.set(Field::vpid, 7);
    }
    rig.enter();
    REQUIRE(rig.cpu.vmx.nonroot);
    REQUIRE(rig.cpu.mmu.write<uint32_t>(Gva{0x60000}, 5));
    regs[vpid ? 1 : 0] = rig.cpu.state.regs;
  }
  REQUIRE(regs[0] == regs[1]);
}

TEST_CASE("A 32-bit host gets its guest back in protected mode", "[vmx]") {
  Rig rig;
  rig.become_root();
  // The root runs in protected mode without paging's long form: PAE with its own PDPTEs.
  CpuState& s = rig.cpu.state;
  s.efer = 0;
  s.segments[arch::cs].rights = {0xC09B};
  rig.poke<uint64_t>(0x9000, 0xA001);
  rig.poke<uint64_t>(0xA000, 0xE7);  // 2 MiB, identity
  s.cr3 = 0x9000;
  s.pdpte = {0xA001, 0, 0, 0};
  rig.cpu.context_changed();
  rig.set(Field::exit_controls,
          rig.vmcs()[Field::exit_controls] & ~uint64_t{exit_control::host_address_space_size});
  rig.set(Field::entry_controls,
          rig.vmcs()[Field::entry_controls] & ~uint64_t{entry_control::ia32e_mode_guest});
  rig.set(Field::guest_cs_rights, 0xC09B);
  rig.set(Field::guest_cr3, 0x9000);
  rig.set(Field::host_cr3, 0x9000);
  rig.enter();
  REQUIRE(rig.cpu.vmx.nonroot);
  rig.run("vmcall");
  REQUIRE(rig.left_with(arch::ExitReason::vmcall));
  REQUIRE_FALSE(s.long_mode());
  REQUIRE_FALSE(s.segments[arch::cs].rights.long_mode());
  REQUIRE(s.segments[arch::cs].rights.big());
  REQUIRE(s.pdpte[0] == 0xA001);
  REQUIRE(rig.cpu.mmu.read<uint32_t>(Gva{0x8000}));
}

TEST_CASE("A 32-bit host with bad PDPTEs is a VMX abort", "[vmx]") {
  Rig rig;
  rig.become_root();
  CpuState& s = rig.cpu.state;
  s.efer = 0;
  s.segments[arch::cs].rights = {0xC09B};
  rig.poke<uint64_t>(0x9000, 0xA001);
  rig.poke<uint64_t>(0xA000, 0xE7);
  s.cr3 = 0x9000;
  s.pdpte = {0xA001, 0, 0, 0};
  rig.cpu.context_changed();
  rig.set(Field::exit_controls,
          rig.vmcs()[Field::exit_controls] & ~uint64_t{exit_control::host_address_space_size});
  rig.set(Field::entry_controls,
          rig.vmcs()[Field::entry_controls] & ~uint64_t{entry_control::ia32e_mode_guest});
  rig.set(Field::guest_cs_rights, 0xC09B);
  rig.set(Field::guest_cr3, 0x9000);
  rig.set(Field::host_cr3, 0xB000);
  rig.poke<uint64_t>(0xB000, 0x1E7);
  rig.enter();
  REQUIRE(rig.cpu.vmx.nonroot);
  rig.run("vmcall");
  REQUIRE(rig.cpu.vmx.aborted);
  REQUIRE(rig.peek<uint32_t>(kVmcsA + 4) == 2);
}

TEST_CASE("Without its control the preemption timer value is not saved", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.add(Field::pin_controls, pin::preemption_timer);
  rig.set(Field::preemption_timer_value, 5000);
  rig.enter();
  rig.cpu.state.clock += 3200;
  rig.run("vmcall");
  REQUIRE(rig.vmcs()[Field::preemption_timer_value] == 5000);
}

namespace {

/// Copies fields out to bytes and back.
class Tape : public StateVisitor {
 public:
  void rewind() {
    at_ = 0;
    loading_ = true;
  }
  void enter(std::string_view) override {}
  void leave() override {}
  void bytes(std::string_view, std::span<std::byte> data) override {
    if (loading_) {
      std::memcpy(data.data(), tape_.data() + at_, data.size());
      at_ += data.size();
    } else {
      tape_.insert(tape_.end(), data.begin(), data.end());
    }
  }
  void blob(std::string_view, std::vector<std::byte>& data) override { bytes("", data); }
  bool loading() const override { return loading_; }

 private:
  std::vector<std::byte> tape_;
  size_t at_ = 0;
  bool loading_ = false;
};

void visit(Cpu& cpu, Tape& tape) {
  cpu.state.visit(tape);
  cpu.vmx.visit(tape);
  if (!tape.loading()) return;
  cpu.context_changed();
  cpu.attention();
}

}  // namespace

TEST_CASE("A processor saved inside a guest goes on elsewhere to the same state", "[vmx][run]") {
  const auto code = {0xFF, 0xC0, 0x0F, 0x01, 0xC1, 0xEB, 0xF9};  // inc eax; vmcall; jmp
  const auto host = {0xB9, 0x1E, 0x68, 0x00, 0x00, 0x0F, 0x78, 0xCA, 0x48, 0x83,
                     0xC2, 0x03, 0x0F, 0x79, 0xCA, 0x0F, 0x01, 0xC3};  // step over it and resume
  Rig one;
  one.become_root();
  uint64_t at = 0x4000;
  for (const int byte : code) one.poke(at++, static_cast<uint8_t>(byte));
  at = 0x8000;
  for (const int byte : host) one.poke(at++, static_cast<uint8_t>(byte));
  one.enter();
  one.cpu.run({.max_retired = one.cpu.state.retired + 300});
  for (int extra = 0; extra < 12; ++extra) {
    one.cpu.run({.max_retired = one.cpu.state.retired + 1});
    Rig two;
    std::vector<std::byte> memory(one.memory.size());
    one.bus.read_block(Hpa{0}, memory);
    two.bus.write_block(Hpa{0}, memory);
    Tape tape;
    visit(one.cpu, tape);
    tape.rewind();
    visit(two.cpu, tape);
    REQUIRE(two.cpu.vmx.nonroot == one.cpu.vmx.nonroot);
    Rig three;
    tape.rewind();
    visit(three.cpu, tape);
    three.bus.write_block(Hpa{0}, memory);
    two.cpu.run({.max_retired = two.cpu.state.retired + 77});
    for (int i = 0; i < 77; ++i) three.cpu.run({.max_retired = three.cpu.state.retired + 1});
    REQUIRE(two.cpu.state.regs == three.cpu.state.regs);
    REQUIRE(two.cpu.state.clock == three.cpu.state.clock);
    REQUIRE(two.vmcs().values == three.vmcs().values);
  }
}
