// Caches, translations and branch prediction: what they hold, what they forget, what they learn.
#include <catch2/catch.hpp>

#include "emu/cpu/timing/branch_model.h"
#include "emu/cpu/timing/cache_model.h"
#include "emu/cpu/timing/translation_model.h"

using namespace vitrine::emu;
using namespace vitrine::emu::timing;

namespace {

using Side = TranslationModel::Side;
using Hit = TranslationModel::Hit;
using Scope = Invalidation::Scope;

constexpr auto kData = CacheSide::data;
constexpr Gva kPage{0x7000};

/// A walk of four levels to a page of 4 KiB, alone or under an EPT of four levels.
WalkTrace four_levels(bool under_ept) {
  WalkTrace walk;
  uint64_t next = 0x100000;
  const auto nested = [&](Gpa gpa, uint8_t level) {
    for (uint8_t ept = 4; ept >= 1 && under_ept; --ept) {
      walk.add({Hpa{next += 0x1000}, gpa, level, ept});
    }
  };
  for (uint8_t level = 4; level >= 1; --level) {
    const Gpa table{uint64_t{level} << 32};
    nested(table, level);
    walk.add({Hpa{next += 0x1000}, table, level, 0});
  }
  nested(Gpa{0x7000}, 0);
  walk.leaf_level = 1;
  return walk;
}

}  // namespace

TEST_CASE("a set forgets the line that was used least recently", "[memory]") {
  CacheModel caches(skylake_core());
  const uint64_t sets = skylake_core().l1d_sets;
  for (uint64_t way = 0; way < 8; ++way) caches.touch(1 + way * sets, kData);
  caches.touch(1, kData);
  caches.touch(1 + 8 * sets, kData);
  CHECK(caches.find(1, kData) == CacheLevel::first);
  CHECK(caches.find(1 + sets, kData) == CacheLevel::second);
  CHECK(caches.find(1 + 8 * sets, kData) == CacheLevel::first);
}

TEST_CASE("the third level has what the second dropped, and gives it back", "[memory]") {
  CacheModel caches(skylake_core());
  const uint64_t sets = skylake_core().l2_sets;
  for (uint64_t way = 0; way <= 16; ++way) caches.touch(3 + way * sets, kData);
  CHECK(caches.find(3, kData) == CacheLevel::third);
  caches.touch(3, kData);
  CHECK(caches.find(3, kData) == CacheLevel::first);
  caches.drop(3);
  CHECK(caches.find(3, kData) == CacheLevel::memory);
}

TEST_CASE("code and data share the second level only", "[memory]") {
  CacheModel caches(skylake_core());
  caches.touch(77, CacheSide::code);
  CHECK(caches.find(77, CacheSide::code) == CacheLevel::first);
  CHECK(caches.find(77, kData) == CacheLevel::second);
}

TEST_CASE("three lines in a row are a stream, up or down, and into the next page", "[memory]") {
  CacheModel caches(skylake_core());
  for (const uint64_t line : {640u, 641u, 642u}) caches.touch(line, kData);
  CHECK(caches.find(643, kData) == CacheLevel::stream);
  CHECK(caches.find(645, kData) == CacheLevel::memory);
  for (const uint64_t line : {1340u, 1339u, 1338u}) caches.touch(line, kData);
  CHECK(caches.find(1337, kData) == CacheLevel::stream);
  for (const uint64_t line : {2045u, 2046u, 2047u}) caches.touch(line, kData);
  CHECK(caches.find(2048, kData) == CacheLevel::stream);
  CHECK(caches.find(2049, kData) == CacheLevel::memory);
  for (const uint64_t line : {3200u, 3203u, 3206u}) caches.touch(line, kData);
  CHECK(caches.find(3209, kData) == CacheLevel::memory);
}

TEST_CASE("a translation comes back from the second TLB until that forgets it", "[memory]") {
  TranslationModel tlb(skylake_core());
  const AddressSpace space;
  CHECK(tlb.find(Side::data, kPage, space) == Hit::none);
  tlb.fill(Side::data, kPage, space, kPageSize, false);
  CHECK(tlb.find(Side::data, kPage, space) == Hit::first);
  CHECK(tlb.find(Side::code, kPage, space) == Hit::second);
  for (uint64_t i = 1; i <= 4; ++i) {
    tlb.fill(Side::data, kPage + i * 16 * kPageSize, space, kPageSize, false);
  }
  CHECK(tlb.find(Side::data, kPage, space) == Hit::second);
  for (uint64_t i = 1; i <= 12; ++i) {
    tlb.fill(Side::data, kPage + i * 128 * kPageSize, space, kPageSize, false);
  }
  CHECK(tlb.find(Side::data, kPage, space) == Hit::none);
}

TEST_CASE("a large page is one translation", "[memory]") {
  TranslationModel tlb(skylake_core());
  tlb.fill(Side::data, Gva{0x40000000}, {}, uint64_t{1} << 21, false);
  CHECK(tlb.find(Side::data, Gva{0x401FF000}, {}) == Hit::first);
  CHECK(tlb.find(Side::data, Gva{0x40200000}, {}) == Hit::none);
}

TEST_CASE("a cold walk loads four entries, twenty-four under EPT, and one when warm", "[memory]") {
  TranslationModel tlb(skylake_core());
  const WalkTrace alone = four_levels(false);
  CHECK(tlb.needed(alone, kPage, {}).count == 4);
  tlb.learn(alone, kPage, {});
  CHECK(tlb.needed(alone, kPage, {}).count == 1);
  CHECK(tlb.needed(alone, Gva{0x200000}, {}).count == 2);

  const AddressSpace nested{.ept = 0x5000};
  const WalkTrace both = four_levels(true);
  CHECK(tlb.needed(both, kPage, nested).count == 24);
  tlb.learn(both, kPage, nested);
  // The guest's PTE, and the last EPT entry of the page itself.
  CHECK(tlb.needed(both, kPage, nested).count == 2);
}

TEST_CASE("an invalidation forgets what the SDM says and no more", "[memory]") {
  struct Row {
    const char* what;
    Invalidation invalidation;
    bool one, other_page, other_pcid, global, other_vpid, other_ept;  // what is kept
  };
  const AddressSpace here{.vpid = 1, .pcid = 2, .ept = 0x5000};
  // clang-format off
  const Row rows[] = {
    {"INVLPG",                {Scope::address, here, kPage},            false, true,  true,  false, true,  true},
    {"INVPCID 0",             {Scope::pcid_address, here, kPage},       false, true,  true,  true,  true,  true},
    {"INVVPID 0",             {Scope::vpid_address, {.vpid = 1}, kPage},false, true,  false, false, true,  false},
    {"MOV CR3, INVPCID 1",    {Scope::one_pcid, here, {}},              false, false, true,  true,  true,  true},
    {"INVPCID 3, INVVPID 3",  {Scope::all_but_global, {.vpid = 1}, {}}, false, false, false, true,  true,  false},
    {"INVPCID 2, INVVPID 1",  {Scope::everything, {.vpid = 1}, {}},     false, false, false, false, true,  false},
    {"INVVPID 2",             {Scope::all_vpids, {}, {}},               false, false, false, false, false, false},
    {"INVEPT 1",              {Scope::ept, {.ept = 0x5000}, {}},        false, false, false, false, false, true},
    {"INVEPT 2",              {Scope::all_ept, {}, {}},                 false, false, false, false, false, false},
  };
  // clang-format on
  for (const Row& row : rows) {
    INFO(row.what);
    TranslationModel tlb(skylake_core());
    const Gva other{0x9000};
    const AddressSpace pcid{.vpid = 1, .pcid = 3, .ept = 0x5000};
    const AddressSpace vpid{.vpid = 9, .pcid = 2, .ept = 0x5000};
    const AddressSpace ept{.vpid = 1, .pcid = 4, .ept = 0x6000};
    const AddressSpace all_pcids{.vpid = 1, .pcid = 7, .ept = 0x5000};
    tlb.fill(Side::data, kPage, here, kPageSize, false);
    tlb.fill(Side::data, other, here, kPageSize, false);
    tlb.fill(Side::data, kPage, pcid, kPageSize, false);
    tlb.fill(Side::data, kPage, vpid, kPageSize, false);
    tlb.fill(Side::data, kPage, ept, kPageSize, false);
    tlb.fill(Side::data, Gva{0xF007000}, here, kPageSize, true);
    Invalidation global = row.invalidation;
    if (global.address.value != 0) global.address = Gva{0xF007000};
    tlb.invalidate(global);
    CHECK((tlb.find(Side::data, Gva{0xF007000}, all_pcids) != Hit::none) == row.global);
    tlb.invalidate(row.invalidation);
    CHECK((tlb.find(Side::data, kPage, here) != Hit::none) == row.one);
    CHECK((tlb.find(Side::data, other, here) != Hit::none) == row.other_page);
    CHECK((tlb.find(Side::data, kPage, pcid) != Hit::none) == row.other_pcid);
    CHECK((tlb.find(Side::data, kPage, vpid) != Hit::none) == row.other_vpid);
    CHECK((tlb.find(Side::data, kPage, ept) != Hit::none) == row.other_ept);
  }
}

TEST_CASE("a direction that depends on those before it is learned", "[memory]") {
  BranchModel branches(skylake_core());
  const auto wrong = [&](unsigned from, unsigned to) {
    unsigned count = 0;
    for (unsigned n = from; n < to; ++n) {
      const bool taken = n % 7 != 6;  // a loop of seven rounds
      const auto seen = branches.retire({BranchKind::conditional, 0x4010, 0x4000, taken});
      count += seen == Prediction::wrong ? 1 : 0;
    }
    return count;
  };
  CHECK(wrong(0, 2000) > 0);
  CHECK(wrong(2000, 9000) < 20);
}

TEST_CASE("directions without a rule are wrong about half the time", "[memory]") {
  BranchModel branches(skylake_core());
  uint64_t random = 88172645463325252;
  unsigned wrong = 0;
  for (unsigned n = 0; n < 10000; ++n) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    const bool taken = (random >> 33 & 1) != 0;
    const auto seen = branches.retire({BranchKind::conditional, 0x4010, 0x4000, taken});
    wrong += seen == Prediction::wrong ? 1 : 0;
  }
  CHECK(wrong > 4500);
  CHECK(wrong < 5500);
}

TEST_CASE("returns are right as deep as the return stack is", "[memory]") {
  BranchModel branches(skylake_core());
  const auto wrong_at_depth = [&](unsigned depth) {
    unsigned wrong = 0;
    for (uint64_t i = 0; i < depth; ++i) branches.retire({BranchKind::call, 0x1000 + i * 16, 0x2000});
    for (uint64_t i = depth; i-- > 0;) {
      const auto seen = branches.retire({BranchKind::ret, 0x2001, 0x1000 + i * 16});
      wrong += seen == Prediction::wrong ? 1 : 0;
    }
    return wrong;
  };
  CHECK(wrong_at_depth(16) == 0);
  CHECK(wrong_at_depth(20) == 4);
}

TEST_CASE("a taken branch not seen before is found by the decoders", "[memory]") {
  BranchModel branches(skylake_core());
  CHECK(branches.retire({BranchKind::jump, 0x4010, 0x5000}) == Prediction::resteered);
  CHECK(branches.retire({BranchKind::jump, 0x4010, 0x5000}) == Prediction::right);
}

TEST_CASE("an indirect branch is predicted by where the path came from", "[memory]") {
  BranchModel branches(skylake_core());
  unsigned wrong = 0;
  constexpr uint64_t kTargets[] = {0x5010, 0x5020, 0x5070, 0x5020, 0x5050};
  for (unsigned n = 0; n < 5000; ++n) {
    const auto seen = branches.retire({BranchKind::indirect_jump, 0x4010, kTargets[n % 5]});
    wrong += n > 1000 && seen == Prediction::wrong ? 1 : 0;
  }
  CHECK(wrong < 50);
}
