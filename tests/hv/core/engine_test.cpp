// The hypercall engine: who may call, the control word, parameter blocks, and the order of refusals.
#include "hv/core/call.h"

#include <catch2/catch.hpp>

#include "hv/tlfs/flush_calls.h"
#include "hv/tlfs/msrs.h"
#include "hv/tlfs/partition_calls.h"
#include "tests/hv/core/machine.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;
using hv::HypercallExit;
using hv::HypercallFrame;
using tl::HypercallControl;
using tl::HypercallResult;

HypercallControl control(Call code, bool fast = false, std::uint32_t reps = 0,
                         std::uint32_t start = 0) {
  return HypercallControl::make(static_cast<std::uint16_t>(code), fast, reps, start);
}

Status status_of(Machine& machine, HypercallControl word, Guest* guest = nullptr) {
  Guest& caller = guest != nullptr ? *guest : machine.root();
  HypercallFrame frame = machine.frame(caller, word);
  REQUIRE(machine.vmcall(caller, frame) == HypercallExit::completed);
  return HypercallResult{frame.rax}.status();
}

TEST_CASE("VMCALL raises #UD outside of CPL 0 and of protected mode", "[hv]") {
  Machine machine;
  const HypercallFrame good = machine.frame(machine.root(), control(Call::get_partition_id));
  HypercallFrame user = good;
  user.cpl = 3;
  CHECK(machine.vmcall(machine.root(), user) == HypercallExit::undefined_opcode);
  HypercallFrame real = good;
  real.protected_mode = false;
  CHECK(machine.vmcall(machine.root(), real) == HypercallExit::undefined_opcode);
  HypercallFrame kernel = good;
  CHECK(machine.vmcall(machine.root(), kernel) == HypercallExit::completed);
}

TEST_CASE("VMCALL raises #UD until GUEST_OS_ID and HYPERCALL are set", "[hv]") {
  Machine machine;
  hv::VirtualProcessor& vp = *machine.root().vp;
  const std::uint64_t enabled = machine.read_msr(vp, tl::Msr::hypercall);
  const HypercallFrame call = machine.frame(machine.root(), control(Call::get_partition_id));
  REQUIRE(machine.write_msr(vp, tl::Msr::hypercall, enabled & ~std::uint64_t{1}));
  HypercallFrame off = call;
  CHECK(machine.vmcall(machine.root(), off) == HypercallExit::undefined_opcode);
  REQUIRE(machine.write_msr(vp, tl::Msr::guest_os_id, 0));
  REQUIRE(machine.write_msr(vp, tl::Msr::hypercall, enabled));
  CHECK((machine.read_msr(vp, tl::Msr::hypercall) & 1) == 0);  // stays off without an identity
  REQUIRE(machine.write_msr(vp, tl::Msr::guest_os_id, 1));
  REQUIRE(machine.write_msr(vp, tl::Msr::hypercall, enabled));
  HypercallFrame on = call;
  CHECK(machine.vmcall(machine.root(), on) == HypercallExit::completed);
}

TEST_CASE("every reserved bit of the control word is invalid_hypercall_input", "[hv]") {
  Machine machine;
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t mask = std::uint64_t{1} << bit;
    const HypercallControl word{control(Call::get_partition_id).word ^ mask};
    const bool reserved = (HypercallControl::kReserved & mask) != 0;
    CAPTURE(bit);
    if (reserved) CHECK(status_of(machine, word) == Status::invalid_hypercall_input);
  }
  // Reserved bits come before an unknown code.
  CHECK(status_of(machine, {0x3FFF | (std::uint64_t{1} << 27)}) == Status::invalid_hypercall_input);
}

TEST_CASE("an unknown or unimplemented code is invalid_hypercall_code, before its class", "[hv]") {
  Machine machine;
  CHECK(status_of(machine, {0x3FFF}) == Status::invalid_hypercall_code);
  CHECK(status_of(machine, {0}) == Status::invalid_hypercall_code);
  CHECK(status_of(machine, {0x3FFF | (std::uint64_t{5} << 32)}) == Status::invalid_hypercall_code);
  CHECK(machine.hv.processor(0).unimplemented == 3);
  for (const tl::CallCode& row : tl::kCallCodes) {
    if (hv::find_call_row(row.code) != nullptr) continue;
    CAPTURE(row.name);
    CHECK(status_of(machine, {row.code}) == Status::invalid_hypercall_code);
  }
}

TEST_CASE("the class decides about rep count, start index and variable header", "[hv]") {
  Machine machine;
  const auto bad = Status::invalid_hypercall_input;
  CHECK(status_of(machine, control(Call::get_partition_id, false, 1)) == bad);
  CHECK(status_of(machine, control(Call::get_partition_id, false, 0, 1)) == bad);
  CHECK(status_of(machine, control(Call::deposit_memory, false, 0)) == bad);
  CHECK(status_of(machine, control(Call::deposit_memory, false, 2, 2)) == bad);
  CHECK(status_of(machine, {control(Call::get_partition_id).word | (1U << 17)}) == bad);
}

TEST_CASE("a fast call must fit in the registers", "[hv]") {
  Machine machine;
  CHECK(status_of(machine, control(Call::post_message, true)) == Status::invalid_hypercall_input);
  // 8 bytes of header and 13 elements of 8 fill the 112 bytes; one more does not fit.
  CHECK(status_of(machine, control(Call::deposit_memory, true, 13)) !=
        Status::invalid_hypercall_input);
  CHECK(status_of(machine, control(Call::deposit_memory, true, 14)) ==
        Status::invalid_hypercall_input);
  // Output in registers is for 64-bit callers.
  Guest narrow = machine.root();
  narrow.long_mode = false;
  HypercallFrame frame = machine.frame(narrow, control(Call::get_partition_id, true));
  REQUIRE(machine.vmcall(narrow, frame) == HypercallExit::completed);
  CHECK((frame.rax & 0xFFFF) == static_cast<std::uint64_t>(Status::invalid_hypercall_input));
}

TEST_CASE("output of a fast call begins in the register pair behind the input", "[hv]") {
  Machine machine;
  tl::PartitionOutput id;
  const Answer none =
      machine.call(machine.root(), Call::get_partition_id, {}, Machine::writable(id), 0, true);
  CHECK(none.status == Status::success);
  CHECK(id.partition == 1);
  const tl::NextChildInput in{.parent = 1};
  const auto child = machine.create_child();
  tl::PartitionOutput out;
  const Answer answer = machine.call(machine.root(), Call::get_next_child_partition,
                                     Machine::bytes(in), Machine::writable(out), 0, true);
  CHECK(answer.status == Status::success);
  CHECK(out.partition == child);
}

TEST_CASE("only calls that reach beyond two registers use XMM", "[hv]") {
  Machine machine;
  const auto uses = [&](HypercallControl word) {
    return hv::hypercall_uses_xmm(machine.frame(machine.root(), word));
  };
  CHECK_FALSE(uses(control(Call::finalize_partition, true)));
  CHECK_FALSE(uses(control(Call::flush_event_log_buffer, true)));
  CHECK(uses(control(Call::flush_virtual_address_space, true)));
  CHECK(uses(control(Call::get_partition_id, true)));
  CHECK_FALSE(uses(control(Call::flush_virtual_address_space, false)));
}

TEST_CASE("32-bit callers pass control in EDX:EAX and parameters in EBX:ECX and EDI:ESI", "[hv]") {
  Machine machine;
  machine.root().long_mode = false;
  tl::PartitionOutput out;
  CHECK(machine.call(Call::get_partition_id, tl::Nothing{}, out).status == Status::success);
  CHECK(out.partition == 1);
  const Answer unknown = machine.finalize(999);
  CHECK(unknown.status == Status::invalid_partition_id);
}

TEST_CASE("parameter blocks are aligned, within a page, accessible and apart", "[hv]") {
  Machine machine;
  const auto with = [&](std::uint64_t input, std::uint64_t output) {
    Guest guest = machine.root();
    guest.input = input;
    guest.output = output;
    return status_of(machine, control(Call::get_next_child_partition), &guest);
  };
  const std::uint64_t in = machine.root().input;
  const std::uint64_t out = machine.root().output;
  const auto bad = Status::invalid_alignment;
  machine.at<tl::NextChildInput>(in) = {.parent = 1};
  CHECK(with(in, out) == Status::success);
  CHECK(with(in + 4, out) == bad);
  CHECK(with(in, out + 1) == bad);
  CHECK(with(in + kPageSize - 8, out) == bad);  // 16 bytes cross
  CHECK(with(in, out + kPageSize - 8) == Status::success);
  CHECK(with(machine.hv.memory_end, out) == bad);  // outside of the space
  CHECK(with(in, std::uint64_t{1} << 60) == bad);
  CHECK(with(machine.hv.page_records, out) == bad);  // the hypervisor's own memory
  CHECK(with(in, in + 8) == bad);
  CHECK(with(in, in + 16) == Status::success);
}

TEST_CASE("the register of a block that a call does not have is ignored", "[hv]") {
  Machine machine;
  Guest guest = machine.root();
  guest.input = 3;
  CHECK(status_of(machine, control(Call::get_partition_id), &guest) == Status::success);
  guest = machine.root();
  guest.output = 3;
  machine.at<tl::PartitionInput>(guest.input) = {.partition = 77};
  CHECK(status_of(machine, control(Call::delete_partition), &guest) ==
        Status::invalid_partition_id);
}

TEST_CASE("control word, class, alignment, privilege, parameters: the first wrong one answers",
          "[hv]") {
  Machine machine;
  const auto child = machine.active_child(64, 1);
  Guest guest = machine.guest_of(child);  // has neither CreatePartitions nor AccessMemoryPool
  Guest misplaced = guest;
  misplaced.input += 1;
  const HypercallControl create = control(Call::create_partition);
  CHECK(status_of(machine, {create.word | (std::uint64_t{1} << 60)}, &misplaced) ==
        Status::invalid_hypercall_input);
  CHECK(status_of(machine, control(Call::create_partition, false, 1), &misplaced) ==
        Status::invalid_hypercall_input);
  CHECK(status_of(machine, create, &misplaced) == Status::invalid_alignment);
  CHECK(status_of(machine, create, &guest) == Status::access_denied);
}

TEST_CASE("a rep call counts from element 0 and stops before the failing one", "[hv][0x0048]") {
  Machine machine;
  const auto child = machine.create_child();
  std::vector<tl::GpaPageElement> list(4);
  for (auto& element : list) element.page = machine.fresh_page();
  list[2].page = machine.hv.page_count;  // nothing there
  const Answer answer =
      machine.rep(machine.root(), Call::deposit_memory, tl::PartitionInput{child}, list);
  CHECK(answer.status == Status::operation_denied);
  CHECK(answer.reps == 2);
  CHECK(machine.partition(child).pool.deposited == 2);
  CHECK(machine.check().empty());

  list[2].page = machine.fresh_page();
  std::memcpy(&machine.at<std::byte>(machine.root().input + 8), list.data(), 32);
  machine.at<tl::PartitionInput>(machine.root().input) = {child};
  HypercallFrame frame = machine.frame(machine.root(), control(Call::deposit_memory, false, 4, 2));
  REQUIRE(machine.vmcall(machine.root(), frame) == HypercallExit::completed);
  CHECK(HypercallResult{frame.rax}.status() == Status::success);
  CHECK(HypercallResult{frame.rax}.reps() == 4);
  CHECK(machine.partition(child).pool.deposited == 4);
}

TEST_CASE("a rep call advances its start index slice by slice and leaves RAX alone",
          "[hv][0x0048]") {
  Machine machine;
  const auto child = machine.create_child();
  constexpr std::uint32_t kCount = 300;
  machine.at<tl::PartitionInput>(machine.root().input) = {child};
  for (std::uint32_t i = 0; i < kCount; ++i) {
    machine.at<std::uint64_t>(machine.root().input + 8 + 8 * i) = machine.fresh_page();
  }
  HypercallFrame frame =
      machine.frame(machine.root(), control(Call::deposit_memory, false, kCount));
  frame.rax = 0x1234;
  std::uint32_t expected = 0;
  while (machine.vmcall(machine.root(), frame) == HypercallExit::again) {
    expected += hv::kSliceUnits;
    CHECK(HypercallControl{frame.rcx}.rep_start() == expected);
    CHECK(frame.rax == 0x1234);
  }
  CHECK(expected == (kCount - 1) / hv::kSliceUnits * hv::kSliceUnits);
  CHECK(HypercallResult{frame.rax}.reps() == kCount);
  CHECK(machine.partition(child).pool.deposited == kCount);
}

TEST_CASE("an interrupt ends an attempt of a rep call, but never before its first element",
          "[hv][0x0048]") {
  Machine machine;
  const auto child = machine.create_child();
  std::vector<tl::GpaPageElement> list(5);
  for (auto& element : list) element.page = machine.fresh_page();
  machine.quiet_units = 0;
  const Answer answer =
      machine.rep(machine.root(), Call::deposit_memory, tl::PartitionInput{child}, list);
  CHECK(answer.status == Status::success);
  CHECK(answer.attempts == 5);
}

TEST_CASE("a call waits for the processor that holds the tree", "[hv]") {
  Machine machine(2);
  machine.hv.tree_lock.holder = 2;  // the second processor
  machine.hv.tree_lock.tickets = 1;
  unsigned waited = 0;
  machine.on_pause = [&] {
    if (++waited == 5) machine.hv.tree_lock.serving = 1;
  };
  tl::PartitionOutput out;
  CHECK(machine.call(Call::get_partition_id, tl::Nothing{}, out).status == Status::success);
  CHECK(waited == 5);
  CHECK(machine.hv.tree_lock.holder == 0);
  CHECK(machine.hv.processor(0).held == hv::LockRank::none);
}

TEST_CASE("every row of the call table has the sizes the TLFS gives", "[hv]") {
  const auto row = [](Call code) { return *hv::find_call_row(static_cast<std::uint16_t>(code)); };
  CHECK(hv::call_table().size() == 45);
  CHECK(row(Call::create_partition).input_size == 16);
  CHECK(row(Call::deposit_memory).input_size == 8);
  CHECK(row(Call::deposit_memory).input_element == 8);
  CHECK(row(Call::withdraw_memory).output_element == 8);
  CHECK(row(Call::map_gpa_pages).input_size == 24);
  CHECK(row(Call::unmap_gpa_pages).input_element == 0);
  CHECK(row(Call::get_vp_registers).input_element == 4);
  CHECK(row(Call::get_vp_registers).output_element == 16);
  CHECK(row(Call::set_vp_registers).input_element == 32);
  CHECK(row(Call::post_message).input_size == 256);
}

}  // namespace
}  // namespace vitrine::test
