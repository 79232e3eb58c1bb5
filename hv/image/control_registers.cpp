// CR0 and CR4 of a guest: what it reads, and what a MOV of its own would do.
#include "emu/arch/registers.h"
#include "hv/image/page_heap.h"
#include "hv/image/processor.h"
#include "hv/image/vp_context.h"

namespace vitrine::hv {
namespace {

// SDM "PDPTE Registers": loaded by the MOV to CR0 that turns PAE paging on.
void load_page_directory_pointers() {
  constexpr std::uint64_t kPdptMask = 0xFFFFFFE0;
  const std::uint64_t table = read_vmcs(Field::guest_cr3) & kPdptMask;
  for (unsigned i = 0; i < 4; ++i) {
    const EptTables& memory = *this_processor().current->memory;
    const std::uint64_t entry = memory.lookup(table);
    const std::uint64_t page = entry & 0x000F'FFFF'FFFF'F000;
    const std::uint64_t value = entry == 0 ? 0 : at<std::uint64_t>(page + (table & 0xFFF))[i];
    write_vmcs(static_cast<Field>(static_cast<unsigned>(Field::guest_pdpte0) + 2 * i), value);
  }
}

}  // namespace

std::uint64_t read_guest_cr0() {
  const std::uint64_t real = read_vmcs(Field::guest_cr0);
  return (real & ~kOwnedCr0) | (read_vmcs(Field::cr0_shadow) & kOwnedCr0);
}

std::uint64_t read_guest_cr4() {
  const std::uint64_t real = read_vmcs(Field::guest_cr4);
  return (real & ~kOwnedCr4) | (read_vmcs(Field::cr4_shadow) & kOwnedCr4);
}

void set_cr0(std::uint64_t value) {
  constexpr std::uint64_t kWritable = arch::cr0::pe | arch::cr0::mp | arch::cr0::em |
                                      arch::cr0::ts | arch::cr0::ne | arch::cr0::wp |
                                      arch::cr0::am | arch::cr0::nw | arch::cr0::cd | arch::cr0::pg;
  const std::uint64_t legal = (value & kWritable) | arch::cr0::et;
  write_vmcs(Field::guest_cr0, legal | kOwnedCr0);
  write_vmcs(Field::cr0_shadow, legal);
}

// SDM "MOV—Move to/from Control Registers", "Protected Mode Exceptions", for MOV to CR0.
bool write_guest_cr0(std::uint64_t value) {
  const std::uint64_t old = read_guest_cr0();
  const std::uint64_t cr4 = read_guest_cr4();
  std::uint64_t efer = read_vmcs(Field::guest_efer);
  const bool paging = (value & arch::cr0::pg) != 0;
  const bool was_paging = (old & arch::cr0::pg) != 0;
  if ((value >> 32) != 0) return false;
  if (paging && (value & arch::cr0::pe) == 0) return false;
  if ((value & arch::cr0::nw) != 0 && (value & arch::cr0::cd) == 0) return false;
  if (paging && !was_paging && (efer & arch::efer::lme) != 0) {
    if ((cr4 & arch::cr4::pae) == 0) return false;
    if (arch::SegmentRights{read_segment(arch::cs).rights}.long_mode()) return false;
  }
  if (!paging && was_paging && (cr4 & arch::cr4::pcide) != 0) return false;

  std::uint64_t entry = read_vmcs(Field::entry_controls);
  const bool long_mode = paging && (efer & arch::efer::lme) != 0;
  efer = long_mode ? efer | arch::efer::lma : efer & ~arch::efer::lma;
  entry = long_mode ? entry | arch::entry_control::ia32e_mode_guest
                    : entry & ~std::uint64_t{arch::entry_control::ia32e_mode_guest};
  write_vmcs(Field::guest_efer, efer);
  write_vmcs(Field::entry_controls, entry);
  set_cr0(value);
  if (paging && !long_mode && (cr4 & arch::cr4::pae) != 0) load_page_directory_pointers();
  // SDM "Operations that Invalidate Cached Mappings": the MOV would have dropped what the VPID
  // tags.
  if (const std::uint16_t vpid = this_processor().current->vpid; vpid != 0) invalidate_vpid(vpid);
  return true;
}
bool write_guest_cr4(std::uint64_t value) {
  if ((value & kOwnedCr4) != 0) return false;
  write_vmcs(Field::guest_cr4, value | kOwnedCr4);
  write_vmcs(Field::cr4_shadow, value);
  return true;
}

}  // namespace vitrine::hv
