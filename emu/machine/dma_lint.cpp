// DmaLint: the walk of the driver's EPT for each page of a transfer.
#include "emu/machine/dma_lint.h"

#include <algorithm>

namespace vitrine::emu {

DmaLint::DmaLint(Bus& bus, const std::vector<std::unique_ptr<Cpu>>& processors)
    : bus_(bus), processors_(processors) {
  bus_.set_dma_observer(this);
}

uint64_t DmaLint::driver_on(uint32_t processor) const {
  return processor < processors_.size() ? processors_[processor]->mmu.context().eptp : 0;
}

bool DmaLint::reachable(Hpa page, bool write, uint64_t driver) const {
  PagingContext context = processors_.front()->mmu.context();
  context.eptp = driver;
  const AccessRequest look{.write = write, .peek = true};
  const auto t = walk_ept(bus_, context, Gpa{page.value}, look, nullptr);
  return t && t->hpa == page;
}

void DmaLint::transferred(Hpa address, uint64_t size, bool write, uint64_t driver) {
  if (driver == 0 || size == 0) return;
  const Hpa last = address + (size - 1);
  for (Hpa page = address & ~kPageMask; page <= last; page += kPageSize) {
    if (reachable(page, write, driver)) continue;
    if (report_.reads + report_.writes == 0) {
      report_.first = std::max(page, address);
      for (const auto& cpu : processors_) {
        report_.first_cycle = std::max(report_.first_cycle, cpu->now());
      }
    }
    ++(write ? report_.writes : report_.reads);
  }
}

void DmaLint::visit(StateVisitor& v) {
  v.enter("dma_lint");
  v.field("reads", report_.reads);
  v.field("writes", report_.writes);
  v.field("first", report_.first);
  v.field("first_cycle", report_.first_cycle);
  v.leave();
}

}  // namespace vitrine::emu
