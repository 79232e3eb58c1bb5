// VMX tables: encodings, capability MSRs, exit reasons and layouts against values that the manual
// prints.
#include <catch2/catch.hpp>

#include "emu/arch/ept.h"
#include "emu/arch/exit_reasons.h"
#include "emu/arch/vm_instruction_error.h"
#include "emu/arch/vmx_controls.h"
#include "emu/arch/vmx_info.h"

using namespace vitrine::emu::arch;

TEST_CASE("VMCS encodings carry width, type and index", "[arch][vmx]") {
  const FieldEncoding rip{Field::guest_rip};
  REQUIRE(rip.value == 0x681E);
  REQUIRE(rip.width() == FieldEncoding::Width::natural);
  REQUIRE(rip.type() == FieldEncoding::Type::guest);
  REQUIRE(rip.index() == 15);
  REQUIRE(FieldEncoding{Field::exit_reason}.value == 0x4402);
  REQUIRE(FieldEncoding{Field::exit_reason}.type() == FieldEncoding::Type::read_only);
  REQUIRE(FieldEncoding{Field::exit_reason}.size() == 4);
  REQUIRE(FieldEncoding{Field::host_rip}.value == 0x6C16);
  REQUIRE(FieldEncoding{Field::eptp}.value == 0x201A);
  REQUIRE(FieldEncoding{Field::tsc_multiplier}.value == 0x2032);
  REQUIRE(FieldEncoding{Field::guest_tr_rights}.value == 0x4822);
  REQUIRE(FieldEncoding{Field::preemption_timer_value}.value == 0x482E);
  REQUIRE(FieldEncoding{Field::host_tr_selector}.value == 0x0C0C);
  REQUIRE(segment_field(Field::guest_es_base, 7) == Field::guest_tr_base);
}

TEST_CASE("Every field is found by its encoding, 64-bit ones by both halves", "[arch][vmx]") {
  for (size_t i = 0; i < kFieldCount; ++i) {
    const FieldEncoding e{kFields[i].field};
    CHECK(field_slot(e.value) == i);
    const bool has_high_half = e.width() == FieldEncoding::Width::w64;
    CHECK(field_slot(e.value | 1) == (has_high_half ? i : kNoSlot));
    CHECK(field_slot(e.value | 0x1000) == kNoSlot);
    CHECK(field_slot(e.value | bit(15)) == kNoSlot);
    CHECK(field_slot(e.value | bit(32)) == kNoSlot);
  }
  REQUIRE(field_slot(0x2808) == kNoSlot);  // IA32_PERF_GLOBAL_CTRL: no performance counters
}

TEST_CASE("Capability MSRs follow the controls table", "[arch][vmx]") {
  for (uint32_t number : {0x481u, 0x482u, 0x483u, 0x484u}) {
    const uint64_t older = vmx_capability(number, 0);
    const uint64_t exact = vmx_capability(number + 0xC, 0);
    CHECK(older >> 32 == exact >> 32);                  // the same bits may be 1
    CHECK((exact & ~older & 0xFFFFFFFF) == 0);          // the TRUE MSR demands no more
    CHECK((older & 0xFFFFFFFF & ~(older >> 32)) == 0);  // what must be 1 may be 1
  }
  // The default1 class as the manual lists it.
  REQUIRE((vmx_capability(0x481, 0) & 0xFFFFFFFF) == 0x00000016);
  REQUIRE((vmx_capability(0x482, 0) & 0xFFFFFFFF) == 0x0401E172);
  REQUIRE((vmx_capability(0x483, 0) & 0xFFFFFFFF) == 0x00036DFF);
  REQUIRE((vmx_capability(0x484, 0) & 0xFFFFFFFF) == 0x000011FF);
  REQUIRE((vmx_capability(0x48E, 0) & 0xFFFFFFFF) == 0x04006172);
  REQUIRE((vmx_capability(0x48F, 0) & 0xFFFFFFFF) == 0x00036DFB);
  REQUIRE((vmx_capability(0x490, 0) & 0xFFFFFFFF) == 0x000011FB);
}

TEST_CASE("IA32_VMX_BASIC and IA32_VMX_MISC say what the machine does", "[arch][vmx]") {
  REQUIRE((kVmxBasic & 0x80000000) == 0);
  REQUIRE(bits(kVmxBasic, 44, 32) == 4096);
  REQUIRE(bits(kVmxBasic, 53, 50) == 6);
  REQUIRE(bits(kVmxBasic, 55, 54) == 3);
  REQUIRE(bits(kVmxMisc, 4, 0) == 5);
  REQUIRE(bits(kVmxMisc, 24, 16) == 4);
  REQUIRE(bits(kVmxMisc, 8, 6) == 7);
  REQUIRE(bits(kVmxVmcsEnum, 9, 1) >= 0x19);  // TSC multiplier
}

TEST_CASE("A field exists only if its control can be 1", "[arch][vmx]") {
  REQUIRE(kFieldExists[field_slot(Field::guest_rip)]);
  REQUIRE(kFieldExists[field_slot(Field::eptp)] ==
          allows(ControlWord::secondary, secondary::enable_ept));
  REQUIRE(kFieldExists[field_slot(Field::virtual_apic_address)] ==
          allows(ControlWord::primary, primary::use_tpr_shadow));
  REQUIRE(kFieldExists[field_slot(Field::vmread_bitmap)] ==
          allows(ControlWord::secondary, secondary::vmcs_shadowing));
}

TEST_CASE("Control names match the masks used in code", "[arch][vmx]") {
  REQUIRE(control_name(ControlWord::primary, 31) == "Activate secondary controls");
  REQUIRE(primary::activate_secondary == 1u << 31);
  REQUIRE(control_name(ControlWord::secondary, 7) == "Unrestricted guest");
  REQUIRE(secondary::unrestricted_guest == 1u << 7);
  REQUIRE(control_name(ControlWord::exit, 22) == "Save VMX-preemption timer value");
  REQUIRE(exit_control::save_preemption_timer == 1u << 22);
  REQUIRE(control_name(ControlWord::entry, 15) == "Load IA32_EFER");
  REQUIRE(entry_control::load_efer == 1u << 15);
  REQUIRE(control_name(ControlWord::pin, 1).empty());
}

TEST_CASE("Exit reasons and instruction errors have their numbers", "[arch][vmx]") {
  REQUIRE(find_exit_reason(48)->name == "EPT violation");
  REQUIRE(find_exit_reason(52)->reason == ExitReason::preemption_timer);
  REQUIRE(find_exit_reason(0)->reason == ExitReason::exception_or_nmi);
  REQUIRE(find_exit_reason(35) == nullptr);
  REQUIRE(kVmInstructionErrors[7] == "VM entry with invalid control fields");
  REQUIRE(kVmInstructionErrors[26] == "VM entry with events blocked by MOV SS");
  REQUIRE(kVmInstructionErrors[14].empty());
}

TEST_CASE("Interruption information and qualifications round-trip", "[arch][vmx]") {
  const auto page_fault = InterruptionInfo::make(EventType::hardware_exception, 14, true);
  REQUIRE(page_fault.value == 0x80000B0E);
  REQUIRE(page_fault.vector() == 14);
  REQUIRE(page_fault.error_code_valid());
  const auto io = IoAccess::make(0x3F8, 1, false, false, false, false);
  REQUIRE(io.value == 0x03F80000);
  REQUIRE(IoAccess::make(0x60, 4, true, true, true, false).value == 0x0060003B);
  REQUIRE(CrAccess::mov(CrAccess::Type::mov_from_cr, 3, 12).value == 0xC13);
  REQUIRE(CrAccess::lmsw(0x1234, true).value == 0x12340070);
  REQUIRE(DrAccess::make(7, true, 1).value == 0x117);
  REQUIRE(TaskSwitchExit::make(0x28, TaskSwitchSource::task_gate).value == 0xC0000028);
}

TEST_CASE("An EPT pointer is checked for type, length and reserved bits", "[arch][vmx]") {
  const uint64_t good = make_eptp(0x1000, true);
  REQUIRE(good == 0x105E);
  REQUIRE(Eptp{good}.valid(46));
  REQUIRE_FALSE(Eptp{good & ~uint64_t{7} | 1}.valid(46));
  REQUIRE_FALSE(Eptp{good ^ 8}.valid(46));
  REQUIRE_FALSE(Eptp{good | bit(7)}.valid(46));
  REQUIRE_FALSE(Eptp{good | bit(46)}.valid(46));
}
