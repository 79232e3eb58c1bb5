// The silicon harness: one instruction on the host's processor and on ours, from the same state.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "emu/arch/cpuid_profile.h"
#include "emu/arch/exceptions.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/insn.h"
#include "emu/cpu/state.h"

namespace vitrine::test {

/// Where code and data lie, at the same linear addresses on both sides. The page below the window and
/// the last page of it are not mapped.
inline constexpr uint64_t kCode = 0x1000'0000;
inline constexpr uint64_t kCodeBytes = 0x1000;
inline constexpr uint64_t kEntry = kCode + 0x800;
inline constexpr uint64_t kWindow = 0x2000'0000;
inline constexpr uint64_t kWritableBytes = 0x2000;
inline constexpr uint64_t kReadOnly = kWindow + kWritableBytes;
inline constexpr uint64_t kUnmapped = kReadOnly + 0x1000;
inline constexpr uint64_t kMappedBytes = kUnmapped - kWindow;
/// GS base, relative to the window; FS belongs to the host.
inline constexpr uint64_t kGsOffset = 0x40;

/// Code segment to run in. Segments are flat, but for 16-bit code: its data and stack segment is the
/// mapped part of the window, its code segment the code page, both with their limits.
enum class CodeSize : uint8_t { bits16 = 2, bits32 = 4, bits64 = 8 };
constexpr uint64_t code_base(CodeSize size) { return size == CodeSize::bits16 ? kCode : 0; }
constexpr uint64_t data_base(CodeSize size) { return size == CodeSize::bits16 ? kWindow : 0; }

/// Everything an instruction may read or change besides memory.
struct Registers {
  std::array<uint64_t, 16> gpr{};
  uint64_t rip = kEntry;
  uint64_t rflags = 0x202;
  emu::X87State x87;
  emu::VectorState vector;
};

struct Outcome {
  Registers after;
  bool faulted = false;
  emu::Fault fault;
  uint64_t fault_address = 0;  ///< of a page fault
};

struct Case {
  std::array<uint8_t, 256> bytes{};
  uint8_t length = 0;
  uint8_t instructions = 1;   ///< more than one run as a sequence, up to the first that faults
  CodeSize size = CodeSize::bits64;
  uint64_t target = 0;        ///< linear address of the memory operand, 0 without one
  bool single_step = false;   ///< stop after one instruction, or one iteration, wherever it leads
  bool with_vectors = false;  ///< load and compare x87, XMM and YMM as well
  Registers before;
};

/// The processor this program runs on. Only one may exist: it owns signal handlers and addresses.
class HostProcessor {
 public:
  /// An x86-64 Linux where the fixed addresses are free.
  static bool available();
  /// AMD leaves some results undefined in its own way; the divergence table asks.
  static bool is_amd();

  HostProcessor();
  ~HostProcessor();
  HostProcessor(const HostProcessor&) = delete;
  HostProcessor& operator=(const HostProcessor&) = delete;

  Outcome execute(const Case& c);
  std::span<uint8_t> memory();  ///< the mapped pages of the window
  /// The host lets programs have segments of their own.
  bool has_segments() const { return has_segments_; }

 private:
  bool has_segments_ = false;
};

/// Ours: a Cpu at CPL 3 in IA-32e mode with paging, with every feature that is written.
class OurProcessor {
 public:
  OurProcessor();
  ~OurProcessor();

  /// Decodes and runs the instructions, to the end of their repetitions unless single-stepped. `insn` is
  /// what the last one was decoded to.
  Outcome execute(const Case& c, emu::Insn& insn);
  std::span<uint8_t> memory();
  emu::Cpu& cpu();

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

/// What differs between two outcomes, one fact per line; empty when they agree. Flags in
/// `ignored_flags` are not compared.
std::string difference(const Case& c, const Outcome& host, const Outcome& ours,
                       uint64_t ignored_flags);
/// The case as text: bytes and registers.
std::string describe(const Case& c);

}  // namespace vitrine::test
