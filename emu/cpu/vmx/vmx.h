// The VMX extensions as the rest of the processor calls them: entries, exits and intercepts.
#pragma once

#include <cstdint>

#include "emu/arch/exceptions.h"
#include "emu/cpu/insn.h"
#include "emu/cpu/vmx/state.h"

namespace vitrine::emu {

class Cpu;

namespace vmx {

/// Instructions that exit unconditionally or by one control bit, without operands to look at.
// clang-format off
enum class Intercept : uint8_t {
  cpuid, hlt, invd, wbinvd, rdtsc, rdtscp, rdpmc, pause, monitor, mwait, xsetbv, invlpg, invpcid,
  rdrand, rdseed, rsm, getsec, gdtr_idtr_access, ldtr_tr_access, xsaves, xrstors,
};
// clang-format on

// Every function below may be called at any time and answers "no" outside VMX non-root operation.
// When one returns true the VM exit has been performed: registers are the host's, and the handler
// returns Flow::exit at once. Handlers call them after the checks that precede the exit in the SDM
// ("Relative Priority of Faults and VM Exits") and before any effect.

/// `qualification` and `instruction_information` as the SDM defines them for the reason; the guest
/// RIP saved is the start of `insn`. For INVPCID and the descriptor-table instructions both are
/// taken from the memory operand of `insn`, and `instruction_information` adds the identity (bits
/// 29:28).
bool exits(Cpu& cpu, Intercept intercept, const Insn& insn, uint64_t qualification = 0,
           uint32_t instruction_information = 0);
/// True when the instruction is #UD because its "enable" control is 0 (RDTSCP, INVPCID, XSAVES).
bool disabled(const Cpu& cpu, Intercept intercept);
/// Port access. `linear_address` and `segment` matter for INS and OUTS only.
bool exits_on_port(Cpu& cpu, const Insn& insn, uint16_t port, unsigned size, bool in, bool string,
                   bool rep, bool immediate, uint64_t linear_address, uint8_t segment);
bool exits_on_rdmsr(Cpu& cpu, const Insn& insn, uint32_t msr);
bool exits_on_wrmsr(Cpu& cpu, const Insn& insn, uint32_t msr);
/// MOV to CR0/CR3/CR4/CR8: may exit, and otherwise rewrites `value` by guest/host mask and shadow.
bool exits_on_cr_write(Cpu& cpu, const Insn& insn, unsigned cr, unsigned gpr, uint64_t& value);
/// MOV from CR: may exit (CR3, CR8), and otherwise rewrites `value` by mask and shadow. SMSW reads
/// CR0 through it, too.
bool exits_on_cr_read(Cpu& cpu, const Insn& insn, unsigned cr, unsigned gpr, uint64_t& value);
/// CLTS: may exit, and otherwise says whether CR0.TS is cleared.
bool exits_on_clts(Cpu& cpu, const Insn& insn, bool& clears_ts);
/// LMSW: may exit, and otherwise gives the CR0 to load (in every mode).
bool exits_on_lmsw(Cpu& cpu, const Insn& insn, uint16_t source, bool memory_operand,
                   uint64_t linear_address, uint64_t& cr0_value);
bool exits_on_dr_access(Cpu& cpu, const Insn& insn, unsigned dr, unsigned gpr, bool read);
/// Always exits in non-root operation; `insn` is null for a task gate reached by an event.
bool exits_on_task_switch(Cpu& cpu, const Insn* insn, uint16_t selector, unsigned source);

/// Values that MOV CR accepts in VMX operation (SDM "Restrictions on VMX Operation"); always true
/// outside. Ask after exits_on_cr_write() has rewritten the value; #GP(0) when false.
bool cr0_allowed(const Cpu& cpu, uint64_t value);
bool cr4_allowed(const Cpu& cpu, uint64_t value);

/// Exceptions, interrupts and events, asked before delivery. `dr6` goes into a #DB qualification.
/// For `software` (INT3, INTO, INT1) RIP is behind the instruction; the exit saves where it starts.
bool exits_on_exception(Cpu& cpu, const Fault& fault, uint64_t dr6, uint8_t instruction_length,
                        bool software);
void exit_on_triple_fault(Cpu& cpu);
/// True when external interrupts exit: RFLAGS.IF does not block them then.
bool interrupts_exit(const Cpu& cpu);
/// Asked before the interrupt is acknowledged; acknowledges it if the exit controls say so.
bool exits_on_external_interrupt(Cpu& cpu);
bool exits_on_nmi(Cpu& cpu);
/// Whether NMIs are held off; virtual NMIs let physical ones through.
bool nmi_blocked(const Cpu& cpu);
/// Whether IRET ends blocking by NMI (SDM "Changes to Instruction Behavior", IRET).
bool iret_unblocks_nmi(const Cpu& cpu);
/// INIT is held off in VMX root operation, and in non-root operation while waiting for a SIPI.
bool init_blocked(const Cpu& cpu);
bool exits_on_init(Cpu& cpu);
bool exits_on_sipi(Cpu& cpu, uint8_t vector);
/// At an instruction boundary, after INIT and before pending debug exceptions, NMIs and interrupts:
/// monitor trap, preemption timer, NMI window, interrupt window. It holds back what a pending debug
/// exception or NMI outranks. True when something exited.
bool exits_at_boundary(Cpu& cpu);
/// EPT violation or misconfiguration reported by the Mmu. RIP is that of the instruction; its length
/// is not defined by the manual for this exit, but hypervisors use it. 0 for a fetch.
void exit_on_ept_fault(Cpu& cpu, const Fault& fault, uint8_t instruction_length = 0);

/// The clock at which the preemption timer expires; kNever when it does not run.
Cycle preemption_deadline(const Cpu& cpu);
/// True when every boundary matters (monitor trap flag).
bool wants_step(const Cpu& cpu);
/// RDTSC in non-root operation: offset and scaling applied.
uint64_t guest_tsc(const Cpu& cpu, uint64_t tsc);
/// True between VM entry and VM exit.
inline bool nonroot(const State& state) { return state.nonroot; }

/// The EPT pointer that translations use now; 0 without EPT.
uint64_t paging_eptp(const Cpu& cpu);
/// The VPID that tags translations now: 0 in root operation and without "enable VPID".
uint16_t current_vpid(const Cpu& cpu);
/// Mode-based execute control for EPT is on.
bool ept_mbec(const Cpu& cpu);
/// Page-modification logging is on.
bool logs_pages(const Cpu& cpu);
/// The physical page whose accesses are virtualised; kNoApicPage without one.
uint64_t apic_page(const Cpu& cpu);

/// Marks the vectoring event that an exit during delivery reports as IDT-vectoring information;
/// ended by `end_vectoring`.
void begin_vectoring(Cpu& cpu, uint32_t interruption_information, uint32_t error_code,
                     uint32_t instruction_length);
void end_vectoring(Cpu& cpu);

}  // namespace vmx
}  // namespace vitrine::emu
