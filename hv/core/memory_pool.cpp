// Memory pools.
#include "hv/core/memory_pool.h"

#include "hv/core/gpa_space.h"
#include "hv/core/hypervisor.h"
#include "hv/core/require.h"

namespace vitrine::hv {
namespace {

constexpr std::uint32_t index_of(PageUse use) { return static_cast<std::uint32_t>(use); }

void push_free(Hypervisor& hv, MemoryPool& pool, std::uint64_t page) {
  PageRecord& record = hv.record(page);
  record.use = PageUse::pool_free;
  record.next = static_cast<std::uint32_t>(pool.first_free);
  pool.first_free = page;
  ++pool.available;
}

std::uint64_t pop_free(Hypervisor& hv, MemoryPool& pool) {
  const std::uint64_t page = pool.first_free;
  PageRecord& record = hv.record(page);
  pool.first_free = record.next;
  record.next = 0;
  --pool.available;
  return page;
}

void zero_page(const Hypervisor& hv, std::uint64_t page) {
  __builtin_memset(hv.at<void>(page << tlfs::kPageShift), 0, tlfs::kPageSize);
}

void hide_from_root(Hypervisor& hv, std::uint64_t page) {
  const Platform& platform = *hv.platform;
  const bool done = platform.map_page(platform.context, hv.root(), page, page, Rights::none);
  require(done, "the root's translation tables have room");
  mark_stale(hv, hv.root());
}

}  // namespace

std::uint64_t take_page(Hypervisor& hv, Partition& partition, PageUse use) {
  MemoryPool& pool = partition.pool;
  if (pool.available == 0) return 0;
  const std::uint64_t page = pop_free(hv, pool);
  hv.record(page).use = use;
  ++pool.used_for[index_of(use)];
  zero_page(hv, page);
  return page << tlfs::kPageShift;
}

void give_page(Hypervisor& hv, Partition& partition, std::uint64_t address) {
  const std::uint64_t page = address >> tlfs::kPageShift;
  PageRecord& record = hv.record(page);
  require(record.owner == partition.id && record.use > PageUse::pool_free,
          "a page goes back to the pool it came from");
  --partition.pool.used_for[index_of(record.use)];
  record.mappings = 0;
  push_free(hv, partition.pool, page);
}

// TLFS HvDepositMemory: mapped with all rights in the depositor, and nobody else can reach it.
// Decided: page 0 is not taken. What a child deposits is memory of the root that the child maps: while it
// is deposited, neither of them reaches it.
Status deposit_page(Hypervisor& hv, Partition& depositor, Partition& partition,
                    std::uint64_t gpa_page) {
  const bool by_root = depositor.parent == 0;
  if (by_root && gpa_page < hv.page_count && hv.record(gpa_page).use == PageUse::event_log_buffer) {
    return Status::object_in_use;
  }
  const GpaEntry entry = lookup(hv, depositor, gpa_page);
  if (gpa_page == 0 || !entry.mapped() || entry.deposited() || entry.rights() != Rights::all) {
    return Status::operation_denied;
  }
  PageRecord& record = hv.record(entry.page());
  const unsigned own_mappings = by_root ? 0 : 1;
  if (record.use != PageUse::ram || record.mappings > own_mappings) return Status::operation_denied;
  if (overlay_at(hv, depositor, gpa_page) != 0) return Status::object_in_use;
  if (!by_root) mark_deposited(hv, depositor, gpa_page, true);
  record.owner = static_cast<std::uint32_t>(partition.id);
  record.gpa_page = static_cast<std::uint32_t>(gpa_page);
  push_free(hv, partition.pool, entry.page());
  ++partition.pool.deposited;
  hide_from_root(hv, entry.page());
  return Status::success;
}

Outcome<std::uint64_t> withdraw_page(Hypervisor& hv, Partition& depositor, Partition& partition) {
  if (partition.pool.available == 0) return Status::no_resources;
  const std::uint64_t page = pop_free(hv, partition.pool);
  --partition.pool.deposited;
  zero_page(hv, page);
  PageRecord& record = hv.record(page);
  record.owner = 0;
  record.use = PageUse::ram;
  const std::uint64_t gpa_page = record.gpa_page;
  const Platform& platform = *hv.platform;
  platform.restore_root_page(platform.context, page, true, record.root_rights);
  if (depositor.parent != 0) mark_deposited(hv, depositor, gpa_page, false);
  return gpa_page;
}

}  // namespace vitrine::hv
