// VM entries: checks, loading guest state, event injection (SDM "VM Entries").
#include "emu/cpu/cpu.h"
#include "emu/cpu/timing/count.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/transitions.h"
#include "emu/cpu/vmx/virtual_apic.h"
#include "emu/cpu/vmx/vmx.h"
#include "emu/mmu/walk.h"

namespace vitrine::emu::vmx {

namespace {

namespace cr0 = arch::cr0;
namespace cr4 = arch::cr4;
namespace efer = arch::efer;
namespace interruptibility = arch::interruptibility;
namespace pending_debug = arch::pending_debug;
using arch::EntryFailureDetail;
using arch::EventType;
using arch::ExitReason;
using arch::InterruptionInfo;

/// SDM "VM-Entry Failures During or After Loading Guest State".
EntryResult fail(Cpu& cpu, ExitReason reason, uint64_t qualification) {
  Vmcs& v = cpu.vmx.vmcs;
  v.set(Field::exit_reason, static_cast<uint64_t>(reason) | arch::kEntryFailure);
  v.set(Field::exit_qualification, qualification);
  load_host_state(cpu);
  charge_transition(cpu, timing::kEventCosts.vm_exit, timing::Cause::vm_exit);
  if (cpu.observer() != nullptr) {
    cpu.observer()->vm_exit(cpu, v.word(Field::exit_reason), qualification);
  }
  return EntryResult::failed;
}

/// SDM "Loading Guest Control Registers, Debug Registers, and MSRs".
void load_registers(CpuState& s, const Vmcs& v) {
  s.cr0 = (s.cr0 & kCr0Kept) | (v[Field::guest_cr0] & ~kCr0Kept);
  s.cr3 = v[Field::guest_cr3];
  s.cr4 = v[Field::guest_cr4];
  if (entry_on(v, entry_control::load_debug_controls)) {
    s.dr7 = (v[Field::guest_dr7] & ~uint64_t{0xD000}) | 0x400;
    s.msr.debugctl = v[Field::guest_debugctl];
  }
  s.msr.sysenter_cs = v[Field::guest_sysenter_cs];
  s.msr.sysenter_esp = v[Field::guest_sysenter_esp];
  s.msr.sysenter_eip = v[Field::guest_sysenter_eip];
  if (entry_on(v, entry_control::load_efer)) {
    s.efer = v[Field::guest_efer];
  } else {
    const bool ia32e = entry_on(v, entry_control::ia32e_mode_guest);
    s.efer = ia32e ? s.efer | efer::lma : s.efer & ~efer::lma;
    if ((s.cr0 & cr0::pg) != 0) s.efer = ia32e ? s.efer | efer::lme : s.efer & ~efer::lme;
  }
  if (entry_on(v, entry_control::load_pat)) s.msr.pat = v[Field::guest_pat];
}

/// SDM "Loading Guest Segment Registers and Descriptor-Table Registers".
void load_segments(CpuState& s, const Vmcs& v) {
  for (unsigned i = 0; i < s.segments.size(); ++i) {
    s.segments[i].selector =
        static_cast<uint16_t>(v[arch::segment_field(Field::guest_es_selector, i)]);
    s.segments[i].base = v[arch::segment_field(Field::guest_es_base, i)];
    s.segments[i].limit = v.word(arch::segment_field(Field::guest_es_limit, i));
    s.segments[i].rights = {v.word(arch::segment_field(Field::guest_es_rights, i))};
  }
  s.cpl = static_cast<uint8_t>(s.segments[arch::ss].rights.dpl());
  s.gdtr = {v[Field::guest_gdtr_base], static_cast<uint16_t>(v[Field::guest_gdtr_limit])};
  s.idtr = {v[Field::guest_idtr_base], static_cast<uint16_t>(v[Field::guest_idtr_limit])};
}

/// SDM "Loading Page-Directory-Pointer-Table Entries": from the VMCS under EPT, else from memory.
bool load_guest_pdptes(Cpu& cpu) {
  CpuState& s = cpu.state;
  const Vmcs& v = cpu.vmx.vmcs;
  if ((s.cr0 & cr0::pg) == 0 || (s.cr4 & cr4::pae) == 0 || s.long_mode()) return true;
  if (secondary_on(v, secondary::enable_ept)) {
    s.pdpte = {v[Field::guest_pdpte0], v[Field::guest_pdpte1], v[Field::guest_pdpte2],
               v[Field::guest_pdpte3]};
    return true;
  }
  PagingContext context;
  context.cr3 = s.cr3;
  context.physical_bits = cpu.profile().physical_bits;
  const auto pdptes = load_pdptes(cpu.bus(), context, nullptr);
  if (!pdptes) return false;
  s.pdpte = *pdptes;
  return true;
}

/// SDM "Updating Non-Register State" and "Special Features of VM Entry".
void load_non_register_state(Cpu& cpu) {
  CpuState& s = cpu.state;
  const Vmcs& v = cpu.vmx.vmcs;
  const auto blocking = v.word(Field::guest_interruptibility);
  s.sti_shadow = (blocking & interruptibility::blocking_by_sti) != 0;
  s.mov_ss_shadow = (blocking & interruptibility::blocking_by_mov_ss) != 0;
  s.nmi_blocked = (blocking & interruptibility::blocking_by_nmi) != 0;
  s.activity = static_cast<Activity>(v[Field::guest_activity]);
  const uint64_t pending = v[Field::guest_pending_debug];
  const bool due =
      (pending & (pending_debug::enabled_breakpoint | pending_debug::single_step)) != 0;
  s.pending_debug = due ? pending & (pending_debug::breakpoints | pending_debug::single_step) : 0;
}

/// The timer counts down once every 2^shift ticks of the time-stamp counter.
void start_preemption_timer(Cpu& cpu) {
  cpu.vmx.preemption_deadline = kNever;
  const Vmcs& v = cpu.vmx.vmcs;
  if (!pin_on(v, pin::preemption_timer)) return;
  const uint64_t ticks = cpu.now().value >> arch::kPreemptionTimerShift;
  const uint64_t value = v[Field::preemption_timer_value];
  const Cycle due{(ticks + value) << arch::kPreemptionTimerShift};
  cpu.vmx.preemption_deadline = value == 0 ? cpu.now() : due;
}

/// SDM "Vectored-Event Injection" and "Injection of Pending MTF VM Exits".
void inject(Cpu& cpu) {
  CpuState& s = cpu.state;
  const Vmcs& v = cpu.vmx.vmcs;
  const InterruptionInfo info{v.word(Field::entry_interruption_information)};
  if (!info.valid()) return;
  const EventType type = info.type();
  if (type == EventType::other) {
    cpu.vmx.trap = State::Trap::now;
    return;
  }
  const bool software = type == EventType::software_interrupt ||
                        type == EventType::software_exception ||
                        type == EventType::privileged_software_exception;
  const uint32_t length = software ? v.word(Field::entry_instruction_length) : 0;
  const uint32_t error_code = v.word(Field::entry_exception_error_code);
  if (type == EventType::nmi) s.nmi_blocked = true;
  s.activity = Activity::active;
  s.sti_shadow = false;
  s.mov_ss_shadow = false;
  begin_vectoring(cpu, info.value & ~InterruptionInfo::kNmiUnblocking, error_code, length);
  cpu.deliver_event(info.vector(), static_cast<Cpu::EventType>(type), info.error_code_valid(),
                    error_code, s.rip() + length);
  end_vectoring(cpu);
  if (cpu.vmx.nonroot && primary_on(v, primary::monitor_trap_flag)) {
    cpu.vmx.trap = State::Trap::now;
  }
}

}  // namespace

EntryInputs entry_inputs(const Cpu& cpu, const Bus& bus) {
  return {cpu.vmx.vmcs, cpu.profile(), bus, cpu.state.long_mode(), cpu.vmx.current_vmcs};
}

EntryResult vm_entry(Cpu& cpu) {
  const EntryInputs inputs = entry_inputs(cpu, cpu.bus());
  if (const EntryCheck* check = first_failing_changed_check(inputs)) {
    if (check->kind == CheckKind::control) return EntryResult::invalid_controls;
    if (check->kind == CheckKind::host) return EntryResult::invalid_host;
    return fail(cpu, ExitReason::invalid_guest_state, static_cast<uint64_t>(check->detail));
  }

  CpuState& s = cpu.state;
  Vmcs& v = cpu.vmx.vmcs;
  v.changed = {};
  load_registers(s, v);
  load_segments(s, v);
  s.regs[arch::rsp] = v[Field::guest_rsp];
  s.set_rip(v[Field::guest_rip]);
  s.set_rflags(v[Field::guest_rflags]);
  if (!load_guest_pdptes(cpu)) {
    return fail(cpu, ExitReason::invalid_guest_state,
                static_cast<uint64_t>(EntryFailureDetail::pdpte_loading));
  }
  const uint32_t failed =
      load_msr_list(cpu, v[Field::entry_msr_load_address], v[Field::entry_msr_load_count]);
  if (failed != 0) return fail(cpu, ExitReason::msr_loading, failed);

  load_non_register_state(cpu);
  v.launched = true;
  cpu.vmx.nonroot = true;
  ++cpu.vmx.transitions;
  cpu.vmx.vectoring = {};
  cpu.vmx.trap = State::Trap::unmarked;
  cpu.vmx.first_pause = 0;
  cpu.vmx.last_pause = 0;
  cpu.context_changed();
  cpu.attention();
  charge_transition(cpu, timing::kEventCosts.vm_entry, timing::Cause::vm_entry);
  start_preemption_timer(cpu);
  if (cpu.observer() != nullptr) cpu.observer()->vm_entry(cpu);
  enter_virtual_apic(cpu);
  inject(cpu);
  return EntryResult::entered;
}

}  // namespace vitrine::emu::vmx
