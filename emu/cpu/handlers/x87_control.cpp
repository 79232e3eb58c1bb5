// x87 control: when instructions may run, exceptions, and FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW,
// FWAIT, FNOP.
#include <vector>

#include "emu/cpu/handlers/x87.h"

namespace vitrine::emu {

// SDM "Device-Not-Available Exception (#NM)".
bool x87_blocked(Cpu& cpu, Flow& flow) {
  if ((cpu.state.cr0 & (arch::cr0::em | arch::cr0::ts)) == 0) return false;
  flow = cpu.raise(arch::Vector::device_not_available);
  return true;
}

// SDM "x87 FPU Exception Handling in Software": native mode takes the vector. In MS-DOS
// compatibility mode FERR# goes out and the processor stops before the instruction until an
// interrupt comes; there is no IGNNE# that would let it pass.
bool x87_pending(Cpu& cpu, Flow& flow) {
  if ((cpu.state.x87.fsw & fsw::summary) == 0) return false;
  if ((cpu.state.cr0 & arch::cr0::ne) != 0) {
    flow = cpu.raise(arch::Vector::x87_floating_point);
    return true;
  }
  cpu.ports().set_ferr(cpu.index(), true, cpu.now());
  cpu.state.activity = Activity::hlt;
  cpu.attention();
  flow = Flow::again;
  return true;
}

void x87_update_summary(X87State& x) {
  const bool unmasked = (x.fsw & ~x.fcw & fsw::exceptions) != 0;
  constexpr uint16_t kError = fsw::summary | fsw::busy;
  x.fsw = static_cast<uint16_t>(unmasked ? x.fsw | kError : x.fsw & ~kError);
}

void x87_settle_ferr(Cpu& cpu) {
  const bool native = (cpu.state.cr0 & arch::cr0::ne) != 0;
  if (native || (cpu.state.x87.fsw & fsw::summary) != 0) return;
  cpu.ports().set_ferr(cpu.index(), false, cpu.now());
}

void x87_set_control(X87State& x, uint16_t fcw) {
  x.fcw = static_cast<uint16_t>((fcw & 0x1F3F) | 0x0040);
  x87_update_summary(x);
}

void x87_initialise(X87State& x) {
  X87State fresh;
  fresh.significand = x.significand;
  fresh.sign_exponent = x.sign_exponent;
  fresh.fcw = 0x037F;
  x = fresh;
}

// SDM "x87 FPU Instruction and Data (Operand) Pointers", "Last Instruction Opcode": of a processor
// with FDP_EXCPTN_ONLY, and without the compatibility mode for opcodes, only an unmasked exception
// saves the data pointer and the opcode. The selectors are deprecated and stay 0.
void x87_note_exception(Cpu& cpu, const Insn& insn) {
  X87State& x = cpu.state.x87;
  x.fop = static_cast<uint16_t>(insn.imm);
  if (insn.op[0] == kMemory) x.fdp = cpu.effective_address(insn);
}

bool x87_stack_fault(X87State& x, StackFault which) {
  constexpr uint16_t kFault = fsw::invalid | fsw::stack_fault;
  const uint16_t direction = which == StackFault::overflow ? fsw::c1 : uint16_t{0};
  x.fsw = static_cast<uint16_t>((x.fsw & ~fsw::c1) | kFault | direction);
  x87_update_summary(x);
  return (x.fcw & fsw::invalid) != 0;
}

bool x87_report(X87State& x, const softfloat::Env& env, X87Destination destination) {
  const uint8_t reported = env.reported();
  const bool up = env.rounded_up && (reported & softfloat::kInexact) != 0;
  x.fsw = static_cast<uint16_t>((x.fsw & ~fsw::c1) | reported | (up ? fsw::c1 : 0));
  if (reported != 0) x87_update_summary(x);
  constexpr uint8_t kBeforeStore =
      softfloat::kPreComputation | softfloat::kOverflow | softfloat::kUnderflow;
  const uint8_t forbidding =
      destination == X87Destination::memory ? kBeforeStore : softfloat::kPreComputation;
  return (env.unmasked() & forbidding) == 0;
}

Result<void, Fault> x87_check_alignment(const Cpu& cpu, const Insn& insn, uint64_t alignment) {
  const CpuState& s = cpu.state;
  const bool checking =
      s.cpl == 3 && (s.cr0 & arch::cr0::am) != 0 && (s.rflags_system & arch::rflags::ac) != 0;
  const uint64_t at = cpu.segment_base(insn.segment) + cpu.effective_address(insn);
  if (!checking || (at & (alignment - 1)) == 0) return {};
  return Err{fault(arch::Vector::alignment_check)};
}

Result<void, Fault> x87_probe_target(Cpu& cpu, const Insn& insn, size_t bytes) {
  const uint64_t offset = cpu.effective_address(insn);
  Gva at{cpu.segment_base(insn.segment) + offset};
  if ((insn.flags & insn_flag::checked) != 0) {
    const auto checked = cpu.checked_linear(insn.segment, offset, bytes, true);
    if (!checked) return Err{checked.error()};
    at = *checked;
  }
  AccessRequest request = cpu.mmu.ordinary();
  request.write = true;
  const auto probed = cpu.mmu.probe_write(at, bytes, request);
  if (!probed) return Err{Cpu::locate_fault(probed.error(), insn.segment)};
  return {};
}

void x87_push_result(X87State& x, softfloat::F80 value) {
  if (!st_empty(x, 7)) {
    if (!x87_stack_fault(x, StackFault::overflow)) return;
    value = kX87Indefinite;
  }
  st_push(x, value);
}

namespace {

// FNINIT: the registers keep their values
Flow fninit(Cpu& cpu, const Insn&) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  x87_initialise(cpu.state.x87);
  x87_settle_ferr(cpu);
  return Flow::next;
}

// FNCLEX
Flow fnclex(Cpu& cpu, const Insn&) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  constexpr uint16_t kCleared = fsw::exceptions | fsw::stack_fault | fsw::summary | fsw::busy;
  cpu.state.x87.fsw &= static_cast<uint16_t>(~kCleared);
  x87_settle_ferr(cpu);
  return Flow::next;
}

// FLDCW m16
Flow fldcw(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  const auto word = cpu.load<uint16_t>(insn);
  if (!word) return cpu.raise(word.error());
  x87_set_control(cpu.state.x87, *word);
  return Flow::next;
}

// FNSTCW m16
Flow fnstcw(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  const auto stored = cpu.store<uint16_t>(insn, cpu.state.x87.fcw);
  return stored ? Flow::next : cpu.raise(stored.error());
}

// FNSTSW m16; FNSTSW AX
Flow fnstsw(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow)) return flow;
  if (insn.op[0] != kMemory) {
    cpu.set_reg<uint16_t>(at::rax, cpu.state.x87.fsw);
    return Flow::next;
  }
  const auto stored = cpu.store<uint16_t>(insn, cpu.state.x87.fsw);
  return stored ? Flow::next : cpu.raise(stored.error());
}

// FWAIT: CR0.MP makes it heed CR0.TS; CR0.EM does not matter
Flow fwait(Cpu& cpu, const Insn&) {
  constexpr uint64_t kBoth = arch::cr0::mp | arch::cr0::ts;
  if ((cpu.state.cr0 & kBoth) == kBoth) return cpu.raise(arch::Vector::device_not_available);
  Flow flow;
  return x87_pending(cpu, flow) ? flow : Flow::next;
}

// FNOP
void fnop(X87State&, const Insn&) {}

// FNENI, FNDISI of the 8087 and FNSETPM of the 287: no operation, and no wait
Flow obsolete(Cpu& cpu, const Insn&) {
  Flow flow;
  return x87_blocked(cpu, flow) ? flow : Flow::next;
}

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    x87_row("fninit",        x87_always<fninit>, CostClass::x87_state),
    x87_row("fnclex",        x87_always<fnclex>, CostClass::x87_state),
    x87_row("fldcw",         x87_always<fldcw>),
    x87_row("fnstcw",        x87_always<fnstcw>),
    x87_row("fnstsw",        x87_always<fnstsw>),
    x87_row("fwait",         x87_always<fwait>),
    x87_row("fnop",          x87_always<x87_registers<fnop>>),
    x87_row("feni8087_nop",  x87_always<obsolete>),
    x87_row("fdisi8087_nop", x87_always<obsolete>),
    x87_row("fsetpm287_nop", x87_always<obsolete>),
});
// clang-format on

}  // namespace

std::span<const Row> x87_control_rows() { return kRows; }

std::span<const Row> x87_rows() {
  static const std::vector<Row> kAll = [] {
    std::vector<Row> all;
    for (const auto group : {x87_control_rows(), x87_environment_rows(), x87_move_rows(),
                             x87_arithmetic_rows(), x87_compare_rows(), x87_function_rows()}) {
      all.insert(all.end(), group.begin(), group.end());
    }
    return all;
  }();
  return kAll;
}

}  // namespace vitrine::emu
