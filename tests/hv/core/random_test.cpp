// Random hypercalls, from a fixed seed: whatever is asked, every page stays accounted for.
#include <catch2/catch.hpp>

#include "hv/core/gpa_space.h"
#include "hv/tlfs/partition_calls.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

// A quadword that is likely to mean something: a partition, an index, a page, a small number, or noise.
std::uint64_t interesting(Random& random, const Machine& m) {
  switch (random.below(8)) {
    case 0: return random.below(m.hv.last_id + 2);
    case 1: return tl::kSelf;
    case 2: return random.below(4);
    case 3: return 0x100 + random.below(64);
    case 4: return random.below(m.hv.page_count);
    case 5: return random.below(8) | random.below(8) << 32;
    case 6: return std::uint64_t{1} << random.below(64);
    default: return random.next();
  }
}

void random_call(Random& random, Machine& m, Guest& guest) {
  const auto table = hv::call_table();
  const hv::CallRow& row = table[random.below(table.size())];
  const std::uint32_t reps = row.is_rep ? 1 + static_cast<std::uint32_t>(random.below(20)) : 0;
  auto control =
      tl::HypercallControl::make(static_cast<std::uint16_t>(row.code), random.one_in(4), reps);
  if (random.one_in(20)) control.word ^= std::uint64_t{1} << random.below(64);
  hv::HypercallFrame frame = m.frame(guest, control);
  const std::uint64_t block =
      hv::reach(m.hv, hv::partition_of(m.hv, *guest.vp), guest.input, hv::Rights::read);
  if (block == 0) return;
  std::uint64_t* const words = &m.at<std::uint64_t>(block);
  for (int i = 0; i < 32; ++i) words[i] = interesting(random, m);
  if (control.fast()) {
    frame.rdx = interesting(random, m);
    frame.r8 = interesting(random, m);
    for (tl::U128& value : frame.xmm) value = {interesting(random, m), interesting(random, m)};
  } else if (random.one_in(20)) {
    frame.rdx = interesting(random, m);
    frame.r8 = interesting(random, m);
  }
  for (int attempt = 0; attempt < 50; ++attempt) {
    if (m.vmcall(guest, frame) != hv::HypercallExit::again) break;
  }
}

TEST_CASE("random calls of the root and a child keep every page accounted for", "[hv]") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Random random(seed);
    Machine m(2, hv::Identity::enlightened, 2048);
    m.deposit(tl::kSelf, 64);
    m.enable_synic(*m.root(0).vp, 5, 6);
    Guest child = privileged_child(m, 128);
    m.map_fresh(child.vp->partition_id, 0x100, 64);
    const auto child_id = child.vp->partition_id;
    for (unsigned step = 0; step < 4000; ++step) {
      m.quiet_units = random.one_in(3) ? random.below(5) : ~std::uint64_t{0};
      m.refuse_park = random.one_in(50) ? 2 : 0;
      Guest* guest = &m.root(static_cast<std::uint32_t>(random.below(2)));
      const hv::Partition* const alive = hv::find_partition(m.hv, child_id);
      const bool child_calls = alive != nullptr && alive->state == hv::PartitionState::active &&
                               hv::find_vp(m.hv, *alive, 0) == child.vp;
      if (child_calls && random.one_in(3)) guest = &child;
      // The root's parameter pages stay its own.
      const bool reachable = hv::lookup(m.hv, m.hv.root(), m.root().input / kPageSize).mapped();
      if (!reachable) break;
      random_call(random, m, *guest);
      if (step % 50 == 0) {
        CAPTURE(seed, step);
        REQUIRE(m.check() == "");
      }
    }
    REQUIRE(m.check() == "");
  }
}

// One root processor that takes a child of its own through its whole life, one attempt at a time.
class Worker {
 public:
  Worker(Machine& m, Guest& guest) : m_(m), guest_(guest) {}

  // One VMCALL. True when the life is over.
  bool step() {
    if (!in_call_) prepare();
    if (m_.vmcall(guest_, frame_) == hv::HypercallExit::again) return false;
    in_call_ = false;
    const tl::HypercallResult result{frame_.rax};
    const bool withdrawing = stage_ == 5;
    CHECK(result.status() == (withdrawing ? Status::no_resources : Status::success));
    if (stage_ == 0) child_ = m_.at<std::uint64_t>(guest_.output);
    if (withdrawing) CHECK(result.reps() == kPages);
    return ++stage_ == 7;
  }

 private:
  static constexpr std::uint32_t kPages = 300;

  void prepare() {
    constexpr Call kLife[] = {Call::create_partition,     Call::deposit_memory,
                              Call::initialize_partition, Call::map_gpa_pages,
                              Call::finalize_partition,   Call::withdraw_memory,
                              Call::delete_partition};
    const Call call = kLife[stage_];
    const bool rep = call == Call::deposit_memory || call == Call::map_gpa_pages ||
                     call == Call::withdraw_memory;
    const std::uint32_t reps = call == Call::withdraw_memory ? 512 : rep ? kPages : 0;
    frame_ =
        m_.frame(guest_, tl::HypercallControl::make(static_cast<std::uint16_t>(call), false, reps));
    std::uint64_t* const words = &m_.at<std::uint64_t>(guest_.input);
    words[0] = stage_ == 0 ? 0 : child_;
    words[1] = 0;
    words[2] = 7;  // map: rights
    const std::uint32_t list = call == Call::deposit_memory ? 1 : 3;
    if (call == Call::deposit_memory || call == Call::map_gpa_pages) {
      for (std::uint32_t i = 0; i < kPages; ++i) words[list + i] = m_.fresh_page();
    }
    in_call_ = true;
  }

  Machine& m_;
  Guest& guest_;
  hv::HypercallFrame frame_{};
  std::uint64_t child_{};
  int stage_ = 0;
  bool in_call_ = false;
};

TEST_CASE("four processors interleaved at slice boundaries take four children through their lives",
          "[hv]") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    Machine m(4);
    m.deposit(tl::kSelf, 4);
    std::vector<Worker> workers;
    for (std::uint32_t i = 0; i < 4; ++i) workers.emplace_back(m, m.root(i));
    std::vector<bool> done(4);
    unsigned left = 4;
    while (left != 0) {
      const std::size_t at = random.below(4);
      if (done[at]) continue;
      m.quiet_units = random.one_in(2) ? random.below(100) : ~std::uint64_t{0};
      if (workers[at].step()) {
        done[at] = true;
        --left;
      }
      REQUIRE(m.check() == "");
    }
    CHECK(m.hv.partition_count == 1);
    CHECK(m.hv.root().pool.available == 4);
  }
}

}  // namespace
}  // namespace vitrine::test
