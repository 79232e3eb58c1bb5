// Memory maps, intercepts, registers, and looking into a child's memory.
#include "hv/core/gpa_space.h"

#include <catch2/catch.hpp>

#include "hv/core/intercepts.h"
#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/vp_registers.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;
using tl::Register;

Answer unmap(Machine& m, tl::PartitionId id, std::uint64_t page, std::uint32_t count) {
  return m.call(m.root(), Call::unmap_gpa_pages,
                Machine::bytes(tl::UnmapGpaInput{.partition = id, .gpa_base = page}), {}, count);
}

TEST_CASE("a map's tables come from the child's pool and go back when they are empty",
          "[hv][0x004B][0x004C]") {
  Machine m;
  const auto child = m.active_child(64);
  const hv::MemoryPool& pool = m.partition(child).pool;
  const std::uint64_t before = pool.available;
  m.map_range(child, 0x12345678, 3);
  CHECK(before - pool.available == 4);  // three levels of ours, one table of the image
  CHECK(m.translation(child, 0x12345679).rights == hv::Rights::all);
  CHECK(unmap(m, child, 0x12345678, 3).reps == 3);
  CHECK(before - pool.available == 1);  // the image keeps its table until the end
  CHECK(m.translation(child, 0x12345679) == Machine::Leaf{});
  CHECK(unmap(m, child, 0, 100).reps == 100);  // unmapping nothing succeeds
  CHECK(m.check() == "");
}

TEST_CASE("rights are the child's, and what narrows them is flushed", "[hv][0x004B]") {
  Machine m;
  const auto child = m.active_child(64);
  for (const auto flags : {0, 1, 3, 5, 7}) {
    m.map_range(child, 0x10, 1, static_cast<hv::Rights>(flags));
    CHECK(static_cast<int>(m.translation(child, 0x10).rights) == flags);
  }
  for (const std::uint32_t flags : {2U, 4U, 6U, 8U, 0x10000U}) {
    const tl::MapGpaInput in{.partition = child, .gpa_base = 0x10, .flags = flags};
    CHECK(m.rep(m.root(), Call::map_gpa_pages, in, std::vector{tl::GpaPageElement{m.fresh_page()}})
              .status == Status::invalid_parameter);
  }
  const unsigned flushes = m.translation_flushes;
  CHECK(unmap(m, child, 0x10, 1).status == Status::success);
  CHECK(m.translation_flushes == flushes + 1);
}

TEST_CASE("the root narrows its own rights to a page, one to one", "[hv][0x004B]") {
  Machine m;
  const std::uint64_t page = m.fresh_page();
  const auto own = [&](std::uint64_t source, std::uint32_t flags) {
    const tl::MapGpaInput in{.partition = tl::kSelf, .gpa_base = page, .flags = flags};
    return m.rep(m.root(), Call::map_gpa_pages, in, std::vector{tl::GpaPageElement{source}}).status;
  };
  CHECK(own(page, 1) == Status::success);
  CHECK(m.translation(1, page).rights == hv::Rights::read);
  CHECK(own(page + 1, 1) == Status::access_denied);
  // A page without all rights cannot be deposited.
  const auto child = m.create_child();
  CHECK(m.rep(m.root(), Call::deposit_memory, tl::PartitionInput{child},
              std::vector{tl::GpaPageElement{page}})
            .status == Status::operation_denied);
  CHECK(own(page, 7) == Status::success);
  CHECK(m.translation(1, page) == Machine::Leaf{page, hv::Rights::all});
}

TEST_CASE("a page mapped into a child cannot be deposited until it is unmapped", "[hv][0x0048]") {
  Machine m;
  const auto child = m.active_child(64);
  const std::uint64_t page = m.fresh_page();
  const auto deposit = [&] {
    return m
        .rep(m.root(), Call::deposit_memory, tl::PartitionInput{child},
             std::vector{tl::GpaPageElement{page}})
        .status;
  };
  const tl::MapGpaInput in{.partition = child, .gpa_base = 1, .flags = 7};
  REQUIRE(m.rep(m.root(), Call::map_gpa_pages, in, std::vector{tl::GpaPageElement{page}}).reps ==
          1);
  CHECK(deposit() == Status::operation_denied);
  REQUIRE(unmap(m, child, 1, 1).status == Status::success);
  CHECK(deposit() == Status::success);
}

TEST_CASE("what a child deposits is out of reach for it and for the root, and comes back to it",
          "[hv][0x0048][0x0049]") {
  Machine m;
  Guest child = privileged_child(m);
  const auto id = child.vp->partition_id;
  const auto grandchild = child_of(m, child);
  m.map_fresh(id, 0x700, 2);
  const std::uint64_t page = hv::lookup(m.hv, m.partition(id), 0x700).page();
  REQUIRE(m.rep(child, Call::deposit_memory, tl::PartitionInput{grandchild},
                std::vector{tl::GpaPageElement{0x700}})
              .status == Status::success);
  CHECK(m.translation(id, 0x700).rights == hv::Rights::none);
  CHECK(m.translation(1, page).rights == hv::Rights::none);
  CHECK(m.check() == "");
  std::vector<std::uint64_t> out(1);
  const tl::PoolInput in{.partition = grandchild};
  CHECK(m.call(child, Call::withdraw_memory, Machine::bytes(in),
               std::as_writable_bytes(std::span(out)), 1)
            .status == Status::success);
  CHECK(out[0] == 0x700);
  CHECK(m.translation(id, 0x700).rights == hv::Rights::all);
  CHECK(m.translation(1, page).rights == hv::Rights::all);
}

TEST_CASE("an intercept is asked for by type, parameter and access, and removed by access none",
          "[hv][0x004D]") {
  Machine m;
  const auto child = m.active_child(64, 1);
  const hv::Partition& partition = m.partition(child);
  const auto install = [&](std::uint32_t type, std::uint32_t access, std::uint64_t parameter) {
    return m
        .call(Call::install_intercept,
              tl::InstallInterceptInput{
                  .partition = child, .access = access, .type = type, .parameter = parameter})
        .status;
  };
  const auto wants = [&](tl::InterceptType type, std::uint64_t parameter,
                         tl::InterceptAccess access) {
    return hv::wants_intercept(m.hv, partition, type, parameter, access);
  };
  REQUIRE(install(0, 2, 0x3F8) == Status::success);
  CHECK(wants(tl::InterceptType::io_port, 0x3F8, tl::InterceptAccess::write));
  CHECK_FALSE(wants(tl::InterceptType::io_port, 0x3F8, tl::InterceptAccess::read));
  CHECK_FALSE(wants(tl::InterceptType::io_port, 0x3F9, tl::InterceptAccess::write));
  REQUIRE(install(0, 3, 0x3F8) == Status::success);
  CHECK(wants(tl::InterceptType::io_port, 0x3F8, tl::InterceptAccess::read));
  REQUIRE(install(1, 3, 77) == Status::success);
  CHECK(wants(tl::InterceptType::msr, 0x1B, tl::InterceptAccess::read));
  REQUIRE(install(2, 4, 0x80000000) == Status::success);
  REQUIRE(install(3, 4, 14) == Status::success);
  CHECK(partition.intercept_count == 4);
  CHECK(install(0, 3, 0x10000) == Status::invalid_parameter);
  CHECK(install(3, 4, 32) == Status::invalid_parameter);
  CHECK(install(2, 1, 0) == Status::invalid_parameter);
  CHECK(install(4, 1, 0) == Status::invalid_parameter);
  for (const auto& [type, parameter] :
       {std::pair{0U, 0x3F8ULL}, {1U, 5ULL}, {2U, 0x80000000ULL}, {3U, 14ULL}}) {
    CHECK(install(type, 0, parameter) == Status::success);
  }
  CHECK(partition.intercept_count == 0);
  CHECK(partition.intercept_slots == 0);
  CHECK(m.check() == "");
}

TEST_CASE("an intercept suspends the processor and its message reaches the parent's SINT0",
          "[hv][0x004D][0x0051]") {
  Machine m;
  const auto child = m.active_child(64, 1);
  hv::VirtualProcessor& vp = m.vp(child, 0);
  hv::VirtualProcessor& root = *m.root().vp;
  m.enable_synic(root, 5, 6);
  const auto set = [&](Register name, std::uint64_t value) {
    const tl::RegisterAssignment in{.name = static_cast<std::uint32_t>(name), .value = {value, 0}};
    return m.rep(m.root(), Call::set_vp_registers, tl::VpInput{.partition = child}, std::vector{in})
        .status;
  };
  CHECK_FALSE(hv::runnable(m.hv, vp));
  CHECK(hv::next_child_vp(m.hv, 0, nullptr) == nullptr);
  REQUIRE(set(Register::explicit_suspend, 0) == Status::success);
  CHECK(hv::runnable(m.hv, vp));
  CHECK(hv::next_child_vp(m.hv, 0, nullptr) == &vp);
  tl::IoPortIntercept io;
  io.port = 0x3F8;
  io.header.vp_index = 0;
  io.header.rip = 0x1234;
  hv::raise_intercept(m.hv, 0, vp, tl::MessageType::x64_io_port_intercept, Machine::bytes(io));
  CHECK_FALSE(hv::runnable(m.hv, vp));
  tl::Message& slot = m.slot(root, 0);
  CHECK(slot.type == 0x80010000);
  CHECK(slot.sender == child);
  CHECK(slot.payload_size == 128);
  tl::IoPortIntercept read;
  std::memcpy(&read, slot.payload.data(), sizeof read);
  CHECK(read.header.rip == 0x1234);
  CHECK(m.interrupts.size() == 1);
  // The slot still full, a second one waits; a third replaces it in the one buffer.
  io.header.rip = 2;
  hv::raise_intercept(m.hv, 0, vp, tl::MessageType::x64_io_port_intercept, Machine::bytes(io));
  io.header.rip = 3;
  hv::raise_intercept(m.hv, 0, vp, tl::MessageType::x64_io_port_intercept, Machine::bytes(io));
  CHECK(root.synic.queued == 1);
  slot.type = 0;
  m.write_msr(root, tl::Msr::eom, 0);
  std::memcpy(&read, slot.payload.data(), sizeof read);
  CHECK(read.header.rip == 3);
  REQUIRE(set(Register::intercept_suspend, 0) == Status::success);
  CHECK(hv::runnable(m.hv, vp));
  CHECK(set(Register::intercept_suspend, 4) == Status::invalid_register_value);
}

TEST_CASE("deleting a processor takes its waiting message out of the parent's queue",
          "[hv][0x004F]") {
  Machine m;
  const auto child = m.active_child(64, 1);
  hv::VirtualProcessor& root = *m.root().vp;
  const tl::VpIntercept payload{};
  hv::raise_intercept(m.hv, 0, m.vp(child, 0), tl::MessageType::invalid_vp_register_value,
                      Machine::bytes(payload));
  CHECK(root.synic.queued == 1);  // the root's SynIC is off: it waits
  m.refuse_park = 2;
  const Answer answer = m.fast(Call::delete_vp, tl::VpInput{.partition = child});
  CHECK(answer.status == Status::success);
  CHECK(answer.attempts == 3);
  CHECK(root.synic.queued == 0);
  CHECK(m.check() == "");
}

TEST_CASE("virtual processors take turns in order of partition and index", "[hv]") {
  Machine m;
  std::vector<hv::VirtualProcessor*> all;
  for (int p = 0; p < 2; ++p) {
    const auto id = m.active_child(64, 2);
    for (std::uint32_t i = 0; i < 2; ++i) {
      m.vp(id, i).explicit_suspend = 0;
      all.push_back(&m.vp(id, i));
    }
  }
  const hv::VirtualProcessor* at = nullptr;
  for (unsigned turn = 0; turn < 8; ++turn) {
    hv::VirtualProcessor* const next = hv::next_child_vp(m.hv, 0, at);
    CHECK(next == all[turn % 4]);
    at = next;
  }
}

TEST_CASE("registers: processor's and hypervisor's own, read and written by name",
          "[hv][0x0050][0x0051]") {
  Machine m;
  const auto child = m.active_child(64, 1);
  const auto set = [&](std::uint32_t name, std::uint64_t value) {
    const tl::RegisterAssignment in{.name = name, .value = {value, value + 1}};
    return m.rep(m.root(), Call::set_vp_registers, tl::VpInput{.partition = child}, std::vector{in})
        .status;
  };
  const auto get = [&](std::uint32_t name) {
    tl::U128 value;
    std::vector<std::byte> block(24);
    const tl::VpInput in{.partition = child};
    std::memcpy(block.data(), &in, 16);
    std::memcpy(block.data() + 16, &name, 4);
    CHECK(m.call(m.root(), Call::get_vp_registers, block, Machine::writable(value), 1).status ==
          Status::success);
    return value;
  };
  CHECK(set(0x00020010, 0x7C00) == Status::success);
  CHECK(get(0x00020010) == tl::U128{0x7C00, 0x7C01});
  CHECK(get(0x00000000).low == 1);  // a new processor is explicitly suspended
  CHECK(get(0x00090003).low == 0);
  CHECK(set(0x00090002, 5) == Status::success);
  CHECK(m.partition(child).guest_os_id == 5);
  CHECK(set(0x000A0003, 0x51) == Status::success);
  CHECK(get(0x000A0003).low == 0x51);
  CHECK(set(0x000A0003, 3) == Status::invalid_register_value);
  CHECK(set(0x00090003, 1) == Status::invalid_register_value);  // the index is not to be written
}

TEST_CASE("reading and writing a child's memory respects its map", "[hv][0x0053][0x0054]") {
  Machine m;
  const auto child = m.active_child(64, 1);
  m.map_range(child, 0x10, 1);
  m.map_range(child, 0x11, 1, hv::Rights::read);
  m.map_range(child, 0x12, 1, hv::Rights::none);
  const auto write = [&](std::uint64_t gpa) {
    tl::WriteGpaInput in{.partition = child, .byte_count = 4, .gpa = gpa};
    in.data = {1, 2, 3, 4};
    tl::WriteGpaOutput out;
    CHECK(m.call(Call::write_gpa, in, out).status == Status::success);
    return static_cast<tl::AccessGpaCode>(out.result);
  };
  const auto read = [&](std::uint64_t gpa) {
    tl::ReadGpaOutput out;
    CHECK(m.call(Call::read_gpa, tl::ReadGpaInput{.partition = child, .byte_count = 4, .gpa = gpa},
                 out)
              .status == Status::success);
    return out;
  };
  CHECK(write(0x10FF0) == tl::AccessGpaCode::success);
  CHECK(read(0x10FF0).data[3] == 4);
  CHECK(write(0x11000) == tl::AccessGpaCode::write_intercept);
  CHECK(read(0x11000).result == 0);
  CHECK(read(0x12000).result == static_cast<std::uint64_t>(tl::AccessGpaCode::read_intercept));
  CHECK(read(0x99000).result == static_cast<std::uint64_t>(tl::AccessGpaCode::unmapped));
}

TEST_CASE("translation walks four-level tables with rights and accessed bits", "[hv][0x0052]") {
  Machine m;
  const auto child = m.active_child(64, 1);
  hv::VirtualProcessor& vp = m.vp(child, 0);
  m.map_fresh(child, 0, 16);
  const auto entry = [&](std::uint64_t table, std::uint64_t index) -> std::uint64_t& {
    const std::uint64_t page = hv::lookup(m.hv, m.partition(child), table).page();
    return m.at<std::uint64_t>(page * kPageSize + index * 8);
  };
  entry(1, 0) = 0x2000 | 7;
  entry(2, 0) = 0x3000 | 7;
  entry(3, 0) = 0x4000 | 7;
  entry(3, 1) = 0x00000000 | 0x83;  // 2 MiB at 0, supervisor
  entry(4, 5) = 0x7000 | 1;         // read-only, supervisor
  entry(4, 6) = 0x8000 | 7 | std::uint64_t{1} << 63;
  entry(4, 7) = 0x99000 | 7;  // not mapped in the child
  const auto set = [&](Register name, tl::U128 value) {
    const tl::RegisterAssignment in{.name = static_cast<std::uint32_t>(name), .value = value};
    REQUIRE(
        m.rep(m.root(), Call::set_vp_registers, tl::VpInput{.partition = child}, std::vector{in})
            .status == Status::success);
  };
  const auto translate = [&](std::uint64_t gva_page, std::uint64_t flags) {
    tl::TranslateOutput out;
    const tl::TranslateInput in{.partition = child, .flags = flags, .gva_page = gva_page};
    REQUIRE(m.call(Call::translate_virtual_address, in, out).status == Status::success);
    return out;
  };
  const auto code = [&](std::uint64_t gva_page, std::uint64_t flags) {
    return static_cast<tl::TranslateCode>(translate(gva_page, flags).result & 0xFFFFFFFF);
  };
  CHECK(translate(5, 1).gpa_page == 5);  // paging is off
  set(Register::cr0, {0x80010001, 0});
  set(Register::cr3, {0x1000, 0});
  set(Register::cr4, {0x20, 0});
  set(Register::efer, {0xD00, 0});
  CHECK(translate(5, 1).gpa_page == 7);
  CHECK(code(5, 2) == tl::TranslateCode::privilege_violation);  // CR0.WP
  CHECK(code(5, 2 | 8) == tl::TranslateCode::success);          // privilege exempt
  CHECK(code(6, 4) == tl::TranslateCode::privilege_violation);  // no-execute
  CHECK(code(6, 1) == tl::TranslateCode::success);
  CHECK(code(7, 1) == tl::TranslateCode::gpa_unmapped);
  CHECK(code(8, 1) == tl::TranslateCode::page_not_present);
  CHECK(translate(0x203, 1).gpa_page == 3);  // through the large page
  CHECK((entry(4, 6) & 0x60) == 0);
  CHECK(code(6, 2 | 16) == tl::TranslateCode::success);
  CHECK((entry(4, 6) & 0x60) == 0x60);
  set(Register::ss, {0, std::uint64_t{0x60} << 48});  // SS.DPL 3
  CHECK(code(5, 1) == tl::TranslateCode::privilege_violation);
  CHECK(code(6, 1) == tl::TranslateCode::success);
  CHECK(translate(6, 1 | 32).gpa_page == 8);
  CHECK(vp.tlb_locked == 1);
}

}  // namespace
}  // namespace vitrine::test
