// VMX words with fields: interruption information, exit qualifications, instruction information,
// guest states.
#pragma once

#include <cstdint>

#include "emu/arch/bits.h"

namespace vitrine::emu::arch {

/// Bits 10:8 of the interruption-information words.
enum class EventType : uint8_t {
  external_interrupt = 0,
  reserved = 1,
  nmi = 2,
  hardware_exception = 3,
  software_interrupt = 4,
  privileged_software_exception = 5,  ///< INT1
  software_exception = 6,             ///< INT3, INTO
  other = 7,                          ///< VM entry only: pending MTF
};

/// SDM "Format of the VM-Entry Interruption-Information Field", VM-exit interruption information
/// and IDT-vectoring information: vector 7:0, type 10:8, error code 11, NMI unblocking 12,
/// valid 31.
struct InterruptionInfo {
  uint32_t value = 0;

  static constexpr uint32_t kErrorCode = 1u << 11;
  static constexpr uint32_t kNmiUnblocking = 1u << 12;
  static constexpr uint32_t kValid = 1u << 31;

  constexpr uint8_t vector() const { return static_cast<uint8_t>(value & 0xFF); }
  constexpr EventType type() const { return static_cast<EventType>(value >> 8 & 7); }
  constexpr bool error_code_valid() const { return (value & kErrorCode) != 0; }
  constexpr bool nmi_unblocking() const { return (value & kNmiUnblocking) != 0; }
  constexpr bool valid() const { return (value & kValid) != 0; }

  static constexpr InterruptionInfo make(EventType type, uint8_t vector, bool error_code) {
    return {kValid | static_cast<uint32_t>(type) << 8 | vector | (error_code ? kErrorCode : 0)};
  }
};

/// SDM "Exit Qualification for Control-Register Accesses".
struct CrAccess {
  enum class Type : uint8_t { mov_to_cr, mov_from_cr, clts, lmsw };
  uint64_t value = 0;

  constexpr unsigned number() const { return static_cast<unsigned>(bits(value, 3, 0)); }
  constexpr Type type() const { return static_cast<Type>(bits(value, 5, 4)); }
  constexpr bool lmsw_from_memory() const { return (value & bit(6)) != 0; }
  constexpr unsigned gpr() const { return static_cast<unsigned>(bits(value, 11, 8)); }
  constexpr uint16_t lmsw_source() const { return static_cast<uint16_t>(bits(value, 31, 16)); }

  static constexpr CrAccess mov(Type type, unsigned number, unsigned gpr) {
    return {number | static_cast<uint64_t>(type) << 4 | uint64_t{gpr} << 8};
  }
  static constexpr CrAccess clts() { return {static_cast<uint64_t>(Type::clts) << 4}; }
  static constexpr CrAccess lmsw(uint16_t source, bool memory) {
    return {static_cast<uint64_t>(Type::lmsw) << 4 | (memory ? bit(6) : 0) |
            uint64_t{source} << 16};
  }
};

/// SDM "Exit Qualification for MOV DR".
struct DrAccess {
  uint64_t value = 0;

  constexpr unsigned number() const { return static_cast<unsigned>(bits(value, 2, 0)); }
  constexpr bool from_dr() const { return (value & bit(4)) != 0; }
  constexpr unsigned gpr() const { return static_cast<unsigned>(bits(value, 11, 8)); }

  static constexpr DrAccess make(unsigned number, bool from_dr, unsigned gpr) {
    return {number | (from_dr ? bit(4) : 0) | uint64_t{gpr} << 8};
  }
};

/// SDM "Exit Qualification for I/O Instructions".
struct IoAccess {
  uint64_t value = 0;

  constexpr unsigned size() const { return static_cast<unsigned>(bits(value, 2, 0)) + 1; }
  constexpr bool in() const { return (value & bit(3)) != 0; }
  constexpr bool string() const { return (value & bit(4)) != 0; }
  constexpr bool rep() const { return (value & bit(5)) != 0; }
  constexpr bool immediate() const { return (value & bit(6)) != 0; }
  constexpr uint16_t port() const { return static_cast<uint16_t>(bits(value, 31, 16)); }

  static constexpr IoAccess make(uint16_t port, unsigned size, bool in, bool string, bool rep,
                                 bool immediate) {
    return {(size - 1) | (in ? bit(3) : 0) | (string ? bit(4) : 0) | (rep ? bit(5) : 0) |
            (immediate ? bit(6) : 0) | uint64_t{port} << 16};
  }
};

/// SDM "Exit Qualification for Task Switches".
enum class TaskSwitchSource : uint8_t { call, iret, jmp, task_gate };
struct TaskSwitchExit {
  uint64_t value = 0;

  constexpr uint16_t selector() const { return static_cast<uint16_t>(bits(value, 15, 0)); }
  constexpr TaskSwitchSource source() const {
    return static_cast<TaskSwitchSource>(bits(value, 31, 30));
  }
  static constexpr TaskSwitchExit make(uint16_t selector, TaskSwitchSource source) {
    return {selector | static_cast<uint64_t>(source) << 30};
  }
};

/// SDM "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical
/// Accesses".
enum class ApicAccessType : uint8_t {
  linear_read = 0,
  linear_write = 1,
  linear_fetch = 2,
  event_delivery = 3,
  guest_physical_event_delivery = 10,
  guest_physical = 15,
};
struct ApicAccessExit {
  uint64_t value = 0;

  constexpr unsigned offset() const { return static_cast<unsigned>(bits(value, 11, 0)); }
  constexpr ApicAccessType type() const { return static_cast<ApicAccessType>(bits(value, 15, 12)); }
  static constexpr ApicAccessExit make(unsigned offset, ApicAccessType type) {
    return {offset | static_cast<uint64_t>(type) << 12};
  }
};

/// Exit qualification of a failed VM entry (SDM "VM-Entry Failures During or After Loading Guest
/// State").
enum class EntryFailureDetail : uint8_t {
  none = 0,
  pdpte_loading = 2,
  nmi_injection_with_sti_blocking = 3,
  vmcs_link_pointer = 4,
};

/// SDM "VM-Exit Instruction-Information Field": the memory-operand form shared by INVEPT, INVVPID,
/// INVPCID, VMCLEAR, VMPTRLD, VMPTRST, VMXON, VMREAD, VMWRITE and the descriptor-table
/// instructions.
struct InstructionInfo {
  uint32_t value = 0;

  constexpr unsigned scaling() const { return static_cast<unsigned>(bits(value, 1, 0)); }
  constexpr unsigned reg1() const { return static_cast<unsigned>(bits(value, 6, 3)); }
  /// 0: 16-bit, 1: 32-bit, 2: 64-bit.
  constexpr unsigned address_size() const { return static_cast<unsigned>(bits(value, 9, 7)); }
  constexpr bool is_register() const { return (value & bit(10)) != 0; }
  constexpr unsigned operand_size() const { return static_cast<unsigned>(bits(value, 12, 11)); }
  constexpr unsigned segment() const { return static_cast<unsigned>(bits(value, 17, 15)); }
  constexpr unsigned index() const { return static_cast<unsigned>(bits(value, 21, 18)); }
  constexpr bool index_invalid() const { return (value & bit(22)) != 0; }
  constexpr unsigned base() const { return static_cast<unsigned>(bits(value, 26, 23)); }
  constexpr bool base_invalid() const { return (value & bit(27)) != 0; }
  constexpr unsigned reg2() const { return static_cast<unsigned>(bits(value, 31, 28)); }
  /// GDTR or IDTR form: 0 SGDT, 1 SIDT, 2 LGDT, 3 LIDT; LDTR or TR form: SLDT, STR, LLDT, LTR.
  constexpr unsigned identity() const { return static_cast<unsigned>(bits(value, 29, 28)); }

  static constexpr uint32_t kRegister = 1u << 10;
  static constexpr uint32_t kIndexInvalid = 1u << 22;
  static constexpr uint32_t kBaseInvalid = 1u << 27;
  static constexpr unsigned kReg1Shift = 3;
  static constexpr unsigned kAddressSizeShift = 7;
  static constexpr unsigned kOperandSizeShift = 11;
  static constexpr unsigned kSegmentShift = 15;
  static constexpr unsigned kIndexShift = 18;
  static constexpr unsigned kBaseShift = 23;
  static constexpr unsigned kReg2Shift = 28;
};

/// SDM "Guest Non-Register State", interruptibility state.
namespace interruptibility {
inline constexpr uint32_t blocking_by_sti = 1u << 0;
inline constexpr uint32_t blocking_by_mov_ss = 1u << 1;
inline constexpr uint32_t blocking_by_smi = 1u << 2;
inline constexpr uint32_t blocking_by_nmi = 1u << 3;
inline constexpr uint32_t enclave = 1u << 4;
}  // namespace interruptibility

/// SDM "Guest Non-Register State", activity state.
enum class Activity : uint8_t { active, hlt, shutdown, wait_for_sipi };

/// SDM "Guest Non-Register State", pending debug exceptions.
namespace pending_debug {
inline constexpr uint64_t breakpoints = 0xF;  ///< B3-B0
inline constexpr uint64_t enabled_breakpoint = bit(12);
inline constexpr uint64_t single_step = bit(14);
inline constexpr uint64_t rtm = bit(16);
inline constexpr uint64_t defined = breakpoints | enabled_breakpoint | single_step | rtm;
}  // namespace pending_debug

/// SDM "VMX Abort".
enum class VmxAbort : uint8_t {
  saving_guest_msrs = 1,
  host_pdpte_check = 2,
  current_vmcs_corrupted = 3,
  loading_host_msrs = 4,
  machine_check = 5,
  host_not_64_bit = 6,
};

/// SDM "VM-Exit Controls for MSRs": one entry of the MSR-load and MSR-store areas.
struct MsrListEntry {
  uint32_t index = 0;
  uint32_t reserved = 0;
  uint64_t data = 0;
};
static_assert(sizeof(MsrListEntry) == 16);

/// SDM "Posted-Interrupt Processing": the descriptor's outstanding-notification bit and size.
inline constexpr unsigned kPostedDescriptorSize = 64;
inline constexpr unsigned kPostedOutstandingBit = 256;

/// SDM "Convertible EPT Violations": the virtualization-exception information area.
struct VirtualizationExceptionInfo {
  uint32_t exit_reason = 0;
  uint32_t busy = 0;
  uint64_t exit_qualification = 0;
  uint64_t guest_linear_address = 0;
  uint64_t guest_physical_address = 0;
  uint16_t eptp_index = 0;
  uint16_t padding[3] = {};
};
static_assert(sizeof(VirtualizationExceptionInfo) == 40);

}  // namespace vitrine::emu::arch
