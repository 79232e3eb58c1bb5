// Address spaces: switching, and flushing virtual TLBs.
#include "hv/core/handlers.h"
#include "hv/tlfs/vp_registers.h"

namespace vitrine::hv {
namespace {

using tlfs::FlushSpaceInput;

std::uint64_t targets(const Partition& partition, const FlushSpaceInput& in) {
  std::uint64_t existing = 0;
  for (std::uint32_t i = 0; i < kMaximumVps; ++i) {
    if (partition.vps[i] != 0) existing |= std::uint64_t{1} << i;
  }
  const bool all = (in.flags & FlushSpaceInput::kAllProcessors) != 0;
  return all ? existing : existing & in.processor_mask;
}

// TLFS "Virtual TLB": while one of the targets inhibits flushes, the caller waits and calls again.
bool locked(const Caller& caller, std::uint64_t mask) {
  for (std::uint32_t i = 0; i < kMaximumVps; ++i) {
    const VirtualProcessor* const vp =
        (mask >> i & 1) != 0 ? find_vp(caller.hv, caller.partition, i) : nullptr;
    if (vp != nullptr && vp->tlb_locked != 0) return true;
  }
  return false;
}

VirtualFlush flush_of(const Caller& caller, const FlushSpaceInput& in) {
  return {.vp_mask = targets(caller.partition, in),
          .address_space = in.address_space,
          .all_spaces = (in.flags & FlushSpaceInput::kAllSpaces) != 0,
          .keep_global = (in.flags & FlushSpaceInput::kNonGlobalOnly) != 0};
}

}  // namespace

Done switch_virtual_address_space(Caller& caller, const tlfs::SwitchSpaceInput& in) {
  const Platform& platform = *caller.hv.platform;
  const tlfs::U128 value{in.address_space, 0};
  const RegisterResult result = platform.set_register(
      platform.context, caller.vp, static_cast<std::uint32_t>(tlfs::Register::cr3), value);
  if (result != RegisterResult::done) return Status::invalid_parameter;
  return kDone;
}

Done flush_virtual_address_space(Caller& caller, const FlushSpaceInput& in) {
  if ((in.flags & ~FlushSpaceInput::kDefined) != 0) return Status::invalid_parameter;
  const VirtualFlush flush = flush_of(caller, in);
  if (locked(caller, flush.vp_mask)) return Done::again();
  const Platform& platform = *caller.hv.platform;
  platform.flush_virtual(platform.context, caller.partition, flush);
  return kDone;
}

Outcome<FlushSpaceInput> begin_flush_list(Caller& caller, const FlushSpaceInput& in) {
  constexpr std::uint64_t kDefined = FlushSpaceInput::kDefined & ~FlushSpaceInput::kNonGlobalOnly;
  if ((in.flags & ~kDefined) != 0) return Status::invalid_parameter;
  if (locked(caller, targets(caller.partition, in))) return Outcome<FlushSpaceInput>::again();
  return in;
}

Done flush_range(Caller& caller, FlushSpaceInput& in, const tlfs::GvaRange& range, std::uint32_t) {
  VirtualFlush flush = flush_of(caller, in);
  flush.one_range = true;
  flush.page = range.page();
  flush.page_count = range.page_count();
  const Platform& platform = *caller.hv.platform;
  platform.flush_virtual(platform.context, caller.partition, flush);
  return kDone;
}

}  // namespace vitrine::hv
