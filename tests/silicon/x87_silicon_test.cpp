// x87 instructions against the host's processor: register stack, control, status and tag words,
// flags, memory, and #MF.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <string_view>

#include "emu/cpu/instruction_table.h"
#include "tests/emu/cpu/softfloat/operands.h"
#include "tests/silicon/comparison.h"
#include "tests/silicon/coverage.h"
#include "tests/skip.h"

namespace vitrine::test {
namespace {

using emu::softfloat::Operands;

// clang-format off
constexpr auto kForms = std::to_array<std::string_view>({
  "d8 /0", "d8 /1", "d8 /2", "d8 /3", "d8 /4", "d8 /5", "d8 /6", "d8 /7",
  "d9 /0", "d9 /1 reg", "d9 /1 mem", "d9 /2 mem", "d9 /3", "d9 /4 mem", "d9 /5 mem", "d9 /6 mem", "d9 /7 mem",
  "d9 d0", "d9 e0", "d9 e1", "d9 e4", "d9 e5", "d9 e8", "d9 e9", "d9 ea", "d9 eb", "d9 ec", "d9 ed", "d9 ee",
  "d9 f0", "d9 f1", "d9 f2", "d9 f3", "d9 f4", "d9 f5", "d9 f6", "d9 f7", "d9 f8", "d9 f9", "d9 fa", "d9 fb", "d9 fc", "d9 fd", "d9 fe", "d9 ff",
  "da /0", "da /1", "da /2", "da /3", "da /4 mem", "da /5 mem", "da /6 mem", "da /7 mem", "da e9",
  "db /0", "db /1", "db /2", "db /3", "db /5", "db /6", "db /7 mem", "db /4 mem",
  "db e0", "db e1", "db e2", "db e3", "db e4",
  "dc /0", "dc /1", "dc /2", "dc /3", "dc /4", "dc /5", "dc /6", "dc /7",
  "dd /0", "dd /1", "dd /2", "dd /3", "dd /4", "dd /5 reg", "dd /5 mem", "dd /6 mem", "dd /7 mem",
  "de /0", "de /1", "de /2", "de /3 mem", "de d9", "de /4", "de /5", "de /6", "de /7",
  "df /0", "df /1", "df /2", "df /3", "df /4 mem", "df e0", "df /5", "df /6", "df /7 mem",
  "9b",
  // encodings without a meaning
  "d9 d1", "d9 d7", "d9 e2", "d9 e3", "d9 e6", "d9 e7", "d9 ef", "da e0", "da e8", "da ea", "da ef", "da /6 reg", "da /7 reg",
  "db e5", "db e6", "db e7", "db /7 reg", "dd /6 reg", "dd /7 reg", "de d8", "de da", "de df", "df e1", "df e7", "df /7 reg",
});
// clang-format on

/// Stack depths at which nothing faults, something may, and everything does.
uint8_t pick_tags(Random& random, unsigned top) {
  switch (random.below(8)) {
    case 0: return static_cast<uint8_t>(random.next());
    case 1: return 0xFF;
    case 2: return 0;
    default: break;
  }
  uint8_t tags = 0;
  const uint64_t depth = 2 + random.below(6);
  for (unsigned i = 0; i < depth; ++i) tags = static_cast<uint8_t>(tags | 1u << ((top + i) & 7));
  return tags;
}

uint16_t pick_control(Random& random) {
  const uint64_t masks = random.one_in(2) ? 0x3F : random.below(64);
  return static_cast<uint16_t>(0x40 | masks | random.below(32) << 8);
}

/// Masked exceptions may be there already; an unmasked one that is pending makes the next #MF.
uint16_t pick_status(Random& random, uint16_t control) {
  constexpr uint64_t kTopAndConditions = 0x7F00;
  uint64_t status = random.next() & kTopAndConditions;
  if (random.one_in(2)) status |= random.below(128) & (control | 0x40u);
  if (random.one_in(12)) status |= random.below(64);
  if ((status & ~control & 0x3Fu) != 0) status |= 0x8080;
  return static_cast<uint16_t>(status);
}

/// The bytes of a memory operand, of the kind that the opcode wants.
std::array<uint8_t, 10> pick_operand(uint8_t opcode, Random& random, Operands& operands) {
  std::array<uint8_t, 10> bytes{};
  const auto put = [&bytes](const auto& value) {
    std::memcpy(bytes.data(), &value, std::min(sizeof(value), bytes.size()));
  };
  const uint64_t kind = random.one_in(8) ? random.below(5) : 5;
  const auto extended = [&] {
    const auto value = operands.extended();
    std::memcpy(bytes.data(), &value.significand, 8);
    std::memcpy(bytes.data() + 8, &value.sign_exponent, 2);
  };
  if (kind == 0 || ((opcode == 0xDB || opcode == 0xDF) && random.one_in(2))) {
    extended();
  } else if (kind == 1 || (opcode == 0xDF && random.one_in(2))) {
    for (auto& byte : bytes) {
      byte = static_cast<uint8_t>(random.below(10) << 4 | random.below(10));
    }
    bytes[9] = static_cast<uint8_t>(random.next());
  } else if (kind == 2 || opcode == 0xD8 || opcode == 0xD9) {
    put(operands.value<uint32_t>());
  } else if (kind == 3 || opcode == 0xDC || opcode == 0xDD) {
    put(operands.value<uint64_t>());
  } else {
    put(random.edge());
  }
  return bytes;
}

void prepare(Case& c, Random& random, std::span<uint8_t> ours, std::span<uint8_t> host) {
  Operands operands(random.next());
  c.with_vectors = true;
  auto& x = c.before.x87;
  x.fcw = pick_control(random);
  x.fsw = pick_status(random, x.fcw);
  const unsigned top = (x.fsw >> 11) & 7;
  x.valid = pick_tags(random, top);
  emu::softfloat::F80 value;
  for (unsigned i = 0; i < 8; ++i) {
    value = i == 0 || random.one_in(3) ? operands.extended() : operands.near(value);
    x.significand[(top + i) & 7] = value.significand;
    x.sign_exponent[(top + i) & 7] = value.sign_exponent;
  }
  if ((x.fsw & 0x0080) != 0) {
    x.fip = random.next() & 0x7FFF'FFFF;
    x.fdp = random.next() & 0x7FFF'FFFF;
    x.fop = static_cast<uint16_t>(random.below(0x800));
  }
  const auto escape =
      std::find_if(c.bytes.begin(), c.bytes.end(), [](uint8_t b) { return (b & 0xF8) == 0xD8; });
  constexpr size_t kLongest = 108;
  const bool writable = c.target >= kWindow && c.target + 10 <= kReadOnly;
  if (!writable || escape == c.bytes.end()) return;
  const auto bytes = pick_operand(*escape, random, operands);
  const size_t at = c.target - kWindow;
  std::memcpy(ours.data() + at, bytes.data(), bytes.size());
  std::memcpy(host.data() + at, bytes.data(), bytes.size());
  // An image of the unit: anything behind the words at its beginning.
  if (c.target + kLongest > kReadOnly) return;
  for (size_t i = bytes.size(); i < kLongest; i += 2) {
    const auto word = static_cast<uint16_t>(random.next());
    std::memcpy(ours.data() + at + i, &word, sizeof(word));
    std::memcpy(host.data() + at + i, &word, sizeof(word));
  }
}

constexpr uint64_t kCases = 600'000;
static_assert(kCases / kForms.size() >= 4 * kLeastPerRow, "enough for every form, too");

TEST_CASE("x87 instructions do what the host's processor does", "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  const auto forms = parse_forms(kForms);
  Comparison comparison(prepare);
  comparison.run(forms, kCases, 87);
  comparison.print();
  CHECK(comparison.failures == 0);
  for (const uint16_t row : rows_of(Suite::x87)) {
    INFO(emu::instruction_table()[row].mnemonic << ", row " << row);
    const RowCount count = comparison.rows[row];
    CHECK(count.cases >= kLeastPerRow);
    // FCOMI differs wherever C1 was set, F2XM1 wherever its operand is outside its domain.
    CHECK(count.diverging * 3 <= count.cases);
  }
}

// Two bytes each; divergences are kept out.
// clang-format off
constexpr auto kSteps = std::to_array<std::array<uint8_t, 2>>({
  {0xD9, 0xE8}, {0xD9, 0xEE}, {0xD9, 0xEB}, {0xD9, 0xC0}, {0xD9, 0xC9}, {0xD9, 0xE0}, {0xD9, 0xE1}, {0xD9, 0xE5},
  {0xD8, 0xC1}, {0xD8, 0xC9}, {0xD8, 0xE1}, {0xD8, 0xF1}, {0xDC, 0xC1}, {0xDC, 0xFA}, {0xDE, 0xC1}, {0xDE, 0xC9},
  {0xDE, 0xE9}, {0xDE, 0xF9}, {0xD9, 0xFA}, {0xD9, 0xFC}, {0xD9, 0xFD}, {0xD9, 0xF4}, {0xD9, 0xF8}, {0xD9, 0xF6},
  {0xD9, 0xF7}, {0xDD, 0xC0}, {0xDD, 0xD8}, {0xDA, 0xE9}, {0xD8, 0xD1}, {0xDF, 0xE0}, {0xDF, 0xE0}, {0xDB, 0xE2},
  {0xDB, 0xE2}, {0xDB, 0xE3}, {0x90, 0x9B}, {0x9B, 0x90}, {0x90, 0x90}, {0xD9, 0xD0}, {0xDB, 0xE4}, {0xDA, 0xC1},
});
// clang-format on

TEST_CASE("x87 sequences take a pending exception where the host's processor does", "[silicon]") {
  if (!HostProcessor::available()) return skip(SkipReason::no_x86_host);
  HostProcessor host;
  OurProcessor ours;
  Random random(88);
  constexpr unsigned kSequences = 50'000;
  unsigned failures = 0, exceptions = 0;
  for (unsigned i = 0; i < kSequences; ++i) {
    Case c;
    prepare(c, random, ours.memory(), host.memory());
    const uint64_t steps = 2 + random.below(6);
    for (uint64_t k = 0; k < steps; ++k) {
      for (const uint8_t byte : kSteps[random.below(kSteps.size())]) c.bytes[c.length++] = byte;
    }
    const Outcome expected = host.execute(c);
    Case step = c;
    Outcome outcome;
    for (size_t at = 0; at < c.length && !outcome.faulted;) {
      emu::Insn insn;
      std::copy(c.bytes.begin() + static_cast<ptrdiff_t>(at), c.bytes.end(), step.bytes.begin());
      outcome = ours.execute(step, insn);
      step.before = outcome.after;
      at += insn.length;
    }
    exceptions += outcome.faulted ? 1 : 0;
    const std::string text = difference(c, expected, outcome, 0);
    if (text.empty()) continue;
    if (++failures <= 3) FAIL_CHECK(describe(c) << text);
  }
  CHECK(failures == 0);
  CHECK(exceptions * 10 > kSequences);
}

}  // namespace
}  // namespace vitrine::test
