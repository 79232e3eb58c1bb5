// Input and output structures of the calls on memory maps and virtual processors, 0x004B to 0x0056.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/tlfs/types.h"

namespace vitrine::hv::tlfs {

// HvMapGpaPages; the list holds the caller's page numbers.
struct MapGpaInput {
  PartitionId partition{};
  std::uint64_t gpa_base{};  // page number
  std::uint32_t flags{};
  std::uint32_t padding{};

  // Bits 0 to 2 are Rights of TLFS 2.0: read, write, execute.
  static constexpr std::uint32_t kRights = 7;
};
static_assert(sizeof(MapGpaInput) == 24 && offsetof(MapGpaInput, flags) == 16);

// HvUnmapGpaPages: the rep count is the number of pages, there is no list.
struct UnmapGpaInput {
  PartitionId partition{};
  std::uint64_t gpa_base{};
};
static_assert(sizeof(UnmapGpaInput) == 16);

// HvCreateVp in the layout of versions 1 and 2.
// Differs: later editions put subnode fields before the proximity information; zero means the same in both.
struct CreateVpInput {
  PartitionId partition{};
  VpIndex vp{};
  std::uint32_t padding{};
  ProximityInfo proximity{};
  std::uint64_t flags{};
};
static_assert(sizeof(CreateVpInput) == 32 && offsetof(CreateVpInput, flags) == 24);

// HvDeleteVp, and the header of HvGetVpRegisters and HvSetVpRegisters.
struct VpInput {
  PartitionId partition{};
  VpIndex vp{};
  std::uint32_t reserved{};  // later editions: the target VTL, 0 here
};
static_assert(sizeof(VpInput) == 16);

struct RegisterName {
  std::uint32_t name{};
};
static_assert(sizeof(RegisterName) == 4);

struct RegisterAssignment {
  std::uint32_t name{};
  std::array<std::uint32_t, 3> padding{};
  U128 value{};
};
static_assert(sizeof(RegisterAssignment) == 32 && offsetof(RegisterAssignment, value) == 16);

// HvTranslateVirtualAddress.
// Manual says (MSDN 2013) flags@12 and page@16; TLFS 2.0, WDK 7.1 and all later editions say 16 and 24.
struct TranslateInput {
  PartitionId partition{};
  VpIndex vp{};
  std::uint32_t padding{};
  std::uint64_t flags{};
  std::uint64_t gva_page{};

  // clang-format off
  static constexpr std::uint64_t kRead             = 1 << 0;
  static constexpr std::uint64_t kWrite            = 1 << 1;
  static constexpr std::uint64_t kExecute          = 1 << 2;
  static constexpr std::uint64_t kPrivilegeExempt  = 1 << 3;
  static constexpr std::uint64_t kSetPageTableBits = 1 << 4;
  static constexpr std::uint64_t kFlushInhibit     = 1 << 5;
  static constexpr std::uint64_t kDefined          = 0x3F;
  // clang-format on
};
static_assert(sizeof(TranslateInput) == 32 && offsetof(TranslateInput, gva_page) == 24);

// HV_TRANSLATE_GVA_RESULT_CODE.
enum class TranslateCode : std::uint32_t {
  success,
  page_not_present,
  privilege_violation,
  invalid_page_table_flags,
  gpa_unmapped,
  gpa_no_read,
  gpa_no_write,
  illegal_overlay,
};

struct TranslateOutput {
  std::uint64_t result{};  // 31:0 code, 39:32 cache type, 40 overlay
  std::uint64_t gpa_page{};

  static constexpr std::uint64_t kWriteBack = std::uint64_t{6} << 32;
  static constexpr std::uint64_t kOverlay = std::uint64_t{1} << 40;
};
static_assert(sizeof(TranslateOutput) == 16);

// HvReadGpa.
struct ReadGpaInput {
  PartitionId partition{};
  VpIndex vp{};
  std::uint32_t byte_count{};
  std::uint64_t gpa{};
  std::uint64_t flags{};  // cache type, TLFS "HV_ACCESS_GPA_CONTROL_FLAGS"
};
static_assert(sizeof(ReadGpaInput) == 32);

enum class AccessGpaCode : std::uint32_t {
  success,
  unmapped,
  read_intercept,
  write_intercept,
  illegal_overlay,
};

struct ReadGpaOutput {
  std::uint64_t result{};
  std::array<std::uint8_t, 16> data{};
};
static_assert(sizeof(ReadGpaOutput) == 24);

// HvWriteGpa.
struct WriteGpaInput {
  PartitionId partition{};
  VpIndex vp{};
  std::uint32_t byte_count{};
  std::uint64_t gpa{};
  std::uint64_t flags{};
  std::array<std::uint8_t, 16> data{};
};
static_assert(sizeof(WriteGpaInput) == 48 && offsetof(WriteGpaInput, data) == 32);

struct WriteGpaOutput {
  std::uint64_t result{};
};
static_assert(sizeof(WriteGpaOutput) == 8);

inline constexpr std::uint32_t kMaximumGpaAccess = 16;

// HvAssertVirtualInterrupt.
struct AssertInterruptInput {
  PartitionId partition{};
  std::uint64_t control{};  // 31:0 type, 32 level triggered, 33 logical destination
  std::uint64_t destination{};
  std::uint32_t vector{};
  std::uint32_t reserved{};

  static constexpr std::uint64_t kLevel = std::uint64_t{1} << 32;
  static constexpr std::uint64_t kLogical = std::uint64_t{1} << 33;
};
static_assert(sizeof(AssertInterruptInput) == 32 && offsetof(AssertInterruptInput, vector) == 24);

// HV_INTERRUPT_TYPE: the APIC's delivery modes.
enum class InterruptType : std::uint32_t {
  fixed = 0,
  lowest_priority = 1,
  smi = 2,
  nmi = 4,
  init = 5,
  sipi = 6,
  external = 7,
};

}  // namespace vitrine::hv::tlfs
