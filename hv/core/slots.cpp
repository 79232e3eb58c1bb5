// Slots: adding and removing the small records of a partition.
#include "hv/core/slots.h"

namespace vitrine::hv {

Slot* add_slot(Hypervisor& hv, Partition& partition, std::uint64_t& chain) {
  std::uint64_t address = chain;
  while (address != 0 && hv.at<SlotPage>(address)->used == kSlotsPerPage) {
    address = hv.at<SlotPage>(address)->next;
  }
  if (address == 0) {
    address = take_page(hv, partition, PageUse::slots);
    if (address == 0) return nullptr;
    hv.at<SlotPage>(address)->next = chain;
    chain = address;
  }
  SlotPage& page = *hv.at<SlotPage>(address);
  ++page.used;
  for (Slot& slot : page.slots) {
    if (slot.used != 0) continue;
    slot = {.used = 1};
    return &slot;
  }
  return nullptr;
}

void remove_slot(Hypervisor& hv, Partition& partition, std::uint64_t& chain, const Slot& slot) {
  const std::uint64_t address = hv.address_of(&slot) & ~(tlfs::kPageSize - 1);
  SlotPage& page = *hv.at<SlotPage>(address);
  page.slots[static_cast<std::size_t>(&slot - page.slots.data())] = {};
  if (--page.used != 0) return;
  std::uint64_t* link = &chain;
  while (*link != address) link = &hv.at<SlotPage>(*link)->next;
  *link = page.next;
  give_page(hv, partition, address);
}

}  // namespace vitrine::hv
