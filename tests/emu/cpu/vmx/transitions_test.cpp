// VM entries and exits: what is loaded, what is saved, how a failed entry shows, and MSR areas.
#include <catch2/catch.hpp>

#include "emu/cpu/timing/count.h"
#include "tests/emu/cpu/vmx/rig.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using arch::EventType;
using arch::ExitReason;
using arch::InterruptionInfo;

namespace {

void leave(Rig& rig) { rig.run("vmcall"); }

void enter_pae_guest(Rig& rig) {
  rig.set(Field::entry_controls,
          rig.vmcs()[Field::entry_controls] & ~uint64_t{entry_control::ia32e_mode_guest});
  rig.set(Field::guest_cs_rights, 0xC09B);
}

}  // namespace

TEST_CASE("VM entry loads the guest's registers", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::guest_rip, 0x4321);
  rig.set(Field::guest_rsp, 0x8765);
  rig.set(Field::guest_rflags, 0x246);
  rig.set(Field::guest_fs_base, 0x1111);
  rig.set(Field::guest_gdtr_base, 0x2222);
  rig.set(Field::guest_gdtr_limit, 0x3F);
  rig.set(Field::guest_sysenter_eip, 0x5555);
  rig.set(Field::guest_ldtr_rights, 0x82);
  rig.set(Field::guest_ldtr_selector, 0x20);
  REQUIRE(rig.enter() == Flow::branch);
  const CpuState& s = rig.cpu.state;
  REQUIRE(rig.cpu.vmx.nonroot);
  REQUIRE(s.rip() == 0x4321);
  REQUIRE(s.regs[arch::rsp] == 0x8765);
  REQUIRE(s.rflags() == 0x246);
  REQUIRE(s.segments[arch::fs].base == 0x1111);
  REQUIRE(s.segments[arch::ldtr].selector == 0x20);
  REQUIRE(s.gdtr.base == 0x2222);
  REQUIRE(s.gdtr.limit == 0x3F);
  REQUIRE(s.msr.sysenter_eip == 0x5555);
  REQUIRE(rig.vmcs().launched);
}

TEST_CASE("VM entry follows its load controls", "[vmx]") {
  for (const bool load : {false, true}) {
    Rig rig;
    rig.become_root();
    rig.cpu.state.dr7 = 0x401;
    rig.cpu.state.msr.pat = 0x0606060606060606;
    rig.set(Field::guest_dr7, 0x4AA);
    rig.set(Field::guest_pat, 0x0101010101010101);
    rig.set(Field::guest_efer, 0xD01);
    if (load) {
      rig.add(Field::entry_controls, entry_control::load_debug_controls | entry_control::load_pat |
                                         entry_control::load_efer);
    }
    rig.enter();
    REQUIRE(rig.cpu.vmx.nonroot);
    REQUIRE(rig.cpu.state.dr7 == (load ? 0x4AA : 0x401));
    REQUIRE(rig.cpu.state.msr.pat == (load ? 0x0101010101010101 : 0x0606060606060606));
    REQUIRE(rig.cpu.state.efer == (load ? 0xD01 : 0x500));
  }
}

TEST_CASE("VM entry loads activity, interruptibility and pending debug exceptions", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::guest_rflags, 0x202);
  rig.set(Field::guest_interruptibility, 0x9);
  rig.set(Field::guest_pending_debug, 0x1003);
  rig.enter();
  REQUIRE(rig.cpu.state.sti_shadow);
  REQUIRE_FALSE(rig.cpu.state.mov_ss_shadow);
  REQUIRE(rig.cpu.state.nmi_blocked);
  REQUIRE(rig.cpu.state.pending_debug == 3);
  leave(rig);
  REQUIRE(rig.vmcs()[Field::guest_interruptibility] == 0x9);
  REQUIRE(rig.vmcs()[Field::guest_pending_debug] == 0x1003);
  REQUIRE_FALSE(rig.cpu.state.sti_shadow);
  REQUIRE(rig.cpu.state.pending_debug == 0);

  Rig halted;
  halted.become_root();
  halted.set(Field::guest_activity, 1);
  halted.enter();
  REQUIRE(halted.cpu.state.activity == Activity::hlt);
}

TEST_CASE("VM exit saves the guest and loads the host", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::host_fs_base, 0xAAAA);
  rig.set(Field::host_gdtr_base, 0xBBBB);
  rig.set(Field::host_sysenter_cs, 0x77);
  rig.cpu.state.cr0 |= arch::cr0::et;
  rig.enter();
  CpuState& s = rig.cpu.state;
  s.regs[arch::rsp] = 0x9999;
  s.set_rflags(0x10AD7);
  s.segments[arch::gs].base = 0xCCCC;
  s.segments[arch::ds] = {0x10, 0xFFFFF, {0x1C0F3}, 0x2B};
  s.cr2 = 0x123;
  const uint64_t rip = s.rip();
  leave(rig);
  REQUIRE(rig.left_with(ExitReason::vmcall));
  const Vmcs& v = rig.vmcs();
  REQUIRE(v[Field::guest_rip] == rip);
  REQUIRE(v[Field::guest_rsp] == 0x9999);
  REQUIRE(v[Field::guest_rflags] == 0xAD7);  // RF is saved as 0 for an instruction that exits
  REQUIRE(v[Field::guest_gs_base] == 0xCCCC);
  REQUIRE(v[Field::guest_ds_rights] == 0x1C0F3);
  REQUIRE(v[Field::guest_ds_selector] == 0x2B);
  REQUIRE(s.rip() == 0x8000);
  REQUIRE(s.regs[arch::rsp] == 0x9000);
  REQUIRE(s.rflags() == 2);
  REQUIRE(s.segments[arch::cs].selector == 0x08);
  REQUIRE(s.segments[arch::cs].rights.long_mode());
  REQUIRE(s.segments[arch::fs].base == 0xAAAA);
  REQUIRE(s.segments[arch::ds].rights.unusable());
  REQUIRE(s.segments[arch::tr].selector == 0x18);
  REQUIRE(s.segments[arch::tr].limit == 0x67);
  REQUIRE(s.segments[arch::ldtr].rights.unusable());
  REQUIRE(s.gdtr.base == 0xBBBB);
  REQUIRE(s.gdtr.limit == 0xFFFF);
  REQUIRE(s.msr.sysenter_cs == 0x77);
  REQUIRE(s.dr7 == 0x400);
  REQUIRE(s.cr2 == 0x123);  // not switched
  REQUIRE(s.cpl == 0);
}

TEST_CASE("VM exit follows its save and load controls", "[vmx]") {
  for (const bool on : {false, true}) {
    Rig rig;
    rig.become_root();
    rig.set(Field::guest_pat, 1);
    rig.set(Field::guest_dr7, 0x400);
    rig.set(Field::host_pat, 0x0606060606060606);
    rig.set(Field::host_efer, 0xD01);
    if (on) {
      rig.add(Field::exit_controls, exit_control::save_debug_controls | exit_control::save_pat |
                                        exit_control::load_pat | exit_control::save_efer |
                                        exit_control::load_efer);
    }
    rig.enter();
    rig.cpu.state.msr.pat = 0x0404040404040404;
    rig.cpu.state.dr7 = 0x455;
    rig.cpu.state.efer |= arch::efer::sce;
    leave(rig);
    REQUIRE(rig.vmcs()[Field::guest_pat] == (on ? 0x0404040404040404 : 1));
    REQUIRE(rig.vmcs()[Field::guest_dr7] == (on ? 0x455 : 0x400));
    REQUIRE(rig.vmcs()[Field::guest_efer] == (on ? 0x501 : 0));
    REQUIRE(rig.cpu.state.msr.pat == (on ? 0x0606060606060606 : 0x0404040404040404));
    REQUIRE(rig.cpu.state.efer == (on ? 0xD01 : 0x501));
  }
}

TEST_CASE("A guest in another mode is saved as such: IA-32e mode guest follows EFER.LMA", "[vmx]") {
  Rig rig;
  rig.become_root();
  enter_pae_guest(rig);
  rig.set(Field::guest_cr3, 0x8000);
  rig.enter();
  REQUIRE(rig.cpu.vmx.nonroot);
  REQUIRE_FALSE(rig.cpu.state.long_mode());
  REQUIRE((rig.cpu.state.efer & arch::efer::lme) == 0);
  leave(rig);
  REQUIRE((rig.vmcs()[Field::entry_controls] & entry_control::ia32e_mode_guest) == 0);
  REQUIRE(rig.cpu.state.long_mode());
}

TEST_CASE("Invalid guest state fails the entry with reason 33 and loads the host", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::guest_rflags, 0);
  rig.set(Field::entry_interruption_information,
          InterruptionInfo::make(EventType::hardware_exception, 6, false).value);
  REQUIRE(rig.enter() == Flow::exit);
  REQUIRE_FALSE(rig.cpu.vmx.nonroot);
  REQUIRE(rig.vmcs()[Field::exit_reason] == (33 | arch::kEntryFailure));
  REQUIRE(rig.qualification() == 0);
  REQUIRE(rig.cpu.state.rip() == 0x8000);
  REQUIRE_FALSE(rig.vmcs().launched);
  // A failed entry leaves the event to be injected valid.
  REQUIRE(InterruptionInfo{rig.vmcs().word(Field::entry_interruption_information)}.valid());
}

TEST_CASE("PDPTEs come from memory without EPT and can fail the entry", "[vmx]") {
  Rig rig;
  rig.become_root();
  enter_pae_guest(rig);
  rig.set(Field::guest_cr3, 0x8000);
  rig.poke<uint64_t>(0x8008, 0x9001);
  rig.enter();
  REQUIRE(rig.cpu.state.pdpte[1] == 0x9001);
  leave(rig);
  rig.poke<uint64_t>(0x8010, 0x1E7);
  REQUIRE(rig.enter() == Flow::exit);
  REQUIRE(rig.vmcs()[Field::exit_reason] == (33 | arch::kEntryFailure));
  REQUIRE(rig.qualification() == 2);
}

TEST_CASE("Under EPT the PDPTEs are fields of the VMCS", "[vmx]") {
  Rig rig;
  rig.become_root();
  enter_pae_guest(rig);
  rig.secondary_bits(secondary::enable_ept);
  rig.set(Field::eptp, 0x3000 | 0x1E);
  rig.set(Field::guest_pdpte2, 0xA001);
  rig.enter();
  REQUIRE(rig.cpu.state.pdpte[2] == 0xA001);
  REQUIRE(paging_eptp(rig.cpu) == (0x3000 | 0x1E));
  rig.cpu.state.pdpte[3] = 0xB001;
  leave(rig);
  REQUIRE(rig.vmcs()[Field::guest_pdpte3] == 0xB001);
  REQUIRE(paging_eptp(rig.cpu) == 0);
}

TEST_CASE("MSR areas are stored and loaded in order", "[vmx]") {
  Rig rig;
  rig.become_root();
  const auto entry = [&](uint64_t at, uint32_t index, uint64_t data) {
    rig.poke(at, arch::MsrListEntry{index, 0, data});
  };
  entry(0x9000, arch::msr::ia32_tsc_aux, 7);
  entry(0x9100, arch::msr::ia32_tsc_aux, 0);
  entry(0x9200, arch::msr::ia32_tsc_aux, 9);
  rig.set(Field::entry_msr_load_address, 0x9000);
  rig.set(Field::entry_msr_load_count, 1);
  rig.set(Field::exit_msr_store_address, 0x9100);
  rig.set(Field::exit_msr_store_count, 1);
  rig.set(Field::exit_msr_load_address, 0x9200);
  rig.set(Field::exit_msr_load_count, 1);
  rig.enter();
  REQUIRE(rig.cpu.state.msr.tsc_aux == 7);
  rig.cpu.state.msr.tsc_aux = 8;
  leave(rig);
  REQUIRE(rig.peek<uint64_t>(0x9108) == 8);
  REQUIRE(rig.cpu.state.msr.tsc_aux == 9);
}

TEST_CASE("A bad entry of the VM-entry MSR area fails the entry with its number", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.poke(0x9000, arch::MsrListEntry{arch::msr::ia32_tsc_aux, 0, 7});
  rig.poke(0x9010, arch::MsrListEntry{arch::msr::ia32_fs_base, 0, 7});
  rig.set(Field::entry_msr_load_address, 0x9000);
  rig.set(Field::entry_msr_load_count, 2);
  REQUIRE(rig.enter() == Flow::exit);
  REQUIRE(rig.vmcs()[Field::exit_reason] == (34 | arch::kEntryFailure));
  REQUIRE(rig.qualification() == 2);
  REQUIRE_FALSE(rig.vmcs().launched);
  REQUIRE(rig.cpu.state.rip() == 0x8000);
}

TEST_CASE("A bad entry of the VM-exit MSR-load area is a VMX abort", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.poke(0x9000, arch::MsrListEntry{0x808, 0, 7});
  rig.set(Field::exit_msr_load_address, 0x9000);
  rig.set(Field::exit_msr_load_count, 1);
  rig.enter();
  leave(rig);
  REQUIRE(rig.cpu.vmx.aborted);
  REQUIRE(rig.cpu.state.activity == Activity::shutdown);
  REQUIRE(rig.peek<uint32_t>(kVmcsA + 4) == 4);
}

TEST_CASE("An exit clears the valid bit of the event to inject and reports the vectored event",
          "[vmx]") {
  Rig rig;
  rig.become_root();
  const auto event = InterruptionInfo::make(EventType::hardware_exception, 13, true);
  rig.set(Field::entry_interruption_information, event.value);
  rig.set(Field::entry_exception_error_code, 0x18);
  const uint64_t delivered = rig.cpu.state.interrupts + rig.cpu.state.exceptions;
  rig.enter();
  REQUIRE(rig.cpu.state.interrupts + rig.cpu.state.exceptions == delivered + 1);
  leave(rig);
  REQUIRE(rig.vmcs()[Field::entry_interruption_information] ==
          (event.value & ~InterruptionInfo::kValid));
  REQUIRE(rig.vmcs()[Field::idt_vectoring_information] == 0);

  rig.enter();
  begin_vectoring(rig.cpu, event.value, 0x18, 0);
  exits_on_task_switch(rig.cpu, nullptr, 0x28, 3);
  REQUIRE(rig.vmcs()[Field::idt_vectoring_information] == event.value);
  REQUIRE(rig.vmcs()[Field::idt_vectoring_error_code] == 0x18);
}

TEST_CASE("Entry and exit cost what the event table says", "[vmx]") {
  Rig rig;
  rig.become_root();
  const Cycle before = rig.cpu.now();
  rig.enter();
  REQUIRE(rig.cpu.now() - before == timing::kEventCosts.vm_entry);
  leave(rig);
  REQUIRE(rig.cpu.now() - before == timing::kEventCosts.vm_entry + timing::kEventCosts.vm_exit);
}

TEST_CASE("The VMX state survives a visit field by field", "[vmx]") {
  class Counter : public StateVisitor {
   public:
    size_t fields = 0;
    size_t depth = 0;
    void enter(std::string_view) override { ++depth; }
    void leave() override { --depth; }
    void bytes(std::string_view, std::span<std::byte>) override { ++fields; }
    void blob(std::string_view, std::vector<std::byte>&) override { ++fields; }
    bool loading() const override { return false; }
  } counter;
  Rig rig;
  rig.become_guest();
  rig.cpu.vmx.visit(counter);
  REQUIRE(counter.depth == 0);
  REQUIRE(counter.fields >= 15);
}
