// Segmentation: descriptors read and checked, segment registers loaded in every mode.
#pragma once

#include <cstdint>

#include "emu/arch/exceptions.h"
#include "emu/cpu/cpu.h"

namespace vitrine::emu {

/// An 8-byte descriptor of the GDT or LDT; system descriptors of long mode have 8 bytes more.
struct Descriptor {
  uint64_t low = 0;
  uint64_t high = 0;

  uint64_t base() const {
    return ((low >> 16) & 0xFFFFFF) | ((low >> 32) & 0xFF000000) | high << 32;
  }
  uint32_t limit() const {
    const auto raw = static_cast<uint32_t>((low & 0xFFFF) | ((low >> 32) & 0xF0000));
    return rights().granular() ? raw << 12 | 0xFFF : raw;
  }
  arch::SegmentRights rights() const {
    return arch::SegmentRights{static_cast<uint32_t>(low >> 40) & 0xF0FF};
  }
  /// Gates: target selector and offset.
  uint16_t gate_selector() const { return static_cast<uint16_t>(low >> 16); }
  uint64_t gate_offset() const {
    return (low & 0xFFFF) | ((low >> 32) & 0xFFFF0000) | high << 32;
  }
  SegmentState segment(uint16_t selector) const {
    return SegmentState{base(), limit(), rights(), selector};
  }
};

/// System-descriptor types (SDM "System Descriptor Types").
enum class SystemType : uint8_t {
  tss16_available = 1, ldt = 2, tss16_busy = 3, call_gate16 = 4, task_gate = 5,
  interrupt_gate16 = 6, trap_gate16 = 7, tss_available = 9, tss_busy = 11, call_gate = 12,
  interrupt_gate = 14, trap_gate = 15,
};

constexpr uint16_t selector_error(uint16_t selector) { return selector & 0xFFFC; }
constexpr bool null_selector(uint16_t selector) { return (selector & 0xFFFC) == 0; }

/// The descriptor a selector names; outside its table: `vector` with the selector as error code.
Result<Descriptor, Fault> read_descriptor(Cpu& cpu, uint16_t selector, arch::Vector vector,
                                          bool sixteen_bytes = false);
/// Sets the accessed bit of a code or data descriptor that was loaded.
Result<void, Fault> mark_accessed(Cpu& cpu, uint16_t selector, const Descriptor& descriptor);
/// Sets or clears the busy bit of a TSS descriptor.
Result<void, Fault> set_busy(Cpu& cpu, uint16_t selector, bool busy);

/// MOV/POP/Lxx to ES, DS, FS, GS or SS in the current mode.
Result<void, Fault> load_segment(Cpu& cpu, uint8_t segment, uint16_t selector);
/// Checks a stack-segment selector for `cpl`; faults with `vector` (#GP or #TS), #SS when absent.
Result<SegmentState, Fault> check_stack_segment(Cpu& cpu, uint16_t selector, unsigned cpl,
                                                arch::Vector vector);
Result<void, Fault> load_ldtr(Cpu& cpu, uint16_t selector);
Result<void, Fault> load_tr(Cpu& cpu, uint16_t selector);
/// CS, DS, ES, FS, GS or SS as real and virtual-8086 mode load them.
void load_real_segment(Cpu& cpu, uint8_t segment, uint16_t selector);

/// CS for a transfer to the same or another privilege level; the caller has made the checks.
void load_code_segment(Cpu& cpu, uint16_t selector, const Descriptor& descriptor, unsigned cpl);
/// On a return to an outer level: data segments that level may not use become null.
void drop_inner_segments(Cpu& cpu);

}  // namespace vitrine::emu
