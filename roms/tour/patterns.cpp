// The part of the tour about register state: three virtual processors with a pattern each.
#include "roms/tour/patterns.h"

#include <array>

#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/vp_calls.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/tour/child_vp.h"
#include "roms/tour/pages.h"
#include "roms/tour/synic.h"
#include "roms/tour/verdicts.h"

extern "C" {
extern const char pattern_image[], pattern_image_end[];
void pattern_fill(std::uint64_t seed);
std::uint32_t pattern_check(std::uint64_t seed);
}

namespace vitrine::tour {
namespace {

using tlfs::Call;
using tlfs::Status;

constexpr std::uint64_t kPoolPages = 96;
constexpr std::uint64_t kChildPages = 32;
constexpr std::uint32_t kVps = 2;
constexpr std::uint64_t kSwitches = 1000;

// Bits 0 and 2 have a meaning in roms/child/pattern.S.
constexpr std::uint64_t kRootSeed = 0x0000'1111'0000'0003;
constexpr std::array<std::uint64_t, kVps> kSeeds = {0x0000'2222'0000'0005, 0x0000'3333'0000'0006};

// On a processor without AVX nobody uses it.
std::uint64_t seed(std::uint64_t wanted) {
  constexpr std::uint32_t kAvx = 1U << 28;
  return (kit::cpuid(1).ecx & kAvx) != 0 ? wanted : wanted & ~std::uint64_t{1};
}

// Where things are in the child's memory.
constexpr std::uint64_t kResults = 0x8000;  // per virtual processor: checks done, class that broke
constexpr std::uint64_t kStacks = 0x9000;
constexpr std::uint64_t kCode = 0x10000;
constexpr std::uint64_t kCodeStride = 0x4000;

struct Result {
  std::uint64_t checks{};
  std::uint64_t broken{};
};

Result result_of(std::uint64_t first_page, std::uint32_t vp) {
  const auto* const words =
      reinterpret_cast<volatile std::uint64_t*>(at_page<char>(first_page) + kResults) + 2 * vp;
  return {words[0], words[1]};
}

tlfs::PartitionId create(std::uint64_t first_page) {
  deposit(tlfs::kSelf, 1);
  tlfs::PartitionOutput output;
  expect(Rule::patterns_run,
         kit::memory_call(Call::create_partition, tlfs::CreatePartitionInput{}, output),
         Status::success);
  const tlfs::PartitionId child = output.partition;
  deposit(child, kPoolPages);
  expect(Rule::patterns_run, kit::fast_call(Call::initialize_partition, child), Status::success);
  struct {
    tlfs::MapGpaInput header;
    std::array<std::uint64_t, kChildPages> pages{};
  } map;
  map.header = {child, 0, tlfs::MapGpaInput::kRights, 0};
  for (std::uint64_t i = 0; i < kChildPages; ++i) map.pages[i] = first_page + i;
  expect(Rule::patterns_run,
         kit::memory_call(Call::map_gpa_pages, &map, sizeof map, nullptr, 0, kChildPages),
         Status::success);
  for (std::uint32_t vp = 0; vp < kVps; ++vp) {
    const tlfs::CreateVpInput input{
        .partition = child, .vp = vp, .padding = 0, .proximity = {}, .flags = 0};
    expect(Rule::patterns_run, kit::memory_call(Call::create_vp, input), Status::success);
  }
  return child;
}

void run(tlfs::PartitionId child, std::uint64_t first_page) {
  build_child_tables(first_page);
  for (std::uint32_t vp = 0; vp < kVps; ++vp) {
    load_program(child, vp, first_page,
                 {.begin = pattern_image,
                  .end = pattern_image_end,
                  .code = kCode + vp * kCodeStride,
                  .stack_top = kStacks + (vp + 1) * 0x1000,
                  .r12 = kResults + vp * sizeof(Result),
                  .r13 = seed(kSeeds[vp]),
                  .r14 = 0});
    start_vp(child, vp);
  }
}

// Every tick takes the processor from a child, at whatever instruction it is.
void switch_often() {
  constexpr std::uint64_t kInterval = 30'011;  // no multiple of anything in the loops
  const std::uint64_t root_seed = seed(kRootSeed);
  pattern_fill(root_seed);
  std::uint32_t broken = 0;
  start_ticking(kInterval);
  while (ticks().all < kSwitches && broken == 0) {
    kit::halt();
    broken = pattern_check(root_seed);
  }
  stop_ticking();
  expect_value(Rule::root_keeps_pattern, broken, 0);
}

void take_down(tlfs::PartitionId child) {
  expect(Rule::patterns_taken_down, kit::fast_call(Call::finalize_partition, child),
         Status::success);
  expect_value(Rule::patterns_taken_down, withdraw_all(child).pages, kPoolPages);
  expect(Rule::patterns_taken_down, kit::fast_call(Call::delete_partition, child), Status::success);
  expect_value(Rule::patterns_taken_down, withdraw_all(tlfs::kSelf).pages, 1);
}

}  // namespace

void tour_patterns() {
  const std::uint64_t first_page = take_pages(kChildPages);
  const tlfs::PartitionId child = create(first_page);
  if (child == tlfs::kInvalidPartition) return;
  run(child, first_page);
  switch_often();
  for (std::uint32_t vp = 0; vp < kVps; ++vp) {
    const Result result = result_of(first_page, vp);
    judge(Rule::patterns_run, result.checks != 0);
    expect_value(Rule::children_keep_patterns, result.broken, 0);
  }
  take_down(child);
}

}  // namespace vitrine::tour
