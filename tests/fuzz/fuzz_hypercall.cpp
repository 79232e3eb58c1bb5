// Any sequence of hypercalls, by the root and a child: every page of the machine stays accounted for.
#include <string>

#include "hv/core/gpa_space.h"
#include "hv/core/require.h"
#include "hv/tlfs/partition_calls.h"
#include "tests/fuzz/input.h"
#include "tests/hv/core/machine.h"

namespace {

using namespace vitrine;
using test::Guest;
using test::Input;
using test::Machine;
namespace tl = hv::tlfs;

constexpr std::uint64_t kPages = 512;
constexpr unsigned kCalls = 60;
constexpr unsigned kAttempts = 50;

/// A quadword that is likely to mean something: a partition, an index, a page, a bit, or anything.
std::uint64_t word(Input& in, const Machine& m) {
  const auto pick = in.take<std::uint8_t>();
  const std::uint64_t small = pick >> 3;
  switch (pick & 7) {
    case 0: return small;
    case 1: return small % (m.hv.last_id + 2);
    case 2: return tl::kSelf;
    case 3: return 0x100 + small;
    case 4: return in.take<std::uint16_t>() % (m.hv.page_count + 1);
    case 5: return (small & 7) | (small >> 3) << 32;
    case 6: return std::uint64_t{1} << (small * 2);
    default: return in.take<std::uint64_t>();
  }
}

tl::HypercallControl control(Input& in) {
  const auto pick = in.take<std::uint8_t>();
  const auto table = hv::call_table();
  const hv::CallRow& row = table[pick % table.size()];
  const auto shape = in.take<std::uint8_t>();
  const std::uint32_t reps = row.is_rep ? 1u + shape % 20 : 0;
  auto c = tl::HypercallControl::make(static_cast<std::uint16_t>(row.code), shape >> 6 == 0, reps);
  if ((shape & 0x38) == 0x38) c.word = in.take<std::uint64_t>();
  return c;
}

void call(Input& in, Machine& m, Guest& guest) {
  hv::HypercallFrame frame = m.frame(guest, control(in));
  const std::uint64_t block =
      hv::reach(m.hv, hv::partition_of(m.hv, *guest.vp), guest.input, hv::Rights::read);
  if (block == 0) return;
  std::uint64_t* const words = &m.at<std::uint64_t>(block);
  const unsigned count = in.take<std::uint8_t>() % 12;
  for (unsigned i = 0; i < count; ++i) words[i] = word(in, m);
  if (count % 3 == 0) {
    frame.rdx = word(in, m);
    frame.r8 = word(in, m);
    for (tl::U128& value : frame.xmm) value = {words[0], words[1]};
  }
  m.quiet_units = count % 2 == 0 ? ~std::uint64_t{0} : count;
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    if (m.vmcall(guest, frame) != hv::HypercallExit::again) break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input in(data, size);
  Machine m(2, hv::Identity::enlightened, kPages);
  m.deposit(tl::kSelf, 24);
  m.enable_synic(*m.root(0).vp, 5, 6);
  const auto child_id = m.active_child(24, 1);
  Guest child = m.guest_of(child_id);
  for (unsigned i = 0; i < kCalls && !in.empty(); ++i) {
    const auto who = in.take<std::uint8_t>();
    const hv::Partition* const alive = hv::find_partition(m.hv, child_id);
    const bool child_calls = (who & 3) == 3 && alive != nullptr &&
                             alive->state == hv::PartitionState::active &&
                             hv::find_vp(m.hv, *alive, 0) == child.vp;
    m.refuse_park = who >> 6;
    Guest& guest = child_calls ? child : m.root(who & 1);
    // The root's parameter pages stay its own, or nobody could call any more.
    if (!hv::lookup(m.hv, m.hv.root(), guest.input / test::kPageSize).mapped() && !child_calls)
      break;
    call(in, m, guest);
  }
  const std::string wrong = m.check();
  hv::require(wrong.empty(), wrong.c_str());
  return 0;
}
