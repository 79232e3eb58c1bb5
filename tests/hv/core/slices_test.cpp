// Rep calls take as many attempts as their elements need slices, for 10, 1,000 and 100,000 pages.
#include <catch2/catch.hpp>

#include <algorithm>

#include "hv/tlfs/partition_calls.h"
#include "tests/hv/core/machine.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

constexpr std::uint64_t kMostPages = 100'000;
// What one page of parameters holds.
constexpr std::uint64_t kDepositBatch = (kPageSize - sizeof(tl::PartitionInput)) / 8;
constexpr std::uint64_t kWithdrawBatch = kPageSize / 8;
constexpr std::uint64_t kMapBatch = (kPageSize - sizeof(tl::MapGpaInput)) / 8;

unsigned slices(std::uint64_t units) {
  return static_cast<unsigned>((units + hv::kSliceUnits - 1) / hv::kSliceUnits);
}

// Attempts of all calls that `pages` elements take when each call has up to `batch` of them.
unsigned expected(std::uint64_t pages, std::uint64_t batch) {
  unsigned sum = 0;
  for (; pages > batch; pages -= batch) sum += slices(batch);
  return sum + slices(pages);
}

// The same calls, made by `call` for a number of elements each.
template <class MakeCall>
unsigned attempts_of(std::uint64_t pages, std::uint64_t batch, MakeCall make_call) {
  unsigned sum = 0;
  while (pages != 0) {
    const std::uint64_t now = std::min(pages, batch);
    const Answer answer = make_call(now);
    REQUIRE(answer.status == Status::success);
    REQUIRE(answer.reps == now);
    REQUIRE(answer.attempts == slices(now));
    sum += answer.attempts;
    pages -= now;
  }
  return sum;
}

TEST_CASE("depositing and withdrawing take as many attempts as their pages need slices",
          "[hv][0x0048][0x0049]") {
  for (const std::uint64_t pages : {std::uint64_t{10}, std::uint64_t{1000}, kMostPages}) {
    CAPTURE(pages);
    Machine machine(1, hv::Identity::enlightened, pages + 1024);
    const auto child = machine.create_child();
    const unsigned in = attempts_of(pages, kDepositBatch, [&](std::uint64_t count) {
      std::vector<tl::GpaPageElement> list(count);
      for (tl::GpaPageElement& element : list) element.page = machine.fresh_page();
      return machine.rep(machine.root(), Call::deposit_memory, tl::PartitionInput{child}, list);
    });
    CHECK(in == expected(pages, kDepositBatch));
    CHECK(machine.partition(child).pool.available == pages);
    CHECK(machine.check().empty());
    const tl::PoolInput pool{.partition = child};
    const unsigned out = attempts_of(pages, kWithdrawBatch, [&](std::uint64_t count) {
      return machine.call(machine.root(), Call::withdraw_memory, Machine::bytes(pool), {},
                          static_cast<std::uint32_t>(count));
    });
    CHECK(out == expected(pages, kWithdrawBatch));
    CHECK(machine.partition(child).pool.deposited == 0);
    CHECK(machine.check().empty());
  }
}

TEST_CASE("mapping and unmapping take as many attempts as their pages need slices",
          "[hv][0x004B][0x004C]") {
  for (const std::uint64_t pages : {std::uint64_t{10}, std::uint64_t{1000}, kMostPages}) {
    CAPTURE(pages);
    Machine machine;
    const auto child = machine.active_child(32 + pages / 256);
    const tl::GpaPageElement source{machine.fresh_page()};
    std::uint64_t next = 0x1000;
    const unsigned in = attempts_of(pages, kMapBatch, [&](std::uint64_t count) {
      const tl::MapGpaInput header{.partition = child, .gpa_base = next, .flags = 7};
      next += count;
      return machine.rep(machine.root(), Call::map_gpa_pages, header,
                         std::vector<tl::GpaPageElement>(count, source));
    });
    CHECK(in == expected(pages, kMapBatch));
    CHECK(machine.partition(child).mapping_count == pages);
    next = 0x1000;
    const unsigned out = attempts_of(pages, tl::kMaximumReps, [&](std::uint64_t count) {
      const tl::UnmapGpaInput header{.partition = child, .gpa_base = next};
      next += count;
      return machine.call(machine.root(), Call::unmap_gpa_pages, Machine::bytes(header), {},
                          static_cast<std::uint32_t>(count));
    });
    CHECK(out == expected(pages, tl::kMaximumReps));
    CHECK(machine.partition(child).mapping_count == 0);
    CHECK(machine.check().empty());
  }
}

TEST_CASE("with a waiting interrupt every element is an attempt of its own, and none is lost",
          "[hv][0x0048]") {
  Machine machine;
  const auto child = machine.create_child();
  std::vector<tl::GpaPageElement> list(100);
  for (tl::GpaPageElement& element : list) element.page = machine.fresh_page();
  machine.quiet_units = 0;
  const Answer answer =
      machine.rep(machine.root(), Call::deposit_memory, tl::PartitionInput{child}, list);
  CHECK(answer.status == Status::success);
  CHECK(answer.attempts == 100);
  CHECK(machine.partition(child).pool.available == 100);
}

}  // namespace
}  // namespace vitrine::test
