// Several processors: whose turn it is at a lock, the order of locks, and how translations are forgotten.
#include <catch2/catch.hpp>

#include <array>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "hv/core/translation_epoch.h"
#include "hv/tlfs/partition_calls.h"
#include "tests/hv/core/machine.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;
using hv::Guard;
using hv::LockRank;

TEST_CASE("a lock is held by one processor, and its order is checked from outside to inside",
          "[hv][smp]") {
  Machine m(2);
  {
    const Guard image(m.hv, 1, m.hv.image_lock);
    CHECK(m.hv.processor(1).held == LockRank::image);
    {
      const Guard tree(m.hv, 1, m.hv.tree_lock);
      const Guard again(m.hv, 1, m.hv.tree_lock);
      CHECK(m.hv.tree_lock.depth == 2);
      CHECK(m.hv.processor(1).held == LockRank::tree);
    }
    CHECK(m.hv.tree_lock.holder == 0);
    CHECK(m.hv.processor(1).held == LockRank::image);
  }
  CHECK(m.hv.image_lock.holder == 0);
  CHECK(m.hv.processor(1).held == LockRank::none);
}

TEST_CASE("a lock is taken in the order of arrival, whoever asks again", "[hv][smp]") {
  Machine m(3);
  std::vector<unsigned> order;
  unsigned waits = 0;
  // Processor 2 waits while 1 holds the lock, and 1 asks again before 2 has looked.
  auto first = std::make_unique<Guard>(m.hv, 1, m.hv.image_lock);
  m.on_pause = [&] {
    if (++waits != 3) return;
    first.reset();
    order.push_back(1);
    // This one comes later and must not pass: its ticket is behind the one that waits.
    const std::uint16_t mine = m.hv.image_lock.tickets++;
    CHECK(mine == m.hv.image_lock.serving + 1);
  };
  {
    const Guard second(m.hv, 2, m.hv.image_lock);
    order.push_back(2);
    CHECK(m.hv.image_lock.holder == 3);
  }
  CHECK(waits == 3);
  CHECK(order == std::vector<unsigned>{1, 2});
  // The one that came later is served now.
  CHECK(m.hv.image_lock.serving + 1 == m.hv.image_lock.tickets);
}

// One processor of a machine in which every step is one access to shared memory.
struct Actor {
  enum class Step : std::uint8_t { hypervisor, entering, guest };
  Step step{};
  std::uint64_t seen_at_entry{};
  std::uint64_t cached{};  // the version of the tables that its translations are of
  bool kicked{};
};

TEST_CASE(
    "no processor uses an old translation once the change is acknowledged, however the steps "
    "interleave",
    "[hv][smp]") {
  constexpr std::uint32_t kActors = 4;
  unsigned kicks = 0;
  unsigned rounds = 0;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    hv::TranslationEpoch epoch;
    std::array<Actor, kActors> actors;
    std::uint64_t tables = 1;    // what a walk finds
    std::uint64_t promised = 0;  // no translation older than this is used in a guest
    std::uint32_t changer = kActors;
    std::uint64_t wanted = 0;
    for (unsigned step = 0; step < 4000; ++step) {
      const std::uint32_t i = random() % kActors;
      Actor& actor = actors[i];
      if (i == changer) {
        // It waits, in the hypervisor, until all the others are settled.
        bool settled = true;
        for (std::uint32_t other = 0; other < kActors; ++other) {
          settled = settled && (other == i || epoch.settled(other, wanted));
        }
        if (!settled) continue;
        promised = tables;
        changer = kActors;
        ++rounds;
        continue;
      }
      switch (actor.step) {
        case Actor::Step::hypervisor:
          if (changer == kActors && random() % 4 == 0) {
            ++tables;
            wanted = epoch.announce();
            changer = i;
            for (std::uint32_t other = 0; other < kActors; ++other) {
              if (other == i || epoch.settled(other, wanted)) continue;
              actors[other].kicked = true;
              ++kicks;
            }
            break;
          }
          epoch.enter_guest(i);
          actor.step = Actor::Step::entering;
          break;
        case Actor::Step::entering:
          if (epoch.behind(i)) {
            actor.seen_at_entry = epoch.current();
            actor.cached = 0;
            epoch.acknowledge(i, actor.seen_at_entry);
            break;
          }
          actor.step = Actor::Step::guest;
          break;
        case Actor::Step::guest:
          if (actor.kicked || random() % 16 == 0) {
            actor.kicked = false;
            epoch.leave_guest(i);
            actor.step = Actor::Step::hypervisor;
            break;
          }
          if (actor.cached == 0) actor.cached = tables;
          REQUIRE(actor.cached >= promised);
          break;
      }
    }
  }
  CHECK(kicks > 1000);
  CHECK(rounds > 1000);
}

TEST_CASE("a processor in the hypervisor is not waited for, one in a guest is until it comes out",
          "[hv][smp]") {
  hv::TranslationEpoch epoch;
  const std::uint64_t first = epoch.announce();
  CHECK(epoch.settled(1, first));
  epoch.enter_guest(1);
  CHECK(epoch.behind(1));
  CHECK_FALSE(epoch.settled(1, first));
  epoch.acknowledge(1, epoch.current());
  CHECK_FALSE(epoch.behind(1));
  CHECK(epoch.settled(1, first));
  const std::uint64_t second = epoch.announce();
  CHECK_FALSE(epoch.settled(1, second));
  epoch.leave_guest(1);
  CHECK(epoch.settled(1, second));
  CHECK(epoch.behind(1));
}

TEST_CASE("virtual processors of a child are spread over the processors, each scheduled on its own",
          "[hv][smp]") {
  Machine m(3);
  const auto id = m.active_child(128, 5);
  for (std::uint32_t vp = 0; vp < 5; ++vp) {
    CHECK(m.vp(id, vp).processor == vp % 3);
    m.vp(id, vp).explicit_suspend = 0;
  }
  const auto next = [&](std::uint32_t processor, const hv::VirtualProcessor* after) {
    return hv::next_child_vp(m.hv, processor, after)->index;
  };
  CHECK(next(0, nullptr) == 0);
  CHECK(next(0, &m.vp(id, 0)) == 3);
  CHECK(next(0, &m.vp(id, 3)) == 0);
  CHECK(next(1, &m.vp(id, 1)) == 4);
  CHECK(next(2, &m.vp(id, 2)) == 2);
  m.vp(id, 2).explicit_suspend = 1;
  CHECK(hv::next_child_vp(m.hv, 2, nullptr) == nullptr);
}

TEST_CASE("two root processors finalize one partition, attempt by attempt, and both succeed",
          "[hv][smp][0x0042]") {
  for (const bool other_finishes : {false, true}) {
    Machine m(2);
    const auto id = m.active_child(128, 2);
    m.map_range(id, 16, 600);
    const auto pool = m.partition(id).pool.deposited;
    std::optional<Answer> other;
    bool inside = false;
    m.between = [&](unsigned attempt) {
      if (inside || attempt != 2 || other) return;
      inside = true;
      if (other_finishes) {
        other = m.fast(m.root(1), Call::finalize_partition, tl::PartitionInput{id});
      } else {
        // One attempt on the second processor, which then never comes back.
        auto frame = m.frame(m.root(1), tl::HypercallControl::make(0x42, true));
        frame.rdx = id;
        CHECK(m.vmcall(m.root(1), frame) == hv::HypercallExit::again);
      }
      inside = false;
    };
    const Answer own = m.fast(m.root(0), Call::finalize_partition, tl::PartitionInput{id});
    CHECK(own.status == Status::success);
    CHECK(own.attempts >= 3);
    if (other_finishes) {
      REQUIRE(other.has_value());
      CHECK(other->status == Status::success);
    }
    CHECK(m.partition(id).pool.available == pool);
    CHECK(m.check() == "");
    CHECK(m.fast(m.root(1), Call::finalize_partition, tl::PartitionInput{id}).status ==
          Status::invalid_partition_state);
  }
}

}  // namespace
}  // namespace vitrine::test
