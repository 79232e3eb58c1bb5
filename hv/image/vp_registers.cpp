// The architectural registers of a virtual processor by their TLFS names.
#include "hv/image/vp_registers.h"

#include <array>

#include "emu/arch/msr.h"
#include "hv/image/instructions.h"
#include "hv/image/page_heap.h"

namespace vitrine::hv {
namespace {

using tlfs::U128;

// HV_REGISTER_NAME, the first of each group that is handled as a group.
namespace name {
constexpr std::uint32_t internal_activity = 0x00000004;
constexpr std::uint32_t pending_interruption = 0x00010002;
constexpr std::uint32_t interrupt_state = 0x00010003;
constexpr std::uint32_t rax = 0x00020000;
constexpr std::uint32_t r15 = 0x0002000F;
constexpr std::uint32_t xmm0 = 0x00030000;
constexpr std::uint32_t xmm15 = 0x0003000F;
constexpr std::uint32_t fp_mmx0 = 0x00030010;
constexpr std::uint32_t fp_mmx7 = 0x00030017;
constexpr std::uint32_t fp_control_status = 0x00030018;
constexpr std::uint32_t xmm_control_status = 0x00030019;
constexpr std::uint32_t cr0 = 0x00040000;
constexpr std::uint32_t cr4 = 0x00040003;
constexpr std::uint32_t cr8 = 0x00040004;
constexpr std::uint32_t es = 0x00060000;
constexpr std::uint32_t tr = 0x00060007;
constexpr std::uint32_t idtr = 0x00070000;
constexpr std::uint32_t gdtr = 0x00070001;
constexpr std::uint32_t tsc = 0x00080000;
constexpr std::uint32_t efer = 0x00080001;
constexpr std::uint32_t apic_base = 0x00080003;
constexpr std::uint32_t pat = 0x00080004;
constexpr std::uint32_t initial_apic_id = 0x0008000C;
constexpr std::uint32_t tsc_adjust = 0x00080096;
}  // namespace name

// Registers that are a field of the VMCS as it stands.
struct FieldName {
  std::uint32_t name;
  Field field;
};
// clang-format off
constexpr auto kFieldNames = std::to_array<FieldName>({
    {0x00020010, Field::guest_rip},
    {0x00020011, Field::guest_rflags},
    {0x00040002, Field::guest_cr3},
    {0x00050005, Field::guest_dr7},
    {0x00080001, Field::guest_efer},
    {0x00080004, Field::guest_pat},
    {0x00080005, Field::guest_sysenter_cs},
    {0x00080006, Field::guest_sysenter_eip},
    {0x00080007, Field::guest_sysenter_esp},
    {0x0008007D, Field::guest_debugctl},
});

// Registers that are swapped with the virtual processor.
struct SwappedName {
  std::uint32_t name;
  std::uint64_t SwappedState::*member;
};
constexpr auto kSwappedNames = std::to_array<SwappedName>({
    {0x00040001, &SwappedState::cr2},
    {0x00040005, &SwappedState::xcr0},
    {0x00050000, &SwappedState::dr0},
    {0x00050001, &SwappedState::dr1},
    {0x00050002, &SwappedState::dr2},
    {0x00050003, &SwappedState::dr3},
    {0x00050004, &SwappedState::dr6},
    {0x00080002, &SwappedState::kernel_gs_base},
    {0x00080008, &SwappedState::star},
    {0x00080009, &SwappedState::lstar},
    {0x0008000A, &SwappedState::cstar},
    {0x0008000B, &SwappedState::fmask},
    {0x0008007B, &SwappedState::tsc_aux},
    {0x0008008B, &SwappedState::xss},
});
// clang-format on

template <typename Rows>
const auto* find(const Rows& rows, std::uint32_t wanted) {
  for (const auto& row : rows) {
    if (row.name == wanted) return &row;
  }
  return static_cast<const typename Rows::value_type*>(nullptr);
}

// SDM "XSAVE Area": the legacy region is that of FXSAVE in 64-bit mode.
constexpr std::uint64_t kFcw = 0;
constexpr std::uint64_t kMxcsr = 24;
constexpr std::uint64_t kSt0 = 32;
constexpr std::uint64_t kXmm0 = 160;
constexpr std::uint64_t kXstateBv = 512;
constexpr std::uint64_t kX87AndSse = 3;

void mark_in_use(const VpContext& vp) {
  *at<std::uint64_t>(vp.swapped.extended_area + kXstateBv) |= kX87AndSse;
}

std::uint64_t extended_address(const VpContext& vp, std::uint32_t which) {
  const std::uint64_t area = vp.swapped.extended_area;
  if (which >= name::xmm0 && which <= name::xmm15) return area + kXmm0 + (which - name::xmm0) * 16;
  if (which >= name::fp_mmx0 && which <= name::fp_mmx7) {
    return area + kSt0 + (which - name::fp_mmx0) * 16;
  }
  return 0;
}

template <typename T>
void put(U128& value, const T& structure) {
  static_assert(sizeof(T) == sizeof(U128));
  __builtin_memcpy(&value, &structure, sizeof value);
}

template <typename T>
T take(const U128& value) {
  static_assert(sizeof(T) == sizeof(U128));
  T structure;
  __builtin_memcpy(&structure, &value, sizeof value);
  return structure;
}

void set_segment(unsigned segment, const tlfs::SegmentRegister& value) {
  constexpr std::uint32_t kPresent = 0x80;
  constexpr std::uint32_t kDefined = 0xF0FF;
  const std::uint32_t rights = value.attributes & kDefined;
  const bool usable = (rights & kPresent) != 0;
  write_segment(segment, {value.selector, value.base, value.limit,
                          usable ? rights : rights | arch::kUnusableSegment});
}

void set_table(Field base, Field limit, const tlfs::TableRegister& value) {
  write_vmcs(base, value.base);
  write_vmcs(limit, value.limit);
}

tlfs::TableRegister table(Field base, Field limit) {
  return {.limit = static_cast<std::uint16_t>(read_vmcs(limit)), .base = read_vmcs(base)};
}

void set_efer(std::uint64_t value) {
  constexpr std::uint64_t kLongModeGuest = arch::entry_control::ia32e_mode_guest;
  const std::uint64_t entry = read_vmcs(Field::entry_controls);
  const bool long_mode = (value & arch::efer::lma) != 0;
  write_vmcs(Field::guest_efer, value);
  write_vmcs(Field::entry_controls, long_mode ? entry | kLongModeGuest : entry & ~kLongModeGuest);
}

// HV_X64_PENDING_INTERRUPTION_REGISTER: pending 0, type 3:1, deliver error code 4, vector 31:16,
// error code 63:32.
std::uint64_t pending_interruption() {
  const arch::InterruptionInfo event{read_vmcs32(Field::entry_interruption_information)};
  if (!event.valid()) return 0;
  return 1 | (static_cast<std::uint64_t>(event.type()) << 1) |
         (event.error_code_valid() ? 16U : 0U) | (std::uint64_t{event.vector()} << 16) |
         (read_vmcs(Field::entry_exception_error_code) << 32);
}

void set_pending_interruption(std::uint64_t value) {
  const auto type = static_cast<arch::EventType>(value >> 1 & 7);
  const auto vector = static_cast<std::uint8_t>(value >> 16);
  const bool pending = (value & 1) != 0;
  const auto event = arch::InterruptionInfo::make(type, vector, (value & 16) != 0);
  write_vmcs(Field::entry_interruption_information, pending ? event.value : 0);
  write_vmcs(Field::entry_exception_error_code, value >> 32);
}

// HV_X64_INTERRUPT_STATE_REGISTER: 0 interrupt shadow, 1 NMI masked.
std::uint64_t interrupt_state() {
  const std::uint64_t state = read_vmcs(Field::guest_interruptibility);
  constexpr std::uint64_t kShadow =
      arch::interruptibility::blocking_by_sti | arch::interruptibility::blocking_by_mov_ss;
  return ((state & kShadow) != 0 ? 1U : 0U) |
         ((state & arch::interruptibility::blocking_by_nmi) != 0 ? 2U : 0U);
}

void set_interrupt_state(std::uint64_t value) {
  write_vmcs(Field::guest_interruptibility,
             ((value & 1) != 0 ? arch::interruptibility::blocking_by_sti : 0U) |
                 ((value & 2) != 0 ? arch::interruptibility::blocking_by_nmi : 0U));
}

// HV_INTERNAL_ACTIVITY_REGISTER: 0 startup suspend (waits for a SIPI), 1 halt suspend.
std::uint64_t internal_activity(const VpContext& vp) {
  return (vp.startup != Startup::running ? 1U : 0U) | (vp.halted ? 2U : 0U);
}

void set_internal_activity(VpContext& vp, std::uint64_t value) {
  vp.startup = (value & 1) != 0 ? Startup::wait_for_sipi : Startup::running;
  vp.halted = (value & 2) != 0;
}

}  // namespace

tlfs::SegmentRegister tlfs_segment(unsigned segment) {
  constexpr std::uint32_t kDefined = 0xF0FF;
  const SegmentState state = read_segment(segment);
  return {state.base, state.limit, state.selector,
          static_cast<std::uint16_t>(state.rights & kDefined)};
}

RegisterResult get_vp_register(VpContext& vp, std::uint32_t which, U128& value) {
  value = {};
  if (const auto* const row = find(kFieldNames, which)) {
    value.low = read_vmcs(row->field);
  } else if (const auto* const swapped = find(kSwappedNames, which)) {
    value.low = vp.swapped.*swapped->member;
  } else if (which >= name::rax && which <= name::r15) {
    value.low = vp.gpr(which - name::rax);
  } else if (const std::uint64_t address = extended_address(vp, which)) {
    value = *at<U128>(address);
  } else if (which >= name::es && which <= name::tr) {
    put(value, tlfs_segment(which - name::es));
  } else {
    const std::uint64_t area = vp.swapped.extended_area;
    switch (which) {
      case name::internal_activity: value.low = internal_activity(vp); break;
      case name::pending_interruption: value.low = pending_interruption(); break;
      case name::interrupt_state: value.low = interrupt_state(); break;
      case name::fp_control_status:
        value = {*at<std::uint64_t>(area + kFcw), *at<std::uint64_t>(area + kFcw + 8)};
        break;
      case name::xmm_control_status:
        value = {*at<std::uint64_t>(area + 16), *at<std::uint64_t>(area + kMxcsr)};
        break;
      case name::cr0: value.low = read_guest_cr0(); break;
      case name::cr4: value.low = read_guest_cr4(); break;
      case name::cr8: value.low = vp.apic.task_priority() >> 4; break;
      case name::idtr: put(value, table(Field::guest_idtr_base, Field::guest_idtr_limit)); break;
      case name::gdtr: put(value, table(Field::guest_gdtr_base, Field::guest_gdtr_limit)); break;
      case name::tsc: value.low = read_tsc() + read_vmcs(Field::tsc_offset); break;
      case name::apic_base: value.low = vp.apic.base_msr(); break;
      case name::initial_apic_id: value.low = vp.apic.id(); break;
      case name::tsc_adjust: value.low = vp.tsc_adjust; break;
      default: return RegisterResult::unknown_name;
    }
  }
  return RegisterResult::done;
}

RegisterResult set_vp_register(VpContext& vp, std::uint32_t which, const U128& value) {
  if (which == name::efer) {
    set_efer(value.low);
  } else if (which == name::pat) {
    if (!arch::valid_pat(value.low)) return RegisterResult::invalid_value;
    write_vmcs(Field::guest_pat, value.low);
  } else if (const auto* const row = find(kFieldNames, which)) {
    write_vmcs(row->field, value.low);
  } else if (const auto* const swapped = find(kSwappedNames, which)) {
    vp.swapped.*swapped->member = value.low;
  } else if (which >= name::rax && which <= name::r15) {
    vp.set_gpr(which - name::rax, value.low);
  } else if (const std::uint64_t address = extended_address(vp, which)) {
    *at<U128>(address) = value;
    mark_in_use(vp);
  } else if (which >= name::es && which <= name::tr) {
    set_segment(which - name::es, take<tlfs::SegmentRegister>(value));
  } else {
    switch (which) {
      case name::internal_activity: set_internal_activity(vp, value.low); break;
      case name::pending_interruption: set_pending_interruption(value.low); break;
      case name::interrupt_state: set_interrupt_state(value.low); break;
      case name::fp_control_status: {
        const std::uint64_t area = vp.swapped.extended_area;
        *at<std::uint64_t>(area + kFcw) = value.low;
        *at<std::uint64_t>(area + kFcw + 8) = value.high;
        mark_in_use(vp);
        break;
      }
      case name::xmm_control_status: {
        // SDM "MXCSR Control and Status Register": bits above 15 are reserved.
        const auto mxcsr = static_cast<std::uint32_t>(value.high);
        if ((mxcsr & 0xFFFF0000) != 0) return RegisterResult::invalid_value;
        *at<std::uint64_t>(vp.swapped.extended_area + 16) = value.low;
        *at<std::uint32_t>(vp.swapped.extended_area + kMxcsr) = mxcsr;
        mark_in_use(vp);
        break;
      }
      case name::cr0: set_cr0(value.low); break;
      case name::cr4:
        if (!write_guest_cr4(value.low)) return RegisterResult::invalid_value;
        break;
      case name::cr8:
        if (value.low > 15) return RegisterResult::invalid_value;
        vp.apic.set_task_priority(static_cast<std::uint8_t>(value.low << 4));
        break;
      case name::idtr:
        set_table(Field::guest_idtr_base, Field::guest_idtr_limit,
                  take<tlfs::TableRegister>(value));
        break;
      case name::gdtr:
        set_table(Field::guest_gdtr_base, Field::guest_gdtr_limit,
                  take<tlfs::TableRegister>(value));
        break;
      case name::tsc: write_vmcs(Field::tsc_offset, value.low - read_tsc()); break;
      case name::apic_base:
        if (value.low != vp.apic.base_msr()) return RegisterResult::invalid_value;
        break;
      case name::tsc_adjust: vp.tsc_adjust = value.low; break;
      default: return RegisterResult::unknown_name;
    }
  }
  return RegisterResult::done;
}

}  // namespace vitrine::hv
