// Far RET and IRET: returns to the same or an outer level, in every mode.
#include "emu/cpu/handlers/far.h"
#include "emu/cpu/handlers/system.h"
#include "emu/cpu/handlers/virtual_interrupts.h"
#include "emu/cpu/segmentation.h"
#include "emu/cpu/task_switch.h"

namespace vitrine::emu {

namespace {

using arch::SegmentRights;
using arch::Vector;
namespace rflags = arch::rflags;

// --- RET ---

/// Reads the stack upwards from the top without moving the pointer.
class FrameReader {
 public:
  FrameReader(Cpu& cpu, unsigned width) : cpu_(cpu), width_(width) {}

  /// The next item; after a fault every item reads 0 and `fault` holds why.
  uint64_t next() {
    if (failed_) return 0;
    const uint64_t at = (cpu_.state.regs[arch::rsp] + used_) & cpu_.stack_mask();
    used_ += width_;
    const bool checked = cpu_.segments_checked();
    const auto take = [&]<class T>(T) -> uint64_t {
      const auto value = cpu_.load_at<T>(arch::ss, at, checked);
      if (value) return *value;
      failed_ = true;
      fault_ = value.error();
      return 0;
    };
    if (width_ == 2) return take(uint16_t{});
    if (width_ == 4) return take(uint32_t{});
    return take(uint64_t{});
  }
  void skip(uint64_t bytes) { used_ += bytes; }
  uint64_t used() const { return used_; }
  bool failed() const { return failed_; }
  const Fault& fault() const { return fault_; }

 private:
  Cpu& cpu_;
  unsigned width_;
  uint64_t used_ = 0;
  bool failed_ = false;
  Fault fault_;
};

/// Checks CS of a return (SDM RET and IRET, operation sections).
Result<Descriptor, Fault> check_return_code(Cpu& cpu, uint16_t selector) {
  const CpuState& s = cpu.state;
  if (null_selector(selector)) return Err{kGeneralProtection0};
  const auto d = read_descriptor(cpu, selector, Vector::general_protection);
  if (!d) return d;
  const SegmentRights rights = d->rights();
  const unsigned rpl = selector & 3;
  const bool level = rights.conforming() ? rights.dpl() <= rpl : rights.dpl() == rpl;
  const bool modes = s.long_mode() && rights.long_mode() && rights.big();
  if (!rights.code() || rpl < s.cpl || !level || modes) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  if (!rights.present()) return Err{selector_fault(Vector::segment_not_present, selector)};
  return d;
}

/// SS of a return to an outer level, or of any 64-bit IRET.
Result<SegmentState, Fault> check_return_stack(Cpu& cpu, uint16_t selector, unsigned cpl,
                                               bool to_64bit) {
  if (null_selector(selector) && to_64bit && cpl != 3 && (selector & 3u) == cpl) {
    return SegmentState{0, 0, SegmentRights{arch::kUnusableSegment | cpl << 5}, selector};
  }
  return check_stack_segment(cpu, selector, cpl, Vector::general_protection);
}

Flow ret_far(Cpu& cpu, const Insn& insn) {
  CpuState& s = cpu.state;
  const unsigned width = 1u << insn.operand_size;
  FrameReader frame(cpu, width);
  const uint64_t rip = frame.next();
  const auto selector = static_cast<uint16_t>(frame.next());
  if (frame.failed()) return cpu.raise(frame.fault());
  const uint64_t extra = insn.imm & 0xFFFF;
  if (real_like(s)) {
    if (rip > s.segments[arch::cs].limit) return cpu.raise(kGeneralProtection0);
    cpu.set_stack_pointer(s.regs[arch::rsp] + frame.used() + extra);
    return go_real(cpu, {rip, selector});
  }
  const auto code = check_return_code(cpu, selector);
  if (!code) return cpu.raise(code.error());
  const unsigned rpl = selector & 3;
  const bool to_64bit = s.long_mode() && code->rights().long_mode();
  if (rpl == s.cpl) {
    if (!offset_fits(s, *code, rip)) return cpu.raise(kGeneralProtection0);
    if (const auto r = mark_accessed(cpu, selector, *code); !r) return cpu.raise(r.error());
    cpu.set_stack_pointer(s.regs[arch::rsp] + frame.used() + extra);
    return finish_transfer(cpu, selector, *code, s.cpl, rip);
  }
  frame.skip(extra);
  const uint64_t rsp = frame.next();
  const auto ss_selector = static_cast<uint16_t>(frame.next());
  if (frame.failed()) return cpu.raise(frame.fault());
  const auto ss = check_return_stack(cpu, ss_selector, rpl, to_64bit);
  if (!ss) return cpu.raise(ss.error());
  if (!offset_fits(s, *code, rip)) return cpu.raise(kGeneralProtection0);
  if (const auto r = mark_accessed(cpu, selector, *code); !r) return cpu.raise(r.error());
  s.segments[arch::ss] = *ss;
  const Flow flow = finish_transfer(cpu, selector, *code, rpl, rip);
  cpu.set_stack_pointer(rsp + extra);
  drop_inner_segments(cpu);
  cpu.segments_changed();
  return flow;
}

Handler select_ret_far(const Decoded& d) {
  return d.opcode == 0xCA || d.opcode == 0xCB ? ret_far : nullptr;
}

// --- IRET ---

/// RFLAGS from an image popped at `cpl`: IOPL needs CPL 0, IF needs CPL <= IOPL. VIF and VIP change
/// in protected mode at CPL 0 only.
void load_flags(CpuState& s, uint64_t image, unsigned width, unsigned cpl) {
  uint64_t changeable = rflags::arithmetic | rflags::tf | rflags::df | rflags::nt;
  if (width >= 4) changeable |= rflags::rf | rflags::ac | rflags::id;
  const auto iopl = static_cast<unsigned>((s.rflags_system & rflags::iopl) >> 12);
  if (cpl <= iopl) changeable |= rflags::if_;
  if (cpl == 0) changeable |= rflags::iopl;
  if (cpl == 0 && width >= 4 && s.protected_mode()) changeable |= rflags::vif | rflags::vip;
  s.set_rflags((s.rflags() & ~changeable) | (image & changeable));
}

Flow iret_real(Cpu& cpu, unsigned width) {
  CpuState& s = cpu.state;
  const auto iopl = static_cast<unsigned>((s.rflags_system & rflags::iopl) >> 12);
  const bool shown = width == 2 && virtual_flags(cpu);
  if (s.v8086() && iopl < 3 && !shown) return cpu.raise(kGeneralProtection0);
  FrameReader frame(cpu, width);
  const uint64_t rip = frame.next();
  const auto selector = static_cast<uint16_t>(frame.next());
  const uint64_t image = frame.next();
  if (frame.failed()) return cpu.raise(frame.fault());
  if (rip > s.segments[arch::cs].limit) return cpu.raise(kGeneralProtection0);
  if (shown && !virtual_flags_allow(cpu, image)) return cpu.raise(kGeneralProtection0);
  cpu.set_stack_pointer(s.regs[arch::rsp] + frame.used());
  if (shown) {
    load_virtual_flags(s, image);
    return go_real(cpu, {rip, selector});
  }
  const uint64_t kept_iopl = s.rflags_system & rflags::iopl;
  load_flags(s, image, width, s.v8086() ? 3 : 0);
  if (s.v8086()) s.rflags_system = (s.rflags_system & ~rflags::iopl) | kept_iopl | rflags::vm;
  return go_real(cpu, {rip, selector});
}

/// Every flag there is, VM included.
constexpr uint64_t kFlagsImage = rflags::arithmetic | rflags::tf | rflags::if_ | rflags::df |
                                 rflags::iopl | rflags::nt | rflags::rf | rflags::vm | rflags::ac |
                                 rflags::vif | rflags::vip | rflags::id;

/// IRET from a protected-mode handler to virtual-8086 mode.
Flow iret_to_v8086(Cpu& cpu, FrameReader& frame, uint64_t rip, uint16_t cs, uint64_t image) {
  CpuState& s = cpu.state;
  const uint64_t rsp = frame.next();
  std::array<uint16_t, 5> selectors{};  // SS ES DS FS GS
  for (uint16_t& selector : selectors) selector = static_cast<uint16_t>(frame.next());
  if (frame.failed()) return cpu.raise(frame.fault());
  if (rip > 0xFFFF) return cpu.raise(kGeneralProtection0);
  s.set_rflags(image & kFlagsImage);
  s.cpl = 3;
  constexpr std::array<uint8_t, 5> kOrder = {arch::ss, arch::es, arch::ds, arch::fs, arch::gs};
  for (size_t i = 0; i < kOrder.size(); ++i) load_real_segment(cpu, kOrder[i], selectors[i]);
  load_real_segment(cpu, arch::cs, cs);
  s.regs[arch::rsp] = rsp & 0xFFFFFFFF;
  s.set_rip(rip);
  cpu.segments_changed();
  return Flow::branch;
}

Flow iret_protected(Cpu& cpu, unsigned width) {
  CpuState& s = cpu.state;
  const bool long_mode = s.long_mode();
  FrameReader frame(cpu, width);
  const uint64_t rip = frame.next();
  const auto selector = static_cast<uint16_t>(frame.next());
  const uint64_t image = frame.next();
  if (frame.failed()) return cpu.raise(frame.fault());
  if (!long_mode && width == 4 && (image & rflags::vm) != 0 && s.cpl == 0) {
    return iret_to_v8086(cpu, frame, rip, selector, image);
  }
  const auto code = check_return_code(cpu, selector);
  if (!code) return cpu.raise(code.error());
  const unsigned rpl = selector & 3;
  const bool outward = rpl > s.cpl;
  const bool from_64bit = s.code64();
  const bool to_64bit = long_mode && code->rights().long_mode();
  const unsigned old_cpl = s.cpl;
  SegmentState ss = s.segments[arch::ss];
  uint64_t rsp = s.regs[arch::rsp] + frame.used();
  if (outward || from_64bit) {
    rsp = frame.next();
    const auto ss_selector = static_cast<uint16_t>(frame.next());
    if (frame.failed()) return cpu.raise(frame.fault());
    const auto checked = check_return_stack(cpu, ss_selector, rpl, to_64bit);
    if (!checked) return cpu.raise(checked.error());
    ss = *checked;
  }
  if (!offset_fits(s, *code, rip)) return cpu.raise(kGeneralProtection0);
  if (const auto r = mark_accessed(cpu, selector, *code); !r) return cpu.raise(r.error());
  s.segments[arch::ss] = ss;
  const Flow flow = finish_transfer(cpu, selector, *code, rpl, rip);
  load_flags(s, image, width, old_cpl);
  cpu.set_stack_pointer(rsp);
  if (outward) drop_inner_segments(cpu);
  cpu.segments_changed();
  return flow;
}

// IRET, IRETD, IRETQ
Flow iret(Cpu& cpu, const Insn& insn) {
  CpuState& s = cpu.state;
  // SDM "Handling Multiple NMIs": NMIs are unblocked even when the IRET faults.
  if (s.nmi_blocked && vmx::iret_unblocks_nmi(cpu)) {
    s.nmi_blocked = false;
    cpu.vmx.iret_unblocked_nmi = true;
  }
  cpu.attention();
  const unsigned width = operand_bytes(insn);
  if (real_like(s)) return iret_real(cpu, width);
  if ((s.rflags_system & rflags::nt) == 0) return iret_protected(cpu, width);
  if (s.long_mode()) return cpu.raise(kGeneralProtection0);
  return task_return(cpu, insn);
}

constexpr FlagUse kIretFlags{0, flag::all | flag::df, 0};

// clang-format off
constexpr std::array<Row, 4> kRows = {{
  {"ret",   Feature::base, InsnClass::serialising, CostClass::far_transfer, {}, select_ret_far},
  {"iret",  Feature::base, InsnClass::serialising, CostClass::iret, kIretFlags, always<iret>},
  {"iretd", Feature::base, InsnClass::serialising, CostClass::iret, kIretFlags, always<iret>},
  {"iretq", Feature::base, InsnClass::serialising, CostClass::iret, kIretFlags, always<iret>},
}};
// clang-format on

}  // namespace

std::span<const Row> far_return_rows() { return kRows; }

}  // namespace vitrine::emu
