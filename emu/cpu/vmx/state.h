// The VMX part of a processor's architectural state.
#pragma once

#include <cstdint>

#include "emu/arch/types.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu::vmx {

inline constexpr uint64_t kNoVmcs = ~uint64_t{0};

struct State {
  bool on = false;       ///< between VMXON and VMXOFF
  bool nonroot = false;  ///< between VM entry and VM exit
  uint64_t vmxon_pointer = kNoVmcs;
  uint64_t current_vmcs = kNoVmcs;

  void visit(StateVisitor& v) {
    v.field("on", on);
    v.field("nonroot", nonroot);
    v.field("vmxon_pointer", vmxon_pointer);
    v.field("current_vmcs", current_vmcs);
  }
};

}  // namespace vitrine::emu::vmx
