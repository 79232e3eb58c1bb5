// StateHash: four lanes of multiply-and-fold, fast enough to hash all of a guest's RAM.
#include "emu/machine/state_hash.h"

#include <cstring>

#include "emu/arch/wide.h"

namespace vitrine::emu {

namespace {

constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;

uint64_t fold(uint64_t a, uint64_t b) {
  const uint128_t product = static_cast<uint128_t>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t word_at(const std::byte* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace

void StateHash::absorb(uint64_t word) {
  lanes_[0] = fold(lanes_[0] ^ word, kOdd) + lanes_[3];
  lanes_[3] ^= lanes_[0];
}

void StateHash::absorb(std::span<const std::byte> data) {
  length_ += data.size();
  size_t at = 0;
  for (; at + 32 <= data.size(); at += 32) {
    for (size_t lane = 0; lane < 4; ++lane) {
      lanes_[lane] = fold(lanes_[lane] ^ word_at(data.data() + at + 8 * lane), kOdd + 2 * lane) + at;
    }
  }
  for (; at + 8 <= data.size(); at += 8) absorb(word_at(data.data() + at));
  if (at < data.size()) {
    uint64_t tail = 0;
    std::memcpy(&tail, data.data() + at, data.size() - at);
    absorb(tail ^ uint64_t{data.size() - at} << 56);
  }
}

void StateHash::enter(std::string_view part) {
  absorb(std::as_bytes(std::span{part.data(), part.size()}));
}

void StateHash::leave() { absorb(kOdd); }

void StateHash::bytes(std::string_view, std::span<std::byte> data) { absorb(data); }

void StateHash::blob(std::string_view, std::vector<std::byte>& data) {
  absorb(uint64_t{data.size()});
  absorb(data);
}

uint64_t StateHash::value() const {
  uint64_t h = fold(lanes_[0] ^ length_, kOdd);
  for (size_t lane = 1; lane < 4; ++lane) h = fold(h ^ lanes_[lane], kOdd + 2 * lane);
  return h;
}

}  // namespace vitrine::emu
