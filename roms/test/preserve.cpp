// Hypercalls of every kind with a pattern in every register: what is no output comes back as it was.
#include <array>
#include <string_view>

#include "hv/tlfs/flush_calls.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/vp_calls.h"
#include "roms/kit/boot.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/serial.h"
#include "roms/tour/pages.h"

namespace {

using namespace vitrine;
namespace tlfs = hv::tlfs;
using tlfs::Call;
using tlfs::HypercallControl;
using tlfs::HypercallResult;
using tlfs::Status;

enum Gpr : unsigned { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 };
constexpr std::array<std::string_view, 16> kNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                     "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                     "r12", "r13", "r14", "r15"};
constexpr unsigned mask(Gpr gpr) { return 1U << gpr; }

struct Registers {
  std::array<std::uint64_t, 16> gpr;
  std::uint64_t flags;
};

}  // namespace

// roms/test/preserve.S and roms/child/pattern.S.
extern "C" {
extern Registers preserve_before, preserve_after;
extern std::array<tlfs::U128, 2> preserve_xmm;
extern std::uint64_t preserve_target;
extern std::uint32_t preserve_use_xmm;
void call_with_registers();
void pattern_fill(std::uint64_t seed);
std::uint32_t pattern_check(std::uint64_t seed);
}

namespace {

// Bits 0 and 2 have a meaning in roms/child/pattern.S: bit 0 that AVX is there to be used.
constexpr std::uint64_t kSeed = 0x0000'4444'0000'0006;
// CF, PF, AF, ZF, SF, DF, OF, AC and ID, and bit 1, which is always 1.
constexpr std::uint64_t kAllFlags = 0x240CD7;
constexpr std::uint64_t kNoFlags = 2;
constexpr std::uint32_t kManyPages = 300;  // more than one slice

struct alignas(4096) Page {
  std::array<std::uint64_t, 512> words{};
};
Page input, output;
std::uint32_t failures;

std::uint64_t address_of(const Page& page) { return reinterpret_cast<std::uint64_t>(&page); }

struct Case {
  std::string_view name;
  HypercallControl control;
  std::uint64_t first{};
  std::uint64_t second{};
  Status status{};
  std::uint32_t reps{};
  unsigned outputs{};  // registers that the call may write beside RAX
  bool use_xmm{};      // XMM0 and XMM1 are parameters, set and looked at by the case itself
};

void fail(const Case& test, std::string_view what, std::uint64_t before, std::uint64_t after) {
  ++failures;
  kit::print_line("FAIL: ", test.name, ": ", what, " was ", kit::Hex{before}, " and is ",
                  kit::Hex{after});
}

void compare(const Case& test) {
  const HypercallResult result{preserve_after.gpr[rax]};
  if (result.status() != test.status || result.reps() != test.reps) {
    fail(test, "the result", HypercallResult::make(test.status, test.reps).word, result.word);
  }
  const unsigned outputs = test.outputs | mask(rax);
  for (unsigned i = 0; i < kNames.size(); ++i) {
    const std::uint64_t before = preserve_before.gpr[i];
    const std::uint64_t after = preserve_after.gpr[i];
    if ((outputs >> i & 1) == 0 && before != after) fail(test, kNames[i], before, after);
  }
  if (preserve_before.flags != preserve_after.flags) {
    fail(test, "flags", preserve_before.flags, preserve_after.flags);
  }
}

std::uint64_t seed() {
  constexpr std::uint32_t kAvx = 1U << 28;
  return (kit::cpuid(1).ecx & kAvx) != 0 ? kSeed | 1 : kSeed;
}

void run(const Case& test, std::uint64_t flags) {
  const std::uint32_t before = failures;
  for (unsigned i = 0; i < kNames.size(); ++i) {
    preserve_before.gpr[i] = 0x5AA5'0000'8001'0000 + 0x0101'0101'0101 * i;
  }
  preserve_before.gpr[rcx] = test.control.word;
  preserve_before.gpr[rdx] = test.first;
  preserve_before.gpr[r8] = test.second;
  preserve_before.flags = flags;
  preserve_target = kit::hypercall_rip();
  preserve_use_xmm = test.use_xmm ? 1 : 0;
  pattern_fill(seed());
  call_with_registers();
  const std::uint32_t broken = pattern_check(seed());
  compare(test);
  if (broken != 0) fail(test, "register class", 0, broken);
  if (failures == before) kit::print_line("pass: ", test.name);
}

constexpr HypercallControl fast(Call call, std::uint32_t reps = 0) {
  return HypercallControl::make(static_cast<std::uint16_t>(call), true, reps);
}
constexpr HypercallControl slow(Call call, std::uint32_t reps = 0) {
  return HypercallControl::make(static_cast<std::uint16_t>(call), false, reps);
}

std::uint64_t read_cr3() {
  std::uint64_t value;
  asm volatile("movq %%cr3, %0" : "=r"(value));
  return value;
}

void try_registers() {
  run({.name = "fast, refused",
       .control = fast(Call::finalize_partition),
       .first = tlfs::kSelf,
       .status = Status::access_denied},
      kAllFlags);
  run({.name = "fast, done",
       .control = fast(Call::switch_virtual_address_space),
       .first = read_cr3()},
      kAllFlags);
  const Case identity{.name = "fast, with its output in RDX",
                      .control = fast(Call::get_partition_id),
                      .outputs = mask(rdx)};
  run(identity, kNoFlags);
  if (preserve_after.gpr[rdx] != 1) fail(identity, "the output", 1, preserve_after.gpr[rdx]);
}

void try_memory() {
  input.words = {tlfs::kSelf};
  run({.name = "through memory, with output",
       .control = slow(Call::get_memory_balance),
       .first = address_of(input),
       .second = address_of(output)},
      kAllFlags);
  run({.name = "through memory, misaligned",
       .control = slow(Call::get_memory_balance),
       .first = address_of(input) + 4,
       .second = address_of(output),
       .status = Status::invalid_alignment},
      kAllFlags);
}

void try_xmm() {
  constexpr tlfs::U128 kFirst{1, 0x1111'2222'3333'4444};
  constexpr tlfs::U128 kSecond{0x5555'6666'7777'8888, 0x9999'AAAA'BBBB'CCCC};
  constexpr std::uint32_t kCr3 = 0x00040002;
  preserve_xmm = {kFirst, kSecond};
  const Case flush{.name = "fast, with input in XMM0",
                   .control = fast(Call::flush_virtual_address_space),
                   .second = tlfs::FlushSpaceInput::kAllSpaces,
                   .use_xmm = true};
  run(flush, kAllFlags);
  if (preserve_xmm[0].low != kFirst.low || preserve_xmm[0].high != kFirst.high) {
    fail(flush, "XMM0", kFirst.low, preserve_xmm[0].low);
  }
  if (preserve_xmm[1].low != kSecond.low || preserve_xmm[1].high != kSecond.high) {
    fail(flush, "XMM1", kSecond.low, preserve_xmm[1].low);
  }
  preserve_xmm = {tlfs::U128{kCr3, kFirst.high}, kSecond};
  const Case get{.name = "fast, with output in XMM1",
                 .control = fast(Call::get_vp_registers, 1),
                 .first = tlfs::kSelf,
                 .reps = 1,
                 .outputs = mask(rcx),
                 .use_xmm = true};
  run(get, kAllFlags);
  if (preserve_xmm[0].low != kCr3 || preserve_xmm[0].high != kFirst.high) {
    fail(get, "XMM0", kCr3, preserve_xmm[0].low);
  }
  if (preserve_xmm[1].low != read_cr3()) fail(get, "XMM1", read_cr3(), preserve_xmm[1].low);
}

void try_refusals() {
  constexpr std::uint16_t kNoCall = 0x7FF;
  run({.name = "unknown call",
       .control = HypercallControl::make(kNoCall, true),
       .status = Status::invalid_hypercall_code},
      kAllFlags);
  run({.name = "reserved bit",
       .control = {fast(Call::finalize_partition).word | std::uint64_t{1} << 60},
       .status = Status::invalid_hypercall_input},
      kNoFlags);
  run({.name = "rep count on a simple call",
       .control = fast(Call::finalize_partition, 1),
       .status = Status::invalid_hypercall_input},
      kNoFlags);
}

// A child, whose finalization and whose deposit take several attempts.
void try_continuations() {
  tour::deposit(tlfs::kSelf, 1);
  tlfs::PartitionOutput created;
  kit::memory_call(Call::create_partition, tlfs::CreatePartitionInput{}, created);
  const tlfs::PartitionId child = created.partition;
  const std::uint64_t pages = tour::take_pages(kManyPages);
  input.words[0] = child;
  for (std::uint32_t i = 0; i < kManyPages; ++i) input.words[1 + i] = pages + i;
  run({.name = "rep, continued",
       .control = slow(Call::deposit_memory, kManyPages),
       .first = address_of(input),
       .reps = kManyPages,
       .outputs = mask(rcx)},
      kAllFlags);

  const std::uint64_t more = tour::take_pages(4);
  input.words = {child, more, more + 1, pages, more + 2};
  run({.name = "rep, refused at its third element",
       .control = slow(Call::deposit_memory, 4),
       .first = address_of(input),
       .status = Status::operation_denied,
       .reps = 2,
       .outputs = mask(rcx)},
      kAllFlags);

  kit::fast_call(Call::initialize_partition, child);
  const std::uint64_t mapped = tour::take_pages(kManyPages);
  input.words = {child, 0, tlfs::MapGpaInput::kRights};
  for (std::uint32_t i = 0; i < kManyPages; ++i) input.words[3 + i] = mapped + i;
  run({.name = "rep, mapping",
       .control = slow(Call::map_gpa_pages, kManyPages),
       .first = address_of(input),
       .reps = kManyPages,
       .outputs = mask(rcx)},
      kNoFlags);
  run({.name = "simple, continued", .control = fast(Call::finalize_partition), .first = child},
      kAllFlags);

  input.words = {child};
  run({.name = "rep, with a list as output",
       .control = slow(Call::withdraw_memory, 512),
       .first = address_of(input),
       .second = address_of(output),
       .status = Status::no_resources,
       .reps = kManyPages + 2,
       .outputs = mask(rcx)},
      kAllFlags);
}

}  // namespace

std::uint32_t payload_main() {
  if (!kit::enable_hypercalls()) {
    kit::print_line("no hypervisor here");
    return 1;
  }
  try_registers();
  try_memory();
  try_xmm();
  try_refusals();
  try_continuations();
  kit::print_line(failures == 0 ? "PRESERVE PASS" : "PRESERVE FAIL");
  return failures == 0 ? 0 : 1;
}
