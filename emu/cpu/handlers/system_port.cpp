// Port I/O: IN, OUT, INS, OUTS and the I/O permission bitmap.
#include "emu/cpu/handlers/system.h"

namespace vitrine::emu {

namespace {

constexpr uint32_t kIoMapBaseAt = 0x66;  // in a 32- or 64-bit TSS

/// SDM "I/O Permission Bit Map": the bits of all ports must be 0, and two bytes are always read.
Result<void, Fault> bitmap_permits(Cpu& cpu, uint16_t port, unsigned size) {
  const SegmentState& tr = cpu.state.segments[arch::tr];
  const bool wide = (tr.rights.type() & 8) != 0;
  if (tr.rights.unusable() || !wide || tr.limit < kIoMapBaseAt + 1) {
    return Err{kGeneralProtection0};
  }
  const auto map = cpu.mmu.read_system<uint16_t>(Gva{tr.base + kIoMapBaseAt});
  if (!map) return Err{map.error()};
  const uint32_t at = uint32_t{*map} + port / 8u;
  if (at + 1 > tr.limit) return Err{kGeneralProtection0};
  const auto bits = cpu.mmu.read_system<uint16_t>(Gva{tr.base + at});
  if (!bits) return Err{bits.error()};
  const unsigned asked = ((1u << size) - 1) << (port % 8u);
  if ((*bits & asked) != 0) return Err{kGeneralProtection0};
  return {};
}

Result<void, Fault> port_permitted(Cpu& cpu, uint16_t port, unsigned size) {
  const bool trusted = !cpu.state.v8086() && cpu.state.cpl <= iopl(cpu);
  if (!cpu.state.protected_mode() || trusted) return {};
  return bitmap_permits(cpu, port, size);
}

uint64_t read_port(Cpu& cpu, uint16_t port, unsigned size) {
  cpu.device_accessed();
  cpu.port_accessed(port, size);
  return cpu.bus().read_port(port, size, BusAccess{cpu.now(), cpu.index()});
}
void write_port(Cpu& cpu, uint16_t port, unsigned size, uint64_t value) {
  cpu.device_accessed();
  cpu.port_accessed(port, size);
  cpu.bus().write_port(port, size, value, BusAccess{cpu.now(), cpu.index()});
}

uint16_t port_of(const Cpu& cpu, const Insn& insn, bool immediate) {
  return immediate ? static_cast<uint8_t>(insn.imm) : cpu.reg<uint16_t>(at::rdx);
}

// IN AL/AX/EAX, imm8; IN AL/AX/EAX, DX
template <class T, bool immediate>
Flow in(Cpu& cpu, const Insn& insn) {
  const uint16_t port = port_of(cpu, insn, immediate);
  if (const auto r = port_permitted(cpu, port, sizeof(T)); !r) return cpu.raise(r.error());
  if (vmx::exits_on_port(cpu, insn, port, sizeof(T), true, false, false, immediate, 0, 0)) {
    return Flow::exit;
  }
  cpu.set_reg<T>(at::rax, static_cast<T>(read_port(cpu, port, sizeof(T))));
  return Flow::branch;
}

// OUT imm8, AL/AX/EAX; OUT DX, AL/AX/EAX
template <class T, bool immediate>
Flow out(Cpu& cpu, const Insn& insn) {
  const uint16_t port = port_of(cpu, insn, immediate);
  if (const auto r = port_permitted(cpu, port, sizeof(T)); !r) return cpu.raise(r.error());
  if (vmx::exits_on_port(cpu, insn, port, sizeof(T), false, false, false, immediate, 0, 0)) {
    return Flow::exit;
  }
  write_port(cpu, port, sizeof(T), cpu.reg<T>(at::rax));
  return Flow::branch;
}

template <template <class, bool> class Make>
Handler for_port(const Decoded& d, bool immediate) {
  switch (d.operand_size) {
    case 1: return immediate ? Make<uint8_t, true>::handler : Make<uint8_t, false>::handler;
    case 2: return immediate ? Make<uint16_t, true>::handler : Make<uint16_t, false>::handler;
    default: return immediate ? Make<uint32_t, true>::handler : Make<uint32_t, false>::handler;
  }
}
template <class T, bool immediate>
struct In {
  static constexpr Handler handler = in<T, immediate>;
};
template <class T, bool immediate>
struct Out {
  static constexpr Handler handler = out<T, immediate>;
};

Handler select_in(const Decoded& d) {
  return for_port<In>(d, d.operands[1].kind == OperandKind::immediate);
}
Handler select_out(const Decoded& d) {
  return for_port<Out>(d, d.operands[0].kind == OperandKind::immediate);
}

// --- INS and OUTS: one iteration per call ---

bool exhausted(const Cpu& cpu, const Insn& insn, bool repeated) {
  return repeated && (cpu.state.regs[arch::rcx] & address_mask(insn)) == 0;
}

/// Moves the index register, counts down, and says whether the instruction goes on.
Flow iterated(Cpu& cpu, const Insn& insn, uint8_t index, unsigned size, bool repeated) {
  const bool down = (cpu.state.rflags_system & arch::rflags::df) != 0;
  const uint64_t distance = down ? ~uint64_t{size} + 1 : size;
  set_address_register(cpu, insn, index, cpu.state.regs[index] + distance);
  if (!repeated) return Flow::branch;
  const uint64_t count = (cpu.state.regs[arch::rcx] - 1) & address_mask(insn);
  set_address_register(cpu, insn, arch::rcx, count);
  return count == 0 ? Flow::branch : Flow::again;
}

// INSB, INSW, INSD: the write is known to succeed before the port is read
template <class T, bool repeated>
Flow ins(Cpu& cpu, const Insn& insn) {
  const uint16_t port = cpu.reg<uint16_t>(at::rdx);
  if (exhausted(cpu, insn, repeated)) return Flow::next;
  if (const auto r = port_permitted(cpu, port, sizeof(T)); !r) return cpu.raise(r.error());
  const uint64_t offset = cpu.state.regs[arch::rdi] & address_mask(insn);
  const uint64_t linear = cpu.segment_base(arch::es) + offset;
  if (vmx::exits_on_port(cpu, insn, port, sizeof(T), true, true, repeated, false, linear,
                         arch::es)) {
    return Flow::exit;
  }
  const auto room = cpu.begin_modify_at<T>(arch::es, offset, cpu.segments_checked());
  if (!room) return cpu.raise(room.error());
  const auto value = static_cast<T>(read_port(cpu, port, sizeof(T)));
  cpu.commit<T>(value);
  return iterated(cpu, insn, arch::rdi, sizeof(T), repeated);
}

// OUTSB, OUTSW, OUTSD
template <class T, bool repeated>
Flow outs(Cpu& cpu, const Insn& insn) {
  const uint16_t port = cpu.reg<uint16_t>(at::rdx);
  if (exhausted(cpu, insn, repeated)) return Flow::next;
  if (const auto r = port_permitted(cpu, port, sizeof(T)); !r) return cpu.raise(r.error());
  const uint64_t offset = cpu.state.regs[arch::rsi] & address_mask(insn);
  const uint64_t linear = cpu.segment_base(insn.segment) + offset;
  if (vmx::exits_on_port(cpu, insn, port, sizeof(T), false, true, repeated, false, linear,
                         insn.segment)) {
    return Flow::exit;
  }
  const auto value = cpu.load_at<T>(insn.segment, offset, is_checked(insn));
  if (!value) return cpu.raise(value.error());
  write_port(cpu, port, sizeof(T), *value);
  return iterated(cpu, insn, arch::rsi, sizeof(T), repeated);
}

template <class T>
Handler select_ins(const Decoded& d) {
  return d.rep || d.repne ? ins<T, true> : ins<T, false>;
}
template <class T>
Handler select_outs(const Decoded& d) {
  return d.rep || d.repne ? outs<T, true> : outs<T, false>;
}

// clang-format off
constexpr std::array<Row, 8> kRows = {{
  system_row("in",    select_in,             CostClass::port),
  system_row("out",   select_out,            CostClass::port),
  system_row("insb",  select_ins<uint8_t>,   CostClass::port), system_row("insw",  select_ins<uint16_t>,  CostClass::port),
  system_row("insd",  select_ins<uint32_t>,  CostClass::port), system_row("outsb", select_outs<uint8_t>,  CostClass::port),
  system_row("outsw", select_outs<uint16_t>, CostClass::port), system_row("outsd", select_outs<uint32_t>, CostClass::port),
}};
// clang-format on

}  // namespace

std::span<const Row> port_rows() { return kRows; }

}  // namespace vitrine::emu
