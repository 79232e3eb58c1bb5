// The whole machine: equal configurations are equal, snapshots come back, two do not notice each other.
#include "emu/machine/machine.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>

#include "emu/machine/snapshot.h"

using namespace vitrine::emu;

namespace {

/// Flips one bit of the nth field it visits.
class FlipVisitor final : public StateVisitor {
 public:
  explicit FlipVisitor(size_t target) : target_(target) {}
  void enter(std::string_view) override {}
  void leave() override {}
  void bytes(std::string_view name, std::span<std::byte> data) override {
    if (count_++ == target_ && !data.empty()) {
      data[0] ^= std::byte{1};
      flipped = name;
    }
  }
  void blob(std::string_view name, std::vector<std::byte>& data) override {
    bytes(name, data);
  }
  bool loading() const override { return false; }
  size_t count() const { return count_; }
  std::string flipped;

 private:
  size_t target_;
  size_t count_ = 0;
};

/// Fields that a visit computes, so that a visitor cannot change them: the configuration, counts,
/// the canonical spelling of the flags, and the block of a position outside blocks; and blobs without
/// bytes.
bool derived(const std::string& name) {
  for (const char* exempt : {"", "config", "bytes_of_memory", "sectors", "pages", "flags", "entry",
                             "entry_hpa", "mode", "bytes", "entry_clock"}) {
    if (name == exempt) return true;
  }
  return false;
}

MachineConfig small() {
  MachineConfig config;
  config.memory_bytes = uint64_t{16} << 20;
  return config;
}

}  // namespace

TEST_CASE("machines of one configuration have one hash, another memory size another", "[machine]") {
  Machine a(small()), b(small());
  CHECK(a.state_hash() == b.state_hash());
  MachineConfig more = small();
  more.memory_bytes *= 2;
  Machine c(more);
  CHECK(a.state_hash() != c.state_hash());
}

TEST_CASE("a snapshot restores the same hash, and one of another machine is refused", "[machine]") {
  Machine a(small()), b(small());
  const std::array<std::byte, 3> text = {std::byte{1}, std::byte{2}, std::byte{3}};
  a.bus().write_block(Hpa{0x4321}, text);
  a.cpu(0).state.regs[3] = 77;
  const auto snapshot = a.save();
  CHECK(b.state_hash() != a.state_hash());
  CHECK(b.load(snapshot));
  CHECK(b.state_hash() == a.state_hash());
  CHECK_FALSE(b.load(std::span{snapshot}.first(snapshot.size() - 1)));
}

TEST_CASE("a state that is no machine's is refused with nothing changed, whatever its seal says",
          "[machine]") {
  Machine a(small());
  const std::array<std::byte, 3> text = {std::byte{1}, std::byte{2}, std::byte{3}};
  a.bus().write_block(Hpa{0x4321}, text);
  const auto snapshot = a.save();
  uint32_t name_size = 0;  // behind the magic and the version
  std::memcpy(&name_size, snapshot.data() + 12, sizeof(name_size));
  const auto name_bytes = std::span{snapshot}.subspan(32, name_size);
  const std::string name(reinterpret_cast<const char*>(name_bytes.data()), name_size);
  const auto state = std::span{snapshot}.subspan(32 + name_size);

  Machine other(small());
  other.cpu(0).state.regs[3] = 99;
  const uint64_t untouched = other.state_hash();
  const auto keeps = [&](std::span<const std::byte> forged) {
    return !other.load(seal_snapshot(name, forged)) && other.state_hash() == untouched;
  };
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, state.size() / 2, state.size() - 1}) {
    CAPTURE(size);
    CHECK(keeps(state.first(size)));
  }
  Machine same(small());
  CHECK(same.load(seal_snapshot(name, state)));  // it is not the seal that is refused
  std::vector<std::byte> longer(state.begin(), state.end());
  longer.push_back(std::byte{0});
  CHECK(keeps(longer));

  // The number of pages, wherever it stands: as many as no memory has, and pages that are nowhere.
  const auto page = std::search(state.begin(), state.end(), text.begin(), text.end());
  REQUIRE(page != state.end());
  const auto at = static_cast<size_t>(page - state.begin()) - 0x321 - 16;
  for (const size_t field : {at, at + 8}) {
    std::vector<std::byte> forged(state.begin(), state.end());
    std::fill_n(forged.begin() + static_cast<ptrdiff_t>(field), 8, std::byte{0xFF});
    CAPTURE(field);
    CHECK(keeps(forged));
  }
}

TEST_CASE("flipping one bit of any field changes the hash", "[machine]") {
  Machine machine(small());
  FlipVisitor counter(~size_t{0});
  machine.visit(counter);
  const uint64_t original = machine.state_hash();
  const auto snapshot = machine.save();
  for (size_t field = 0; field < counter.count(); ++field) {
    FlipVisitor flip(field);
    machine.visit(flip);
    INFO("field " << field << " " << flip.flipped);
    if (!derived(flip.flipped)) CHECK(machine.state_hash() != original);
    REQUIRE(machine.load(snapshot));
    REQUIRE(machine.state_hash() == original);
  }
}

TEST_CASE("each arithmetic flag changes the hash, its spelling does not", "[machine]") {
  Machine machine(small());
  CpuState& s = machine.cpu(0).state;
  s.flags.set_arithmetic(0);
  const uint64_t original = machine.state_hash();
  for (const uint64_t flag : {0x1u, 0x4u, 0x10u, 0x40u, 0x80u, 0x800u}) {
    s.flags.set_arithmetic(flag);
    CHECK(machine.state_hash() != original);
  }
  s.flags.set_arithmetic(0);
  const uint64_t result = s.flags.result;
  s.flags.result = 0x8;  // odd parity, positive: another way to say the same
  CHECK(s.flags.arithmetic() == 0);
  CHECK(s.flags.result != result);
  CHECK(machine.state_hash() == original);
}

TEST_CASE("a configuration that cannot be is named", "[machine]") {
  MachineConfig config = small();
  config.processors = 9;
  CHECK(config_error(config).find("1 to 8") != std::string::npos);
  config = small();
  config.cpu = "z80";
  CHECK(config_error(config).find("skylake-sp") != std::string::npos);
  config = small();
  config.memory_bytes = 12345;
  CHECK(config_error(config).find("whole pages") != std::string::npos);
}

TEST_CASE("a snapshot of another configuration is refused, whatever it says of memory",
          "[machine]") {
  Machine a(small());
  const auto snapshot = a.save();
  MachineConfig more = small();
  more.memory_bytes /= 2;
  Machine smaller(more);
  CHECK_FALSE(smaller.load(snapshot));
  MachineConfig quick = small();
  quick.quantum = 100;
  Machine other(quick);
  CHECK_FALSE(other.load(snapshot));
  CHECK(other.config().quantum == 100);
}

TEST_CASE("a damaged snapshot is refused with its reason, and nothing is changed", "[machine]") {
  Machine a(small());
  a.cpu(0).state.regs[3] = 77;
  const auto snapshot = a.save();
  Machine b(small());
  b.cpu(0).state.regs[5] = 99;
  const uint64_t before = b.state_hash();
  const auto refused = [&](std::span<const std::byte> bytes, const char* why) {
    CHECK_THAT(b.snapshot_error(bytes), Catch::Contains(why));
    CHECK_FALSE(b.load(bytes));
    CHECK(b.state_hash() == before);
  };
  refused({}, "too short");
  refused(std::span{snapshot}.first(31), "too short");
  refused(std::span{snapshot}.first(snapshot.size() - 1), "cut short");
  refused(std::span{snapshot}.first(40), "cut short");
  auto longer = snapshot;
  longer.push_back(std::byte{0});
  refused(longer, "something was added");

  const auto damaged = [&](size_t at, unsigned bit) {
    auto bytes = snapshot;
    bytes[at] ^= static_cast<std::byte>(1u << bit);
    return bytes;
  };
  refused(damaged(0, 0), "not a snapshot");
  refused(damaged(8, 1), "snapshot version");
  uint64_t random = 88172645463325252;
  for (int i = 0; i < 200; ++i) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    const size_t at = 24 + random % (snapshot.size() - 24);
    INFO("byte " << at);
    refused(damaged(at, random >> 60 & 7), "damaged");
  }
  CHECK(b.snapshot_error(snapshot).empty());

  MachineConfig config = small();
  config.processors = 2;
  CHECK_THAT(Machine(config).snapshot_error(snapshot), Catch::Contains("of another machine"));
}
