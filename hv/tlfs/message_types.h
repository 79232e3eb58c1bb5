// HV_MESSAGE_TYPE: the table of the messages that the hypervisor itself sends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vitrine::hv::tlfs {

// Bit 31 marks the hypervisor's own; 1 to 0x7FFFFFFF belong to partitions.
// Manual says 0x80000030 ApicEoi and 0x80000031 FerrAsserted (TLFS 2.0 text); its own headers and
// all later editions use 0x80010004 and 0x80010005.
// clang-format off
enum class MessageType : std::uint32_t {
  none = 0x00000000,
  unmapped_gpa = 0x80000000,
  gpa_intercept = 0x80000001,
  unaccepted_gpa = 0x80000003,
  gpa_attribute_intercept = 0x80000004,
  enable_partition_vtl_intercept = 0x80000005,
  timer_expired = 0x80000010,
  invalid_vp_register_value = 0x80000020,
  unrecoverable_exception = 0x80000021,
  unsupported_feature = 0x80000022,
  tlb_page_size_mismatch = 0x80000023,
  iommu_fault = 0x80000024,
  opaque_intercept = 0x8000003F,
  event_log_buffer_complete = 0x80000040,
  hypercall_intercept = 0x80000050,
  synic_event_intercept = 0x80000060,
  synic_sint_intercept = 0x80000061,
  synic_sint_deliverable = 0x80000062,
  async_call_completion = 0x80000070,
  insufficient_memory = 0x80000071,
  scheduler_id_range_start = 0x80000100,
  scheduler_vp_signal_pair = 0x80000101,
  scheduler_id_range_end = 0x800001FF,
  x64_io_port_intercept = 0x80010000,
  x64_msr_intercept = 0x80010001,
  x64_cpuid_intercept = 0x80010002,
  x64_exception_intercept = 0x80010003,
  x64_apic_eoi = 0x80010004,
  x64_legacy_fp_error = 0x80010005,
  register_intercept = 0x80010006,
  x64_halt = 0x80010007,
  x64_interruption_deliverable = 0x80010008,
  x64_sipi_intercept = 0x80010009,
  x64_rdtsc_intercept = 0x8001000A,
  x64_apic_smi_intercept = 0x8001000B,
  arm64_reset_intercept = 0x8001000C,
  x64_apic_init_sipi_intercept = 0x8001000D,
  x64_apic_write_intercept = 0x8001000E,
  x64_proxy_interrupt_intercept = 0x8001000F,
  x64_isolation_ctrl_reg_intercept = 0x80010010,
  x64_snp_guest_request_intercept = 0x80010011,
  x64_exception_trap_intercept = 0x80010012,
  x64_sev_vmgexit_intercept = 0x80010013,
  x64_msr_list_intercept = 0x80010015,
};
// clang-format on

inline constexpr std::uint32_t kHypervisorMessage = 1U << 31;

struct MessageTypeRow {
  std::uint32_t type;
  std::string_view name;
};

// clang-format off
inline constexpr auto kMessageTypes = std::to_array<MessageTypeRow>({
  {0x00000000, "HvMessageTypeNone"},
  {0x80000000, "HvMessageTypeUnmappedGpa"},
  {0x80000001, "HvMessageTypeGpaIntercept"},
  {0x80000003, "HvMessageTypeUnacceptedGpa"},
  {0x80000004, "HvMessageTypeGpaAttributeIntercept"},
  {0x80000005, "HvMessageTypeEnablePartitionVtlIntercept"},
  {0x80000010, "HvMessageTimerExpired"},
  {0x80000020, "HvMessageTypeInvalidVpRegisterValue"},
  {0x80000021, "HvMessageTypeUnrecoverableException"},
  {0x80000022, "HvMessageTypeUnsupportedFeature"},
  {0x80000023, "HvMessageTypeTlbPageSizeMismatch"},
  {0x80000024, "HvMessageTypeIommuFault"},
  {0x80000030, "HvMessageTypeApicEoi"},
  {0x80000031, "HvMessageTypeFerrAsserted"},
  {0x8000003F, "HvMessageTypeOpaqueIntercept"},
  {0x80000040, "HvMessageTypeEventLogBufferComplete"},
  {0x80000050, "HvMessageTypeHypercallIntercept"},
  {0x80000060, "HvMessageTypeSynicEventIntercept"},
  {0x80000061, "HvMessageTypeSynicSintIntercept"},
  {0x80000062, "HvMessageTypeSynicSintDeliverable"},
  {0x80000070, "HvMessageTypeAsyncCallCompletion"},
  {0x80000071, "HvMessageInsufficientMemory"},
  {0x80000100, "HvMessageTypeSchedulerIdRangeStart"},
  {0x80000101, "HvMessageTypeSchedulerVpSignalPair"},
  {0x800001FF, "HvMessageTypeSchedulerIdRangeEnd"},
  {0x80010000, "HvMessageTypeX64IoPortIntercept"},
  {0x80010001, "HvMessageTypeX64MsrIntercept"},
  {0x80010002, "HvMessageTypeX64CpuidIntercept"},
  {0x80010003, "HvMessageTypeX64ExceptionIntercept"},
  {0x80010004, "HvMessageTypeX64ApicEoi"},
  {0x80010005, "HvMessageTypeX64LegacyFpError"},
  {0x80010006, "HvMessageTypeRegisterIntercept"},
  {0x80010007, "HvMessageTypeX64Halt"},
  {0x80010008, "HvMessageTypeX64InterruptionDeliverable"},
  {0x80010009, "HvMessageTypeX64SipiIntercept"},
  {0x8001000A, "HvMessageTypeX64RdtscIntercept"},
  {0x8001000B, "HvMessageTypeX64ApicSmiIntercept"},
  {0x8001000C, "HvMessageTypeArm64ResetIntercept"},
  {0x8001000D, "HvMessageTypeX64ApicInitSipiIntercept"},
  {0x8001000E, "HvMessageTypeX64ApicWriteIntercept"},
  {0x8001000F, "HvMessageTypeX64ProxyInterruptIntercept"},
  {0x80010010, "HvMessageTypeX64IsolationCtrlRegIntercept"},
  {0x80010011, "HvMessageTypeX64SnpGuestRequestIntercept"},
  {0x80010012, "HvMessageTypeX64ExceptionTrapIntercept"},
  {0x80010013, "HvMessageTypeX64SevVmgexitIntercept"},
  {0x80010015, "HvMessageTypeX64MsrListIntercept"},
});
// clang-format on

constexpr bool message_types_ascend() {
  for (std::size_t i = 1; i < kMessageTypes.size(); ++i) {
    if (kMessageTypes[i].type <= kMessageTypes[i - 1].type) return false;
  }
  return true;
}
static_assert(message_types_ascend());

}  // namespace vitrine::hv::tlfs
