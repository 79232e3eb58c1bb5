// BlockTiming: slots, fusion, decoders and the work of port sets, from bytes.
#include <catch2/catch.hpp>

#include <vector>

#include "emu/arch/registers.h"
#include "emu/cpu/timing/block_timing.h"

using namespace vitrine::emu;
using namespace vitrine::emu::timing;

namespace {

BlockTiming timed(const std::vector<uint8_t>& code, uint32_t count, uint64_t address = 0x1000) {
  return time_block(std::as_bytes(std::span{code}), Gva{address}, 8, count, skylake_core());
}

}  // namespace

TEST_CASE("four slots issue in a cycle", "[block]") {
  const auto block = timed({0x90, 0x90, 0x90, 0x90, 0x90}, 5);
  CHECK(block.slots == 5);
  CHECK(block.prefix[4] == kTicksPerCycle);
  CHECK(block.prefix[5] == kTicksPerCycle + kTicksPerCycle / 4);
}

TEST_CASE("a compare and the branch on it share a slot", "[block]") {
  CHECK(timed({0x48, 0x39, 0xD8, 0x74, 0x00}, 2).slots == 1);  // cmp; je
  CHECK(timed({0x48, 0x39, 0xD8, 0x78, 0x00}, 2).slots == 2);  // cmp; js
  CHECK(timed({0x48, 0xFF, 0xC0, 0x75, 0x00}, 2).slots == 1);  // inc; jne
  CHECK(timed({0x48, 0xFF, 0xC0, 0x72, 0x00}, 2).slots == 2);  // inc; jb
  CHECK(timed({0x83, 0x3B, 0x05, 0x74, 0x00}, 2).slots == 2);  // cmp [rbx], 5; je
}

TEST_CASE("an indexed load that updates no register takes two slots", "[block]") {
  CHECK(timed({0x48, 0x03, 0x04, 0x0B}, 1).slots == 1);  // add rax, [rbx+rcx]
  CHECK(timed({0x48, 0x39, 0x04, 0x0B}, 1).slots == 2);  // cmp [rbx+rcx], rax
  CHECK(timed({0x48, 0x89, 0x04, 0x0B}, 1).slots == 1);  // mov [rbx+rcx], rax
}

TEST_CASE("work is added up for each set of ports", "[block]") {
  const auto block = timed({0x48, 0x0F, 0xAF, 0xC3, 0x48, 0x0F, 0xAF, 0xCB}, 2);  // two imul
  size_t port1 = kPortLanes;
  for (size_t lane = 0; lane < kPortLanes; ++lane) {
    if (skylake_core().lanes[lane] == 0x02) port1 = lane;
  }
  REQUIRE(port1 < kPortLanes);
  CHECK(block.work[port1] == 2 * kTicksPerCycle);
  CHECK(block.work[0] == 2 * kTicksPerCycle / 4);
}

TEST_CASE("renamed moves and zero idioms use no port", "[block]") {
  const auto block = timed({0x48, 0x89, 0xD8, 0x31, 0xC9}, 2);  // mov rax, rbx; xor ecx, ecx
  CHECK(block.slots == 2);
  CHECK(block.work[0] == 0);
  CHECK((block.insns[0].traits & trait::renamed) != 0);
  CHECK((block.insns[1].traits & trait::independent) != 0);
}

TEST_CASE("the decoders take one instruction of several slots a cycle", "[block]") {
  // add [rbx], rax: two slots, first decoder only.
  const auto block = timed({0x48, 0x01, 0x03, 0x48, 0x01, 0x03, 0x48, 0x01, 0x03}, 3);
  CHECK(block.decode_ticks >= 2 * kTicksPerCycle);
  const auto simple = timed({0x48, 0x01, 0xD8, 0x48, 0x01, 0xD8, 0x48, 0x01, 0xD8}, 3);
  CHECK(simple.decode_ticks < kTicksPerCycle);
}

TEST_CASE("a length-changing prefix stalls the predecoder", "[block]") {
  const auto plain = timed({0x81, 0xF9, 0x34, 0x12, 0x00, 0x00}, 1);  // cmp ecx, imm32
  const auto prefixed = timed({0x66, 0x81, 0xF9, 0x34, 0x12}, 1);     // cmp cx, imm16
  CHECK(prefixed.decode_ticks >= plain.decode_ticks + 2 * kTicksPerCycle);
}

TEST_CASE("RSP used behind a push costs a slot that brings it up to date", "[block]") {
  const auto block = timed({0x50, 0x48, 0x83, 0xC4, 0x08}, 2);  // push rax; add rsp, 8
  CHECK(block.slots == 3);
  CHECK((block.insns[1].traits & trait::syncs_stack) != 0);
}

TEST_CASE("a form without a line is marked as assumed", "[block]") {
  const auto block = timed({0xD9, 0xFE}, 1);  // fsin
  CHECK((block.insns[0].traits & trait::assumed) != 0);
}
