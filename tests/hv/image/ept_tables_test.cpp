// EPT tables: mapping, splitting, and giving every table page back.
#include "hv/image/ept_tables.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

namespace vitrine::hv {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kLarge = 0x200000;
constexpr std::uint64_t kHuge = 0x40000000;

// Pages of the host, as many as allowed.
struct Pool {
  std::size_t limit = 1000;
  std::set<std::uint64_t> out;

  PageSource source() {
    return {.allocate = [](void* context) { return static_cast<Pool*>(context)->take(); },
            .release = [](void* context,
                          std::uint64_t page) { static_cast<Pool*>(context)->give(page); },
            .context = this};
  }
  std::uint64_t take() {
    if (out.size() >= limit) return 0;
    void* const page = std::aligned_alloc(kPage, kPage);
    __builtin_memset(page, 0, kPage);
    const auto address = reinterpret_cast<std::uint64_t>(page);
    out.insert(address);
    return address;
  }
  void give(std::uint64_t page) {
    REQUIRE(out.erase(page) == 1);
    std::free(reinterpret_cast<void*>(page));
  }
};

constexpr auto kLeaf = EptLeaf::make(arch::ept::rights, arch::MemoryType::wb);

std::uint64_t address_of(std::uint64_t entry) { return entry & 0x000F'FFFF'FFFF'F000; }

TEST_CASE("EPT maps in the largest pages that fit", "[hv]") {
  Pool pool;
  EptTables tables;
  REQUIRE(tables.create(pool.source()));
  REQUIRE(tables.map(kHuge, kHuge, kHuge + kLarge + kPage, kLeaf));
  std::uint64_t size = 0;
  CHECK(address_of(tables.lookup(kHuge, &size)) == kHuge);
  CHECK(size == kHuge);
  tables.lookup(2 * kHuge, &size);
  CHECK(size == kLarge);
  tables.lookup(2 * kHuge + kLarge, &size);
  CHECK(size == kPage);
  CHECK(tables.lookup(2 * kHuge + kLarge + kPage) == 0);
  tables.destroy();
  CHECK(pool.out.empty());
}

TEST_CASE("EPT splits a large page so that the rest of it stays mapped", "[hv]") {
  Pool pool;
  EptTables tables;
  REQUIRE(tables.create(pool.source()));
  REQUIRE(tables.map(0, 0, kHuge, kLeaf));
  REQUIRE(tables.unmap(5 * kLarge + 7 * kPage, kPage));
  CHECK(tables.lookup(5 * kLarge + 7 * kPage) == 0);
  for (const std::uint64_t gpa : {std::uint64_t{0}, 5 * kLarge, 5 * kLarge + 6 * kPage,
                                  5 * kLarge + 8 * kPage, 6 * kLarge, kHuge - kPage}) {
    std::uint64_t size = 0;
    const std::uint64_t entry = tables.lookup(gpa, &size);
    CHECK(address_of(entry) + gpa % size - (address_of(entry) % size) == gpa);
    CHECK((entry & arch::ept::rights) == arch::ept::rights);
    CHECK(((entry & arch::ept::large) != 0) == (size != kPage));
  }
  tables.destroy();
  CHECK(pool.out.empty());
}

TEST_CASE("EPT unmaps whole ranges with their tables", "[hv]") {
  Pool pool;
  EptTables tables;
  REQUIRE(tables.create(pool.source()));
  REQUIRE(tables.map(0, 0, 2 * kHuge, kLeaf));
  REQUIRE(tables.unmap(kLarge, kHuge));
  CHECK(tables.lookup(0) != 0);
  CHECK(tables.lookup(kLarge) == 0);
  CHECK(tables.lookup(kHuge) == 0);
  CHECK(tables.lookup(kHuge + kLarge) != 0);
  tables.destroy();
  CHECK(pool.out.empty());
}

TEST_CASE("EPT says how many tables a page needs, and fails without them", "[hv]") {
  Pool pool;
  EptTables tables;
  REQUIRE(tables.create(pool.source()));
  CHECK(tables.missing_tables(0x123456000) == 3);
  pool.limit = pool.out.size() + 2;
  CHECK_FALSE(tables.set_page(0x123456000, kLeaf.bits));
  CHECK(tables.lookup(0x123456000) == 0);
  pool.limit += 1;
  CHECK(tables.set_page(0x123456000, kLeaf.bits));
  CHECK(tables.missing_tables(0x123457000) == 0);
  tables.destroy();
  CHECK(pool.out.empty());
}

TEST_CASE("EPT gives its tables back one at a time", "[hv]") {
  Pool pool;
  EptTables tables;
  REQUIRE(tables.create(pool.source()));
  REQUIRE(tables.set_page(0, kLeaf.bits));
  REQUIRE(tables.set_page(kLarge, kLeaf.bits));
  REQUIRE(tables.set_page(kHuge, kLeaf.bits));
  std::size_t left = pool.out.size();
  while (tables.release_one()) CHECK(pool.out.size() == --left);
  CHECK(pool.out.empty());
  CHECK_FALSE(tables.exists());
}

}  // namespace
}  // namespace vitrine::hv
