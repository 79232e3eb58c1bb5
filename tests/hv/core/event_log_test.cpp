// The event log: entries, the buffers' states, the pending list, the ready message.
#include <catch2/catch.hpp>

#include "hv/tlfs/message_types.h"
#include "hv/tlfs/partition_calls.h"
#include "tests/hv/core/event_log_scene.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;
using State = tl::EventLogBufferState;

constexpr std::uint64_t kSource = 4;             // partition_life, type 0
constexpr std::uint64_t kLocalSource = 1 << 22;  // scheduler, type 1
constexpr std::uint64_t kSimp = 5;
constexpr std::uint64_t kSiefp = 6;
// 72 bytes of header, entries of 32: the buffer holds 125 and completes with the 126th.
constexpr unsigned kPerPage = (4096 - 72) / 32;

void fill(EventLogScene& log, unsigned buffers) {
  for (unsigned i = 0; i < buffers * kPerPage + 1; ++i) log.log(i);
}

tl::EventLogMessagePayload payload_of(const tl::Message& message) {
  tl::EventLogMessagePayload payload;
  std::memcpy(&payload, message.payload.data(), sizeof payload);
  return payload;
}

tl::EventLogBufferHeader& header(EventLogScene& log, std::uint32_t index) {
  return log.m.at<tl::EventLogBufferHeader>(log.buffer(index).pages);
}

// The guest has read the message: it empties the slot and writes EOM.
void take_message(EventLogScene& log, hv::VirtualProcessor& vp) {
  log.m.slot(vp, 0).type = 0;
  log.m.write_msr(vp, tl::Msr::eom, 0);
}

TEST_CASE("a buffer goes Standby, Free, InUse, Complete, Ready, Free, Standby", "[hv][0x0068]") {
  Machine m;
  EventLogScene log{m};
  hv::VirtualProcessor& root = *m.root().vp;
  m.enable_synic(root, kSimp, kSiefp);
  m.deposit(tl::kSelf, 4);
  REQUIRE(log.initialize(2, 1, 2) == Status::success);
  REQUIRE(log.create(0) == Status::success);
  CHECK(log.state(0) == State::standby);
  CHECK(m.translation(1, log.buffer(0).pages / kPageSize).rights == hv::Rights::none);
  std::vector<std::uint64_t> pages(1);
  REQUIRE(log.map(0, &pages) == Status::success);
  CHECK(log.state(0) == State::free);
  CHECK(pages[0] == log.buffer(0).pages / kPageSize);
  CHECK(m.translation(1, pages[0]) == Machine::Leaf{pages[0], hv::Rights::read});
  REQUIRE(log.sources(kSource) == Status::success);
  log.log(7);
  CHECK(log.state(0) == State::in_use);
  CHECK(header(log, 0).state == 2);
  CHECK(m.interrupts.empty());
  // One buffer is below the threshold of two: flushing sends the message all the same.
  REQUIRE(log.flush(0) == Status::success);
  CHECK(log.state(0) == State::ready);
  CHECK(header(log, 0).state == 4);
  CHECK(header(log, 0).next_buffer_index == tl::kNoEventLogBuffer);
  const tl::Message& message = m.slot(root, 0);
  CHECK(message.type == static_cast<std::uint32_t>(tl::MessageType::event_log_buffer_complete));
  CHECK(message.payload_size == 8);
  CHECK(message.sender == 0);
  CHECK(payload_of(message).type == 0);
  CHECK(payload_of(message).buffer_index == 0);
  REQUIRE(m.interrupts.size() == 1);
  CHECK(m.interrupts[0].vector == 0x40);
  REQUIRE(log.release(0) == Status::success);
  CHECK(log.state(0) == State::free);
  REQUIRE(log.unmap(0) == Status::success);
  CHECK(log.state(0) == State::standby);
  CHECK(m.translation(1, pages[0]).rights == hv::Rights::none);
  REQUIRE(log.remove(0) == Status::success);
  REQUIRE(log.sources(0) == Status::success);
  REQUIRE(log.finalize() == Status::success);
  CHECK(m.hv.root().pool.available == m.hv.root().pool.deposited);
  CHECK(m.check() == "");
}

TEST_CASE("entries are packed behind the header, with time stamps that never go back", "[hv]") {
  Machine m;
  EventLogScene log{m};
  log.ready(2, 2, 2, 1);
  REQUIRE(log.sources(kSource) == Status::success);
  for (std::uint64_t i = 0; i < 200; ++i) log.log(i);  // beyond the first page
  hv::EventLogBuffer& buffer = log.buffer(0);
  REQUIRE(buffer.state == State::in_use);
  CHECK(buffer.entries == 200);
  const std::uint64_t* const list = &m.at<std::uint64_t>(buffer.pages);
  std::vector<std::byte> bytes(2 * kPageSize);
  for (int i = 0; i < 2; ++i) std::memcpy(bytes.data() + i * 4096, &m.at<std::byte>(list[i]), 4096);
  tl::EventLogBufferHeader head;
  std::memcpy(&head, bytes.data(), sizeof head);
  CHECK(head.buffer_size == 8192);
  CHECK(head.next_buffer_offset == 72 + 200 * 32);
  std::uint32_t offset = 72;
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    tl::EventLogEntryHeader entry;
    std::uint64_t words[2];
    std::memcpy(&entry, bytes.data() + offset, sizeof entry);
    std::memcpy(words, bytes.data() + offset + sizeof entry, sizeof words);
    REQUIRE(entry.size == 32);
    CHECK(entry.type == static_cast<std::uint16_t>(tl::EventType::context_switch));
    CHECK(entry.time_stamp > last);
    CHECK(words[0] == i);
    last = entry.time_stamp;
    offset += entry.size;
  }
}

TEST_CASE("the threshold hands the whole list over, in order of completion", "[hv]") {
  Machine m;
  EventLogScene log{m};
  hv::VirtualProcessor& root = *m.root().vp;
  m.enable_synic(root, kSimp, kSiefp);
  log.ready(4, 1, 3);
  REQUIRE(log.sources(kSource) == Status::success);
  fill(log, 2);
  CHECK(log.state(0) == State::complete);
  CHECK(log.state(1) == State::complete);
  CHECK(log.state(2) == State::in_use);
  CHECK(m.slot(root, 0).type == 0);
  fill(log, 1);
  CHECK(payload_of(m.slot(root, 0)).buffer_index == 0);
  CHECK(header(log, 0).next_buffer_index == 1);
  CHECK(header(log, 1).next_buffer_index == 2);
  CHECK(header(log, 2).next_buffer_index == tl::kNoEventLogBuffer);
  for (std::uint32_t i = 0; i < 3; ++i) CHECK(log.state(i) == State::ready);
  CHECK(log.state(3) == State::in_use);
  CHECK(log.group().messages_sent == 1);
}

TEST_CASE("without a free buffer events are lost and counted in the next one", "[hv]") {
  Machine m;
  EventLogScene log{m};
  hv::VirtualProcessor& root = *m.root().vp;
  m.enable_synic(root, kSimp, kSiefp);
  log.ready(1, 1, 1);
  REQUIRE(log.sources(kSource) == Status::success);
  for (unsigned i = 0; i < kPerPage + 10; ++i) log.log(i);
  CHECK(log.state(0) == State::ready);
  CHECK(log.group().channels[0].events_lost == 10);
  REQUIRE(log.release(0) == Status::success);
  log.log(1);
  CHECK(header(log, 0).events_lost == 10);
  CHECK(header(log, 0).sequence == 2);
  CHECK(log.group().channels[0].events_lost == 0);
}

TEST_CASE("a ready message that no root processor can take waits, and flush succeeds",
          "[hv][0x0068]") {
  Machine m;
  EventLogScene log{m};
  hv::VirtualProcessor& root = *m.root().vp;
  log.ready(3, 1, 3);
  REQUIRE(log.sources(kSource) == Status::success);
  log.log();
  SECTION("until the SynIC is on") {
    CHECK(log.flush(0) == Status::success);
    CHECK(log.state(0) == State::complete);
    m.enable_synic(root, kSimp, kSiefp);
    CHECK(log.state(0) == State::ready);
    CHECK(payload_of(m.slot(root, 0)).buffer_index == 0);
  }
  SECTION("until the slot is free, and then reports all that completed meanwhile") {
    m.enable_synic(root, kSimp, kSiefp);
    REQUIRE(log.flush(0) == Status::success);
    log.log();
    CHECK(log.flush(1) == Status::success);
    CHECK(log.state(1) == State::complete);
    CHECK((m.slot(root, 0).flags & tl::Message::kPending) != 0);
    log.log();
    CHECK(log.flush(2) == Status::success);
    CHECK(log.state(2) == State::complete);
    CHECK(log.flush(1) == Status::success);  // a Complete buffer may be flushed too
    CHECK(log.state(1) == State::complete);
    take_message(log, root);
    CHECK(log.state(1) == State::ready);
    CHECK(log.state(2) == State::ready);
    CHECK(payload_of(m.slot(root, 0)).buffer_index == 1);
    CHECK(header(log, 1).next_buffer_index == 2);
  }
  SECTION("until another SINT0 message that came first is read") {
    m.enable_synic(root, kSimp, kSiefp);
    m.slot(root, 0).type = 0x80000001;
    CHECK(log.flush(0) == Status::success);
    CHECK(log.state(0) == State::complete);
    m.slot(root, 0).type = 0;
    m.write_msr(root, tl::Msr::eoi, 0);  // an EOI scans as EOM does
    CHECK(log.state(0) == State::ready);
  }
}

TEST_CASE("a masked SINT0 gets the message without an interrupt", "[hv][0x0068]") {
  Machine m;
  EventLogScene log{m};
  m.enable_synic(*m.root().vp, kSimp, kSiefp, false);
  log.ready();
  log.sources(kSource);
  log.log();
  REQUIRE(log.flush(0) == Status::success);
  CHECK(log.state(0) == State::ready);
  CHECK(m.interrupts.empty());
}

TEST_CASE("flush refuses by the buffer's state", "[hv][0x0068]") {
  Machine m;
  EventLogScene log{m};
  hv::VirtualProcessor& root = *m.root().vp;
  m.enable_synic(root, kSimp, kSiefp);
  log.ready();
  log.sources(kSource);
  CHECK(log.flush(0) == Status::operation_denied);  // Free
  log.log();
  CHECK(log.flush(0) == Status::success);           // InUse
  CHECK(log.flush(0) == Status::operation_denied);  // Ready
  CHECK(log.unmap(1) == Status::success);
  CHECK(log.flush(1) == Status::operation_denied);   // Standby
  CHECK(log.flush(4) == Status::invalid_parameter);  // beyond the maximum
  CHECK(log.remove(1) == Status::success);
  CHECK(log.flush(1) == Status::invalid_parameter);  // never created, or no more
}

TEST_CASE("flush: caller, type, group, index, state, in this order", "[hv][0x0068]") {
  Machine m;
  Guest child = privileged_child(m);
  const auto by = [&](Guest& guest, std::uint32_t type, std::uint32_t index) {
    return m.fast(guest, Call::flush_event_log_buffer, tl::EventLogBufferInput{type, index}).status;
  };
  CHECK(by(child, 9, 9) == Status::access_denied);          // not root, and a bad type
  CHECK(by(child, 0, 9) == Status::access_denied);          // not root, and no group
  CHECK(by(m.root(), 9, 9) == Status::invalid_parameter);   // a bad type, and so no group
  CHECK(by(m.root(), 0, 999) == Status::operation_denied);  // no group, and a bad index
  EventLogScene log{m};
  log.ready();
  CHECK(by(m.root(), 0, 999) == Status::invalid_parameter);
  CHECK(by(m.root(), 0, 0) == Status::operation_denied);
}

TEST_CASE("local groups have a channel per processor and report to its own root VP", "[hv]") {
  Machine m(2);
  EventLogScene log{m, 1};
  m.enable_synic(*m.root(0).vp, kSimp, kSiefp);
  m.enable_synic(*m.root(1).vp, 7, 8);
  log.ready(4, 1, 2);
  REQUIRE(log.sources(kLocalSource) == Status::success);
  log.log(1, 0);
  log.log(2, 1);
  CHECK(log.group().channels[0].in_use == 0);
  CHECK(log.group().channels[1].in_use == 1);
  CHECK(header(log, 1).logical_processor == 1);
  REQUIRE(log.flush(1) == Status::success);
  CHECK(log.state(0) == State::in_use);
  CHECK(m.slot(*m.root(0).vp, 0).type == 0);
  CHECK(payload_of(m.slot(*m.root(1).vp, 0)).buffer_index == 1);
  CHECK(payload_of(m.slot(*m.root(1).vp, 0)).type == 1);
}

TEST_CASE("the global group reports to any root VP that can take the message", "[hv]") {
  Machine m(2);
  EventLogScene log{m};
  m.enable_synic(*m.root(1).vp, 7, 8);
  log.ready();
  log.sources(kSource);
  log.log();
  REQUIRE(log.flush(0) == Status::success);
  CHECK(log.state(0) == State::ready);
  CHECK(m.slot(*m.root(1).vp, 0).type != 0);
}

TEST_CASE("the hypervisor logs its own life: hypercalls, partitions, processors", "[hv]") {
  Machine m;
  EventLogScene global{m, 0};
  EventLogScene local{m, 1};
  global.ready(2);
  local.ready(2);
  REQUIRE(global.sources(kSource) == Status::success);
  REQUIRE(local.sources((1 << 10) | (1 << 13) | (1 << 15)) == Status::success);
  const auto child = m.active_child(64, 1);
  CHECK(global.buffer(0).entries == 1);
  tl::EventLogEntryHeader entry;
  std::uint64_t words[2];
  const std::uint64_t first = global.buffer(0).pages + 72;
  std::memcpy(&entry, &m.at<std::byte>(first), sizeof entry);
  std::memcpy(words, &m.at<std::byte>(first + 16), sizeof words);
  CHECK(entry.type == 4101);
  CHECK(words[0] == child);
  CHECK(local.buffer(0).entries > 4);
  m.finalize(child);
  m.withdraw_all(child);
  m.fast(Call::delete_partition, tl::PartitionInput{child});
  CHECK(global.buffer(0).entries == 2);
}

TEST_CASE("what Initialize refuses as inappropriate", "[hv][0x0060]") {
  Machine m;
  EventLogScene log{m};
  m.deposit(tl::kSelf, 16);
  CHECK(log.initialize(0) == Status::invalid_parameter);
  CHECK(log.initialize(513) == Status::invalid_parameter);
  CHECK(log.initialize(4, 0) == Status::invalid_parameter);
  CHECK(log.initialize(4, 1, 0) == Status::invalid_parameter);
  CHECK(log.initialize(4, 1, 5) == Status::invalid_parameter);
  CHECK(log.initialize(4, 1, 4, 2) == Status::invalid_parameter);
  CHECK(log.initialize(512, 512, 512, 1) == Status::success);
  CHECK(log.group().tables[7] != 0);
  CHECK(log.initialize(0) == Status::object_in_use);  // the state comes before the values
  CHECK(log.finalize() == Status::success);
  CHECK(m.check() == "");
}

TEST_CASE("a group that logs, or has buffers, is not finalized", "[hv][0x0061]") {
  Machine m;
  EventLogScene log{m};
  m.deposit(tl::kSelf, 4);
  log.initialize();
  log.sources(1);
  CHECK(log.finalize() == Status::operation_denied);
  log.sources(0);
  log.create(2);
  CHECK(log.finalize() == Status::operation_denied);
  log.remove(2);
  CHECK(log.finalize() == Status::success);
  CHECK(log.finalize() == Status::operation_denied);
}

TEST_CASE("a mapped buffer's page list must fit behind the output address", "[hv][0x0064]") {
  Machine m;
  EventLogScene log{m};
  m.deposit(tl::kSelf, 16);
  REQUIRE(log.initialize(1, 4, 1) == Status::success);
  REQUIRE(log.create(0) == Status::success);
  Guest guest = m.root();
  guest.output += kPageSize - 16;
  const tl::EventLogBufferInput in{0, 0};
  CHECK(m.call(guest, Call::map_event_log_buffer, Machine::bytes(in), {}).status ==
        Status::invalid_alignment);
  CHECK(log.state(0) == State::standby);
  std::vector<std::uint64_t> pages(4);
  CHECK(log.map(0, &pages) == Status::success);
  for (const std::uint64_t page : pages) CHECK(m.translation(1, page).rights == hv::Rights::read);
}

TEST_CASE("pages of an event-log buffer cannot be deposited", "[hv][0x0048]") {
  Machine m;
  EventLogScene log{m};
  log.ready();
  const std::uint64_t page = log.buffer(0).pages / kPageSize;
  const Answer answer = m.rep(m.root(), Call::deposit_memory, tl::PartitionInput{tl::kSelf},
                              std::vector{tl::GpaPageElement{page}});
  CHECK(answer.status == Status::object_in_use);
}

}  // namespace
}  // namespace vitrine::test
