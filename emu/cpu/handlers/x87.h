// What the x87 files share: the register stack, the exceptions of one instruction, and the frames
// that every instruction runs in.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>

#include "emu/cpu/handlers/forms.h"
#include "emu/cpu/softfloat/convert.h"

namespace vitrine::emu {

// --- Rows of the x87 files, joined by x87_rows() ---

std::span<const Row> x87_control_rows();
std::span<const Row> x87_environment_rows();
std::span<const Row> x87_move_rows();
std::span<const Row> x87_arithmetic_rows();
std::span<const Row> x87_compare_rows();
std::span<const Row> x87_function_rows();

/// Bits of the status word, SDM "x87 FPU Status Register".
namespace fsw {
inline constexpr uint16_t invalid = 0x0001, exceptions = 0x003F, stack_fault = 0x0040,
                          summary = 0x0080, c0 = 0x0100, c1 = 0x0200, c2 = 0x0400, top = 0x3800,
                          c3 = 0x4000, busy = 0x8000;
inline constexpr uint16_t conditions = c0 | c1 | c2 | c3;
}  // namespace fsw

// --- When an instruction may run ---

/// #NM by CR0.EM or CR0.TS: true, and `flow` says so.
bool x87_blocked(Cpu& cpu, Flow& flow);
/// A pending unmasked exception: #MF with CR0.NE; without it FERR# and a halt until an interrupt.
bool x87_pending(Cpu& cpu, Flow& flow);
/// FSW.ES and FSW.B follow the unmasked exception flags.
void x87_update_summary(X87State& x);
/// FERR# falls with the error summary: after what may have cleared it.
void x87_settle_ferr(Cpu& cpu);
/// FCW as it can be loaded: bit 6 is 1, bit 7 and the upper three are 0.
void x87_set_control(X87State& x, uint16_t fcw);
/// FINIT: everything but the contents of the registers.
void x87_initialise(X87State& x);
/// The pointers after an instruction that is not a control instruction.
void x87_note_exception(Cpu& cpu, const Insn& insn);
inline void x87_note_pointers(Cpu& cpu, const Insn& insn) {
  cpu.state.x87.fip = cpu.current_rip(insn);
  if ((cpu.state.x87.fsw & fsw::summary) != 0) [[unlikely]]
    x87_note_exception(cpu, insn);
}

// --- The register stack; i counts from the top ---

inline unsigned st_number(const X87State& x, unsigned i) { return ((x.fsw >> 11) + i) & 7; }
inline bool st_empty(const X87State& x, unsigned i) {
  return (x.valid >> st_number(x, i) & 1) == 0;
}
inline softfloat::F80 st_read(const X87State& x, unsigned i) {
  const unsigned number = st_number(x, i);
  return {x.significand[number], x.sign_exponent[number]};
}
inline void st_write(X87State& x, unsigned i, softfloat::F80 value) {
  const unsigned number = st_number(x, i);
  x.significand[number] = value.significand;
  x.sign_exponent[number] = value.sign_exponent;
  x.valid = static_cast<uint8_t>(x.valid | 1u << number);
}
inline void st_free(X87State& x, unsigned i) {
  x.valid = static_cast<uint8_t>(x.valid & ~(1u << st_number(x, i)));
}
inline void st_rotate(X87State& x, unsigned distance) {
  const unsigned top = ((x.fsw >> 11) + distance) & 7;
  x.fsw = static_cast<uint16_t>((x.fsw & ~fsw::top) | top << 11);
}
inline void st_pop(X87State& x) {
  st_free(x, 0);
  st_rotate(x, 1);
}
/// Onto a stack that is known to have room.
inline void st_push(X87State& x, softfloat::F80 value) {
  st_rotate(x, 7);
  st_write(x, 0, value);
}

// --- Exceptions ---

inline constexpr softfloat::F80 kX87Indefinite = softfloat::Format<softfloat::F80>::kIndefinite;

inline void x87_clear_conditions(X87State& x, uint16_t which) {
  x.fsw = static_cast<uint16_t>(x.fsw & ~which);
}
inline void x87_set_conditions(X87State& x, uint16_t value) {
  x.fsw = static_cast<uint16_t>((x.fsw & ~fsw::conditions) | value);
}
enum class StackFault : uint8_t { underflow, overflow };
/// SDM "Stack Overflow or Underflow Exception (#IS)": true when it is masked and a default result
/// is to be used.
bool x87_stack_fault(X87State& x, StackFault which);
/// Adds the exceptions of one operation to the status word; C1 tells of rounding up. False when an
/// unmasked one forbids the result.
enum class X87Destination : uint8_t { registers, memory };
bool x87_report(X87State& x, const softfloat::Env& env,
                X87Destination destination = X87Destination::registers);
/// Pushes a result, or handles a full stack.
void x87_push_result(X87State& x, softfloat::F80 value);

// --- Frames: an instruction that waits for pending exceptions ---

/// body(X87State&, const Insn&): all operands in registers.
template <auto body>
Flow x87_registers(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  body(cpu.state.x87, insn);
  x87_note_pointers(cpu, insn);
  return Flow::next;
}
/// body(X87State&, T): the source is in memory.
template <class T, auto body>
Flow x87_source(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  const auto operand = x87_load<T>(cpu, insn);
  if (!operand) return cpu.raise(operand.error());
  body(cpu.state.x87, *operand);
  x87_note_pointers(cpu, insn);
  return Flow::next;
}
/// SDM "Alignment Checking Exception (#AC)" for operands that are longer than their alignment.
Result<void, Fault> x87_check_alignment(const Cpu& cpu, const Insn& insn, uint64_t alignment);
/// Loads and stores of any size; those of more than eight bytes are aligned like `alignment`.
template <class T>
Result<T, Fault> x87_load(Cpu& cpu, const Insn& insn, uint64_t alignment = 8) {
  if constexpr (sizeof(T) > 8) {
    const auto aligned = x87_check_alignment(cpu, insn, alignment);
    if (!aligned) return Err{aligned.error()};
  }
  return cpu.load<T>(insn);
}
template <class T>
Result<void, Fault> x87_store(Cpu& cpu, const Insn& insn, const T& value, uint64_t alignment = 8) {
  if constexpr (sizeof(T) > 8) {
    const auto aligned = x87_check_alignment(cpu, insn, alignment);
    if (!aligned) return aligned;
  }
  return cpu.store<T>(insn, value);
}
/// Whether a store of so many bytes would fault.
Result<void, Fault> x87_probe_target(Cpu& cpu, const Insn& insn, size_t bytes);
/// optional<T> body(X87State&): the destination is in memory and takes what there is to store; the
/// body changes nothing but the status and who is empty. A store that faults, even with nothing to
/// store, leaves everything as it was.
template <class T, auto body>
Flow x87_target(Cpu& cpu, const Insn& insn) {
  Flow flow;
  if (x87_blocked(cpu, flow) || x87_pending(cpu, flow)) return flow;
  X87State& x = cpu.state.x87;
  const uint16_t status = x.fsw;
  const uint8_t valid = x.valid;
  const std::optional<T> value = body(x);
  const auto stored =
      value ? x87_store<T>(cpu, insn, *value) : x87_probe_target(cpu, insn, sizeof(T));
  if (!stored) {
    x.fsw = status;
    x.valid = valid;
    return cpu.raise(stored.error());
  }
  x87_note_pointers(cpu, insn);
  return Flow::next;
}

/// An extended value, or a packed decimal, as it lies in memory.
using X87Bytes = std::array<std::byte, 10>;
inline softfloat::F80 x87_from_bytes(const X87Bytes& bytes) {
  softfloat::F80 value;
  std::memcpy(&value.significand, bytes.data(), 8);
  std::memcpy(&value.sign_exponent, bytes.data() + 8, 2);
  return value;
}
inline X87Bytes x87_to_bytes(softfloat::F80 value) {
  X87Bytes bytes;
  std::memcpy(bytes.data(), &value.significand, 8);
  std::memcpy(bytes.data() + 8, &value.sign_exponent, 2);
  return bytes;
}

template <Handler handler>
Handler x87_always(const Decoded&) {
  return handler;
}

constexpr Row x87_row(std::string_view mnemonic, Handler (*select)(const Decoded&),
                      CostClass cost = CostClass::x87_simple, FlagUse flags = {},
                      Feature feature = Feature::x87) {
  return {mnemonic, feature, InsnClass::plain, cost, flags, select};
}

}  // namespace vitrine::emu
