// The SynIC, synthetic timers, MSRs and CPUID of a virtual processor.
#include "hv/core/synic.h"

#include <catch2/catch.hpp>

#include "hv/core/time.h"
#include "hv/tlfs/flush_calls.h"
#include "hv/tlfs/message_types.h"
#include "hv/tlfs/port_calls.h"
#include "hv/tlfs/vp_registers.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;
using tl::Msr;

Msr timer_msr(std::uint32_t offset) {
  return static_cast<Msr>(static_cast<std::uint32_t>(Msr::stimer0_config) + offset);
}
Msr sint_msr(std::uint32_t sint) {
  return static_cast<Msr>(static_cast<std::uint32_t>(Msr::sint0) + sint);
}

constexpr std::uint64_t kTicksPerMs = 10'000;
constexpr std::uint64_t kTscPerTick = 200;  // 2 GHz

// The root is connected to a message port of the child at SINT2.
struct Link {
  Machine m;
  tl::PartitionId child = m.active_child(64, 1);
  hv::VirtualProcessor& vp = m.vp(child, 0);

  explicit Link(std::uint32_t type = 1) {
    tl::CreatePortInput port{.port_partition = child,
                             .port = 1,
                             .connection_partition = 1,
                             .info = {.type = type, .target_sint = 2}};
    if (type == 2) port.info.flag_count = 100;
    if (type == 2) port.info.base_flag = 8;
    m.call(Call::create_port, port);
    m.deposit(tl::kSelf, 1);
    m.call(Call::connect_port, tl::ConnectPortInput{.connection_partition = 1,
                                                    .connection = 5,
                                                    .port_partition = child,
                                                    .port = 1,
                                                    .info = {.type = type}});
    m.enable_synic(vp, 5, 6);
  }
  Status post(std::uint32_t type) {
    tl::PostMessageInput in{.connection = 5, .type = type, .payload_size = 3};
    in.payload = {1, 2, 3};
    return m.call(Call::post_message, in).status;
  }
};

TEST_CASE("messages arrive one by one, in order, each with its interrupt", "[hv][0x005C]") {
  Link link;
  tl::Message& slot = link.m.slot(link.vp, 2);
  for (std::uint32_t type = 1; type <= 3; ++type) REQUIRE(link.post(type) == Status::success);
  CHECK(slot.type == 1);
  CHECK(slot.payload_size == 3);
  CHECK(slot.payload[2] == 3);
  CHECK(slot.sender == 1);
  CHECK((slot.flags & tl::Message::kPending) != 0);
  CHECK(link.m.interrupts.size() == 1);
  CHECK(link.m.interrupts[0].vector == 0x42);
  for (std::uint32_t type = 2; type <= 3; ++type) {
    slot.type = 0;
    link.m.write_msr(link.vp, Msr::eom, 0);
    CHECK(slot.type == type);
    CHECK(((slot.flags & tl::Message::kPending) != 0) == (type == 2));
    CHECK(link.m.interrupts.size() == type);
  }
  slot.type = 0;
  link.m.write_msr(link.vp, Msr::eom, 0);
  CHECK(slot.type == 0);
  CHECK(link.vp.synic.queued == 0);
}

TEST_CASE("messages under way survive the connection but not the port", "[hv][0x0058][0x005B]") {
  Link link;
  for (int i = 0; i < 3; ++i) REQUIRE(link.post(1) == Status::success);
  CHECK(link.vp.synic.queued == 2);
  CHECK(link.m.fast(Call::disconnect_port, tl::ConnectionInput{.partition = 1, .connection = 5})
            .status == Status::success);
  CHECK(link.vp.synic.queued == 2);
  CHECK(link.m.fast(Call::delete_port, tl::PortInput{.partition = link.child, .port = 1}).status ==
        Status::success);
  CHECK(link.vp.synic.queued == 0);
  CHECK(link.m.check() == "");
}

TEST_CASE("an event interrupts once until its flag is cleared", "[hv][0x005D]") {
  Link link(2);
  const auto signal = [&] {
    return link.m.fast(Call::signal_event, tl::SignalEventInput{.connection = 5, .flag = 3}).status;
  };
  std::uint8_t* const flags = &link.m.at<std::uint8_t>(link.vp.overlay[1] + 2 * 256);
  CHECK(signal() == Status::success);
  CHECK(flags[1] == 8);  // flag 8 + 3
  CHECK(signal() == Status::success);
  CHECK(link.m.interrupts.size() == 1);
  flags[1] = 0;
  CHECK(signal() == Status::success);
  CHECK(link.m.interrupts.size() == 2);
  link.m.write_msr(link.vp, sint_msr(2), 0x10000);
  CHECK(signal() == Status::invalid_synic_state);
}

TEST_CASE("the message page is an overlay: what lies beneath comes back", "[hv]") {
  Machine m;
  hv::VirtualProcessor& vp = *m.root().vp;
  const std::uint64_t page = m.fresh_page();
  REQUIRE(m.write_msr(vp, Msr::simp, page * kPageSize + 1));
  CHECK(m.translation(1, page).page == vp.overlay[0] / kPageSize);
  const std::uint64_t other = m.fresh_page();
  REQUIRE(m.write_msr(vp, Msr::simp, other * kPageSize + 1));
  CHECK(m.translation(1, page) == Machine::Leaf{page, hv::Rights::all});
  CHECK(m.translation(1, other).page == vp.overlay[0] / kPageSize);
  REQUIRE(m.write_msr(vp, Msr::simp, other * kPageSize));
  CHECK(m.translation(1, other) == Machine::Leaf{other, hv::Rights::all});
  CHECK_FALSE(m.write_msr(vp, Msr::simp, (std::uint64_t{1} << 50) + 1));  // beyond the space
}

TEST_CASE("the hypercall page holds VMCALL and RET, executable and not writable", "[hv]") {
  Machine m;
  const hv::Partition& root = m.hv.root();
  const std::uint64_t page = tl::PageRegister{root.hypercall}.page();
  const Machine::Leaf leaf = m.translation(1, page);
  CHECK(leaf.rights == static_cast<hv::Rights>(5));
  CHECK(m.at<std::uint32_t>(leaf.page * kPageSize) == 0xC3C1010F);
}

TEST_CASE("a locked hypercall register is immutable", "[hv]") {
  Machine m;
  hv::VirtualProcessor& vp = *m.root().vp;
  const std::uint64_t value = m.read_msr(vp, Msr::hypercall);
  REQUIRE(m.write_msr(vp, Msr::hypercall, value | 2));
  CHECK_FALSE(m.write_msr(vp, Msr::hypercall, value));
  CHECK(m.read_msr(vp, Msr::hypercall) == (value | 2));
}

TEST_CASE("before any write, page registers name a page of the hypervisor's choice", "[hv]") {
  Machine enlightened;
  Machine root(1, hv::Identity::root);
  CHECK(enlightened.read_msr(*enlightened.root().vp, Msr::reference_tsc) >> 12 >=
        enlightened.fresh_pages_left());
  CHECK((enlightened.read_msr(*enlightened.root().vp, Msr::reference_tsc) & 1) == 0);
  CHECK(enlightened.read_msr(*enlightened.root().vp, Msr::simp) == 0);
  hv::VirtualProcessor& vp = *root.root().vp;
  const std::uint64_t simp = root.read_msr(vp, Msr::simp);
  CHECK(simp == vp.overlay[0]);
  REQUIRE(root.write_msr(vp, Msr::simp, simp | 1));  // as Linux as root does: our page, enabled
  CHECK(root.translation(1, simp / kPageSize).page == simp / kPageSize);
}

TEST_CASE("the reference TSC page and the counter tell the same time", "[hv]") {
  Machine m;
  const auto child = m.active_child(64, 1);
  hv::VirtualProcessor& vp = m.vp(child, 0);
  const auto& page = m.at<tl::ReferenceTscPage>(m.partition(child).overlay[1]);
  CHECK(page.sequence == 1);
  m.tsc += 123'456'789;
  const std::uint64_t count = m.read_msr(vp, Msr::time_ref_count);
  const std::uint64_t by_page =
      hv::multiply_high(m.tsc, page.scale) + static_cast<std::uint64_t>(page.offset);
  CHECK(count == by_page);
  CHECK(count > 123'456'789 / kTscPerTick - 2);
}

TEST_CASE("a privilege taken away makes its MSRs raise #GP", "[hv]") {
  Machine m;
  const auto child = m.active_child(64, 1);
  hv::VirtualProcessor& vp = m.vp(child, 0);
  std::uint64_t value = 0;
  for (const tl::MsrRow& row : tl::kMsrs) {
    CAPTURE(row.name);
    grant(m, child,
          tl::kDefinedPrivileges & ~tl::kRootOnlyPrivileges & ~tl::mask_of(row.privilege));
    const bool readable =
        hv::read_synthetic_msr(m.hv, 0, vp, row.first, value) == hv::MsrResult::done;
    CHECK(readable == (row.privilege == tl::Privilege::none));
    grant(m, child, tl::kDefinedPrivileges & ~tl::kRootOnlyPrivileges);
    const bool now = hv::read_synthetic_msr(m.hv, 0, vp, row.first, value) == hv::MsrResult::done;
    CHECK(now == (row.access != tl::MsrAccess::write));
    if (row.access == tl::MsrAccess::read) {
      CHECK(hv::write_synthetic_msr(m.hv, 0, vp, row.first, 0) == hv::MsrResult::fault);
    }
  }
  CHECK(hv::read_synthetic_msr(m.hv, 0, vp, 0x40000106, value) == hv::MsrResult::fault);
}

TEST_CASE("a SINT takes no vector below 16 unless it is masked", "[hv]") {
  Machine m;
  hv::VirtualProcessor& vp = *m.root().vp;
  CHECK(m.read_msr(vp, sint_msr(3)) == 0x10000);
  CHECK_FALSE(m.write_msr(vp, sint_msr(3), 15));
  CHECK(m.write_msr(vp, sint_msr(3), 16));
  CHECK(m.write_msr(vp, sint_msr(3), 0x10000));
  CHECK(m.write_msr(vp, sint_msr(5), 0xF3 | 1 << 19));  // as_intercept, as Linux as root sets it
}

TEST_CASE("a one-shot timer fires at its absolute time, once, and is then disabled", "[hv]") {
  Machine m;
  hv::VirtualProcessor& vp = *m.root().vp;
  m.enable_synic(vp, 5, 6);
  REQUIRE(m.write_msr(vp, timer_msr(0), 0x20008));  // SINT2, auto-enable
  const std::uint64_t due = m.read_msr(vp, Msr::time_ref_count) + 5 * kTicksPerMs;
  REQUIRE(m.write_msr(vp, timer_msr(1), due));
  CHECK((m.read_msr(vp, timer_msr(0)) & 1) == 1);
  const std::uint64_t tsc = hv::next_timer(m.hv, 0);
  REQUIRE(tsc > m.tsc);
  m.tsc = tsc - 100;
  hv::expire_timers(m.hv, 0);
  CHECK(m.slot(vp, 2).type == 0);  // never early
  m.tsc = tsc;
  hv::expire_timers(m.hv, 0);
  const tl::Message& message = m.slot(vp, 2);
  CHECK(message.type == static_cast<std::uint32_t>(tl::MessageType::timer_expired));
  tl::TimerPayload payload;
  std::memcpy(&payload, message.payload.data(), sizeof payload);
  CHECK(payload.timer_index == 0);
  CHECK(payload.expiration_time == due);
  CHECK(payload.delivery_time >= due);
  CHECK((m.read_msr(vp, timer_msr(0)) & 1) == 0);
  CHECK(hv::next_timer(m.hv, 0) == ~std::uint64_t{0});
}

TEST_CASE("a periodic timer in direct mode interrupts each period and skips what passed unseen",
          "[hv]") {
  Machine m;
  hv::VirtualProcessor& vp = *m.root().vp;
  // Direct, vector 0xED, periodic, enabled by the count.
  REQUIRE(m.write_msr(vp, timer_msr(2), 0x1ED0 | 0xA));
  REQUIRE(m.write_msr(vp, timer_msr(3), kTicksPerMs));
  for (unsigned period = 1; period <= 3; ++period) {
    m.tsc = hv::next_timer(m.hv, 0);
    hv::expire_timers(m.hv, 0);
    CHECK(m.interrupts.size() == period);
  }
  CHECK(m.interrupts[0].vector == 0xED);
  m.tsc += 10 * kTicksPerMs * kTscPerTick;
  hv::expire_timers(m.hv, 0);
  CHECK(m.interrupts.size() == 4);
  CHECK(hv::next_timer(m.hv, 0) > m.tsc);
  REQUIRE(m.write_msr(vp, timer_msr(3), 0));
  CHECK((m.read_msr(vp, timer_msr(2)) & 1) == 0);
}

TEST_CASE(
    "timer configuration: SINT 0 without direct mode cannot be enabled, reserved bits raise #GP",
    "[hv]") {
  Machine m;
  hv::VirtualProcessor& vp = *m.root().vp;
  REQUIRE(m.write_msr(vp, timer_msr(1), kTicksPerMs));
  REQUIRE(m.write_msr(vp, timer_msr(0), 1));
  CHECK((m.read_msr(vp, timer_msr(0)) & 1) == 0);
  CHECK_FALSE(m.write_msr(vp, timer_msr(0), std::uint64_t{1} << 20));
  REQUIRE(m.write_msr(vp, timer_msr(1), 0));
  REQUIRE(m.write_msr(vp, timer_msr(0), 0x20001));  // enabled without a count
  CHECK((m.read_msr(vp, timer_msr(0)) & 1) == 0);
  // A time that never comes does not disturb the arithmetic.
  REQUIRE(m.write_msr(vp, timer_msr(0), 0x20008));
  REQUIRE(m.write_msr(vp, timer_msr(1), ~std::uint64_t{0}));
  CHECK(hv::next_timer(m.hv, 0) == ~std::uint64_t{0});
}

TEST_CASE("CPUID: the interface, the partition's privileges, the limits, and zeros beyond",
          "[hv]") {
  Machine m;
  const hv::VirtualProcessor& root = *m.root().vp;
  const auto leaf = [&](std::uint32_t number) { return hv::hypervisor_leaf(m.hv, root, number); };
  CHECK(leaf(0x40000000) == tl::CpuidLeaf{0x40000006, 0x7263694D, 0x666F736F, 0x76482074});
  CHECK(leaf(0x40000001).eax == 0x31237648);
  CHECK((leaf(0x40000003).ebx & 1) == 1);
  CHECK((leaf(0x40000003).ebx >> 12 & 1) == 0);  // an enlightened guest does not manage processors
  CHECK((leaf(0x40000003).ebx >> 1 & 1) == 0);   // nor is it led to ask for its partition id
  CHECK((leaf(0x40000003).edx & 0x8010) == 0x8010);
  CHECK(leaf(0x40000005).eax == 64);
  CHECK(leaf(0x40000007) == tl::CpuidLeaf{});
  CHECK(leaf(0x40000082) == tl::CpuidLeaf{});
  Machine as_root(1, hv::Identity::root);
  CHECK((hv::hypervisor_leaf(as_root.hv, *as_root.root().vp, 0x40000003).ebx & 0x1002) == 0x1002);
  const auto child = m.active_child(64, 1);
  CHECK(hv::hypervisor_leaf(m.hv, m.vp(child, 0), 0x40000003).eax == 0x5FF);
  CHECK(hv::hypervisor_leaf(m.hv, m.vp(child, 0), 0x40000003).ebx == 0);
}

TEST_CASE("flushes name the processors that exist, and wait for a locked TLB",
          "[hv][0x0002][0x0003]") {
  Machine m(2);
  const tl::FlushSpaceInput all{.address_space = 0x5000,
                                .flags = tl::FlushSpaceInput::kAllProcessors};
  REQUIRE(m.call(Call::flush_virtual_address_space, all).status == Status::success);
  REQUIRE(m.flushes.size() == 1);
  CHECK(m.flushes[0].vp_mask == 3);
  CHECK(m.flushes[0].address_space == 0x5000);
  const std::vector<tl::GvaRange> ranges{{0x1000}, {0x7000 | 5}};
  const tl::FlushSpaceInput one{.flags = tl::FlushSpaceInput::kAllSpaces, .processor_mask = 0xF2};
  REQUIRE(m.rep(m.root(), Call::flush_virtual_address_list, one, ranges).reps == 2);
  REQUIRE(m.flushes.size() == 3);
  CHECK(m.flushes[2].vp_mask == 2);
  CHECK(m.flushes[2].page == 7);
  CHECK(m.flushes[2].page_count == 6);
  m.root(1).vp->tlb_locked = 1;
  m.between = [&](unsigned attempt) {
    if (attempt == 3) m.root(1).vp->tlb_locked = 0;
  };
  const Answer waited = m.call(Call::flush_virtual_address_space, all);
  CHECK(waited.status == Status::success);
  CHECK(waited.attempts == 4);
}

}  // namespace
}  // namespace vitrine::test
