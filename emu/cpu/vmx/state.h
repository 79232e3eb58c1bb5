// The VMX part of a processor's architectural state, the current VMCS included.
#pragma once

#include <array>
#include <cstdint>

#include "emu/arch/registers.h"
#include "emu/arch/types.h"
#include "emu/arch/vmcs_fields.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu::vmx {

using arch::Field;

inline constexpr uint64_t kNoVmcs = ~uint64_t{0};

/// The data of a VMCS while it is current. It goes back to its region in memory by VMCLEAR, VMXOFF,
/// or when another VMCS becomes current.
struct Vmcs {
  std::array<uint64_t, arch::kFieldCount> values{};
  bool launched = false;
  /// Fields that changed since the last VM entry that passed its checks; a cache: all is always right.
  static constexpr size_t kChangedWords = (arch::kFieldCount + 63) / 64;
  std::array<uint64_t, kChangedWords> changed = all_changed();

  static constexpr std::array<uint64_t, kChangedWords> all_changed() {
    std::array<uint64_t, kChangedWords> all{};
    all.fill(~uint64_t{0});
    return all;
  }
  uint64_t operator[](Field field) const { return values[arch::field_slot(field)]; }
  uint32_t word(Field field) const { return static_cast<uint32_t>((*this)[field]); }
  void set(Field field, uint64_t value) {
    const size_t slot = arch::field_slot(field);
    const uint64_t masked = value & arch::FieldEncoding{field}.mask();
    const uint64_t differing = (values[slot] ^ masked) & judged_bits(field);
    values[slot] = masked;
    if (differing != 0) changed[slot / 64] |= uint64_t{1} << (slot % 64);
  }

  /// The bits of a field that entry checks look at: of RFLAGS the reserved ones, TF, IF and VM; of
  /// RIP the upper half.
  static constexpr uint64_t judged_bits(Field field) {
    namespace rflags = arch::rflags;
    constexpr uint64_t kFreeFlags = rflags::arithmetic | rflags::df | rflags::iopl | rflags::nt |
                                    rflags::rf | rflags::ac | rflags::vif | rflags::vip |
                                    rflags::id;
    if (field == Field::guest_rflags) return ~kFreeFlags;
    if (field == Field::guest_rip) return 0xFFFFFFFF00000000;
    return ~uint64_t{0};
  }

  void visit(StateVisitor& v) {
    v.field("values", values);
    v.field("launched", launched);
    if (v.loading()) changed = all_changed();
  }
};

/// The event being delivered through the IDT, for an exit that interrupts the delivery.
struct Vectoring {
  uint32_t information = 0;
  uint32_t error_code = 0;
  uint32_t instruction_length = 0;

  void visit(StateVisitor& v) {
    v.field("information", information);
    v.field("error_code", error_code);
    v.field("instruction_length", instruction_length);
  }
};

/// What an instruction boundary looked like: a change means that an instruction, an iteration of
/// one or an event delivery completed.
struct BoundaryMark {
  uint64_t retired = 0;
  uint64_t events = 0;
  uint64_t rcx = 0;

  friend bool operator==(const BoundaryMark&, const BoundaryMark&) = default;
  void visit(StateVisitor& v) {
    v.field("retired", retired);
    v.field("events", events);
    v.field("rcx", rcx);
  }
};

struct State {
  bool on = false;       ///< between VMXON and VMXOFF
  bool nonroot = false;  ///< between VM entry and VM exit
  bool aborted = false;  ///< a VMX abort has shut the processor down
  uint64_t vmxon_pointer = kNoVmcs;
  uint64_t current_vmcs = kNoVmcs;
  Vmcs vmcs;

  Vectoring vectoring;
  Cycle preemption_deadline = kNever;
  /// Monitor trap: not yet looked at since VM entry, pending at once, or compared with `mark`.
  enum class Trap : uint8_t { unmarked, now, marked };
  Trap trap = Trap::unmarked;
  BoundaryMark mark;
  uint64_t first_pause = 0;  ///< PAUSE loop: TSC of its first and its latest PAUSE; 0 before any
  uint64_t last_pause = 0;
  bool virtual_interrupt = false;  ///< recognised and not yet delivered
  /// What the boundary behind the running instruction owes to the virtual APIC.
  enum class AfterApic : uint8_t { none, written, tpr_below_threshold, virtualized_eoi, apic_write };
  AfterApic after_apic = AfterApic::none;
  uint16_t after_apic_value = 0;  ///< offset in the page, or vector

  // Live within one instruction only; not part of snapshots.
  bool iret_unblocked_nmi = false;  ///< the IRET being executed has ended blocking by NMI
  uint64_t transitions = 0;         ///< VM entries and exits so far
  uint64_t apic_access = 0;         ///< exit qualification of Fault::Kind::apic_access

  void visit(StateVisitor& v) {
    v.field("on", on);
    v.field("nonroot", nonroot);
    v.field("aborted", aborted);
    v.field("vmxon_pointer", vmxon_pointer);
    v.field("current_vmcs", current_vmcs);
    v.enter("vmcs");
    vmcs.visit(v);
    v.leave();
    v.enter("vectoring");
    vectoring.visit(v);
    v.leave();
    v.field("preemption_deadline", preemption_deadline);
    v.field("trap", trap);
    v.enter("mark");
    mark.visit(v);
    v.leave();
    v.field("first_pause", first_pause);
    v.field("last_pause", last_pause);
    v.field("virtual_interrupt", virtual_interrupt);
    v.field("after_apic", after_apic);
    v.field("after_apic_value", after_apic_value);
  }
};

}  // namespace vitrine::emu::vmx
