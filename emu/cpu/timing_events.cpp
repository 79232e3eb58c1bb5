// What a processor tells its modelled caches and translations: address spaces, invalidations, flushes.
#include "emu/arch/registers.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

void Cpu::name_address_space() {
  timing::MemoryModel* const memory = core_ == nullptr ? nullptr : core_->memory();
  if (memory == nullptr) return;
  timing::AddressSpace space;
  space.vpid = vmx::current_vpid(*this);
  if ((state.cr4 & arch::cr4::pcide) != 0) space.pcid = state.cr3 & 0xFFF;
  space.ept = mmu.context().eptp & ~kPageMask;
  memory->set_space(space, (state.cr4 & arch::cr4::pge) != 0);
}

void Cpu::charge_own_access(Hpa address, uint32_t bytes, timing::Cause cause) {
  timing::MemoryModel* const memory = core_ == nullptr ? nullptr : core_->memory();
  if (memory != nullptr) charge(memory->own_access(address, bytes), cause);
}

void Cpu::invalidate_translations(timing::Invalidation::Scope scope, Gva address) {
  if (core_ == nullptr || core_->memory() == nullptr) return;
  core_->memory()->invalidate({scope, core_->memory()->space(), address});
}

void Cpu::invalidate_translations(const timing::Invalidation& what) {
  if (core_ != nullptr && core_->memory() != nullptr) core_->memory()->invalidate(what);
}

void Cpu::flush_line(Gva address) {
  if (core_ == nullptr || core_->memory() == nullptr) return;
  const auto found = mmu.peek(address, AccessRequest{.smap_suspended = true});
  if (found) core_->memory()->flush_line(found->hpa);
}

void Cpu::flush_caches() {
  if (core_ != nullptr && core_->memory() != nullptr) core_->memory()->flush_caches();
}

}  // namespace vitrine::emu
