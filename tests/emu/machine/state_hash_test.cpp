// The state hash: every bit counts, order and boundaries count, equal states are equal.
#include "emu/machine/state_hash.h"

#include <catch2/catch.hpp>

#include <set>

#include "emu/mmu/memory.h"

using namespace vitrine::emu;

namespace {

uint64_t hash_of(std::vector<std::byte> bytes) {
  StateHash hash;
  hash.bytes("x", bytes);
  return hash.value();
}

uint64_t hash_of(Memory& memory) {
  StateHash hash;
  memory.visit(hash);
  return hash.value();
}

}  // namespace

TEST_CASE("flipping any one bit changes the hash", "[hash]") {
  for (const size_t size : {size_t{1}, size_t{7}, size_t{8}, size_t{31}, size_t{32}, size_t{100}}) {
    std::set<uint64_t> seen = {hash_of(std::vector<std::byte>(size))};
    for (size_t bit = 0; bit < size * 8; ++bit) {
      std::vector<std::byte> bytes(size);
      bytes[bit / 8] ^= std::byte{1} << (bit % 8);
      CHECK(seen.insert(hash_of(bytes)).second);
    }
  }
}

TEST_CASE("fields of different cuts hash differently", "[hash]") {
  std::vector<std::byte> whole(8), half(4);
  StateHash a, b;
  a.blob("x", whole);
  b.blob("x", half);
  b.blob("x", half);
  CHECK(a.value() != b.value());
}

TEST_CASE("a page that was written and zeroed again is an absent page", "[hash]") {
  Memory one(1 << 20), two(1 << 20);
  const std::array<std::byte, 4> ones = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  const std::array<std::byte, 4> zeros{};
  const uint64_t empty = hash_of(one);
  one.write(0x5000, ones);
  CHECK(hash_of(one) != empty);
  one.write(0x5000, zeros);
  CHECK(hash_of(one) == empty);
  one.write(0x5000, ones);
  two.write(0x6000, ones);
  CHECK(hash_of(one) != hash_of(two));
}
