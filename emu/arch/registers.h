// Register numbers and control-bit names: RFLAGS, CR0, CR4, EFER, segments, as the SDM prints them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vitrine::emu::arch {

/// General-purpose registers in encoding order.
enum Gpr : uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };
inline constexpr std::array<std::string_view, 16> kGprNames = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/// Segment registers in encoding order, then the two system segments.
enum Segment : uint8_t { es, cs, ss, ds, fs, gs, ldtr, tr };
inline constexpr std::array<std::string_view, 8> kSegmentNames = {"es", "cs", "ss",   "ds",
                                                                  "fs", "gs", "ldtr", "tr"};

/// SDM "EFLAGS Register".
namespace rflags {
inline constexpr uint64_t cf = 1u << 0;
inline constexpr uint64_t fixed1 = 1u << 1;
inline constexpr uint64_t pf = 1u << 2;
inline constexpr uint64_t af = 1u << 4;
inline constexpr uint64_t zf = 1u << 6;
inline constexpr uint64_t sf = 1u << 7;
inline constexpr uint64_t tf = 1u << 8;
inline constexpr uint64_t if_ = 1u << 9;
inline constexpr uint64_t df = 1u << 10;
inline constexpr uint64_t of = 1u << 11;
inline constexpr uint64_t iopl = 3u << 12;
inline constexpr uint64_t nt = 1u << 14;
inline constexpr uint64_t rf = 1u << 16;
inline constexpr uint64_t vm = 1u << 17;
inline constexpr uint64_t ac = 1u << 18;
inline constexpr uint64_t vif = 1u << 19;
inline constexpr uint64_t vip = 1u << 20;
inline constexpr uint64_t id = 1u << 21;
inline constexpr uint64_t arithmetic = cf | pf | af | zf | sf | of;
}  // namespace rflags

/// SDM "Control Registers", CR0.
namespace cr0 {
inline constexpr uint64_t pe = 1u << 0;
inline constexpr uint64_t mp = 1u << 1;
inline constexpr uint64_t em = 1u << 2;
inline constexpr uint64_t ts = 1u << 3;
inline constexpr uint64_t et = 1u << 4;
inline constexpr uint64_t ne = 1u << 5;
inline constexpr uint64_t wp = 1u << 16;
inline constexpr uint64_t am = 1u << 18;
inline constexpr uint64_t nw = 1u << 29;
inline constexpr uint64_t cd = 1u << 30;
inline constexpr uint64_t pg = 1u << 31;
}  // namespace cr0

/// SDM "Control Registers", CR4.
namespace cr4 {
inline constexpr uint64_t vme = 1u << 0;
inline constexpr uint64_t pvi = 1u << 1;
inline constexpr uint64_t tsd = 1u << 2;
inline constexpr uint64_t de = 1u << 3;
inline constexpr uint64_t pse = 1u << 4;
inline constexpr uint64_t pae = 1u << 5;
inline constexpr uint64_t mce = 1u << 6;
inline constexpr uint64_t pge = 1u << 7;
inline constexpr uint64_t pce = 1u << 8;
inline constexpr uint64_t osfxsr = 1u << 9;
inline constexpr uint64_t osxmmexcpt = 1u << 10;
inline constexpr uint64_t umip = 1u << 11;
inline constexpr uint64_t la57 = 1u << 12;
inline constexpr uint64_t vmxe = 1u << 13;
inline constexpr uint64_t smxe = 1u << 14;
inline constexpr uint64_t fsgsbase = 1u << 16;
inline constexpr uint64_t pcide = 1u << 17;
inline constexpr uint64_t osxsave = 1u << 18;
inline constexpr uint64_t smep = 1u << 20;
inline constexpr uint64_t smap = 1u << 21;
}  // namespace cr4

/// SDM "Extended Feature Enable Register".
namespace efer {
inline constexpr uint64_t sce = 1u << 0;
inline constexpr uint64_t lme = 1u << 8;
inline constexpr uint64_t lma = 1u << 10;
inline constexpr uint64_t nxe = 1u << 11;
}  // namespace efer

/// Segment access rights in the VMCS format (SDM "Guest Register State"): type 3:0, S 4, DPL 6:5,
/// P 7, AVL 12, L 13, D/B 14, G 15, unusable 16.
struct SegmentRights {
  uint32_t bits = 0;

  constexpr uint32_t type() const { return bits & 0xF; }
  constexpr bool code_or_data() const { return (bits & 0x10) != 0; }
  constexpr bool code() const { return (bits & 0x18) == 0x18; }
  constexpr bool conforming() const { return (bits & 0x1C) == 0x1C; }
  constexpr bool readable() const { return !code() || (bits & 2) != 0; }
  constexpr bool writable() const { return (bits & 0x1A) == 0x12; }
  constexpr bool expand_down() const { return (bits & 0x1C) == 0x14; }
  constexpr unsigned dpl() const { return (bits >> 5) & 3; }
  constexpr bool present() const { return (bits & 0x80) != 0; }
  constexpr bool long_mode() const { return (bits & 0x2000) != 0; }
  constexpr bool big() const { return (bits & 0x4000) != 0; }
  constexpr bool granular() const { return (bits & 0x8000) != 0; }
  constexpr bool unusable() const { return (bits & 0x10000) != 0; }

  friend constexpr bool operator==(const SegmentRights&, const SegmentRights&) = default;
};
inline constexpr uint32_t kUnusableSegment = 0x10000;

}  // namespace vitrine::emu::arch
