// Rep calls and a finalization of several sizes, with interrupts off: what the lengths of attempts are judged by.
#include <algorithm>
#include <array>

#include "hv/tlfs/flush_calls.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/vp_calls.h"
#include "roms/kit/boot.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/serial.h"
#include "roms/tour/pages.h"

namespace {

using namespace vitrine;
namespace tlfs = hv::tlfs;
using tlfs::Call;
using tlfs::Status;

constexpr std::uint32_t kMapBatch = 509;  // what a page of parameters holds
constexpr std::uint32_t kWithdrawBatch = 512;
constexpr std::uint32_t kGetBatch = 240;  // 20 bytes of input and 16 of output each
constexpr std::uint32_t kSetBatch = 127;
constexpr std::uint32_t kFlushBatch = 500;
constexpr std::uint32_t kRbx = 0x00020003;

struct Parameters {
  std::array<std::uint64_t, 512> words{};
};
Parameters input, output;
bool failed;

void must(tlfs::HypercallResult result, std::uint32_t reps, Status status = Status::success) {
  if (result.status() == status && result.reps() == reps) return;
  failed = true;
  kit::print_line("FAIL: status ", static_cast<std::uint32_t>(result.status()), " after ",
                  result.reps(), " of ", reps);
}

void call(Call code, std::uint64_t input_words, std::uint32_t reps) {
  must(kit::memory_call(code, &input, 8 * input_words, nullptr, 0, reps), reps);
}

void map(tlfs::PartitionId child, std::uint64_t first_page, std::uint64_t pages) {
  for (std::uint64_t done = 0; done < pages;) {
    const auto now = static_cast<std::uint32_t>(std::min<std::uint64_t>(pages - done, kMapBatch));
    input.words[0] = child;
    input.words[1] = done;
    input.words[2] = tlfs::MapGpaInput::kRights;
    for (std::uint32_t i = 0; i < now; ++i) input.words[3 + i] = first_page + done + i;
    call(Call::map_gpa_pages, 3 + std::uint64_t{now}, now);
    done += now;
  }
}

void unmap(tlfs::PartitionId child, std::uint32_t pages) {
  input.words[0] = child;
  input.words[1] = 0;
  call(Call::unmap_gpa_pages, 2, pages);
}

void registers(tlfs::PartitionId child) {
  input.words[0] = child;
  input.words[1] = 0;
  constexpr std::uint64_t kTwoNames = kRbx | std::uint64_t{kRbx} << 32;
  for (std::uint32_t i = 0; i < kGetBatch / 2; ++i) input.words[2 + i] = kTwoNames;
  call(Call::get_vp_registers, 2 + kGetBatch / 2, kGetBatch);
  for (std::uint32_t i = 0; i < kSetBatch; ++i) {
    input.words[2 + 4 * i] = kRbx;
    input.words[3 + 4 * i] = 0;
    input.words[4 + 4 * i] = i;
    input.words[5 + 4 * i] = 0;
  }
  call(Call::set_vp_registers, 2 + 4 * std::uint64_t{kSetBatch}, kSetBatch);
}

void flush() {
  input.words[0] = 0;
  input.words[1] = tlfs::FlushSpaceInput::kAllProcessors | tlfs::FlushSpaceInput::kAllSpaces;
  input.words[2] = 1;
  for (std::uint32_t i = 0; i < kFlushBatch; ++i) input.words[3 + i] = std::uint64_t{i} << 12;
  call(Call::flush_virtual_address_list, 3 + kFlushBatch, kFlushBatch);
}

void withdraw(tlfs::PartitionId child, std::uint32_t pages) {
  const tlfs::PoolInput pool{child, {}};
  for (std::uint32_t done = 0; done < pages;) {
    const std::uint32_t now = std::min(pages - done, kWithdrawBatch);
    must(kit::memory_call(Call::withdraw_memory, &pool, sizeof pool, &output, sizeof output, now),
         now);
    done += now;
  }
}

}  // namespace

std::uint32_t payload_main() {
  constexpr std::uint64_t kSmall = 10;
  constexpr std::uint64_t kLarge = 1000;
  if (!kit::enable_hypercalls()) {
    kit::print_line("no hypervisor here");
    return 1;
  }
  tour::deposit(tlfs::kSelf, 1);
  tlfs::PartitionOutput created;
  kit::memory_call(Call::create_partition, tlfs::CreatePartitionInput{}, created);
  const tlfs::PartitionId child = created.partition;
  tour::deposit(child, kSmall);
  tour::deposit(child, kLarge);
  withdraw(child, kSmall);
  must(kit::fast_call(Call::initialize_partition, child), 0);
  const tlfs::CreateVpInput vp{
      .partition = child, .vp = 0, .padding = 0, .proximity = {}, .flags = 0};
  must(kit::memory_call(Call::create_vp, vp), 0);
  registers(child);
  flush();
  const std::uint64_t pages = tour::take_pages(kLarge);
  map(child, pages, kSmall);
  unmap(child, kSmall);
  map(child, pages, kLarge);
  unmap(child, kLarge);
  map(child, pages, kLarge);
  must(kit::fast_call(Call::finalize_partition, child), 0);
  withdraw(child, kLarge);
  kit::print_line(failed ? "SLICES FAIL" : "SLICES PASS");
  return failed ? 1 : 0;
}
