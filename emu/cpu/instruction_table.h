// The instruction table: one row per mnemonic and group, the single place that says what it means.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "emu/cpu/decoded.h"
#include "emu/cpu/insn.h"

namespace vitrine::emu {

/// What a row's instructions need the profile to have; rows of absent features raise #UD.
enum class Feature : uint8_t {
  base, x87, cmov, cx8, cx16, mmx, sse, sse2, sse3, ssse3, sse4_1, sse4_2, popcnt, movbe, aes,
  pclmul, xsave, xsaveopt, xsavec, xsaves, rdrand, rdseed, fsgsbase, invpcid, smap, rdtscp, lahf64,
  syscall, sysenter, clflush, clflushopt, clwb, lzcnt, bmi1, bmi2, adx, avx, avx2, fma, f16c, vmx,
  sha, rdpid, monitor, prefetchw,
  kCount
};

/// How the engines and the block builder treat an instruction.
enum class InsnClass : uint8_t {
  plain,        ///< falls through; may fault
  branch,       ///< near control transfer: ends the block
  string,       ///< string instruction, with or without a repeat prefix: a block of its own when repeated
  serialising,  ///< changes mode, privilege, flags beyond arithmetic, or time is read: ends the block
};

/// Cycle class of the level `count` and key of the detailed models; costs are in timing/count.h.
enum class CostClass : uint8_t {
  alu, load_op, store_op, branch, call, mul, div8, div16, div32, div64, shift_double, bit_scan,
  string_iteration, push_pop, segment_load, far_transfer, interrupt, iret, syscall, flags_image,
  control_register, msr, cpuid, rdtsc, port, cache_control, tlb_control, fence, lock_op,
  x87_simple, x87_mul, x87_div, x87_transcendental, x87_state, mmx, sse_move, sse_alu, sse_mul,
  sse_div, sse_convert, sse_shuffle, xsave, crypto, random, vmx_light, vmx_heavy, hlt, system,
  kCount
};

/// Flags by their RFLAGS bits.
struct FlagUse {
  uint16_t read = 0;
  uint16_t written = 0;
  uint16_t undefined = 0;
};

struct Row {
  std::string_view mnemonic;
  Feature feature = Feature::base;
  InsnClass insn_class = InsnClass::plain;
  CostClass cost = CostClass::alu;
  FlagUse flags;
  /// The handler for this form, or nullptr for a form that raises #UD.
  Handler (*select)(const Decoded&) = nullptr;
};

/// Rows come from the handler files, one list per group of instructions.
std::span<const Row> integer_rows();
std::span<const Row> control_flow_rows();
std::span<const Row> string_rows();
std::span<const Row> system_rows();
std::span<const Row> segment_rows();
std::span<const Row> x87_rows();
std::span<const Row> mmx_rows();
std::span<const Row> sse_rows();
std::span<const Row> vmx_rows();
std::span<const Row> avx_rows();

/// All rows in a fixed order; Insn::row indexes it.
std::span<const Row> instruction_table();

struct RowMatch {
  uint16_t row;
  Handler handler;
};
/// The first row of this mnemonic whose select() knows the form. Several lists may have rows for one
/// mnemonic (MOV of integers and of control registers; MOVSD the string and the vector instruction).
std::optional<RowMatch> find_row(const Decoded& decoded);

}  // namespace vitrine::emu
