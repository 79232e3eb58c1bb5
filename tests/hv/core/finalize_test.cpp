// HvFinalizePartition: continuation, progress, two callers, and every page accounted for.
#include <catch2/catch.hpp>

#include "hv/core/call.h"
#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/msrs.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/port_calls.h"
#include "tests/hv/core/machine.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;
using hv::HypercallExit;
using hv::HypercallFrame;
using hv::PartitionState;
using tl::HypercallControl;
using tl::HypercallResult;

HypercallFrame finalize_frame(const Machine& machine, Guest& guest, tl::PartitionId id) {
  HypercallFrame frame = machine.frame(
      guest, HypercallControl::make(static_cast<std::uint16_t>(Call::finalize_partition), true));
  frame.rdx = id;
  return frame;
}

Status result_of(const HypercallFrame& frame) { return HypercallResult{frame.rax}.status(); }

TEST_CASE("finalizing takes as many attempts as its units need slices", "[hv][0x0042]") {
  for (const std::uint64_t pages : {10ULL, 1000ULL, 100000ULL}) {
    Machine machine;
    const auto child = machine.active_child(16 + pages / 256 + 4);
    machine.map_range(child, 0x1000, pages);
    hv::Partition& partition = machine.partition(child);
    CAPTURE(pages);
    REQUIRE(partition.mapping_count == pages);
    unsigned seen = 0;
    std::uint64_t available = partition.pool.available;
    machine.between = [&](unsigned attempt) {
      ++seen;
      CHECK(partition.state == PartitionState::finalizing);
      CHECK(partition.finalization.attempts == attempt);
      CHECK(partition.finalization.units_done == std::uint64_t{attempt} * hv::kSliceUnits);
      CHECK(partition.pool.available >= available);  // the pool grows as the work goes on
      available = partition.pool.available;
      if (pages <= 1000) CHECK(machine.check().empty());
    };
    const Answer answer = machine.finalize(child);
    CHECK(answer.status == Status::success);
    CHECK(partition.state == PartitionState::finalized);
    const std::uint64_t units = partition.finalization.units_at_start;
    CHECK(units >= pages);
    CHECK(partition.finalization.units_done == units);
    CHECK(answer.attempts == (units + hv::kSliceUnits - 1) / hv::kSliceUnits);
    CHECK(seen + 1 == answer.attempts);
    CHECK(partition.pool.available == partition.pool.deposited);
    CHECK(machine.check().empty());
  }
}

TEST_CASE("an interrupt ends every attempt early, and each still does a unit", "[hv][0x0042]") {
  Machine machine;
  const auto child = machine.active_child();
  machine.map_range(child, 0, 50);
  machine.quiet_units = 0;
  const Answer answer = machine.finalize(child);
  CHECK(answer.status == Status::success);
  CHECK(answer.attempts == machine.partition(child).finalization.units_at_start);
}

TEST_CASE("between two attempts the parameters in the registers are untouched", "[hv][0x0042]") {
  Machine machine;
  const auto child = machine.active_child();
  machine.map_range(child, 0, 300);
  HypercallFrame frame = finalize_frame(machine, machine.root(), child);
  const HypercallFrame before = frame;
  REQUIRE(machine.vmcall(machine.root(), frame) == HypercallExit::again);
  CHECK(frame.rcx == before.rcx);
  CHECK(frame.rdx == before.rdx);
  CHECK(frame.rax == before.rax);
  CHECK(machine.root().vp->continuation.active == 1);
  CHECK(machine.root().vp->continuation.object == child);
}

TEST_CASE("two root processors finalize one partition together, and both succeed", "[hv][0x0042]") {
  Machine machine(2);
  const auto child = machine.active_child(64, 2);
  machine.map_range(child, 0, 500);
  HypercallFrame a = finalize_frame(machine, machine.root(0), child);
  HypercallFrame b = finalize_frame(machine, machine.root(1), child);
  bool a_done = false;
  bool b_done = false;
  unsigned turns = 0;
  while (!a_done || !b_done) {
    REQUIRE(++turns < 100);
    if (!a_done) a_done = machine.vmcall(machine.root(0), a) == HypercallExit::completed;
    if (!b_done) b_done = machine.vmcall(machine.root(1), b) == HypercallExit::completed;
  }
  CHECK(result_of(a) == Status::success);
  CHECK(result_of(b) == Status::success);
  CHECK(machine.partition(child).state == PartitionState::finalized);
  CHECK(machine.check().empty());
  // A new call, by either, is a call on a finalized partition.
  CHECK(machine.finalize(child).status == Status::invalid_partition_state);
}

TEST_CASE("a processor told to come again succeeds although the partition is deleted meanwhile",
          "[hv][0x0042]") {
  Machine machine(2);
  const auto child = machine.active_child();
  machine.map_range(child, 0, 300);
  HypercallFrame a = finalize_frame(machine, machine.root(0), child);
  REQUIRE(machine.vmcall(machine.root(0), a) == HypercallExit::again);
  HypercallFrame b = finalize_frame(machine, machine.root(1), child);
  while (machine.vmcall(machine.root(1), b) == HypercallExit::again) {
  }
  CHECK(result_of(b) == Status::success);
  Guest& other = machine.root(1);
  std::vector<std::byte> withdraw(sizeof(tl::PoolInput));
  const tl::PoolInput pool{.partition = child};
  std::memcpy(withdraw.data(), &pool, sizeof pool);
  CHECK(machine.call(other, Call::withdraw_memory, withdraw, {}, 512).reps == 64);
  CHECK(machine.fast(other, Call::delete_partition, tl::PartitionInput{child}).status ==
        Status::success);
  REQUIRE(machine.vmcall(machine.root(0), a) == HypercallExit::completed);
  CHECK(result_of(a) == Status::success);
  CHECK(machine.root(0).vp->continuation.active == 0);
  // The identifier is gone: a new call says so.
  CHECK(machine.finalize(child).status == Status::invalid_partition_id);
}

TEST_CASE("an interrupt handler may make another call between two attempts", "[hv][0x0042]") {
  Machine machine;
  const auto child = machine.active_child();
  machine.map_range(child, 0, 400);
  bool called = false;
  machine.between = [&](unsigned) {
    if (called) return;
    called = true;
    Guest handler = machine.root();
    handler.rip = 0x2000;
    tl::PartitionOutput out;
    CHECK(machine.call(handler, Call::get_partition_id, {}, Machine::writable(out)).status ==
          Status::success);
    CHECK(out.partition == 1);
    CHECK(machine.root().vp->continuation.active == 0);  // the record is dropped
  };
  const Answer answer = machine.finalize(child);
  CHECK(answer.status == Status::success);
  CHECK(machine.partition(child).state == PartitionState::finalized);
}

TEST_CASE("a new call with other parameters at the same place does not continue the old one",
          "[hv][0x0042]") {
  Machine machine(2);
  const auto first = machine.active_child();
  const auto second = machine.active_child();
  machine.map_range(first, 0, 300);
  HypercallFrame a = finalize_frame(machine, machine.root(), first);
  REQUIRE(machine.vmcall(machine.root(), a) == HypercallExit::again);
  HypercallFrame other = finalize_frame(machine, machine.root(), second);
  REQUIRE(machine.vmcall(machine.root(), other) == HypercallExit::completed);
  CHECK(result_of(other) == Status::success);
  // Someone else finishes the first; this processor has forgotten it, so its call is a new one.
  HypercallFrame b = finalize_frame(machine, machine.root(1), first);
  while (machine.vmcall(machine.root(1), b) == HypercallExit::again) {
  }
  REQUIRE(machine.vmcall(machine.root(), a) == HypercallExit::completed);
  CHECK(result_of(a) == Status::invalid_partition_state);
}

TEST_CASE("a virtual processor that is still running is waited for", "[hv][0x0042]") {
  Machine machine;
  const auto child = machine.active_child(64, 2);
  machine.refuse_park = 3;
  const Answer answer = machine.finalize(child);
  CHECK(answer.status == Status::success);
  CHECK(answer.attempts == 4);
}

TEST_CASE("a partition being finalized makes no calls itself", "[hv][0x0042]") {
  Machine machine;
  const auto child = machine.active_child(64, 1);
  Guest guest = machine.guest_of(child);
  machine.map_range(child, 0x1000, 300);
  machine.refuse_park = 1;
  HypercallFrame frame = finalize_frame(machine, machine.root(), child);
  REQUIRE(machine.vmcall(machine.root(), frame) == HypercallExit::again);
  HypercallFrame own = machine.frame(
      guest, HypercallControl::make(static_cast<std::uint16_t>(Call::get_partition_id)));
  // Not #UD and not an answer: it never comes back to its guest.
  CHECK(machine.vmcall(guest, own) != HypercallExit::completed);
}

TEST_CASE("a partition that owns one of everything gives every page back exactly once",
          "[hv][0x0042]") {
  Machine machine;
  const auto child = machine.active_child(128, 3);
  machine.map_range(child, 0, 600);
  machine.map_range(child, 0x80000, 3);
  for (std::uint32_t i = 0; i < 200; ++i) {
    const tl::InstallInterceptInput in{.partition = child, .access = 3, .type = 0, .parameter = i};
    REQUIRE(machine.call(Call::install_intercept, in).status == Status::success);
  }
  // A port of the child for the root, and one of the root for the child, with a connection each.
  const tl::CreatePortInput port{.port_partition = child,
                                 .port = 1,
                                 .connection_partition = 1,
                                 .info = {.type = 1, .target_sint = 2, .target_vp = 0}};
  REQUIRE(machine.call(Call::create_port, port).status == Status::success);
  machine.deposit(tl::kSelf, 8);
  const tl::CreatePortInput back{.port_partition = 1,
                                 .port = 2,
                                 .connection_partition = child,
                                 .info = {.type = 1, .target_sint = 3, .target_vp = 0}};
  REQUIRE(machine.call(Call::create_port, back).status == Status::success);
  const tl::ConnectPortInput to_child{.connection_partition = 1,
                                      .connection = 5,
                                      .port_partition = child,
                                      .port = 1,
                                      .info = {.type = 1}};
  REQUIRE(machine.call(Call::connect_port, to_child).status == Status::success);
  const tl::ConnectPortInput to_root{.connection_partition = child,
                                     .connection = 6,
                                     .port_partition = 1,
                                     .port = 2,
                                     .info = {.type = 1}};
  REQUIRE(machine.call(Call::connect_port, to_root).status == Status::success);
  hv::VirtualProcessor& vp = machine.vp(child, 0);
  machine.enable_synic(vp, 5, 6);
  for (int i = 0; i < 5; ++i) {
    const tl::PostMessageInput message{.connection = 5, .type = 9, .payload_size = 4};
    REQUIRE(machine.call(Call::post_message, message).status == Status::success);
  }
  CHECK(vp.synic.queued == 4);
  REQUIRE(machine.write_msr(vp, tl::Msr::stimer0_config, 0x20009));  // SINT2, auto-enable
  const auto count = static_cast<tl::Msr>(static_cast<std::uint32_t>(tl::Msr::stimer0_config) + 1);
  REQUIRE(machine.write_msr(vp, count, ~std::uint64_t{0} >> 8));
  CHECK(vp.timers[0].armed == 1);
  REQUIRE(machine.check().empty());

  const hv::Partition& partition = machine.partition(child);
  const Answer answer = machine.finalize(child);
  CHECK(answer.status == Status::success);
  CHECK(partition.vp_count == 0);
  CHECK(partition.intercept_count == 0);
  CHECK(partition.port_count == 0);
  CHECK(partition.connection_count == 0);
  CHECK(partition.mapping_count == 0);
  CHECK(machine.check().empty());
  // The root's connection now leads nowhere.
  const tl::PostMessageInput message{.connection = 5, .type = 9};
  CHECK(machine.call(Call::post_message, message).status == Status::invalid_port_id);
  CHECK(machine.withdraw_all(child) == 128);
  CHECK(machine.fast(Call::delete_partition, tl::PartitionInput{child}).status == Status::success);
  CHECK(machine.check().empty());
}

TEST_CASE("finalize comes back in the same pages that were deposited, zeroed and accessible",
          "[hv][0x0042][0x0049]") {
  Machine machine;
  const auto child = machine.create_child();
  std::vector<tl::GpaPageElement> list(40);
  for (auto& element : list) {
    element.page = machine.fresh_page();
    machine.at<std::uint64_t>(element.page * kPageSize) = ~std::uint64_t{0};
  }
  REQUIRE(machine.rep(machine.root(), Call::deposit_memory, tl::PartitionInput{child}, list).reps ==
          40);
  for (const auto& element : list) {
    CHECK(machine.translation(1, element.page).rights == hv::Rights::none);
  }
  REQUIRE(machine.fast(Call::initialize_partition, tl::PartitionInput{child}).status ==
          Status::success);
  machine.map_range(child, 0, 20);
  REQUIRE(machine.finalize(child).status == Status::success);
  std::vector<std::byte> input(sizeof(tl::PoolInput));
  const tl::PoolInput in{.partition = child};
  std::memcpy(input.data(), &in, sizeof in);
  std::vector<std::uint64_t> pages(512);
  const Answer answer = machine.call(machine.root(), Call::withdraw_memory, input,
                                     std::as_writable_bytes(std::span(pages)), 512);
  CHECK(answer.status == Status::no_resources);
  REQUIRE(answer.reps == 40);
  std::map<std::uint64_t, int> returned;
  for (std::uint32_t i = 0; i < answer.reps; ++i) ++returned[pages[i]];
  for (const auto& element : list) {
    CHECK(returned[element.page] == 1);
    CHECK(machine.translation(1, element.page) == Machine::Leaf{element.page, hv::Rights::all});
    CHECK(machine.at<std::uint64_t>(element.page * kPageSize) == 0);
  }
}

}  // namespace
}  // namespace vitrine::test
