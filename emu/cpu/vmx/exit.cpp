// VM exits: recording why, saving guest state, loading host state (SDM "VM Exits").
#include "emu/cpu/cpu.h"
#include "emu/cpu/timing/count.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/transitions.h"
#include "emu/cpu/vmx/vmcs_region.h"
#include "emu/mmu/walk.h"

namespace vitrine::emu::vmx {

namespace {

namespace cr0 = arch::cr0;
namespace cr4 = arch::cr4;
namespace efer = arch::efer;
namespace rflags = arch::rflags;
namespace interruptibility = arch::interruptibility;
using arch::Segment;

/// SDM "Recording VM-Exit Information and Updating VM-entry Control Fields".
void record(Cpu& cpu, const Exit& exit) {
  Vmcs& v = cpu.vmx.vmcs;
  v.set(Field::exit_reason, static_cast<uint64_t>(exit.reason));
  v.set(Field::exit_qualification, exit.qualification);
  v.set(Field::guest_linear_address, exit.guest_linear_address);
  v.set(Field::guest_physical_address, exit.guest_physical_address);
  v.set(Field::exit_interruption_information, exit.interruption.value);
  v.set(Field::exit_interruption_error_code, exit.interruption_error_code);
  v.set(Field::exit_instruction_length, exit.instruction_length);
  v.set(Field::exit_instruction_information, exit.instruction_information);
  const Vectoring& vectoring = cpu.vmx.vectoring;
  const bool during_delivery = exit.reports_vectoring && vectoring.information != 0;
  v.set(Field::idt_vectoring_information, during_delivery ? vectoring.information : 0);
  v.set(Field::idt_vectoring_error_code, during_delivery ? vectoring.error_code : 0);
  if (during_delivery && vectoring.instruction_length != 0) {
    v.set(Field::exit_instruction_length, vectoring.instruction_length);
  }
  const uint64_t injection = v[Field::entry_interruption_information];
  v.set(Field::entry_interruption_information,
        injection & ~uint64_t{arch::InterruptionInfo::kValid});
  uint64_t entry_controls = v[Field::entry_controls] & ~uint64_t{entry_control::ia32e_mode_guest};
  if (cpu.state.long_mode()) entry_controls |= entry_control::ia32e_mode_guest;
  v.set(Field::entry_controls, entry_controls);
}

/// SDM "Saving Control Registers, Debug Registers, and MSRs".
void save_registers(const Cpu& cpu, Vmcs& v) {
  const CpuState& s = cpu.state;
  v.set(Field::guest_cr0, s.cr0);
  v.set(Field::guest_cr3, s.cr3);
  v.set(Field::guest_cr4, s.cr4);
  v.set(Field::guest_sysenter_cs, s.msr.sysenter_cs);
  v.set(Field::guest_sysenter_esp, s.msr.sysenter_esp);
  v.set(Field::guest_sysenter_eip, s.msr.sysenter_eip);
  if (exit_on(v, exit_control::save_debug_controls)) {
    v.set(Field::guest_dr7, s.dr7);
    v.set(Field::guest_debugctl, s.msr.debugctl);
  }
  if (exit_on(v, exit_control::save_pat)) v.set(Field::guest_pat, s.msr.pat);
  if (exit_on(v, exit_control::save_efer)) v.set(Field::guest_efer, s.efer);
}

/// SDM "Saving Segment Registers and Descriptor-Table Registers".
void save_segments(const Cpu& cpu, Vmcs& v) {
  for (unsigned i = 0; i < cpu.state.segments.size(); ++i) {
    const SegmentState& segment = cpu.state.segments[i];
    v.set(arch::segment_field(Field::guest_es_selector, i), segment.selector);
    v.set(arch::segment_field(Field::guest_es_base, i), segment.base);
    v.set(arch::segment_field(Field::guest_es_limit, i), segment.limit);
    v.set(arch::segment_field(Field::guest_es_rights, i), segment.rights.bits);
  }
  v.set(Field::guest_gdtr_base, cpu.state.gdtr.base);
  v.set(Field::guest_gdtr_limit, cpu.state.gdtr.limit);
  v.set(Field::guest_idtr_base, cpu.state.idtr.base);
  v.set(Field::guest_idtr_limit, cpu.state.idtr.limit);
}

/// SDM "Saving RIP, RSP, RFLAGS, and SSP".
void save_execution(const Cpu& cpu, Vmcs& v, Exit::Resume resume) {
  uint64_t flags = cpu.state.rflags();
  if (resume == Exit::Resume::set) flags |= rflags::rf;
  if (resume == Exit::Resume::clear) flags &= ~rflags::rf;
  v.set(Field::guest_rip, cpu.state.rip());
  v.set(Field::guest_rsp, cpu.state.regs[arch::rsp]);
  v.set(Field::guest_rflags, flags);
}

/// SDM "Saving Non-Register State".
void save_non_register_state(const Cpu& cpu, Vmcs& v) {
  const CpuState& s = cpu.state;
  v.set(Field::guest_activity, static_cast<uint64_t>(s.activity));
  v.set(Field::guest_interruptibility,
        (s.sti_shadow ? interruptibility::blocking_by_sti : 0u) |
            (s.mov_ss_shadow ? interruptibility::blocking_by_mov_ss : 0u) |
            (s.nmi_blocked ? interruptibility::blocking_by_nmi : 0u));
  uint64_t pending =
      s.pending_debug & (arch::pending_debug::breakpoints | arch::pending_debug::single_step);
  if ((pending & arch::pending_debug::breakpoints) != 0) {
    pending |= arch::pending_debug::enabled_breakpoint;
  }
  v.set(Field::guest_pending_debug, pending);
  if (exit_on(v, exit_control::save_preemption_timer)) {
    const uint64_t deadline = cpu.vmx.preemption_deadline.value >> arch::kPreemptionTimerShift;
    const uint64_t now = cpu.now().value >> arch::kPreemptionTimerShift;
    v.set(Field::preemption_timer_value, deadline > now ? deadline - now : 0);
  }
  if (!secondary_on(v, secondary::enable_ept)) return;
  const bool pae = (s.cr0 & cr0::pg) != 0 && (s.cr4 & cr4::pae) != 0 && !s.long_mode();
  if (!pae) return;
  v.set(Field::guest_pdpte0, s.pdpte[0]);
  v.set(Field::guest_pdpte1, s.pdpte[1]);
  v.set(Field::guest_pdpte2, s.pdpte[2]);
  v.set(Field::guest_pdpte3, s.pdpte[3]);
}

/// SDM "Loading Host Control Registers, Debug Registers, MSRs".
void load_host_registers(CpuState& s, const Vmcs& v) {
  const bool host64 = exit_on(v, exit_control::host_address_space_size);
  s.cr0 = (s.cr0 & kCr0Kept) | (v[Field::host_cr0] & ~kCr0Kept);
  s.cr3 = v[Field::host_cr3];
  s.cr4 = v[Field::host_cr4];
  if (host64) s.cr4 |= cr4::pae;
  if (!host64) s.cr4 &= ~cr4::pcide;
  s.dr7 = 0x400;
  s.msr.debugctl = 0;
  s.msr.sysenter_cs = v[Field::host_sysenter_cs];
  s.msr.sysenter_esp = v[Field::host_sysenter_esp];
  s.msr.sysenter_eip = v[Field::host_sysenter_eip];
  if (exit_on(v, exit_control::load_efer)) {
    s.efer = v[Field::host_efer];
  } else {
    s.efer = (s.efer & ~(efer::lma | efer::lme)) | (host64 ? efer::lma | efer::lme : 0);
  }
  if (exit_on(v, exit_control::load_pat)) s.msr.pat = v[Field::host_pat];
}

/// SDM "Loading Host Segment and Descriptor-Table Registers".
void load_host_segments(CpuState& s, const Vmcs& v) {
  const bool host64 = exit_on(v, exit_control::host_address_space_size);
  constexpr uint32_t kData = 0xC093;  // accessed read/write data, P, G, D/B
  constexpr uint32_t kCode32 = 0xC09B;
  constexpr uint32_t kCode64 = 0xA09B;
  constexpr uint32_t kBusyTss = 0x8B;
  const auto selector = [&](unsigned i) {
    return static_cast<uint16_t>(v[arch::segment_field(Field::host_es_selector, i)]);
  };
  for (unsigned i = Segment::es; i <= Segment::gs; ++i) {
    const bool null = selector(i) == 0 && i != Segment::cs;
    s.segments[i] = {0, 0xFFFFFFFF, {null ? arch::kUnusableSegment | kData : kData}, selector(i)};
  }
  s.segments[Segment::cs].rights = {host64 ? kCode64 : kCode32};
  s.segments[Segment::fs].base = v[Field::host_fs_base];
  s.segments[Segment::gs].base = v[Field::host_gs_base];
  s.segments[Segment::tr] = {
      v[Field::host_tr_base], 0x67, {kBusyTss}, static_cast<uint16_t>(v[Field::host_tr_selector])};
  s.segments[Segment::ldtr] = {0, 0, {arch::kUnusableSegment}, 0};
  s.gdtr = {v[Field::host_gdtr_base], 0xFFFF};
  s.idtr = {v[Field::host_idtr_base], 0xFFFF};
  s.cpl = 0;
}

/// SDM "Checking and Loading Host Page-Directory-Pointer-Table Entries".
bool load_host_pdptes(Cpu& cpu) {
  CpuState& s = cpu.state;
  if ((s.cr4 & cr4::pae) == 0 || s.long_mode()) return true;
  PagingContext context;
  context.cr3 = s.cr3;
  context.physical_bits = cpu.profile().physical_bits;
  const auto pdptes = load_pdptes(cpu.bus(), context, nullptr);
  if (!pdptes) return false;
  s.pdpte = *pdptes;
  return true;
}

}  // namespace

void vmx_abort(Cpu& cpu, arch::VmxAbort reason) {
  write_abort_indicator(cpu.bus(), cpu.vmx.current_vmcs, static_cast<uint32_t>(reason));
  cpu.vmx.aborted = true;
  cpu.vmx.nonroot = false;
  cpu.state.activity = Activity::shutdown;
  cpu.state.nmi_blocked = true;
  cpu.context_changed();
  cpu.attention();
}

void load_host_state(Cpu& cpu) {
  ++cpu.vmx.transitions;
  CpuState& s = cpu.state;
  const Vmcs& v = cpu.vmx.vmcs;
  load_host_registers(s, v);
  load_host_segments(s, v);
  s.regs[arch::rsp] = v[Field::host_rsp];
  s.set_rip(v[Field::host_rip]);
  s.set_rflags(rflags::fixed1);
  s.activity = Activity::active;
  s.sti_shadow = false;
  s.mov_ss_shadow = false;
  s.pending_debug = 0;
  cpu.vmx.nonroot = false;
  cpu.vmx.vectoring = {};
  cpu.vmx.preemption_deadline = kNever;
  cpu.vmx.virtual_interrupt = false;
  cpu.vmx.after_apic = State::AfterApic::none;
  if (!load_host_pdptes(cpu)) {
    vmx_abort(cpu, arch::VmxAbort::host_pdpte_check);
    return;
  }
  if (load_msr_list(cpu, v[Field::exit_msr_load_address], v[Field::exit_msr_load_count]) != 0) {
    vmx_abort(cpu, arch::VmxAbort::loading_host_msrs);
    return;
  }
  cpu.context_changed();
  cpu.attention();
}

void vm_exit(Cpu& cpu, const Exit& exit) {
  Vmcs& v = cpu.vmx.vmcs;
  record(cpu, exit);
  save_registers(cpu, v);
  save_segments(cpu, v);
  save_execution(cpu, v, exit.resume);
  save_non_register_state(cpu, v);
  // An NMI that exits blocks further ones, as its delivery would have.
  const bool nmi = exit.reason == arch::ExitReason::exception_or_nmi &&
                   exit.interruption.type() == arch::EventType::nmi;
  if (pin_on(v, pin::virtual_nmis)) cpu.state.nmi_blocked = false;
  if (nmi) cpu.state.nmi_blocked = true;
  if (store_msr_list(cpu, v[Field::exit_msr_store_address], v[Field::exit_msr_store_count]) != 0) {
    vmx_abort(cpu, arch::VmxAbort::saving_guest_msrs);
    return;
  }
  load_host_state(cpu);
  charge_transition(cpu, timing::kEventCosts.vm_exit, timing::Cause::vm_exit);
  if (cpu.observer() != nullptr) {
    cpu.observer()->vm_exit(cpu, v.word(Field::exit_reason), v[Field::exit_qualification]);
  }
}

void charge_transition(Cpu& cpu, uint64_t cycles, timing::Cause cause) {
  const Vmcs& v = cpu.vmx.vmcs;
  // Guest state, host state and controls: a quarter of the region.
  constexpr uint32_t kTouched = 1024;
  cpu.charge(cycles, cause);
  cpu.charge_own_access(Hpa{cpu.vmx.current_vmcs}, kTouched, cause);
  if (secondary_on(v, secondary::enable_vpid)) return;
  cpu.invalidate_translations(timing::Invalidation{});
}

void exit_instruction(Cpu& cpu, const Insn& insn, Exit exit) {
  cpu.state.set_rip(cpu.current_rip(insn));
  exit.instruction_length = insn.length;
  exit.resume = Exit::Resume::clear;
  vm_exit(cpu, exit);
}

}  // namespace vitrine::emu::vmx
