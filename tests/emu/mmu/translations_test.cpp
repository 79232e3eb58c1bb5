// Translations: ranges are as wide as what is known, and go with the rights they stand for.
#include <catch2/catch.hpp>

#include "emu/mmu/translations.h"

using namespace vitrine::emu;

namespace {

constexpr uint64_t kHost = 0x7000'0000'0000;
constexpr uint64_t kLost = Translations::kWidest - 1;

struct Table : Translations {
  void page(uint64_t gva, uint64_t addend, bool writable = true) {
    fill(Gva{gva}) = {gva, writable ? gva : empty_tag(index(Gva{gva})), addend};
  }
  const Range& miss(uint64_t address, Kind kind, bool writes) {
    wanted = kind + (writes ? uint32_t{kKinds} : 0);
    wanted_address = address;
    patience = -1;
    widen();
    return writes ? write[kind] : read[kind];
  }
};

}  // namespace

TEST_CASE("a range reaches as far as neighbouring pages lie in the host likewise", "[mmu]") {
  Table t;
  for (uint64_t gva = 0x4000; gva <= 0x7000; gva += 0x1000) t.page(gva, kHost);
  t.page(0x8000, kHost + 0x1000);
  const Translations::Range& r = t.miss(0x5123, Translations::based, false);
  CHECK(r.start == 0x4000);
  CHECK(r.size == 0x4000 - kLost);
  CHECK(r.addend == kHost);
  CHECK(t.patience == Translations::kPatience);
  CHECK(t.write[Translations::based].size == 0);
  CHECK(t.read[Translations::stack].size == 0);
}

TEST_CASE("a range of writes ends at a page that may only be read", "[mmu]") {
  Table t;
  t.page(0x4000, kHost);
  t.page(0x5000, kHost, false);
  t.page(0x6000, kHost);
  CHECK(t.miss(0x4FFF, Translations::stack, true).size == 0x1000 - kLost);
  CHECK(t.miss(0x4FFF, Translations::stack, false).size == 0x3000 - kLost);
  CHECK(t.miss(0x5000, Translations::fixed, true).size == 0);
}

TEST_CASE("a range keeps what it knew when the table has forgotten it", "[mmu]") {
  Table t;
  t.page(0x4000, kHost);
  t.miss(0x4000, Translations::based, false);
  t.page(0x5000, kHost);
  constexpr uint64_t kSameSlot = 0x5000 + Translations::kEntries * kPageSize;
  REQUIRE(Translations::index(Gva{kSameSlot}) == Translations::index(Gva{0x4000}));
  t.page(kSameSlot, kHost);
  const Translations::Range& joined = t.miss(0x5000, Translations::based, false);
  CHECK(joined.start == 0x4000);
  CHECK(joined.size == 0x2000 - kLost);

  t.page(0x9000, kHost);
  const Translations::Range& apart = t.miss(0x9000, Translations::based, false);
  CHECK(apart.start == 0x9000);
  CHECK(apart.size == 0x1000 - kLost);
}

TEST_CASE("pages a power of two apart do not share a slot", "[mmu]") {
  for (unsigned power = 12; power <= 29; ++power) {
    CHECK(Translations::index(Gva{0}) != Translations::index(Gva{uint64_t{1} << power}));
  }
}

TEST_CASE("an address whose page is not known makes no range and keeps the old one", "[mmu]") {
  Table t;
  t.page(0x4000, kHost);
  t.miss(0x4000, Translations::based, false);
  CHECK(t.miss(0x123000, Translations::based, false).start == 0x4000);
}

TEST_CASE("a page that is written no more ends the ranges of writes it lies in", "[mmu]") {
  Table t;
  for (uint64_t gva = 0x4000; gva <= 0x6000; gva += 0x1000) t.page(gva, kHost);
  t.miss(0x4000, Translations::based, true);
  t.miss(0x4000, Translations::based, false);
  t.drop_writes(kHost + 0x7000);
  CHECK(t.write[Translations::based].size != 0);
  t.drop_writes(kHost + 0x6000);
  CHECK(t.write[Translations::based].size == 0);
  CHECK(t.read[Translations::based].size != 0);
  CHECK(t.miss(0x4000, Translations::based, true).size == 0x2000 - kLost);

  t.clear();
  CHECK(t.read[Translations::based].size == 0);
  CHECK(t.write[Translations::based].size == 0);
}
