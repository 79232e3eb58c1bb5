// Overlay pages.
#include "hv/core/overlays.h"

#include "hv/core/gpa_space.h"
#include "hv/core/hypervisor.h"

namespace vitrine::hv {
namespace {

void disable(Hypervisor& hv, Partition& partition, std::uint64_t& reg) {
  const tlfs::PageRegister old{reg};
  if (!old.enabled()) return;
  reg = tlfs::PageRegister::make(old.page(), false).word;
  --partition.overlay_count;
  remove_overlay(hv, partition, old.page());
}

std::uint64_t gpa_pages(const Hypervisor& hv) {
  const std::uint64_t pages = std::uint64_t{1} << (hv.physical_bits - tlfs::kPageShift);
  return pages < kGpaPages ? pages : kGpaPages;
}

}  // namespace

bool write_page_register(Hypervisor& hv, Partition& partition, std::uint64_t& reg,
                         std::uint64_t value, std::uint64_t overlay, Rights rights) {
  const tlfs::PageRegister wanted{value};
  const tlfs::PageRegister old{reg};
  if (wanted.page() >= gpa_pages(hv)) return false;
  const bool stays = old.enabled() && wanted.enabled() && old.page() == wanted.page();
  if (stays) {
    reg = value;
    return true;
  }
  if (wanted.enabled() &&
      !place_overlay(hv, partition, wanted.page(), overlay >> tlfs::kPageShift, rights)) {
    return false;
  }
  disable(hv, partition, reg);
  reg = value;
  if (wanted.enabled()) ++partition.overlay_count;
  return true;
}

void disable_partition_overlays(Hypervisor& hv, Partition& partition) {
  disable(hv, partition, partition.hypercall);
  disable(hv, partition, partition.reference_tsc);
}

void disable_vp_overlays(Hypervisor& hv, Partition& partition, VirtualProcessor& vp) {
  disable(hv, partition, vp.synic.simp);
  disable(hv, partition, vp.synic.siefp);
  disable(hv, partition, vp.vp_assist);
  disable(hv, partition, vp.synic.sirbp);
}

}  // namespace vitrine::hv
