// The mixed integer workload: hash, sort, tree, LZ, parser, CRC and a state machine.
#include <array>
#include <cstddef>

#include "roms/bench/works.h"

namespace vitrine::bench {
namespace {

constexpr std::size_t kText = 16384;
std::array<std::uint8_t, kText> text;
std::array<std::uint32_t, 4096> numbers;
std::array<std::uint8_t, 2 * kText> packed;
std::array<std::uint16_t, 4096> last_seen;

std::uint32_t random_state = 1;
std::uint32_t next_random() {
  random_state = random_state * 1664525 + 1013904223;
  return random_state;
}

std::uint64_t hash_text() {
  std::uint64_t h = 0xCBF29CE484222325;
  for (const std::uint8_t c : text) h = (h ^ c) * 0x100000001B3;
  return h;
}

void sift(std::size_t root, std::size_t end) {
  for (;;) {
    std::size_t child = 2 * root + 1;
    if (child >= end) return;
    if (child + 1 < end && numbers[child] < numbers[child + 1]) ++child;
    if (numbers[root] >= numbers[child]) return;
    const std::uint32_t swap = numbers[root];
    numbers[root] = numbers[child];
    numbers[child] = swap;
    root = child;
  }
}

std::uint64_t sort_numbers() {
  for (auto& n : numbers) n = next_random();
  for (std::size_t i = numbers.size() / 2; i-- > 0;) sift(i, numbers.size());
  for (std::size_t end = numbers.size() - 1; end > 0; --end) {
    const std::uint32_t swap = numbers[0];
    numbers[0] = numbers[end];
    numbers[end] = swap;
    sift(0, end);
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) sum += numbers[i] * (i + 1);
  return sum;
}

struct Node {
  std::uint32_t key;
  std::uint32_t left, right;  // indices, 0 for none
};
std::array<Node, 2049> nodes;

std::uint64_t grow_tree() {
  std::uint32_t count = 1;
  nodes[1] = {next_random(), 0, 0};
  while (count < nodes.size() - 1) {
    const std::uint32_t key = next_random();
    std::uint32_t at = 1;
    for (;;) {
      std::uint32_t& branch = key < nodes[at].key ? nodes[at].left : nodes[at].right;
      if (branch == 0) {
        branch = ++count;
        nodes[count] = {key, 0, 0};
        break;
      }
      at = branch;
    }
  }
  std::uint64_t depth = 0;
  for (std::uint32_t i = 1; i <= count; ++i) {
    for (std::uint32_t at = 1; nodes[at].key != nodes[i].key; ++depth) {
      at = nodes[i].key < nodes[at].key ? nodes[at].left : nodes[at].right;
    }
  }
  return depth;
}

std::uint64_t compress() {
  last_seen.fill(0);
  std::size_t out = 0;
  for (std::size_t i = 0; i + 4 < text.size();) {
    const std::uint32_t word = text[i] | static_cast<std::uint32_t>(text[i + 1]) << 8 |
                               static_cast<std::uint32_t>(text[i + 2]) << 16;
    const std::size_t slot = (word * 2654435761U) >> 20;
    const std::size_t candidate = last_seen[slot];
    last_seen[slot] = static_cast<std::uint16_t>(i);
    std::size_t length = 0;
    if (candidate < i) {
      while (i + length < text.size() && length < 255 &&
             text[candidate + length] == text[i + length]) {
        ++length;
      }
    }
    if (length >= 4) {
      packed[out++] = 0xFF;
      packed[out++] = static_cast<std::uint8_t>(length);
      packed[out++] = static_cast<std::uint8_t>(i - candidate);
      i += length;
    } else {
      packed[out++] = text[i++];
    }
  }
  return out;
}

/// A calculator over the text: digits make numbers, other characters operators.
std::uint64_t parse() {
  std::uint64_t total = 0, number = 0;
  bool in_number = false;
  for (const std::uint8_t c : text) {
    if (c >= '0' && c <= '9') {
      number = number * 10 + (c - '0');
      in_number = true;
      continue;
    }
    if (in_number) {
      switch (c & 3) {
        case 0: total += number; break;
        case 1: total ^= number; break;
        case 2: total -= number; break;
        default: total = total * 31 + number; break;
      }
    }
    number = 0;
    in_number = false;
  }
  return total;
}

std::uint32_t crc() {
  static std::array<std::uint32_t, 256> table = [] {
    std::array<std::uint32_t, 256> t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? c >> 1 ^ 0xEDB88320 : c >> 1;
      t[i] = c;
    }
    return t;
  }();
  std::uint32_t value = ~0U;
  for (const std::uint8_t c : text) value = table[(value ^ c) & 0xFF] ^ value >> 8;
  return ~value;
}

std::uint64_t state_machine() {
  enum class State : std::uint8_t { idle, word, number, space };
  State state = State::idle;
  std::array<std::uint64_t, 4> counts{};
  for (const std::uint8_t c : text) {
    switch (state) {
      case State::idle: state = c == ' ' ? State::space : State::word; break;
      case State::word: state = c < '9' ? State::number : c == ' ' ? State::space : state; break;
      case State::number: state = c >= 'a' ? State::word : c == ' ' ? State::space : state; break;
      case State::space: state = c == ' ' ? State::idle : State::word; break;
    }
    ++counts[static_cast<std::size_t>(state)];
  }
  return counts[0] + counts[1] * 3 + counts[2] * 5 + counts[3] * 7;
}

}  // namespace

std::uint64_t mixed(std::uint64_t rounds) {
  std::uint64_t sum = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const std::uint32_t r = next_random() >> 24;
      text[i] = static_cast<std::uint8_t>(r < 40 ? ' ' : r < 120 ? '0' + r % 10 : 'a' + r % 26);
    }
    sum = sum * 3 + hash_text();
    sum = sum * 3 + sort_numbers();
    sum = sum * 3 + grow_tree();
    sum = sum * 3 + compress();
    sum = sum * 3 + parse();
    sum = sum * 3 + crc();
    sum = sum * 3 + state_machine();
  }
  return sum;
}

}  // namespace vitrine::bench
