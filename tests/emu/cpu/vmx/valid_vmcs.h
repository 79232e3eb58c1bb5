// A VMCS that passes every entry check: a 64-bit host and a 64-bit guest, for tests to spoil.
#pragma once

#include "emu/arch/vmx_controls.h"
#include "emu/cpu/vmx/state.h"

namespace vitrine::emu::vmx {

/// Code, data and TSS rights of a flat 64-bit guest.
inline constexpr uint64_t kCodeRights = 0xA09B;
inline constexpr uint64_t kDataRights = 0xC093;
inline constexpr uint64_t kTssRights = 0x8B;

inline Vmcs valid_vmcs() {
  using arch::ControlWord;
  Vmcs v;
  v.set(Field::pin_controls, arch::true_controls(ControlWord::pin).must_be_1);
  v.set(Field::primary_controls, arch::true_controls(ControlWord::primary).must_be_1);
  v.set(Field::exit_controls, arch::true_controls(ControlWord::exit).must_be_1 |
                                  arch::exit_control::host_address_space_size);
  v.set(Field::entry_controls,
        arch::true_controls(ControlWord::entry).must_be_1 | arch::entry_control::ia32e_mode_guest);

  constexpr uint64_t kCr0 = 0x80010033;
  constexpr uint64_t kCr4 = arch::cr4::vmxe | arch::cr4::pae;
  v.set(Field::host_cr0, kCr0);
  v.set(Field::host_cr3, 0x1000);
  v.set(Field::host_cr4, kCr4);
  v.set(Field::host_cs_selector, 0x08);
  v.set(Field::host_ss_selector, 0x10);
  v.set(Field::host_tr_selector, 0x18);
  v.set(Field::host_rip, 0x8000);
  v.set(Field::host_rsp, 0x9000);

  v.set(Field::guest_cr0, kCr0);
  v.set(Field::guest_cr3, 0x1000);
  v.set(Field::guest_cr4, kCr4);
  v.set(Field::guest_rip, 0x4000);
  v.set(Field::guest_rsp, 0x5000);
  v.set(Field::guest_rflags, 2);
  v.set(Field::guest_dr7, 0x400);
  v.set(Field::vmcs_link_pointer, kNoVmcs);
  for (unsigned i = arch::es; i <= arch::gs; ++i) {
    v.set(arch::segment_field(Field::guest_es_limit, i), 0xFFFFFFFF);
    v.set(arch::segment_field(Field::guest_es_rights, i), kDataRights);
  }
  v.set(Field::guest_cs_selector, 0x08);
  v.set(Field::guest_cs_rights, kCodeRights);
  v.set(Field::guest_ss_selector, 0x10);
  v.set(Field::guest_tr_selector, 0x18);
  v.set(Field::guest_tr_limit, 0x67);
  v.set(Field::guest_tr_rights, kTssRights);
  v.set(Field::guest_ldtr_rights, arch::kUnusableSegment);
  return v;
}

}  // namespace vitrine::emu::vmx
