// VM-entry checks: every row is violated once, by itself, with the failure kind the SDM gives it.
#include "emu/cpu/vmx/entry_checks.h"

#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <string>

#include "emu/arch/ept.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/explain.h"
#include "tests/emu/cpu/vmx/valid_vmcs.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using arch::EventType;
using arch::InterruptionInfo;

namespace {

constexpr arch::CpuProfile make_profile() {
  arch::CpuProfile profile = arch::kSkylakeSp;
  for (const auto feature : {arch::CpuFeature::vmx, arch::CpuFeature::pcid}) {
    profile.features[static_cast<size_t>(feature)] = true;
  }
  return profile;
}
constexpr arch::CpuProfile kProfile = make_profile();

struct Machine {
  Memory memory{uint64_t{1} << 20};
  Bus bus{memory};
  Vmcs vmcs = valid_vmcs();
  bool long_mode = true;

  Machine() { bus.map({Hpa{0}, memory.size(), BusRange::Kind::ram, 0, nullptr, 0}); }
  EntryInputs inputs() const { return {vmcs, kProfile, bus, long_mode, 0x2000}; }
  void set(Field field, uint64_t value) { vmcs.set(field, value); }
  void add(Field field, uint64_t bits) { vmcs.set(field, vmcs[field] | bits); }
  void remove(Field field, uint64_t bits) { vmcs.set(field, vmcs[field] & ~bits); }
  void secondary_bits(uint32_t bits) {
    add(Field::primary_controls, primary::activate_secondary);
    add(Field::secondary_controls, bits);
  }
  void use_ept() {
    secondary_bits(secondary::enable_ept);
    set(Field::eptp, arch::make_eptp(0x3000, true));
  }
  void use_unrestricted() {
    use_ept();
    secondary_bits(secondary::unrestricted_guest);
  }
  void inject(EventType type, uint8_t vector, bool code = false) {
    set(Field::entry_interruption_information, InterruptionInfo::make(type, vector, code).value);
    if (type == EventType::software_interrupt) set(Field::entry_instruction_length, 2);
  }
  void leave_long_mode() {
    remove(Field::entry_controls, entry_control::ia32e_mode_guest);
    set(Field::guest_cs_rights, 0xC09B);
  }
  void enter_v8086() {
    leave_long_mode();
    set(Field::guest_rflags, 2 | arch::rflags::vm);
    for (unsigned i = arch::es; i <= arch::gs; ++i) {
      set(arch::segment_field(Field::guest_es_selector, i), 0x100 * i);
      set(arch::segment_field(Field::guest_es_base, i), 0x1000 * i);
      set(arch::segment_field(Field::guest_es_limit, i), 0xFFFF);
      set(arch::segment_field(Field::guest_es_rights, i), 0xF3);
    }
  }
};

/// One way to break one row: the first words of its claim, and what to do to a valid VMCS.
struct Violation {
  CheckKind kind;
  std::string claim;
  std::function<void(Machine&)> spoil;
};

constexpr uint64_t kNonCanonical = 0x0000800000000000;
constexpr uint64_t kTooHigh = uint64_t{1} << 46;

/// Fields of the six code and data segments, by the letters that start their claims.
const std::array<const char*, 6> kNames = {"ES", "CS", "SS", "DS", "FS", "GS"};

/// Posted interrupts as they are allowed.
void posted(Machine& m) {
  m.add(Field::pin_controls, pin::process_posted_interrupts | pin::external_interrupt_exiting);
  m.add(Field::primary_controls, primary::use_tpr_shadow);
  m.add(Field::exit_controls, exit_control::acknowledge_interrupt);
  m.set(Field::virtual_apic_address, 0x4000);
  m.secondary_bits(secondary::virtual_interrupt_delivery);
}

// clang-format off
std::vector<Violation> control_violations() {
  constexpr auto k = CheckKind::control;
  return {
      {k, "Reserved bits of the pin-based", [](Machine& m) { m.add(Field::pin_controls, 1u << 1); m.remove(Field::pin_controls, 1u << 2); }},
      {k, "Reserved bits of the primary", [](Machine& m) { m.add(Field::primary_controls, 1u << 0); }},
      {k, "Reserved bits of the secondary", [](Machine& m) { m.secondary_bits(1u << 21); }},
      {k, "The CR3-target count", [](Machine& m) { m.set(Field::cr3_target_count, 5); }},
      {k, "I/O-bitmap addresses", [](Machine& m) { m.add(Field::primary_controls, primary::use_io_bitmaps); m.set(Field::io_bitmap_b, 0x801); }},
      {k, "The MSR-bitmap address", [](Machine& m) { m.add(Field::primary_controls, primary::use_msr_bitmaps); m.set(Field::msr_bitmaps, kTooHigh); }},
      {k, "Virtual NMIs need", [](Machine& m) { m.add(Field::pin_controls, pin::virtual_nmis); }},
      {k, "NMI-window exiting needs", [](Machine& m) { m.add(Field::primary_controls, primary::nmi_window_exiting); }},
      {k, "The VPID is not", [](Machine& m) { m.secondary_bits(secondary::enable_vpid); }},
      {k, "The EPTP has", [](Machine& m) { m.secondary_bits(secondary::enable_ept); m.set(Field::eptp, 0x3000); }},
      {k, "Unrestricted guest needs", [](Machine& m) { m.secondary_bits(secondary::unrestricted_guest); }},
      {k, "Reserved bits of the VM-function", [](Machine& m) { m.secondary_bits(secondary::enable_vm_functions); m.set(Field::vm_function_controls, 2); }},
      {k, "EPTP switching needs", [](Machine& m) { m.use_ept(); m.secondary_bits(secondary::enable_vm_functions); m.set(Field::vm_function_controls, 1); m.set(Field::eptp_list_address, 8); }},
      {k, "VMREAD- and VMWRITE-bitmap", [](Machine& m) { m.secondary_bits(secondary::vmcs_shadowing); m.set(Field::vmwrite_bitmap, 0x10); }},
      {k, "The virtual-APIC address", [](Machine& m) { m.add(Field::primary_controls, primary::use_tpr_shadow); m.set(Field::virtual_apic_address, 0x4008); }},
      {k, "Bits 31:4 of the TPR", [](Machine& m) { m.add(Field::primary_controls, primary::use_tpr_shadow); m.set(Field::virtual_apic_address, 0x4000); m.set(Field::tpr_threshold, 0x10); }},
      {k, "Bits 3:0 of the TPR", [](Machine& m) { m.add(Field::primary_controls, primary::use_tpr_shadow); m.set(Field::virtual_apic_address, 0x4000); m.set(Field::tpr_threshold, 1); }},
      {k, "Without TPR shadow", [](Machine& m) { m.secondary_bits(secondary::apic_register_virtualization); }},
      {k, "Without TPR shadow", [](Machine& m) { m.secondary_bits(secondary::virtualize_x2apic_mode); }},
      {k, "The APIC-access address", [](Machine& m) { m.secondary_bits(secondary::virtualize_apic_accesses); m.set(Field::apic_access_address, kTooHigh); }},
      {k, "Virtualize x2APIC", [](Machine& m) { m.add(Field::primary_controls, primary::use_tpr_shadow); m.secondary_bits(secondary::virtualize_apic_accesses | secondary::virtualize_x2apic_mode); }},
      {k, "Virtual-interrupt delivery needs", [](Machine& m) { m.add(Field::primary_controls, primary::use_tpr_shadow); m.secondary_bits(secondary::virtual_interrupt_delivery); }},
      {k, "Posted interrupts need", [](Machine& m) { m.add(Field::pin_controls, pin::process_posted_interrupts); }},
      {k, "Posted interrupts need", [](Machine& m) { posted(m); m.set(Field::posted_interrupt_descriptor, 0x20); }},
      {k, "Posted interrupts need", [](Machine& m) { posted(m); m.set(Field::posted_interrupt_vector, 0x100); }},
      {k, "Page-modification logging needs", [](Machine& m) { m.secondary_bits(secondary::enable_pml); }},
      {k, "The PML address", [](Machine& m) { m.use_ept(); m.secondary_bits(secondary::enable_pml); m.set(Field::pml_address, 0x10); }},
      {k, "Mode-based execute", [](Machine& m) { m.secondary_bits(secondary::mode_based_execute); }},
      {k, "The virtualization-exception", [](Machine& m) { m.secondary_bits(secondary::ept_violation_ve); m.set(Field::virtualization_exception_address, 0x800); }},
      {k, "The TSC multiplier", [](Machine& m) { m.secondary_bits(secondary::use_tsc_scaling); }},
      {k, "Reserved bits of the VM-exit", [](Machine& m) { m.remove(Field::exit_controls, 1u << 0); }},
      {k, "Saving the VMX-preemption", [](Machine& m) { m.add(Field::exit_controls, exit_control::save_preemption_timer); }},
      {k, "The VM-exit MSR-store", [](Machine& m) { m.set(Field::exit_msr_store_count, 1); m.set(Field::exit_msr_store_address, 8); }},
      {k, "The VM-exit MSR-load", [](Machine& m) { m.set(Field::exit_msr_load_count, 2); m.set(Field::exit_msr_load_address, kTooHigh - 16); }},
      {k, "Reserved bits of the VM-entry", [](Machine& m) { m.add(Field::entry_controls, 1u << 10); }},
      {k, "The interruption type", [](Machine& m) { m.inject(static_cast<EventType>(1), 3); }},
      {k, "The vector is consistent", [](Machine& m) { m.inject(EventType::nmi, 3); }},
      {k, "The vector is consistent", [](Machine& m) { m.inject(EventType::hardware_exception, 32); }},
      {k, "Deliver-error-code", [](Machine& m) { m.inject(EventType::hardware_exception, 14, false); }},
      {k, "Deliver-error-code", [](Machine& m) { m.inject(EventType::hardware_exception, 6, true); }},
      {k, "Reserved bits 30:12", [](Machine& m) { m.inject(EventType::hardware_exception, 6); m.add(Field::entry_interruption_information, 1u << 12); }},
      {k, "Bits 31:16 of the exception", [](Machine& m) { m.inject(EventType::hardware_exception, 13, true); m.set(Field::entry_exception_error_code, 0x10000); }},
      {k, "The instruction length", [](Machine& m) { m.inject(EventType::software_interrupt, 0x80); m.set(Field::entry_instruction_length, 16); }},
      {k, "The VM-entry MSR-load", [](Machine& m) { m.set(Field::entry_msr_load_count, 1); m.set(Field::entry_msr_load_address, 4); }},
  };
}

std::vector<Violation> host_violations() {
  constexpr auto k = CheckKind::host;
  return {
      {k, "CR0 has no bit", [](Machine& m) { m.remove(Field::host_cr0, arch::cr0::ne); }},
      {k, "CR4 has no bit", [](Machine& m) { m.add(Field::host_cr4, 1u << 31); }},
      {k, "CR3 is in", [](Machine& m) { m.set(Field::host_cr3, kTooHigh); }},
      {k, "IA32_SYSENTER_ESP", [](Machine& m) { m.set(Field::host_sysenter_eip, kNonCanonical); }},
      {k, "IA32_PAT holds", [](Machine& m) { m.add(Field::exit_controls, exit_control::load_pat); m.set(Field::host_pat, 2); }},
      {k, "IA32_EFER has no", [](Machine& m) { m.add(Field::exit_controls, exit_control::load_efer); m.set(Field::host_efer, 0x500 | 2); }},
      {k, "IA32_EFER.LMA and", [](Machine& m) { m.add(Field::exit_controls, exit_control::load_efer); m.set(Field::host_efer, 0x100); }},
      {k, "RPL and TI", [](Machine& m) { m.set(Field::host_ds_selector, 0x13); }},
      {k, "CS is not", [](Machine& m) { m.set(Field::host_cs_selector, 0); }},
      {k, "TR is not", [](Machine& m) { m.set(Field::host_tr_selector, 0); }},
      {k, "FS, GS and TR", [](Machine& m) { m.set(Field::host_gs_base, kNonCanonical); }},
      {k, "GDTR and IDTR", [](Machine& m) { m.set(Field::host_idtr_base, kNonCanonical); }},
      {k, "64-bit host", [](Machine& m) { m.remove(Field::host_cr4, arch::cr4::pae); }},
      {k, "64-bit host", [](Machine& m) { m.set(Field::host_rip, kNonCanonical); }},
  };
}

std::vector<Violation> register_violations() {
  constexpr auto k = CheckKind::guest;
  return {
      {k, "CR0 has no bit", [](Machine& m) { m.remove(Field::guest_cr0, arch::cr0::ne); }},
      {k, "CR0.PG needs", [](Machine& m) { m.use_unrestricted(); m.leave_long_mode(); m.remove(Field::guest_cr0, arch::cr0::pe); }},
      {k, "CR4 has no bit", [](Machine& m) { m.remove(Field::guest_cr4, arch::cr4::vmxe); }},
      {k, "IA32_DEBUGCTL has", [](Machine& m) { m.add(Field::entry_controls, entry_control::load_debug_controls); m.set(Field::guest_debugctl, 1u << 13); }},
      {k, "IA-32e mode guest needs", [](Machine& m) { m.remove(Field::guest_cr4, arch::cr4::pae); }},
      {k, "CR4.PCIDE needs", [](Machine& m) { m.leave_long_mode(); m.add(Field::guest_cr4, arch::cr4::pcide); }},
      {k, "CR3 is in", [](Machine& m) { m.set(Field::guest_cr3, kTooHigh); }},
      {k, "Bits 63:32 of DR7", [](Machine& m) { m.add(Field::entry_controls, entry_control::load_debug_controls); m.set(Field::guest_dr7, uint64_t{1} << 32); }},
      {k, "IA32_SYSENTER_ESP", [](Machine& m) { m.set(Field::guest_sysenter_esp, kNonCanonical); }},
      {k, "IA32_PAT holds", [](Machine& m) { m.add(Field::entry_controls, entry_control::load_pat); m.set(Field::guest_pat, 0x300); }},
      {k, "IA32_EFER has no", [](Machine& m) { m.add(Field::entry_controls, entry_control::load_efer); m.set(Field::guest_efer, 0x502); }},
      {k, "IA32_EFER.LMA equals IA-32e", [](Machine& m) { m.add(Field::entry_controls, entry_control::load_efer); m.set(Field::guest_efer, 0); }},
      {k, "IA32_EFER.LMA equals LME", [](Machine& m) { m.add(Field::entry_controls, entry_control::load_efer); m.set(Field::guest_efer, arch::efer::lma); }},
      {k, "GDTR and IDTR bases", [](Machine& m) { m.set(Field::guest_gdtr_base, kNonCanonical); }},
      {k, "Bits 31:16 of the GDTR", [](Machine& m) { m.set(Field::guest_idtr_limit, 0x10000); }},
      {k, "RIP is below", [](Machine& m) { m.leave_long_mode(); m.set(Field::guest_rip, uint64_t{1} << 32); }},
      {k, "RIP is canonical", [](Machine& m) { m.set(Field::guest_rip, kNonCanonical); }},
      {k, "Reserved bits of RFLAGS", [](Machine& m) { m.set(Field::guest_rflags, 0); }},
      {k, "Reserved bits of RFLAGS", [](Machine& m) { m.set(Field::guest_rflags, 2 | 1u << 15); }},
      {k, "RFLAGS.VM needs", [](Machine& m) { m.enter_v8086(); m.add(Field::entry_controls, entry_control::ia32e_mode_guest); }},
      {k, "RFLAGS.IF is 1", [](Machine& m) { m.inject(EventType::external_interrupt, 0x30); }},
  };
}

std::vector<Violation> segment_violations() {
  constexpr auto k = CheckKind::guest;
  std::vector<Violation> all = {
      {k, "TR: TI is 0", [](Machine& m) { m.set(Field::guest_tr_selector, 0x1C); }},
      {k, "LDTR: TI is 0", [](Machine& m) { m.set(Field::guest_ldtr_rights, 0x82); m.set(Field::guest_ldtr_selector, 0x24); }},
      {k, "SS: RPL equals", [](Machine& m) { m.set(Field::guest_ss_selector, 0x13); m.set(Field::guest_ss_rights, kDataRights | 0x60); m.set(Field::guest_cs_rights, 0xA09F); }},
      {k, "FS: base is canonical", [](Machine& m) { m.set(Field::guest_fs_base, kNonCanonical); }},
      {k, "GS: base is canonical", [](Machine& m) { m.set(Field::guest_gs_base, kNonCanonical); }},
      {k, "TR: base is canonical", [](Machine& m) { m.set(Field::guest_tr_base, kNonCanonical); }},
      {k, "LDTR: base is canonical", [](Machine& m) { m.set(Field::guest_ldtr_rights, 0x82); m.set(Field::guest_ldtr_base, kNonCanonical); }},
      {k, "CS: type is", [](Machine& m) { m.set(Field::guest_cs_rights, 0xA093); }},
      {k, "SS: type is", [](Machine& m) { m.set(Field::guest_ss_rights, 0xC091); }},
      {k, "CS: DPL fits", [](Machine& m) { m.set(Field::guest_cs_rights, kCodeRights | 0x20); }},
      {k, "SS: DPL is RPL", [](Machine& m) { m.set(Field::guest_ss_rights, kDataRights | 0x20); m.set(Field::guest_cs_rights, 0xA09F); }},
      {k, "CS: D/B is 0", [](Machine& m) { m.set(Field::guest_cs_rights, 0xE09B); }},
      {k, "TR: type is", [](Machine& m) { m.set(Field::guest_tr_rights, 0x83); }},
      {k, "TR: S 0", [](Machine& m) { m.set(Field::guest_tr_rights, 0x0B); }},
      {k, "TR: S 0", [](Machine& m) { m.set(Field::guest_tr_rights, 0x1008B); }},
      {k, "TR: G matches", [](Machine& m) { m.set(Field::guest_tr_limit, 0x100000); }},
      {k, "LDTR: type 2", [](Machine& m) { m.set(Field::guest_ldtr_rights, 0x8B); }},
      {k, "LDTR: G matches", [](Machine& m) { m.set(Field::guest_ldtr_rights, 0x8082); }},
  };
  for (unsigned s = arch::es; s <= arch::gs; ++s) {
    const std::string name = kNames[s];
    const Field base = arch::segment_field(Field::guest_es_base, s);
    const Field limit = arch::segment_field(Field::guest_es_limit, s);
    const Field rights = arch::segment_field(Field::guest_es_rights, s);
    all.push_back({k, name + ": base is the selector", [=](Machine& m) { m.enter_v8086(); m.set(base, 0x10); }});
    all.push_back({k, name + ": limit is FFFFH", [=](Machine& m) { m.enter_v8086(); m.set(limit, 0xFFFFF); }});
    all.push_back({k, name + ": access rights are F3H", [=](Machine& m) { m.enter_v8086(); m.set(rights, 0x93); }});
    all.push_back({k, name + ": S is 1", [=](Machine& m) { m.remove(rights, 0x10); }});
    all.push_back({k, name + ": P is 1", [=](Machine& m) { m.remove(rights, 0x80); }});
    all.push_back({k, name + ": reserved bits", [=](Machine& m) { m.add(rights, 0x100); }});
    all.push_back({k, name + ": G matches", [=](Machine& m) { m.set(limit, 0xFFFFFF00); }});
    if (s != arch::fs && s != arch::gs) {
      all.push_back({k, name + ": base is below", [=](Machine& m) { m.set(base, uint64_t{1} << 32); }});
    }
    if (s != arch::cs && s != arch::ss) {
      all.push_back({k, name + ": type is accessed", [=](Machine& m) { m.set(rights, 0xC092); }});
      all.push_back({k, name + ": DPL is at least", [=](Machine& m) { m.set(arch::segment_field(Field::guest_es_selector, s), 3); }});
    }
  }
  return all;
}

std::vector<Violation> state_violations() {
  constexpr auto k = CheckKind::guest;
  const auto pae = [](Machine& m) {
    m.use_ept();
    m.leave_long_mode();
  };
  return {
      {k, "The activity state is", [](Machine& m) { m.set(Field::guest_activity, 4); }},
      {k, "The HLT state needs", [](Machine& m) { m.set(Field::guest_activity, 1); m.set(Field::guest_ss_selector, 0x13); m.set(Field::guest_cs_selector, 0x0B); m.set(Field::guest_ss_rights, kDataRights | 0x60); m.set(Field::guest_cs_rights, kCodeRights | 0x60); }},
      {k, "An inactive state excludes", [](Machine& m) { m.set(Field::guest_activity, 1); m.set(Field::guest_interruptibility, 1); m.set(Field::guest_rflags, 0x202); }},
      {k, "The injected event is", [](Machine& m) { m.set(Field::guest_activity, 1); m.inject(EventType::hardware_exception, 6); }},
      {k, "The injected event is", [](Machine& m) { m.set(Field::guest_activity, 3); m.inject(EventType::nmi, 2); }},
      {k, "Reserved bits of the interruptibility", [](Machine& m) { m.set(Field::guest_interruptibility, 0x20); }},
      {k, "Blocking by STI and by", [](Machine& m) { m.set(Field::guest_interruptibility, 3); m.set(Field::guest_rflags, 0x202); }},
      {k, "Blocking by STI needs", [](Machine& m) { m.set(Field::guest_interruptibility, 1); }},
      {k, "An injected external interrupt", [](Machine& m) { m.set(Field::guest_interruptibility, 2); m.set(Field::guest_rflags, 0x202); m.inject(EventType::external_interrupt, 0x30); }},
      {k, "An injected NMI excludes blocking", [](Machine& m) { m.set(Field::guest_interruptibility, 2); m.inject(EventType::nmi, 2); }},
      {k, "Blocking by SMI", [](Machine& m) { m.set(Field::guest_interruptibility, 4); }},
      {k, "An injected NMI excludes virtual", [](Machine& m) { m.add(Field::pin_controls, pin::nmi_exiting | pin::virtual_nmis); m.set(Field::guest_interruptibility, 8); m.inject(EventType::nmi, 2); }},
      {k, "Enclave interruption", [](Machine& m) { m.set(Field::guest_interruptibility, 16); }},
      {k, "Reserved bits of the pending", [](Machine& m) { m.set(Field::guest_pending_debug, 0x10); }},
      {k, "BS is 1 exactly", [](Machine& m) { m.set(Field::guest_interruptibility, 2); m.set(Field::guest_rflags, 0x102); }},
      {k, "RTM is 0", [](Machine& m) { m.set(Field::guest_pending_debug, 0x11000); }},
      {k, "The VMCS link pointer is aligned", [](Machine& m) { m.set(Field::vmcs_link_pointer, 0x1001); }},
      {k, "The linked VMCS has", [](Machine& m) { m.set(Field::vmcs_link_pointer, 0x5000); }},
      {k, "The VMCS link pointer is not", [](Machine& m) {
         const uint32_t revision = arch::kVmcsRevision;
         m.bus.write_block(Hpa{0x2000}, std::as_bytes(std::span{&revision, 1}));
         m.set(Field::vmcs_link_pointer, 0x2000);
       }},
      {k, "PDPTE0 has", [=](Machine& m) { pae(m); m.set(Field::guest_pdpte0, 3); }},
      {k, "PDPTE1 has", [=](Machine& m) { pae(m); m.set(Field::guest_pdpte1, 0x21); }},
      {k, "PDPTE2 has", [=](Machine& m) { pae(m); m.set(Field::guest_pdpte2, 0x101); }},
      {k, "PDPTE3 has", [=](Machine& m) { pae(m); m.set(Field::guest_pdpte3, kTooHigh | 1); }},
  };
}

// clang-format on

std::vector<Violation> all_violations() {
  std::vector<Violation> all;
  for (const auto& part : {control_violations(), host_violations(), register_violations(),
                           segment_violations(), state_violations()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

/// Rows that cannot fail while their control must be 0.
bool needs_absent_control(const EntryCheck& check) {
  for (const Field field : check.fields) {
    if (!arch::kFieldExists[arch::field_slot(field)]) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("A valid VMCS passes every entry check", "[vmx][entry]") {
  Machine m;
  for (const EntryCheck* check : failing_checks(m.inputs())) FAIL_CHECK(std::string(check->claim));
  REQUIRE(first_failing_check(m.inputs()) == nullptr);
}

TEST_CASE("A virtual-8086 and an unrestricted real-mode guest pass", "[vmx][entry]") {
  Machine v86;
  v86.enter_v8086();
  for (const EntryCheck* check : failing_checks(v86.inputs()))
    FAIL_CHECK(std::string(check->claim));

  Machine real;
  real.use_unrestricted();
  real.leave_long_mode();
  real.remove(Field::guest_cr0, arch::cr0::pe | arch::cr0::pg);
  for (unsigned i = arch::es; i <= arch::gs; ++i) {
    real.set(arch::segment_field(Field::guest_es_limit, i), 0xFFFF);
    real.set(arch::segment_field(Field::guest_es_rights, i), 0x93);
  }
  for (const EntryCheck* check : failing_checks(real.inputs())) {
    FAIL_CHECK(std::string(check->claim));
  }
}

TEST_CASE("A violated entry check is found and fails in its way", "[vmx][entry]") {
  for (const Violation& violation : all_violations()) {
    CAPTURE(violation.claim);
    Machine m;
    violation.spoil(m);
    bool found = false;
    for (const EntryCheck* check : failing_checks(m.inputs())) {
      if (std::string(check->claim).find(violation.claim) == 0 && check->kind == violation.kind) {
        found = true;
      }
    }
    CHECK(found);
    const EntryCheck* first = first_failing_check(m.inputs());
    REQUIRE(first != nullptr);
    CHECK(first->kind <= violation.kind);
  }
}

TEST_CASE("Every entry check that can fail has a violation", "[vmx][entry]") {
  const auto violations = all_violations();
  // 32-bit hosts are judged below.
  const std::set<std::string> elsewhere = {
      "SS is not 0000H for a 32-bit host",
      "Outside IA-32e mode: IA-32e mode guest and host address-space size are 0",
      "In IA-32e mode: host address-space size is 1",
      "32-bit host: no IA-32e mode guest, CR4.PCIDE 0, RIP below 4 GiB"};
  for (const auto list : entry_checks()) {
    for (const EntryCheck& check : list) {
      const std::string claim{check.claim};
      if (needs_absent_control(check) || elsewhere.count(claim) != 0) continue;
      bool covered = false;
      for (const Violation& violation : violations) {
        covered = covered || (claim.find(violation.claim) == 0 && violation.kind == check.kind);
      }
      CAPTURE(claim);
      CHECK(covered);
    }
  }
}

TEST_CASE("The host address-space size must fit the mode of the entry", "[vmx][entry]") {
  const auto fails = [](const Machine& m, const std::string& claim) {
    for (const EntryCheck* check : failing_checks(m.inputs())) {
      if (std::string(check->claim).find(claim) == 0) return true;
    }
    return false;
  };
  Machine m;
  m.long_mode = false;
  REQUIRE(fails(m, "Outside IA-32e mode"));
  Machine small;
  small.remove(Field::exit_controls, exit_control::host_address_space_size);
  REQUIRE(fails(small, "In IA-32e mode"));
  REQUIRE(fails(small, "32-bit host"));
  small.set(Field::host_ss_selector, 0);
  REQUIRE(fails(small, "SS is not 0000H"));
  Machine legacy;
  legacy.long_mode = false;
  legacy.leave_long_mode();
  legacy.remove(Field::exit_controls, exit_control::host_address_space_size);
  REQUIRE(first_failing_check(legacy.inputs()) == nullptr);
}

TEST_CASE("Failures of the link pointer and the PDPTEs carry a qualification", "[vmx][entry]") {
  Machine m;
  m.set(Field::vmcs_link_pointer, 0x1001);
  REQUIRE(first_failing_check(m.inputs())->detail == arch::EntryFailureDetail::vmcs_link_pointer);
  Machine pae;
  pae.use_ept();
  pae.leave_long_mode();
  pae.set(Field::guest_pdpte2, 3);
  REQUIRE(first_failing_check(pae.inputs())->detail == arch::EntryFailureDetail::pdpte_loading);
}

TEST_CASE("A check reads only the fields it lists", "[vmx][entry]") {
  // Changing every field that a row does not list must not change its answer.
  const auto lists = [](const EntryCheck& check, Field field) {
    for (const Field f : check.fields) {
      if (f == field) return true;
    }
    return false;
  };
  for (const Violation& violation : all_violations()) {
    Machine m;
    violation.spoil(m);
    for (const auto list : entry_checks()) {
      for (const EntryCheck& check : list) {
        const bool before = check.holds(m.inputs());
        for (const arch::FieldRow& row : arch::kFields) {
          if (lists(check, row.field)) continue;
          const uint64_t old = m.vmcs[row.field];
          m.vmcs.set(row.field, ~old);
          if (check.holds(m.inputs()) != before) {
            CAPTURE(std::string(check.claim), std::string(row.name));
            CHECK(check.holds(m.inputs()) == before);
          }
          m.vmcs.set(row.field, old);
        }
      }
    }
  }
}

TEST_CASE("An entry is explained by every failing check with its fields", "[vmx][entry]") {
  Machine m;
  REQUIRE(explain_text(explain_entry(m.inputs())).empty());
  m.set(Field::guest_rflags, 0);
  m.set(Field::host_tr_selector, 0);
  const auto explanations = explain_entry(m.inputs());
  REQUIRE(explanations.size() == 2);
  REQUIRE(explain_text(explanations) ==
          "VMfailValid 8, invalid host-state field: TR is not 0000H (Checks on Host Segment and "
          "Descriptor-Table Registers)\n"
          "  Host TR selector = 0x0\n"
          "VM-entry failure, invalid guest state: Reserved bits of RFLAGS have their fixed values "
          "(Checks on Guest RIP, RFLAGS, and SSP)\n"
          "  Guest RFLAGS = 0x0\n");
}

TEST_CASE("Judging only what changed finds what judging everything finds", "[vmx][entry]") {
  // Random writes, some of them harmless, with an entry attempted after each few.
  const auto violations = all_violations();
  uint64_t seed = 0x9E3779B97F4A7C15;
  const auto random = [&seed] {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
  };
  size_t passed = 0;
  size_t failed = 0;
  Machine m;
  for (int round = 0; round < 4000; ++round) {
    if (random() % 4 == 0) {
      const size_t pick = random() % violations.size();
      violations[pick].spoil(m);
    } else if (random() % 2 == 0) {
      // Mend it: the changes are recorded as VMWRITE would record them.
      const Vmcs good = valid_vmcs();
      for (const arch::FieldRow& row : arch::kFields) m.vmcs.set(row.field, good[row.field]);
    } else {
      const size_t slot = random() % arch::kFieldCount;
      m.vmcs.set(arch::kFields[slot].field, random() % 2 == 0 ? random() & 0xFF0 : random());
    }
    m.long_mode = random() % 16 != 0;
    const EntryCheck* full = first_failing_check(m.inputs());
    REQUIRE(first_failing_changed_check(m.inputs()) == full);
    if (full == nullptr) m.vmcs.changed = {};
    ++(full == nullptr ? passed : failed);
  }
  REQUIRE(passed > 500);
  REQUIRE(failed > 500);
}
