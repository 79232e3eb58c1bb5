// What EPT can do besides translating: logging of modified pages, #VE, execution by mode.
#include <catch2/catch.hpp>

#include "tests/emu/cpu/vmx/guest.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using arch::ExitReason;

namespace {

constexpr uint64_t kLog = 0x70000;
constexpr uint64_t kInformation = 0x71000;
constexpr uint64_t kData = 0x60000;

struct EptGuest : Guest {
  EptGuest() {
    use_ept();
    put(kHandler, {0x0F, 0x01, 0xC1});  // vmcall
  }
  /// MOV [60000h], EAX; MOV [60008h], EAX; VMCALL
  void store_twice() {
    put(kGuestCode, {0x89, 0x04, 0x25, 0x00, 0x00, 0x06, 0x00, 0x89, 0x04, 0x25, 0x08, 0x00, 0x06,
                     0x00, 0x0F, 0x01, 0xC1});
  }
  void use_log(uint64_t index, bool on = true) {
    if (on) secondary_bits(secondary::enable_pml);
    set(Field::eptp, arch::make_eptp(kEptTables, true));
    set(Field::pml_address, kLog);
    set(Field::pml_index, index);
  }
  void use_ve(bool on = true) {
    if (on) secondary_bits(secondary::ept_violation_ve);
    set(Field::virtualization_exception_address, kInformation);
    poke<uint64_t>(ept_entry(kData), 0);
    store_twice();
  }
};

}  // namespace

TEST_CASE("Page-modification logging notes each page whose D bit is set, once", "[vmx][ept]") {
  EptGuest g;
  g.use_log(511);
  g.store_twice();
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  // The guest's page tables are written, too: their accesses count as writes under A/D bits.
  const uint64_t count = 511 - g.vmcs()[Field::pml_index];
  REQUIRE(count == 3);
  std::vector<uint64_t> pages;
  for (uint64_t i = 0; i < count; ++i) pages.push_back(g.peek<uint64_t>(kLog + 8 * (511 - i)));
  CHECK(std::count(pages.begin(), pages.end(), kData) == 1);
  CHECK(std::count(pages.begin(), pages.end(), kTables) == 1);
  CHECK(std::count(pages.begin(), pages.end(), kTables + 0x1000) == 1);
}

TEST_CASE("Without page-modification logging nothing is noted", "[vmx][ept]") {
  EptGuest g;
  g.use_log(511, false);
  g.store_twice();
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  CHECK(g.vmcs()[Field::pml_index] == 511);
  CHECK(g.peek<uint64_t>(kLog + 8 * 511) == 0);
}

TEST_CASE("A full page-modification log exits in front of the write", "[vmx][ept]") {
  EptGuest g;
  g.use_log(1);  // room for the two page tables
  g.store_twice();
  g.cpu.state.regs[arch::rax] = 0x77;
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::pml_full));
  CHECK(g.vmcs()[Field::pml_index] == 0xFFFF);
  CHECK(g.vmcs()[Field::guest_rip] == kGuestCode);
  CHECK(g.peek<uint32_t>(kData) == 0);
  CHECK((g.peek<uint64_t>(Guest::ept_entry(kData)) & arch::ept::dirty) == 0);
  g.set(Field::pml_index, 511);
  g.resume();
  REQUIRE(g.left_with(ExitReason::vmcall));
  CHECK(g.peek<uint64_t>(kLog + 8 * 511) == kData);
}

TEST_CASE("A convertible EPT violation becomes #VE and tells what happened", "[vmx][ept]") {
  EptGuest g;
  g.use_ve();
  g.set(Field::eptp_index, 7);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::vmcall));
  CHECK(g.vmcs()[Field::guest_rip] == kHandler);
  CHECK(g.peek<uint64_t>(g.vmcs()[Field::guest_rsp]) == kGuestCode);
  CHECK(g.peek<uint32_t>(kInformation) == 48);
  CHECK(g.peek<uint32_t>(kInformation + 4) == 0xFFFFFFFF);
  CHECK((g.peek<uint64_t>(kInformation + 8) & 0x187) == 0x182);
  CHECK(g.peek<uint64_t>(kInformation + 16) == kData);
  CHECK(g.peek<uint64_t>(kInformation + 24) == kData);
  CHECK(g.peek<uint16_t>(kInformation + 32) == 7);
}

TEST_CASE("An EPT violation is no #VE without the control, suppressed, or with the area in use",
          "[vmx][ept]") {
  for (const int why : {0, 1, 2}) {
    CAPTURE(why);
    EptGuest g;
    g.use_ve(why != 0);
    if (why == 1) g.poke<uint64_t>(Guest::ept_entry(kData), arch::ept::suppress_ve);
    if (why == 2) g.poke<uint32_t>(kInformation + 4, 1);
    g.run_to_exit();
    CHECK(g.left_with(ExitReason::ept_violation));
    CHECK(g.peek<uint32_t>(kInformation) == 0);
  }
}

TEST_CASE("An intercepted #VE exits with its vector", "[vmx][ept]") {
  EptGuest g;
  g.use_ve();
  g.set(Field::exception_bitmap, 1u << 20);
  g.run_to_exit();
  REQUIRE(g.left_with(ExitReason::exception_or_nmi));
  CHECK(g.vmcs()[Field::exit_interruption_information] == 0x80000314);
}

TEST_CASE("Mode-based execute control asks another right for user-mode addresses", "[vmx][ept]") {
  struct Case {
    bool control;
    bool user_address;
    bool execute_supervisor, execute_user;
    bool runs;
  };
  for (const Case& c :
       {Case{false, true, true, false, true}, Case{false, false, false, true, false},
        Case{true, true, true, false, false}, Case{true, true, false, true, true},
        Case{true, false, true, false, true}, Case{true, false, false, true, false}}) {
    CAPTURE(c.control, c.user_address, c.execute_supervisor, c.execute_user);
    EptGuest g;
    if (c.control) g.secondary_bits(secondary::mode_based_execute);
    for (uint64_t table = kEptTables; table < kEptTables + 0x3000; table += 0x1000) {
      g.poke<uint64_t>(table, g.peek<uint64_t>(table) | arch::ept::execute_user);
    }
    uint64_t entry = kGuestCode | 6u << 3 | arch::ept::read | arch::ept::write;
    if (c.execute_supervisor) entry |= arch::ept::execute;
    if (c.execute_user) entry |= arch::ept::execute_user;
    g.poke<uint64_t>(Guest::ept_entry(kGuestCode), entry);
    // A second set of guest tables for supervisor addresses: one gigabyte at 62000H.
    g.poke<uint64_t>(0x62000, 0x63023);
    g.poke<uint64_t>(0x63000, 0xE3);
    if (!c.user_address) g.set(Field::guest_cr3, 0x62000);
    g.put(kGuestCode, {0x0F, 0x01, 0xC1});
    g.run_to_exit();
    CHECK(g.left_with(c.runs ? ExitReason::vmcall : ExitReason::ept_violation));
    if (c.runs) continue;
    CHECK((g.qualification() & 4) != 0);
    if (c.control) CHECK((g.qualification() >> 6 & 1) == (c.execute_user ? 1 : 0));
  }
}
