// What the handlers of system instructions share: rows, privilege, operands of a variable width.
#pragma once

#include <span>

#include "emu/cpu/handlers/forms.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

// --- Rows of the system files, joined by system_rows() and segment_rows() ---

std::span<const Row> control_register_rows();
std::span<const Row> interrupt_rows();
std::span<const Row> far_return_rows();
std::span<const Row> system_call_rows();
std::span<const Row> port_rows();
std::span<const Row> msr_rows();
std::span<const Row> state_image_rows();
std::span<const Row> segment_load_rows();
std::span<const Row> segment_query_rows();
std::span<const Row> descriptor_table_rows();
std::span<const Row> far_transfer_rows();

/// A row that ends its block.
constexpr Row system_row(std::string_view mnemonic, Handler (*select)(const Decoded&),
                         CostClass cost = CostClass::system, Feature feature = Feature::base) {
  return {mnemonic, feature, InsnClass::serialising, cost, {}, select};
}

template <Handler handler>
Handler always(const Decoded&) {
  return handler;
}

inline bool supervisor(const Cpu& cpu) { return cpu.state.cpl == 0; }
/// Protected mode proper: neither real nor virtual-8086.
inline bool selector_mode(const Cpu& cpu) {
  return cpu.state.protected_mode() && !cpu.state.v8086();
}
inline unsigned iopl(const Cpu& cpu) {
  return static_cast<unsigned>(cpu.state.rflags_system >> 12) & 3;
}
inline bool is_checked(const Insn& insn) { return (insn.flags & insn_flag::checked) != 0; }
inline unsigned operand_bytes(const Insn& insn) { return 1u << insn.operand_size; }

/// Writes a general-purpose register by its byte offset at a width known only here.
inline void write_gpr(Cpu& cpu, uint8_t offset, uint64_t value, unsigned bytes) {
  switch (bytes) {
    case 1: cpu.set_reg<uint8_t>(offset, static_cast<uint8_t>(value)); break;
    case 2: cpu.set_reg<uint16_t>(offset, static_cast<uint16_t>(value)); break;
    case 4: cpu.set_reg<uint32_t>(offset, static_cast<uint32_t>(value)); break;
    default: cpu.set_reg<uint64_t>(offset, value); break;
  }
}

/// The 16-bit operand 0 or 1 of an instruction that takes a selector or status word.
inline Result<uint16_t, Fault> read_word(Cpu& cpu, const Insn& insn, size_t operand) {
  if (insn.op[operand] == kMemory) return cpu.load<uint16_t>(insn);
  return cpu.reg<uint16_t>(insn.op[operand]);
}
/// A selector or status word as a result: 16 bits in memory, the operand size in a register.
inline Result<void, Fault> write_word(Cpu& cpu, const Insn& insn, uint64_t value) {
  if (insn.op[0] == kMemory) return cpu.store<uint16_t>(insn, static_cast<uint16_t>(value));
  write_gpr(cpu, insn.op[0], value, operand_bytes(insn));
  return {};
}

/// EDX:EAX, each with its upper half cleared.
inline void set_edx_eax(Cpu& cpu, uint64_t value) {
  cpu.set_reg<uint32_t>(at::rax, static_cast<uint32_t>(value));
  cpu.set_reg<uint32_t>(at::rdx, static_cast<uint32_t>(value >> 32));
}
inline uint64_t edx_eax(const Cpu& cpu) {
  return uint64_t{cpu.reg<uint32_t>(at::rax)} | uint64_t{cpu.reg<uint32_t>(at::rdx)} << 32;
}

}  // namespace vitrine::emu
