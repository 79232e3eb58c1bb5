// The walker: rights, faults and A/D bits of every paging mode, alone and under EPT.
#include "emu/mmu/walk.h"

#include <catch2/catch.hpp>

#include "emu/arch/ept.h"
#include "emu/arch/registers.h"

using namespace vitrine::emu;
namespace pf = vitrine::emu::arch::pf;

namespace {

constexpr uint64_t kUser = 7, kSupervisor = 3, kReadOnly = 5, kLargePage = 0x80;

struct Machine {
  Machine() { bus.map({Hpa{0}, memory.size(), BusRange::Kind::ram, 0, nullptr}); }

  void put(uint64_t at, uint64_t value, size_t size = 8) {
    memory.write(at, std::as_bytes(std::span{&value, 1}).first(size));
  }
  uint64_t get(uint64_t at) const {
    uint64_t value = 0;
    memory.read(at, std::as_writable_bytes(std::span{&value, 1}));
    return value;
  }
  /// Four levels at 0x1000, 0x2000, 0x3000, 0x4000 with `leaf` for page 0x5000 at linear 0x5000.
  void four_levels(uint64_t flags = kUser) {
    put(0x1000, 0x2000 | kUser);
    put(0x2000, 0x3000 | kUser);
    put(0x3000, 0x4000 | kUser);
    put(0x4000 + 5 * 8, 0x5000 | flags);
  }
  PagingContext long_mode() const {
    PagingContext c;
    c.cr0 = arch::cr0::pg | arch::cr0::wp;
    c.cr3 = 0x1000;
    c.cr4 = arch::cr4::pae;
    c.efer = arch::efer::lma | arch::efer::nxe;
    return c;
  }

  Memory memory{1 << 22};
  Bus bus{memory};
};

uint32_t error_of(const Result<Translation, Fault>& r) {
  REQUIRE(!r);
  REQUIRE(r.error().vector == arch::Vector::page_fault);
  return r.error().error_code;
}

}  // namespace

TEST_CASE("4-level paging translates and sets A, and D on a write", "[walk]") {
  Machine m;
  m.four_levels();
  const auto read = walk(m.bus, m.long_mode(), Gva{0x5123}, {.user = true}, nullptr);
  REQUIRE(read);
  CHECK(read->hpa == Hpa{0x5123});
  CHECK_FALSE(read->dirty);
  CHECK((m.get(0x4028) & 0x60) == 0x20);
  const auto write = walk(m.bus, m.long_mode(), Gva{0x5123}, {.write = true}, nullptr);
  REQUIRE(write);
  CHECK(write->dirty);
  CHECK((m.get(0x4028) & 0x60) == 0x60);
  CHECK((m.get(0x1000) & 0x60) == 0x20);
}

TEST_CASE("a peek leaves the tables and their marks alone", "[walk]") {
  Machine m;
  m.four_levels();
  CHECK(walk(m.bus, m.long_mode(), Gva{0x5000}, {.peek = true}, nullptr));
  CHECK((m.get(0x4028) & 0x60) == 0);
  CHECK(m.memory.line_marks(0x1000) == 0);
}

TEST_CASE("page-fault error codes say what was tried and what was there", "[walk]") {
  Machine m;
  m.four_levels(kSupervisor);
  const PagingContext c = m.long_mode();
  CHECK(error_of(walk(m.bus, c, Gva{0x6000}, {.write = true, .user = true}, nullptr)) ==
        (pf::write | pf::user));
  CHECK(error_of(walk(m.bus, c, Gva{0x5000}, {.user = true}, nullptr)) ==
        (pf::present | pf::user));
  CHECK(error_of(walk(m.bus, c, Gva{0x6000}, {.fetch = true}, nullptr)) == pf::fetch);
  m.put(0x4028, 0x5000 | kSupervisor | uint64_t{1} << 50);
  CHECK(error_of(walk(m.bus, c, Gva{0x5000}, {}, nullptr)) == (pf::present | pf::reserved));
  m.put(0x4028, 0x5000 | kSupervisor | uint64_t{1} << 63);
  CHECK(error_of(walk(m.bus, c, Gva{0x5000}, {.fetch = true}, nullptr)) ==
        (pf::present | pf::fetch));
}

TEST_CASE("CR0.WP decides whether the supervisor may write read-only pages", "[walk]") {
  Machine m;
  m.four_levels(kReadOnly);
  PagingContext c = m.long_mode();
  CHECK(error_of(walk(m.bus, c, Gva{0x5000}, {.write = true}, nullptr)) ==
        (pf::present | pf::write));
  c.cr0 = arch::cr0::pg;
  CHECK(walk(m.bus, c, Gva{0x5000}, {.write = true}, nullptr));
  CHECK_FALSE(walk(m.bus, c, Gva{0x5000}, {.write = true, .user = true}, nullptr));
}

TEST_CASE("SMEP and SMAP keep the supervisor off user pages", "[walk]") {
  Machine m;
  m.four_levels(kUser);
  PagingContext c = m.long_mode();
  c.cr4 |= arch::cr4::smep | arch::cr4::smap;
  CHECK_FALSE(walk(m.bus, c, Gva{0x5000}, {.fetch = true}, nullptr));
  CHECK_FALSE(walk(m.bus, c, Gva{0x5000}, {}, nullptr));
  CHECK(walk(m.bus, c, Gva{0x5000}, {.smap_suspended = true}, nullptr));
  CHECK(walk(m.bus, c, Gva{0x5000}, {.fetch = true, .user = true}, nullptr));
}

TEST_CASE("2 MiB and 1 GiB pages map with their own reserved bits", "[walk]") {
  Machine m;
  m.four_levels();
  m.put(0x3008, 0x200000 | kUser | kLargePage);
  const auto two = walk(m.bus, m.long_mode(), Gva{0x345678}, {}, nullptr);
  REQUIRE(two);
  CHECK(two->hpa == Hpa{0x345678});
  CHECK(two->page_size == 0x200000);
  m.put(0x3008, 0x202000 | kUser | kLargePage);
  CHECK(error_of(walk(m.bus, m.long_mode(), Gva{0x345678}, {}, nullptr)) ==
        (pf::present | pf::reserved));
  m.put(0x2008, 0x40000000 | kUser | kLargePage);
  const auto one = walk(m.bus, m.long_mode(), Gva{0x40001234}, {}, nullptr);
  REQUIRE(one);
  CHECK(one->hpa == Hpa{0x40001234});
  CHECK(one->page_size == 0x40000000);
}

TEST_CASE("32-bit paging with 4 KiB and PSE-36 4 MiB pages", "[walk]") {
  Machine m;
  PagingContext c;
  c.cr0 = arch::cr0::pg;
  c.cr3 = 0x1000;
  c.cr4 = arch::cr4::pse;
  m.put(0x1000, 0x2007, 4);
  m.put(0x2000 + 4 * 3, 0x7007, 4);
  m.put(0x1004, 0x00802087, 4);  // address bits 39:32 = 1
  const auto small = walk(m.bus, c, Gva{0x3ABC}, {}, nullptr);
  REQUIRE(small);
  CHECK(small->hpa == Hpa{0x7ABC});
  const auto large = walk(m.bus, c, Gva{0x400123}, {}, nullptr);
  REQUIRE(large);
  CHECK(large->hpa == Hpa{0x100800123});
}

TEST_CASE("PAE paging uses the loaded PDPTEs, not memory", "[walk]") {
  Machine m;
  PagingContext c;
  c.cr0 = arch::cr0::pg;
  c.cr4 = arch::cr4::pae;
  c.pdpte[1] = 0x3001;
  m.put(0x3000, 0x4007);
  m.put(0x4000, 0x9007);
  const auto t = walk(m.bus, c, Gva{0x40000010}, {}, nullptr);
  REQUIRE(t);
  CHECK(t->hpa == Hpa{0x9010});
  CHECK_FALSE(walk(m.bus, c, Gva{0x10}, {}, nullptr));
  c.cr3 = 0x6000;
  m.put(0x6000, 0x3001 | 1u << 5);  // reserved in a PDPTE
  CHECK_FALSE(load_pdptes(m.bus, c, nullptr));
}

TEST_CASE("EPT violations and misconfigurations are told apart with their qualification",
          "[walk][ept]") {
  Machine m;
  constexpr uint64_t kRights = 7, kWriteBack = 6u << 3;
  m.put(0x10000, 0x11000 | kRights);
  m.put(0x11000, 0x12000 | kRights);
  m.put(0x12000, 0x13000 | kRights);
  m.put(0x13000 + 5 * 8, 0x8000 | 5 | kWriteBack);  // read and execute
  PagingContext c;
  c.eptp = arch::make_eptp(0x10000, false);
  EptFault why;
  const auto read = walk(m.bus, c, Gva{0x5010}, {}, &why);
  REQUIRE(read);
  CHECK(read->hpa == Hpa{0x8010});
  CHECK(read->gpa == Gpa{0x5010});
  const auto write = walk(m.bus, c, Gva{0x5010}, {.write = true}, &why);
  REQUIRE(!write);
  CHECK(write.error().kind == Fault::Kind::ept_violation);
  CHECK(why.gpa == Gpa{0x5010});
  CHECK(why.qualification == (2u | 5u << 3 | 3u << 7));
  m.put(0x13028, 0x8000 | 2 | kWriteBack);  // write without read
  const auto bad = walk(m.bus, c, Gva{0x5010}, {}, &why);
  REQUIRE(!bad);
  CHECK(bad.error().kind == Fault::Kind::ept_misconfiguration);
}

TEST_CASE("guest tables are themselves translated by EPT", "[walk][ept]") {
  Machine m;
  m.four_levels();
  constexpr uint64_t kIdentity = 7 | 6u << 3 | 0x80;
  m.put(0x10000, 0x11000 | 7);
  m.put(0x11000, 0x12000 | 7);
  m.put(0x12000, 0x0 | kIdentity);
  PagingContext c = m.long_mode();
  c.eptp = arch::make_eptp(0x10000, true);
  EptFault why;
  REQUIRE(walk(m.bus, c, Gva{0x5000}, {.write = true}, &why));
  CHECK((m.get(0x12000) & (arch::ept::accessed | arch::ept::dirty)) ==
        (arch::ept::accessed | arch::ept::dirty));
  m.put(0x12000, 0x0 | 5 | 6u << 3 | 0x80);  // read and execute only: table accesses write
  const auto t = walk(m.bus, c, Gva{0x5000}, {}, &why);
  REQUIRE(!t);
  CHECK(why.gpa == Gpa{0x1000});
  CHECK((why.qualification & 3) == 3);
  CHECK((why.qualification & arch::ept_violation::final_access) == 0);
}
