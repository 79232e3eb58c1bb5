// The write funnel: marks are honoured, sinks hear of writes, untouched pages cost nothing.
#include "emu/mmu/memory.h"

#include <catch2/catch.hpp>

#include <array>

using namespace vitrine::emu;

namespace {

struct Heard final : WriteSink, WatchSink {
  void code_written(uint64_t offset, uint64_t size) override {
    code.push_back({offset, size});
  }
  void translation_written() override { ++translations; }
  void page_marked(uint64_t page) override { marked.push_back(page); }
  void watched_write(uint64_t offset, std::span<const std::byte> before,
                     std::span<const std::byte> after) override {
    watched_at = offset;
    old_byte = before[0];
    new_byte = after[0];
  }

  std::vector<std::pair<uint64_t, uint64_t>> code;
  std::vector<uint64_t> marked;
  int translations = 0;
  uint64_t watched_at = 0;
  std::byte old_byte{}, new_byte{};
};

constexpr std::array<std::byte, 8> kOnes = {
    std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF},
    std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}, std::byte{0xFF}};

}  // namespace

TEST_CASE("a write to a line with cached code tells the sinks after the bytes changed", "[memory]") {
  Memory memory(1 << 20);
  Heard heard;
  memory.add_sink(heard);
  memory.mark_lines(0x1040, 3, mark::code);
  CHECK(heard.marked == std::vector<uint64_t>{0x1000});
  memory.write(0x1000, kOnes);
  CHECK(heard.code.empty());
  memory.write(0x103C, kOnes);
  REQUIRE(heard.code.size() == 1);
  CHECK(heard.code[0] == std::pair<uint64_t, uint64_t>{0x103C, 8});
}

TEST_CASE("a write over an absent table entry drops nothing, over a present one everything",
          "[memory]") {
  Memory memory(1 << 20);
  Heard heard;
  memory.add_sink(heard);
  memory.mark_lines(0x2000, 8, mark::translation);
  memory.write(0x2008, kOnes);  // the entry was zero
  CHECK(heard.translations == 0);
  CHECK(memory.page_marks(0x2000) != 0);
  memory.write(0x2008, kOnes);  // now it was present
  CHECK(heard.translations == 1);
  CHECK((memory.page_marks(0x2000) & mark::translation) == 0);
}

TEST_CASE("a one-byte write inside a present entry drops translations", "[memory]") {
  Memory memory(1 << 20);
  Heard heard;
  memory.add_sink(heard);
  memory.write(0x2000, kOnes);
  memory.mark_lines(0x2000, 8, mark::translation);
  memory.write(0x2001, std::span{kOnes}.first(1));
  CHECK(heard.translations == 1);
}

TEST_CASE("the walker's own A and D bits do not drop translations", "[memory]") {
  Memory memory(1 << 20);
  Heard heard;
  memory.add_sink(heard);
  memory.write(0x2000, kOnes);
  memory.mark_lines(0x2000, 8, mark::translation);
  memory.write_keeping_translations(0x2000, kOnes);
  CHECK(heard.translations == 0);
}

TEST_CASE("a watched write shows the bytes before and after", "[memory]") {
  Memory memory(1 << 20);
  Heard heard;
  memory.set_watch_sink(&heard);
  memory.mark_lines(0x3000, 1, mark::watch);
  memory.write(0x3010, kOnes);
  CHECK(heard.watched_at == 0x3010);
  CHECK(heard.old_byte == std::byte{0});
  CHECK(heard.new_byte == std::byte{0xFF});
}

TEST_CASE("only written pages are touched", "[memory]") {
  Memory memory(uint64_t{8} << 30);
  CHECK(memory.touched_pages().empty());
  memory.write(0x5FFC, kOnes);  // crosses into the next page
  CHECK(memory.touched_pages() == std::vector<uint64_t>{0x5000, 0x6000});
}
