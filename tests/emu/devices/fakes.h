// What device tests share: wires that record, sinks that collect, and a visitor for round trips.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "emu/devices/device.h"
#include "emu/devices/sinks.h"

namespace vitrine::test {

using namespace vitrine::emu;

struct Edge {
  unsigned line;
  bool level;
  uint64_t cycle;
  friend bool operator==(const Edge&, const Edge&) = default;
};

/// Keeps the level of each line and every change.
class FakeLines final : public LineTarget {
 public:
  void set_line(unsigned line, bool level, Cycle now) override {
    if (level == levels[line]) return;
    levels[line] = level;
    edges.push_back({line, level, now.value});
  }
  /// The cycles at which this line rose.
  std::vector<uint64_t> rises(unsigned line) const {
    std::vector<uint64_t> cycles;
    for (const Edge& e : edges) {
      if (e.line == line && e.level) cycles.push_back(e.cycle);
    }
    return cycles;
  }
  std::array<bool, 256> levels{};
  std::vector<Edge> edges;
};

class FakeOutput final : public OutputSink {
 public:
  void output(std::span<const uint8_t> bytes) override { text.append(bytes.begin(), bytes.end()); }
  std::string text;
};

class FakePower final : public PowerSink {
 public:
  void power_off(Cycle now) override { off.push_back(now.value); }
  void reset_requested(Cycle now) override { resets.push_back(now.value); }
  std::vector<uint64_t> off;
  std::vector<uint64_t> resets;
};

/// Saves fields into bytes, or loads them back.
class Image final : public StateVisitor {
 public:
  explicit Image(bool load = false) : load_(load) {}
  void enter(std::string_view) override {}
  void leave() override {}
  void bytes(std::string_view, std::span<std::byte> data) override {
    if (load_) {
      std::memcpy(data.data(), content.data() + at_, data.size());
      at_ += data.size();
    } else {
      content.insert(content.end(), data.begin(), data.end());
    }
  }
  void blob(std::string_view name, std::vector<std::byte>& data) override {
    uint64_t size = data.size();
    field(name, size);
    data.resize(size);
    bytes(name, data);
  }
  bool loading() const override { return load_; }

  std::vector<std::byte> content;

 private:
  bool load_;
  size_t at_ = 0;
};

template <class Part>
std::vector<std::byte> saved(Part& part) {
  Image image;
  part.visit(image);
  return image.content;
}

template <class Part>
void load(Part& part, const std::vector<std::byte>& content) {
  Image image(true);
  image.content = content;
  part.visit(image);
}

inline BusAccess at(uint64_t cycle, uint32_t processor = 0) {
  return BusAccess{Cycle{cycle}, processor};
}

/// Random accesses of every size at random offsets: nothing may break, peeks change nothing.
template <class Chip>
void hammer(Chip& chip, EventQueue& events, uint64_t range, uint64_t seed,
            uint64_t first_cycle = 0) {
  std::mt19937_64 random(seed);
  uint64_t now = first_cycle;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t offset = random() % range;
    const unsigned size = 1u << (random() % 4);
    const uint64_t value = random() % 3 == 0 ? random() : random() & 0xFF;
    now += random() % 5000;
    events.run_until(Cycle{now});
    switch (random() % 3) {
      case 0: chip.read(offset, size, at(now)); break;
      case 1: chip.write(offset, size, value, at(now)); break;
      default: chip.peek(offset, size); break;
    }
  }
  chip.inspect();
}

}  // namespace vitrine::test
