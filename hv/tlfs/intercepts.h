// Intercepts: types, access masks, and the payloads of intercept messages.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/tlfs/types.h"
#include "hv/tlfs/vp_registers.h"

namespace vitrine::hv::tlfs {

// HV_INTERCEPT_TYPE as versions 1 and 2 have it.
enum class InterceptType : std::uint32_t { io_port = 0, msr = 1, cpuid = 2, exception = 3 };

// HV_INTERCEPT_ACCESS_TYPE_MASK.
enum class InterceptAccess : std::uint32_t { none = 0, read = 1, write = 2, execute = 4 };

// Access type in a message header.
enum class MessageAccess : std::uint8_t { read = 0, write = 1, execute = 2 };

// HvInstallIntercept.
struct InstallInterceptInput {
  PartitionId partition{};
  std::uint32_t access{};
  std::uint32_t type{};
  std::uint64_t parameter{};
};
static_assert(sizeof(InstallInterceptInput) == 24);

// The intercept header's execution state.
struct ExecutionState {
  std::uint16_t word{};

  static constexpr ExecutionState make(unsigned cpl, bool cr0_pe, bool cr0_am, bool efer_lma,
                                       bool debug_active, bool interruption_pending) {
    return {static_cast<std::uint16_t>((cpl & 3U) | (cr0_pe ? 4U : 0U) | (cr0_am ? 8U : 0U) |
                                       (efer_lma ? 16U : 0U) | (debug_active ? 32U : 0U) |
                                       (interruption_pending ? 64U : 0U))};
  }
};

// HV_X64_INTERCEPT_MESSAGE_HEADER: the virtual processor's state before the instruction.
struct InterceptHeader {
  std::uint32_t vp_index{};
  std::uint8_t instruction_length{};  // 0 when unknown
  MessageAccess access{};
  std::uint16_t execution_state{};
  SegmentRegister cs;
  std::uint64_t rip{};
  std::uint64_t rflags{};
};
static_assert(sizeof(InterceptHeader) == 40);
static_assert(offsetof(InterceptHeader, cs) == 8 && offsetof(InterceptHeader, rip) == 24);

// General registers in the order of the messages.
struct InterceptRegisters {
  std::uint64_t rax{}, rcx{}, rdx{}, rbx{}, rsp{}, rbp{}, rsi{}, rdi{};
  std::array<std::uint64_t, 8> r8_to_r15{};
};
static_assert(sizeof(InterceptRegisters) == 128);

// HvMessageTypeUnmappedGpa and HvMessageTypeGpaIntercept.
struct MemoryIntercept {
  InterceptHeader header;
  std::uint32_t cache_type{};
  std::uint8_t instruction_bytes{};
  std::uint8_t information{};  // bit 0: the linear address is valid
  std::uint16_t reserved{};
  std::uint64_t gva{};
  std::uint64_t gpa{};
  std::array<std::uint8_t, 16> bytes{};
  SegmentRegister ds;
  SegmentRegister ss;
  InterceptRegisters registers;

  static constexpr std::uint8_t kGvaValid = 1;
};
static_assert(sizeof(MemoryIntercept) == 240);
static_assert(offsetof(MemoryIntercept, gva) == 48 && offsetof(MemoryIntercept, registers) == 112);

// HvMessageTypeX64IoPortIntercept.
struct IoPortIntercept {
  InterceptHeader header;
  std::uint16_t port{};
  std::uint8_t information{};  // 2:0 size, 3 string, 4 rep
  std::uint8_t instruction_bytes{};
  std::uint32_t reserved{};
  std::uint64_t rax{};
  std::array<std::uint8_t, 16> bytes{};
  SegmentRegister ds;
  SegmentRegister es;
  std::uint64_t rcx{};
  std::uint64_t rsi{};
  std::uint64_t rdi{};

  static constexpr std::uint8_t information_of(unsigned size, bool string, bool rep) {
    return static_cast<std::uint8_t>((size & 7U) | (string ? 8U : 0U) | (rep ? 16U : 0U));
  }
};
static_assert(sizeof(IoPortIntercept) == 128 && offsetof(IoPortIntercept, rcx) == 104);

// HvMessageTypeX64MsrIntercept.
struct MsrIntercept {
  InterceptHeader header;
  std::uint32_t number{};
  std::uint32_t reserved{};
  std::uint64_t rdx{};
  std::uint64_t rax{};
};
static_assert(sizeof(MsrIntercept) == 64);

// HvMessageTypeX64CpuidIntercept: the registers, and what the hypervisor would have answered.
struct CpuidIntercept {
  InterceptHeader header;
  std::uint64_t rax{}, rcx{}, rdx{}, rbx{};
  std::uint64_t default_rax{}, default_rcx{}, default_rdx{}, default_rbx{};
};
static_assert(sizeof(CpuidIntercept) == 104);

// HvMessageTypeX64ExceptionIntercept.
struct ExceptionIntercept {
  InterceptHeader header;
  std::uint16_t vector{};
  std::uint8_t information{};  // bit 0: the error code is valid
  std::uint8_t instruction_bytes{};
  std::uint32_t error_code{};
  std::uint64_t parameter{};
  std::uint64_t reserved{};
  std::array<std::uint8_t, 16> bytes{};
  SegmentRegister ds;
  SegmentRegister ss;
  InterceptRegisters registers;

  static constexpr std::uint8_t kErrorCodeValid = 1;
};
static_assert(sizeof(ExceptionIntercept) == 240 && offsetof(ExceptionIntercept, bytes) == 64);

// HvMessageTypeInvalidVpRegisterValue.
struct VpIntercept {
  std::uint32_t vp_index{};
  std::uint32_t reserved{};
};
static_assert(sizeof(VpIntercept) == 8);

}  // namespace vitrine::hv::tlfs
