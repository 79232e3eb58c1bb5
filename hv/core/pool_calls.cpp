// Depositing, withdrawing and counting the pages of a pool.
#include "hv/core/handlers.h"

namespace vitrine::hv {

Outcome<Partition*> begin_deposit(Caller& caller, const tlfs::PartitionInput& in) {
  const auto target = child_or_root(caller, in.partition);
  if (!target) return target;
  const PartitionState state = (*target)->state;
  if (state != PartitionState::active && state != PartitionState::uninitialized) {
    return Status::invalid_partition_state;
  }
  return target;
}

Done deposit_element(Caller& caller, Partition*& target, const tlfs::GpaPageElement& in,
                     std::uint32_t) {
  const Status status = deposit_page(caller.hv, caller.partition, *target, in.page);
  if (status != Status::success) return status;
  return kDone;
}

// Every state: only unused pages are given, and all of them are unused in Uninitialized and Finalized.
Outcome<Partition*> begin_withdraw(Caller& caller, const tlfs::PoolInput& in) {
  const auto target = child_or_root(caller, in.partition);
  if (!target) return target;
  if (!in.proximity.acceptable()) return Status::invalid_parameter;
  return target;
}

Outcome<tlfs::GpaPageElement> withdraw_element(Caller& caller, Partition*& target, const Nothing&,
                                               std::uint32_t) {
  const auto page = withdraw_page(caller.hv, caller.partition, *target);
  if (!page) return page.status();
  return tlfs::GpaPageElement{*page};
}

Outcome<tlfs::BalanceOutput> get_memory_balance(Caller& caller, const tlfs::PoolInput& in) {
  const auto target = child_or_root(caller, in.partition);
  if (!target) return target.status();
  if (!in.proximity.acceptable()) return Status::invalid_parameter;
  const MemoryPool& pool = (*target)->pool;
  return tlfs::BalanceOutput{pool.available, pool.deposited - pool.available};
}

}  // namespace vitrine::hv
