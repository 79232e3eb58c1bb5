// The virtual APIC: TPR shadow, APIC-access page, virtual and posted interrupts, x2APIC registers.
#include "emu/cpu/vmx/virtual_apic.h"

#include <catch2/catch.hpp>

#include "tests/emu/cpu/vmx/guest.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using arch::ApicAccessExit;
using arch::ApicAccessType;
using arch::ExitReason;

namespace {

constexpr uint64_t kAccessPage = 0x60000;
constexpr uint64_t kVirtualApic = 0x70000;
constexpr uint64_t kPosted = 0x71000;
constexpr uint32_t kTpr = 0x80, kPpr = 0xA0, kEoi = 0xB0, kIsr = 0x100, kIrr = 0x200;
constexpr uint32_t kIcrLow = 0x300, kIcrHigh = 0x310;
constexpr uint32_t kAccesses = secondary::virtualize_apic_accesses;
constexpr uint32_t kRegisters = secondary::apic_register_virtualization;
constexpr uint32_t kDelivery = secondary::virtual_interrupt_delivery;
constexpr uint32_t kX2apic = secondary::virtualize_x2apic_mode;

struct ApicGuest : Guest {
  explicit ApicGuest(uint32_t more = 0) {
    add(Field::primary_controls, primary::use_tpr_shadow | primary::use_msr_bitmaps);
    set(Field::msr_bitmaps, kBitmaps);
    set(Field::virtual_apic_address, kVirtualApic);
    set(Field::apic_access_address, kAccessPage);
    if (more != 0) secondary_bits(more);
    if ((more & kDelivery) != 0) add(Field::pin_controls, pin::external_interrupt_exiting);
    put(kHandler, {0x0F, 0x01, 0xC1});  // vmcall
  }
  uint32_t reg(uint32_t offset) { return peek<uint32_t>(kVirtualApic + offset); }
  void set_reg(uint32_t offset, uint32_t value) { poke(kVirtualApic + offset, value); }
  bool bit(uint32_t base, unsigned vector) {
    return (reg(base + vector / 32 * 16) >> vector % 32 & 1) != 0;
  }
  void request(uint8_t vector) {
    set_reg(kIrr + vector / 32u * 16, reg(kIrr + vector / 32u * 16) | 1u << vector % 32);
    set(Field::guest_interrupt_status, std::max<uint64_t>(rvi(), vector) | svi() << 8);
  }
  uint64_t rvi() { return vmcs()[Field::guest_interrupt_status] & 0xFF; }
  uint64_t svi() { return vmcs()[Field::guest_interrupt_status] >> 8; }
  void listen() { set(Field::guest_rflags, 0x202); }
  /// MOV EAX, [page + offset]; VMCALL
  void load(uint32_t offset) {
    put(kGuestCode, {0x8B, 0x04, 0x25, static_cast<uint8_t>(offset),
                     static_cast<uint8_t>(offset >> 8), 0x06, 0x00, 0x0F, 0x01, 0xC1});
  }
  /// MOV [page + offset], EAX; VMCALL
  void store(uint32_t offset, uint32_t value) {
    load(offset);
    put(kGuestCode, {0x89});
    cpu.state.regs[arch::rax] = value;
  }
  /// RDMSR or WRMSR of `msr`; VMCALL
  void access_msr(uint8_t opcode, uint32_t msr, uint64_t value = 0) {
    put(kGuestCode, {0x0F, opcode, 0x0F, 0x01, 0xC1});
    cpu.state.regs[arch::rcx] = msr;
    cpu.state.regs[arch::rax] = value & 0xFFFFFFFF;
    cpu.state.regs[arch::rdx] = value >> 32;
  }
  uint64_t left_at() { return vmcs()[Field::guest_rip] - kGuestCode; }
};
constexpr uint8_t kWrmsr = 0x30, kRdmsr = 0x32;

bool listed(uint32_t offset, std::initializer_list<uint32_t> list) {
  return std::find(list.begin(), list.end(), offset) != list.end();
}
/// SDM "Virtualizing Reads from the APIC-Access Page", with APIC-register virtualization.
bool readable(uint32_t offset) {
  return listed(offset, {0x20, 0x30, 0x80, 0xB0, 0xD0, 0xE0, 0xF0, 0x280, 0x300, 0x310, 0x320,
                         0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3E0}) ||
         (offset >= 0x100 && offset <= 0x270);
}
bool writable(uint32_t offset) {
  return listed(offset, {0x20, 0x80, 0xB0, 0xD0, 0xE0, 0xF0, 0x280, 0x300, 0x310, 0x320, 0x330,
                         0x340, 0x350, 0x360, 0x370, 0x380, 0x3E0});
}

}  // namespace

TEST_CASE("Under a TPR shadow CR8 is VTPR, else the local APIC's", "[vmx][apic]") {
  for (const bool shadow : {false, true}) {
    ApicGuest g;
    if (!shadow) {
      g.set(Field::primary_controls,
            g.vmcs()[Field::primary_controls] & ~uint64_t{primary::use_tpr_shadow});
    }
    g.ports.priority = 3;
    g.set_reg(kTpr, 0x50);
    // mov rax, cr8; mov rbx, 9; mov cr8, rbx; vmcall
    g.put(kGuestCode, {0x44, 0x0F, 0x20, 0xC0, 0x48, 0xC7, 0xC3, 0x09, 0x00, 0x00, 0x00, 0x44, 0x0F,
                       0x22, 0xC3, 0x0F, 0x01, 0xC1});
    g.run_to_exit();
    REQUIRE(g.left_with(ExitReason::vmcall));
    CHECK(g.cpu.state.regs[arch::rax] == (shadow ? 5 : 3));
    CHECK(g.ports.priority == (shadow ? 3 : 9));
    CHECK(g.reg(kTpr) == (shadow ? 0x90 : 0x50));
  }
}

TEST_CASE("A virtual TPR that falls below its threshold exits behind the instruction",
          "[vmx][apic]") {
  for (const uint64_t value : {uint64_t{4}, uint64_t{5}}) {
    ApicGuest g;
    g.set_reg(kTpr, 0x90);
    g.set(Field::tpr_threshold, 5);
    g.put(kGuestCode, {0x44, 0x0F, 0x22, 0xC3, 0x0F, 0x01, 0xC1});  // mov cr8, rbx; vmcall
    g.cpu.state.regs[arch::rbx] = value;
    g.run_to_exit();
    CHECK(g.left_with(value < 5 ? ExitReason::tpr_below_threshold : ExitReason::vmcall));
    CHECK(g.left_at() == 4);
  }
}

TEST_CASE("A VM entry whose TPR is below its threshold exits before the first instruction",
          "[vmx][apic]") {
  ApicGuest g(kAccesses);
  g.set_reg(kTpr, 0x40);
  g.set(Field::tpr_threshold, 5);
  g.run_to_exit();
  CHECK(g.left_with(ExitReason::tpr_below_threshold));
  CHECK(g.left_at() == 0);
}

TEST_CASE("Without virtualize APIC accesses the page is plain memory", "[vmx][apic]") {
  ApicGuest g;
  g.poke<uint32_t>(kAccessPage + 0x30, 0x1234);
  g.load(0x30);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  CHECK(g.cpu.state.regs[arch::rax] == 0x1234);
}

TEST_CASE("Reads of the APIC-access page are virtualised register by register", "[vmx][apic]") {
  for (const bool registers : {false, true}) {
    for (uint32_t offset = 0; offset < 0x400; offset += 16) {
      CAPTURE(registers, offset);
      ApicGuest g(kAccesses | (registers ? kRegisters : 0));
      g.set_reg(offset, 0xA5000000 + offset);
      g.load(offset);
      g.run_to_exit();
      const bool virtualised = registers ? readable(offset) : offset == kTpr;
      if (virtualised) {
        CHECK(g.left_with(ExitReason::vmcall));
        CHECK(g.cpu.state.regs[arch::rax] == 0xA5000000 + offset);
      } else {
        CHECK(g.left_with(ExitReason::apic_access));
        CHECK(g.qualification() == ApicAccessExit::make(offset, ApicAccessType::linear_read).value);
        CHECK(g.left_at() == 0);
        CHECK(g.vmcs()[Field::exit_instruction_length] == 7);
      }
    }
  }
}

TEST_CASE("Writes of the APIC-access page are virtualised and then emulated or reported",
          "[vmx][apic]") {
  for (const bool registers : {false, true}) {
    for (uint32_t offset = 0; offset < 0x400; offset += 16) {
      CAPTURE(registers, offset);
      ApicGuest g(kAccesses | (registers ? kRegisters : 0));
      g.store(offset, 0x12345678);
      g.run_to_exit();
      const bool virtualised = registers ? writable(offset) : offset == kTpr;
      if (!virtualised) {
        CHECK(g.left_with(ExitReason::apic_access));
        CHECK(g.qualification() ==
              ApicAccessExit::make(offset, ApicAccessType::linear_write).value);
        CHECK(g.reg(offset) == 0);
      } else if (offset == kTpr || offset == kIcrHigh) {
        CHECK(g.left_with(ExitReason::vmcall));
        CHECK(g.reg(offset) == (offset == kTpr ? 0x78 : 0x12000000));
      } else {
        CHECK(g.left_with(ExitReason::apic_write));
        CHECK(g.qualification() == offset);
        CHECK(g.reg(offset) == 0x12345678);
        CHECK(g.left_at() == 7);
      }
    }
  }
}

TEST_CASE("Wide, straddling and fetching accesses of the APIC-access page exit", "[vmx][apic]") {
  ApicGuest wide(kAccesses | kRegisters);
  wide.put(kGuestCode, {0x48, 0x8B, 0x04, 0x25, 0x80, 0x00, 0x06, 0x00});  // mov rax, [60080h]
  wide.run_to_exit();
  CHECK(wide.left_with(ExitReason::apic_access));
  ApicGuest odd(kAccesses | kRegisters);
  odd.load(0x82);
  odd.run_to_exit();
  CHECK(odd.left_with(ExitReason::apic_access));
  CHECK(odd.qualification() == 0x82);
  ApicGuest fetch(kAccesses | kRegisters);
  fetch.set(Field::guest_rip, kAccessPage + 0x80);
  fetch.run_to_exit();
  CHECK(fetch.left_with(ExitReason::apic_access));
  CHECK(fetch.qualification() == ApicAccessExit::make(0x80, ApicAccessType::linear_fetch).value);
  ApicGuest modify(kAccesses);
  modify.set_reg(kTpr, 0x20);
  modify.put(kGuestCode, {0x83, 0x04, 0x25, 0x80, 0x00, 0x06, 0x00, 0x10, 0x0F, 0x01, 0xC1});
  modify.run_to_exit();  // add dword [60080h], 10h; vmcall
  CHECK(modify.left_with(ExitReason::vmcall));
  CHECK(modify.reg(kTpr) == 0x30);
}

TEST_CASE("A virtual interrupt is delivered when the guest listens", "[vmx][apic]") {
  ApicGuest g(kDelivery);
  g.request(0x55);
  g.request(0x61);
  g.put(kGuestCode, {0xFB, 0x90, 0xF4});  // sti; nop; hlt
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  CHECK(g.vmcs()[Field::guest_rip] == kHandler);
  CHECK(g.peek<uint64_t>(g.vmcs()[Field::guest_rsp]) == kGuestCode + 2);
  CHECK(g.svi() == 0x61);
  CHECK(g.rvi() == 0x55);
  CHECK(g.bit(kIsr, 0x61));
  CHECK_FALSE(g.bit(kIrr, 0x61));
  CHECK(g.bit(kIrr, 0x55));
  CHECK(g.reg(kPpr) == 0x60);
}

TEST_CASE("Without virtual-interrupt delivery a requested vector stays where it is",
          "[vmx][apic]") {
  ApicGuest g;
  g.set_reg(kIrr + 0x20, 1u << 21);
  g.set(Field::guest_interrupt_status, 0x55);
  g.listen();
  g.put(kGuestCode, {0x90, 0x0F, 0x01, 0xC1});
  g.run_to_exit();
  CHECK(g.left_at() == 1);
  CHECK(g.rvi() == 0x55);
}

TEST_CASE("The virtual TPR and interrupt-window exiting hold virtual interrupts back",
          "[vmx][apic]") {
  ApicGuest held(kDelivery);
  held.request(0x55);
  held.set_reg(kTpr, 0x50);
  held.listen();
  held.put(kGuestCode, {0x90, 0x44, 0x0F, 0x22, 0xC3, 0x90});  // nop; mov cr8, rbx (4)
  held.cpu.state.regs[arch::rbx] = 4;
  held.run_to_exit();
  CHECK(held.vmcs()[Field::guest_rip] == kHandler);
  CHECK(held.peek<uint64_t>(held.vmcs()[Field::guest_rsp]) == kGuestCode + 5);

  ApicGuest window(kDelivery);
  window.request(0x55);
  window.add(Field::primary_controls, primary::interrupt_window_exiting);
  window.listen();
  window.run_to_exit();
  CHECK(window.left_with(ExitReason::interrupt_window));
  CHECK(window.rvi() == 0x55);
}

TEST_CASE("EOI lets the next virtual interrupt in, or exits by the EOI-exit bitmap",
          "[vmx][apic]") {
  for (const bool exits : {false, true}) {
    ApicGuest g(kAccesses | kDelivery);
    g.set(Field::guest_interrupt_status, 0x61u << 8);
    g.set_reg(kIsr + 0x30, 1u << 1);   // 61H
    g.set_reg(kIsr + 0x10, 1u << 16);  // 30H
    g.request(0x55);
    if (exits) g.set(Field::eoi_exit_bitmap_1, uint64_t{1} << (0x61 - 64));
    g.listen();
    g.store(kEoi, 0);
    g.run_to_exit();
    CHECK_FALSE(g.bit(kIsr, 0x61));
    if (exits) {
      CHECK(g.left_with(ExitReason::virtualized_eoi));
      CHECK(g.qualification() == 0x61);
      CHECK(g.left_at() == 7);
      CHECK(g.svi() == 0x30);
    } else {
      CHECK(g.left_with(ExitReason::vmcall));
      CHECK(g.vmcs()[Field::guest_rip] == kHandler);
      CHECK(g.svi() == 0x55);
    }
  }
}

TEST_CASE("An ICR that means the sender itself requests its vector; another is reported",
          "[vmx][apic]") {
  ApicGuest self(kAccesses | kDelivery);
  self.listen();
  self.store(kIcrLow, 0x00040041);
  self.run_to_exit();
  CHECK(self.left_with(ExitReason::vmcall));
  CHECK(self.svi() == 0x41);
  for (const uint32_t icr : {0x00080041u, 0x00044041u | 0x8000u, 0x00040441u, 0x00040001u}) {
    CAPTURE(icr);
    ApicGuest other(kAccesses | kDelivery);
    other.listen();
    other.store(kIcrLow, icr);
    other.run_to_exit();
    CHECK(other.left_with(ExitReason::apic_write));
    CHECK(other.qualification() == kIcrLow);
  }
}

TEST_CASE("A virtual interrupt wakes HLT and reports itself when its delivery exits",
          "[vmx][apic]") {
  ApicGuest g(kDelivery);
  g.request(0x55);
  g.listen();
  g.set(Field::guest_activity, 1);
  g.run_to_exit();
  CHECK(g.left_with(ExitReason::vmcall));
  CHECK(g.vmcs()[Field::guest_activity] == 0);

  ApicGuest broken(kDelivery);
  broken.request(0x55);
  broken.listen();
  broken.set(Field::guest_idtr_limit, 0x100);
  broken.set(Field::exception_bitmap, 1u << 13);
  broken.run_to_exit();
  CHECK(broken.left_with(ExitReason::exception_or_nmi));
  CHECK(broken.vmcs()[Field::idt_vectoring_information] == 0x80000055);
  CHECK(broken.svi() == 0x55);
}

TEST_CASE("A posted-interrupt notification moves requests without an exit", "[vmx][apic]") {
  for (const bool posted : {false, true}) {
    ApicGuest g(kDelivery);
    g.add(Field::exit_controls, exit_control::acknowledge_interrupt);
    if (posted) g.add(Field::pin_controls, pin::process_posted_interrupts);
    g.set(Field::posted_interrupt_vector, 0xF2);
    g.set(Field::posted_interrupt_descriptor, kPosted);
    g.poke<uint32_t>(kPosted + 8, 1u << 5 | 1u << 1);  // 45H, 41H
    g.poke<uint32_t>(kPosted + 32, 1);
    g.listen();
    g.put(kGuestCode, {0xF4});
    g.cpu.run({});
    REQUIRE(g.cpu.vmx.nonroot);
    REQUIRE(g.cpu.idle());
    g.ports.pending = 0xF2;
    g.cpu.attention();
    g.run_to_exit();
    CHECK(g.ports.ended == (posted ? 1 : 0));
    if (!posted) {
      CHECK(g.left_with(ExitReason::external_interrupt));
      CHECK(g.peek<uint32_t>(kPosted + 32) == 1);
      continue;
    }
    CHECK(g.left_with(ExitReason::vmcall));
    CHECK(g.svi() == 0x45);
    CHECK(g.rvi() == 0x41);
    CHECK(g.peek<uint32_t>(kPosted + 8) == 0);
    CHECK(g.peek<uint32_t>(kPosted + 32) == 0);
  }
}

TEST_CASE("Another vector than the notification exits as an external interrupt", "[vmx][apic]") {
  ApicGuest g(kDelivery);
  g.add(Field::exit_controls, exit_control::acknowledge_interrupt);
  g.add(Field::pin_controls, pin::process_posted_interrupts);
  g.set(Field::posted_interrupt_vector, 0xF2);
  g.set(Field::posted_interrupt_descriptor, kPosted);
  g.put(kGuestCode, {0xEB, 0xFE});
  g.ports.pending = 0x41;
  g.run_to_exit();
  CHECK(g.left_with(ExitReason::external_interrupt));
  CHECK(g.vmcs()[Field::exit_interruption_information] == 0x80000041);
}

TEST_CASE("Virtualize x2APIC mode reads registers from the page", "[vmx][apic]") {
  struct Case {
    uint32_t controls;
    uint32_t msr;
    bool virtualised;
  };
  for (const Case& c :
       {Case{0, 0x808, false}, Case{kX2apic, 0x808, true}, Case{kX2apic, 0x802, false},
        Case{kX2apic | kRegisters, 0x802, true}, Case{kX2apic | kRegisters, 0x830, true}}) {
    CAPTURE(c.controls, c.msr);
    ApicGuest g(c.controls);
    g.poke<uint64_t>(kVirtualApic + ((c.msr & 0xFF) << 4), 0x1122334455667788);
    g.access_msr(kRdmsr, c.msr);
    g.run_to_exit();
    REQUIRE(g.left_with(ExitReason::vmcall));
    CHECK(g.left_at() == 2);
    CHECK(g.cpu.state.regs[arch::rax] == (c.virtualised ? 0x55667788u : 0u));
    CHECK(g.cpu.state.regs[arch::rdx] == (c.virtualised ? 0x11223344u : 0u));
  }
}

TEST_CASE("Virtualize x2APIC mode writes TPR, EOI and self-IPI", "[vmx][apic]") {
  ApicGuest tpr(kX2apic);
  tpr.access_msr(kWrmsr, 0x808, 0x35);
  tpr.run_to_exit();
  CHECK(tpr.left_with(ExitReason::vmcall));
  CHECK(tpr.reg(kTpr) == 0x35);

  ApicGuest eoi(kX2apic | kDelivery);
  eoi.set(Field::guest_interrupt_status, 0x61u << 8);
  eoi.set_reg(kIsr + 0x30, 1u << 1);
  eoi.access_msr(kWrmsr, 0x80B);
  eoi.run_to_exit();
  CHECK(eoi.left_with(ExitReason::vmcall));
  CHECK(eoi.svi() == 0);

  ApicGuest self(kX2apic | kDelivery);
  self.listen();
  self.access_msr(kWrmsr, 0x83F, 0x41);
  self.run_to_exit();
  CHECK(self.left_with(ExitReason::vmcall));
  CHECK(self.svi() == 0x41);

  ApicGuest low(kX2apic | kDelivery);
  low.access_msr(kWrmsr, 0x83F, 0x0F);
  low.run_to_exit();
  CHECK(low.left_with(ExitReason::apic_write));
  CHECK(low.qualification() == 0x3F0);

  for (const auto& [msr, value] : {std::pair{0x808u, 0x100u}, {0x80Bu, 1u}, {0x83Fu, 0x100u}}) {
    ApicGuest bad(kX2apic | kDelivery);
    bad.set(Field::exception_bitmap, 1u << 13);
    bad.access_msr(kWrmsr, msr, value);
    bad.run_to_exit();
    CHECK(bad.left_with(ExitReason::exception_or_nmi));
  }
}
