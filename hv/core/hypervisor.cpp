// Start of the hypervisor core: its arena, the root partition and the root's virtual processors.
#include "hv/core/hypervisor.h"

#include "hv/core/require.h"
#include "hv/core/time.h"
#include "hv/core/vp_life.h"

namespace vitrine::hv {
namespace {

constexpr std::uint64_t pages_for(std::uint64_t bytes) {
  return (bytes + tlfs::kPageSize - 1) / tlfs::kPageSize;
}

// Hands out the pages of the arena, zeroed, in the order of arena_pages().
class Arena {
 public:
  Arena(const Hypervisor& hv, std::uint64_t base) : hv_(hv), next_(base) {}

  std::uint64_t take(std::uint64_t pages) {
    const std::uint64_t address = next_;
    __builtin_memset(hv_.at<void>(address), 0, pages * tlfs::kPageSize);
    next_ += pages * tlfs::kPageSize;
    return address;
  }

 private:
  const Hypervisor& hv_;
  std::uint64_t next_;
};

std::uint64_t record_pages(const Configuration& configuration) {
  return pages_for(configuration.memory_end / tlfs::kPageSize * sizeof(PageRecord));
}

void mark_root_memory(Hypervisor& hv, std::span<const MemoryRange> ranges) {
  for (const MemoryRange& range : ranges) {
    const std::uint64_t first = pages_for(range.base);
    const std::uint64_t end = (range.base + range.size) >> tlfs::kPageShift;
    for (std::uint64_t page = first; page < end && page < hv.page_count; ++page) {
      hv.record(page).use = PageUse::ram;
      hv.record(page).root_rights = Rights::all;
    }
  }
}

void create_root(Hypervisor& hv, Arena& arena) {
  const Platform& platform = *hv.platform;
  hv.first_partition = arena.take(1);
  Partition& root = hv.root();
  root.id = hv.last_id = 1;
  hv.partition_count = 1;
  root.state = PartitionState::active;
  root.privileges = tlfs::kDefinedPrivileges;
  // A root that manages the processors is told so by CpuManagement alone; the enlightened one is not.
  if (hv.identity == Identity::enlightened) {
    root.privileges &= ~tlfs::mask_of(tlfs::Privilege::cpu_management);
  }
  root.created_at = hv.tsc_start;
  for (std::uint64_t& overlay : root.overlay) overlay = arena.take(1);
  prepare_partition_overlays(hv, root);
  // Until the guest chooses pages of its own, the registers name the hypervisor's: Linux as root keeps them.
  root.hypercall = tlfs::PageRegister::make(root.overlay[0] >> tlfs::kPageShift, false).word;
  root.reference_tsc = tlfs::PageRegister::make(root.overlay[1] >> tlfs::kPageShift, false).word;
  for (std::uint32_t i = 0; i < platform.partition_pages; ++i) {
    root.platform_pages[i] = arena.take(1);
  }
  const bool created = platform.create_partition(platform.context, root);
  require(created, "the root's translation tables have room");
}

void create_root_vp(Hypervisor& hv, Arena& arena, std::uint32_t index) {
  const Platform& platform = *hv.platform;
  Partition& root = hv.root();
  const std::uint64_t address = arena.take(1);
  VirtualProcessor& vp = *hv.at<VirtualProcessor>(address);
  for (std::uint64_t& overlay : vp.overlay) overlay = arena.take(1);
  for (std::uint32_t i = 0; i < platform.vp_pages; ++i) vp.platform_pages[i] = arena.take(1);
  reset_vp(hv, root, vp, index, index);
  if (hv.identity == Identity::root) {
    const auto chosen = [&vp](VpOverlay which) {
      const std::uint64_t page = vp.overlay[static_cast<std::uint32_t>(which)] >> tlfs::kPageShift;
      return tlfs::PageRegister::make(page, false).word;
    };
    vp.synic.simp = chosen(VpOverlay::messages);
    vp.synic.siefp = chosen(VpOverlay::event_flags);
    vp.vp_assist = chosen(VpOverlay::assist);
    vp.synic.sirbp = chosen(VpOverlay::ring);
  }
  root.vps[index] = address;
  ++root.vp_count;
  platform.create_vp(platform.context, root, vp);
}

}  // namespace

std::uint64_t arena_pages(const Configuration& configuration) {
  const Platform& platform = *configuration.platform;
  const std::uint64_t root_pages = 1 + kPartitionOverlays + platform.partition_pages;
  const std::uint64_t vp_pages = 1 + kVpOverlays + platform.vp_pages;
  return record_pages(configuration) +
         pages_for(sizeof(LogicalProcessor) * configuration.processors) + root_pages +
         vp_pages * configuration.processors;
}

void initialize(Hypervisor& hv, const Configuration& configuration) {
  require(configuration.processors >= 1 && configuration.processors <= kMaximumProcessors,
          "one to eight logical processors");
  require(configuration.platform->partition_pages <= kMaximumPlatformPages &&
              configuration.platform->vp_pages <= kMaximumPlatformPages,
          "the image's pages fit the objects");
  hv = Hypervisor{};
  hv.platform = configuration.platform;
  hv.memory_bias = configuration.memory_bias;
  hv.memory_end = configuration.memory_end;
  hv.page_count = configuration.memory_end >> tlfs::kPageShift;
  hv.processors = configuration.processors;
  hv.identity = configuration.identity;
  hv.tsc_frequency = configuration.tsc_frequency;
  hv.apic_frequency = configuration.apic_frequency;
  hv.tsc_scale = tsc_scale_of(configuration.tsc_frequency);
  hv.tsc_start = hv.platform->read_tsc(hv.platform->context);
  hv.physical_bits = configuration.physical_bits;
  hv.hardware_features = configuration.hardware_features;
  hv.image_lock.rank = LockRank::image;
  hv.tree_lock.rank = LockRank::tree;
  hv.synic_lock.rank = LockRank::synic;
  for (std::uint32_t type = 0; type < tlfs::kEventLogTypes; ++type) {
    hv.event_log[type].lock.rank = LockRank::event_log;
    hv.event_log[type].type = static_cast<tlfs::EventLogType>(type);
  }
  Arena arena(hv, configuration.arena);
  hv.page_records = arena.take(record_pages(configuration));
  hv.processors_base = arena.take(pages_for(sizeof(LogicalProcessor) * hv.processors));
  for (std::uint32_t i = 0; i < hv.processors; ++i) {
    hv.processor(i).index = i;
    hv.processor(i).next_timer = ~std::uint64_t{0};
  }
  mark_root_memory(hv, configuration.root_memory);
  create_root(hv, arena);
  for (std::uint32_t i = 0; i < hv.processors; ++i) create_root_vp(hv, arena, i);
}

VirtualProcessor* find_vp(const Hypervisor& hv, const Partition& partition, std::uint32_t index) {
  if (index >= kMaximumVps || partition.vps[index] == 0) return nullptr;
  return hv.at<VirtualProcessor>(partition.vps[index]);
}

bool runnable(const Hypervisor& hv, const VirtualProcessor& vp) {
  return partition_of(hv, vp).state == PartitionState::active && vp.explicit_suspend == 0 &&
         vp.intercept_suspend == 0;
}

VirtualProcessor* next_child_vp(const Hypervisor& hv, std::uint32_t processor,
                                const VirtualProcessor* after) {
  VirtualProcessor* first = nullptr;
  bool passed = after == nullptr;
  for (std::uint64_t p = hv.root().next; p != 0; p = hv.at<Partition>(p)->next) {
    for (const std::uint64_t address : hv.at<Partition>(p)->vps) {
      if (address == 0) continue;
      VirtualProcessor& vp = *hv.at<VirtualProcessor>(address);
      const bool candidate = vp.processor == processor && runnable(hv, vp);
      if (candidate && passed) return &vp;
      if (candidate && first == nullptr) first = &vp;
      if (&vp == after) passed = true;
    }
  }
  return first;
}

}  // namespace vitrine::hv
