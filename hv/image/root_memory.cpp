// The root partition's physical memory and the hypervisor's view of all of it.
#include "hv/image/root_memory.h"

#include "hv/image/console.h"
#include "hv/image/instructions.h"
#include "hv/image/page_heap.h"

extern "C" std::uint64_t host_pdpt[];

namespace vitrine::hv {
namespace {

constexpr std::uint64_t kLargePage = 0x200000;
constexpr std::uint64_t kGibibyte = 0x40000000;
constexpr std::uint64_t kRootSpace = 512 * kGibibyte;
constexpr std::uint64_t kBootMapEnd = 4 * kGibibyte;

bool ram_in(const BootInformation& information, std::uint64_t base, std::uint64_t size) {
  for (const BootRange& range : information.memory()) {
    if (range.type == MemoryType::ram && range.base < base + size && base < range.end())
      return true;
  }
  return false;
}

void map_or_stop(EptTables& tables, std::uint64_t base, std::uint64_t size, bool ram) {
  const auto type = ram ? arch::MemoryType::wb : arch::MemoryType::uc;
  if (!tables.map(base, base, size, EptLeaf::make(arch::ept::rights, type))) {
    stop("no page for the root's EPT");
  }
}

}  // namespace

void hide_hypervisor(BootInformation& information) {
  const std::uint64_t base = hypervisor_base();
  const std::uint64_t end = hypervisor_end();
  for (std::size_t i = 0; i < information.range_count; ++i) {
    const BootRange range = information.ranges[i];
    if (range.type != MemoryType::ram || range.base > base || range.end() < end) continue;
    if (information.range_count + 2 > BootInformation::kMaximumRanges) stop("memory map too long");
    for (std::size_t j = information.range_count; j > i + 1; --j) {
      information.ranges[j + 1] = information.ranges[j - 1];
    }
    information.ranges[i] = {range.base, base - range.base, MemoryType::ram};
    information.ranges[i + 1] = {base, end - base, MemoryType::reserved};
    information.ranges[i + 2] = {end, range.end() - end, MemoryType::ram};
    information.range_count += 2;
    return;
  }
  stop("the memory map has no RAM where the hypervisor is");
}

void map_root(EptTables& tables, const BootInformation& information) {
  for (std::uint64_t gibibyte = 0; gibibyte < kRootSpace; gibibyte += kGibibyte) {
    const bool any_ram = ram_in(information, gibibyte, kGibibyte);
    if (!any_ram) {
      map_or_stop(tables, gibibyte, kGibibyte, false);
      continue;
    }
    for (std::uint64_t base = gibibyte; base < gibibyte + kGibibyte; base += kLargePage) {
      map_or_stop(tables, base, kLargePage, ram_in(information, base, kLargePage));
    }
  }
  constexpr std::uint64_t kVideoBase = 0xA0000;
  constexpr std::uint64_t kRomEnd = 0x100000;
  map_or_stop(tables, kVideoBase, kRomEnd - kVideoBase, false);

  const bool hidden = tables.unmap(hypervisor_base(), hypervisor_end() - hypervisor_base());
  const bool apic_hidden = tables.unmap(arch::apic_base::default_address, kPageSize);
  if (!hidden || !apic_hidden) stop("no page for the root's EPT");
}

void map_physical_memory(const BootInformation& information) {
  constexpr std::uint64_t kPresentWritable = 3;
  constexpr std::uint64_t kLarge = 0x80;
  const std::uint64_t end = end_of_ram(information);
  for (std::uint64_t base = kBootMapEnd; base < end; base += kGibibyte) {
    const std::uint64_t directory = allocate_page();
    for (std::uint64_t i = 0; i < kPageSize / 8; ++i) {
      at<std::uint64_t>(directory)[i] = (base + i * kLargePage) | kLarge | kPresentWritable;
    }
    host_pdpt[base / kGibibyte] = directory | kPresentWritable;
  }
  write_cr3(read_cr3());
}

}  // namespace vitrine::hv
