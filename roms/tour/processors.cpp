// The part of the tour about several processors.
#include "roms/tour/processors.h"

#include <array>

#include "hv/tlfs/cpuid.h"
#include "hv/tlfs/flush_calls.h"
#include "hv/tlfs/message_types.h"
#include "hv/tlfs/msrs.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/vp_calls.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/processors.h"
#include "roms/kit/serial.h"
#include "roms/tour/child_vp.h"
#include "roms/tour/pages.h"
#include "roms/tour/synic.h"
#include "roms/tour/verdicts.h"

extern "C" const char spin_image[], spin_image_end[];

namespace vitrine::tour {
namespace {

using tlfs::Call;
using tlfs::Status;

constexpr std::uint64_t kPoolPages = 96;
constexpr std::uint64_t kChildPages = 32;
constexpr std::uint64_t kMappings = 1500;  // of one page, for the finalization to undo
constexpr std::uint32_t kElsewhere = 1;    // the VP whose logical processor is not ours

// Where things are in the child's memory.
constexpr std::uint64_t kCounter = 0xA000;
constexpr std::uint64_t kCode = 0x10000;

// What one virtual processor of the root saw of its call.
struct Attempted {
  std::uint64_t begin{}, end{};
  std::uint64_t status{};
};

// Shared with the other processors.
volatile std::uint64_t indices;  // bit n: the virtual processor with VP_INDEX n has come
volatile std::uint64_t order;    // the partition to finalize
volatile std::uint64_t finished;
Attempted of_other;

std::uint32_t vp_index() {
  return static_cast<std::uint32_t>(kit::read_msr(static_cast<std::uint32_t>(tlfs::Msr::vp_index)));
}

Attempted finalize(tlfs::PartitionId partition) {
  Attempted call;
  call.begin = kit::read_tsc();
  call.status =
      static_cast<std::uint64_t>(kit::fast_call(Call::finalize_partition, partition).status());
  call.end = kit::read_tsc();
  return call;
}

void other_processor(std::uint32_t) {
  const std::uint32_t index = vp_index();
  __atomic_fetch_or(&indices, std::uint64_t{1} << index, __ATOMIC_SEQ_CST);
  if (index != kElsewhere) return;
  while (order == 0) kit::pause();
  of_other = finalize(order);
  finished = 1;
}

// True when every virtual processor that CPUID promises has come.
bool start_all(std::uint32_t processors) {
  const std::uint64_t all = (std::uint64_t{1} << processors) - 2;
  kit::start_other_processors(other_processor);
  const std::uint64_t patience = kit::read_tsc() + tsc_frequency() / 10;
  while (indices != all && kit::read_tsc() < patience) kit::pause();
  expect_value(Rule::processors_start, indices, all);
  return indices == all;
}

void map(tlfs::PartitionId child, std::uint64_t gpa_page, std::uint64_t page, std::uint64_t step,
         std::uint64_t count) {
  constexpr std::uint64_t kBatch = 300;
  static struct {
    tlfs::MapGpaInput header;
    std::array<std::uint64_t, kBatch> pages{};
  } input;
  while (count != 0) {
    const std::uint64_t batch = count < kBatch ? count : kBatch;
    input.header = {child, gpa_page, tlfs::MapGpaInput::kRights, 0};
    for (std::uint64_t i = 0; i < batch; ++i) input.pages[i] = page + i * step;
    expect(Rule::together_prepared,
           kit::memory_call(Call::map_gpa_pages, &input, sizeof input, nullptr, 0,
                            static_cast<std::uint32_t>(batch)),
           Status::success);
    gpa_page += batch;
    page += batch * step;
    count -= batch;
  }
}

tlfs::PartitionId create(std::uint64_t first_page) {
  deposit(tlfs::kSelf, 1);
  tlfs::PartitionOutput output;
  expect(Rule::together_prepared,
         kit::memory_call(Call::create_partition, tlfs::CreatePartitionInput{}, output),
         Status::success);
  const tlfs::PartitionId child = output.partition;
  deposit(child, kPoolPages);
  expect(Rule::together_prepared, kit::fast_call(Call::initialize_partition, child),
         Status::success);
  map(child, 0, first_page, 1, kChildPages);
  for (std::uint32_t vp = 0; vp < 2; ++vp) {
    const tlfs::CreateVpInput input{
        .partition = child, .vp = vp, .padding = 0, .proximity = {}, .flags = 0};
    expect(Rule::together_prepared, kit::memory_call(Call::create_vp, input), Status::success);
  }
  return child;
}

std::uint64_t counter(std::uint64_t first_page) {
  return *reinterpret_cast<volatile std::uint64_t*>(at_page<char>(first_page) + kCounter);
}

// We do not give our processor away while we look.
std::uint64_t progress(std::uint64_t first_page) {
  constexpr std::uint64_t kTicks = 100'000;
  const std::uint64_t before = counter(first_page);
  const std::uint64_t start = kit::read_tsc();
  while (kit::read_tsc() - start < kTicks) kit::pause();
  return counter(first_page) - before;
}

void set_going(tlfs::PartitionId child, std::uint64_t first_page) {
  load_program(child, kElsewhere, first_page,
               {.begin = spin_image,
                .end = spin_image_end,
                .code = kCode,
                .stack_top = 0,
                .r12 = kCounter,
                .r13 = 0,
                .r14 = 0});
  start_vp(child, kElsewhere);
  const std::uint64_t before = counter(first_page);
  const std::uint64_t patience = kit::read_tsc() + tsc_frequency() / 100;
  while (counter(first_page) == before && kit::read_tsc() < patience) kit::pause();
}

// The virtual processor runs beside us; what we ask for has happened when the call returns.
void reach_the_child(tlfs::PartitionId child, std::uint64_t first_page) {
  constexpr std::uint64_t kMany = 1000;
  build_child_tables(first_page);
  set_going(child, first_page);
  judge(Rule::child_elsewhere, progress(first_page) > kMany);

  expect(Rule::suspend_reaches, suspend_vp(child, kElsewhere), Status::success);
  expect_value(Rule::suspend_reaches, progress(first_page), 0);
  start_vp(child, kElsewhere);
  expect(Rule::flush_reaches,
         kit::memory_call(Call::flush_virtual_address_space,
                          tlfs::FlushSpaceInput{.flags = tlfs::FlushSpaceInput::kAllProcessors |
                                                         tlfs::FlushSpaceInput::kAllSpaces}),
         Status::success);
  judge(Rule::suspend_reaches, progress(first_page) > kMany);

  const tlfs::AssertInterruptInput init{
      .partition = child,
      .control = static_cast<std::uint64_t>(tlfs::InterruptType::init),
      .destination = kElsewhere};
  expect(Rule::interrupt_reaches, kit::memory_call(Call::assert_virtual_interrupt, init),
         Status::success);
  progress(first_page);  // an interrupt is asked for, and taken soon after
  expect_value(Rule::interrupt_reaches, progress(first_page), 0);
  suspend_vp(child, kElsewhere);
  set_going(child, first_page);
  judge(Rule::interrupt_reaches, progress(first_page) > kMany);

  const tlfs::UnmapGpaInput unmap{child, kCounter / tlfs::kPageSize};
  expect(Rule::unmap_reaches,
         kit::memory_call(Call::unmap_gpa_pages, &unmap, sizeof unmap, nullptr, 0, 1),
         Status::success);
  expect_value(Rule::unmap_reaches, progress(first_page), 0);
  const tlfs::Message message = wait_for_message();
  judge(Rule::unmap_reaches,
        message.type == static_cast<std::uint32_t>(tlfs::MessageType::unmapped_gpa) &&
            message.sender == child);
}

// Both begin at once; whoever is told to come again and finds the work done has succeeded, and who
// comes too late for that meets a partition that is finalized.
void finalize_together(tlfs::PartitionId child, std::uint64_t page) {
  map(child, kChildPages, page, 0, kMappings);
  order = child;
  const Attempted own = finalize(child);
  while (finished == 0) kit::pause();
  kit::print_line("HvFinalizePartition on processor 0: status ", kit::Hex{own.status},
                  ", on 1: ", kit::Hex{of_other.status});
  constexpr auto kSuccess = static_cast<std::uint64_t>(Status::success);
  constexpr auto kLate = static_cast<std::uint64_t>(Status::invalid_partition_state);
  const auto documented = [](std::uint64_t status) {
    return status == kSuccess || status == kLate;
  };
  judge(Rule::finalize_together, own.begin < of_other.end && of_other.begin < own.end);
  judge(Rule::finalize_together, documented(own.status) && documented(of_other.status) &&
                                     (own.status == kSuccess || of_other.status == kSuccess));
  expect(Rule::finalize_together, kit::fast_call(Call::finalize_partition, child),
         Status::invalid_partition_state);
  const Balance pool = balance(child);
  expect_value(Rule::together_balance, pool.available, kPoolPages);
  expect_value(Rule::together_balance, pool.in_use, 0);
  const Withdrawal back = withdraw_all(child);
  expect_value(Rule::together_balance, back.pages, kPoolPages);
  judge(Rule::together_balance, back.each_once && back.zeroed);
  expect(Rule::together_balance, kit::fast_call(Call::delete_partition, child), Status::success);
  expect_value(Rule::together_balance, withdraw_all(tlfs::kSelf).pages, 1);
}

void take_down(tlfs::PartitionId child) {
  expect(Rule::together_balance, kit::fast_call(Call::finalize_partition, child), Status::success);
  expect_value(Rule::together_balance, withdraw_all(child).pages, kPoolPages);
  expect(Rule::together_balance, kit::fast_call(Call::delete_partition, child), Status::success);
  expect_value(Rule::together_balance, withdraw_all(tlfs::kSelf).pages, 1);
}

}  // namespace

void tour_processors() {
  const std::uint32_t processors = kit::cpuid(tlfs::kLimitsLeaf).ebx;
  if (processors < 2) return leave_out(Rule::processors_start, Rule::unmap_reaches);
  if (!start_all(processors)) return;
  const std::uint64_t first_page = take_pages(kChildPages);
  const tlfs::PartitionId first = create(first_page);
  if (first == tlfs::kInvalidPartition) return;
  finalize_together(first, first_page);
  // The second virtual processor has halted: its logical processor is the child's alone.
  const tlfs::PartitionId second = create(first_page);
  reach_the_child(second, first_page);
  take_down(second);
}

}  // namespace vitrine::tour
