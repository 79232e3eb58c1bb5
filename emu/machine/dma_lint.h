// DmaLint: notices transfers of devices into memory that a hypervisor keeps from the devices' driver.
#pragma once

#include <memory>
#include <vector>

#include "emu/cpu/cpu.h"
#include "emu/mmu/bus.h"

namespace vitrine::emu {

/// No IOMMU is modelled, so that a driver which runs in a guest can have a device read and write where
/// its own processor cannot: the hypervisor's memory, or pages that were given to it. Nothing is
/// refused; a page that the EPT of the driver's guest does not map there, at the rights of the
/// transfer, is counted. A driver is named by its EPTP; 0 is one that runs without.
class DmaLint final : public DmaObserver {
 public:
  struct Report {
    uint64_t reads = 0;   ///< pages, once per transfer
    uint64_t writes = 0;
    Hpa first;            ///< address and time of the first of them
    Cycle first_cycle;
  };

  DmaLint(Bus& bus, const std::vector<std::unique_ptr<Cpu>>& processors);

  const Report& report() const { return report_; }
  uint64_t driver_on(uint32_t processor) const override;
  void transferred(Hpa address, uint64_t size, bool write, uint64_t driver) override;
  void visit(StateVisitor& v);

 private:
  bool reachable(Hpa page, bool write, uint64_t driver) const;

  Bus& bus_;
  const std::vector<std::unique_ptr<Cpu>>& processors_;
  Report report_;
};

}  // namespace vitrine::emu
