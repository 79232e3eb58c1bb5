// The tour's memory and the memory-pool calls.
#include "roms/tour/pages.h"

#include "hv/tlfs/call_codes.h"
#include "hv/tlfs/partition_calls.h"
#include "roms/kit/boot.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/serial.h"

namespace vitrine::tour {
namespace {

using tlfs::Call;

// From 16 MiB on, below the hypervisor's 128 MiB.
constexpr std::uint64_t kFirstPage = 0x1000000 / tlfs::kPageSize;
constexpr std::uint64_t kPages = 16384;

struct Pages {
  std::uint64_t next{kFirstPage};
  std::array<bool, kPages> deposited{};
};
Pages pages;

constexpr std::uint32_t kDepositBatch = 511;
struct DepositInput {
  tlfs::PartitionInput header;
  std::array<std::uint64_t, kDepositBatch> list{};
};
static_assert(sizeof(DepositInput) == tlfs::kPageSize);

constexpr std::uint32_t kWithdrawBatch = 512;
using WithdrawOutput = std::array<std::uint64_t, kWithdrawBatch>;

bool is_empty(std::uint64_t page) {
  const auto* const words = at_page<volatile std::uint64_t>(page);
  for (std::uint64_t i = 0; i < tlfs::kPageSize / 8; ++i) {
    if (words[i] != 0) return false;
  }
  return true;
}

// Empty, and keeps what is written to it.
bool is_fresh(std::uint64_t page) {
  if (!is_empty(page)) return false;
  auto* const word = at_page<volatile std::uint64_t>(page);
  *word = page;
  const bool kept = *word == page;
  *word = 0;
  return kept;
}

}  // namespace

std::uint64_t take_pages(std::uint64_t count) {
  const std::uint64_t first = pages.next;
  pages.next += count;
  if (pages.next > kFirstPage + kPages) {
    kit::print_line("the tour is out of pages");
    kit::leave(2);
  }
  __builtin_memset(at_page<void>(first), 0, count * tlfs::kPageSize);
  return first;
}

tlfs::HypercallResult deposit(tlfs::PartitionId partition, std::uint64_t count) {
  static DepositInput input;
  tlfs::HypercallResult result{};
  while (count != 0) {
    const std::uint64_t batch = count < kDepositBatch ? count : kDepositBatch;
    const std::uint64_t first = take_pages(batch);
    input.header = {partition};
    for (std::uint64_t i = 0; i < batch; ++i) input.list[i] = first + i;
    result = kit::memory_call(Call::deposit_memory, &input, sizeof input, nullptr, 0,
                              static_cast<std::uint32_t>(batch));
    for (std::uint64_t i = 0; i < result.reps(); ++i)
      pages.deposited[first + i - kFirstPage] = true;
    if (result.status() != tlfs::Status::success) return result;
    count -= batch;
  }
  return result;
}

Balance balance(tlfs::PartitionId partition) {
  const tlfs::PoolInput input{partition, {}};
  tlfs::BalanceOutput output;
  const auto result = kit::memory_call(Call::get_memory_balance, input, output);
  if (result.status() != tlfs::Status::success) return {};
  return {output.available, output.in_use};
}

Withdrawal withdraw_all(tlfs::PartitionId partition) {
  static WithdrawOutput list;
  Withdrawal sum;
  const tlfs::PoolInput input{partition, {}};
  do {
    const auto result = kit::memory_call(Call::withdraw_memory, &input, sizeof input, &list,
                                         sizeof list, kWithdrawBatch);
    for (std::uint32_t i = 0; i < result.reps(); ++i) {
      const std::uint64_t page = list[i];
      const bool ours = page >= kFirstPage && page < kFirstPage + kPages;
      if (!ours || !pages.deposited[page - kFirstPage]) {
        sum.each_once = false;
        continue;
      }
      pages.deposited[page - kFirstPage] = false;
      sum.zeroed = sum.zeroed && is_fresh(page);
      ++sum.pages;
    }
    sum.last_status = result.status();
  } while (sum.last_status == tlfs::Status::success);
  return sum;
}

}  // namespace vitrine::tour
