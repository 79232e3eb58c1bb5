// The stacks of inner levels, found in the TSS: SDM "Task-State Segment".
#include "emu/cpu/event_stack.h"

#include "emu/cpu/segmentation.h"

namespace vitrine::emu {

namespace {

using arch::Vector;

Fault tss_fault(const SegmentState& tr, uint32_t ext) {
  return fault(Vector::invalid_tss, selector_error(tr.selector) | ext);
}

}  // namespace

Result<EventStack, Fault> inner_stack(Cpu& cpu, unsigned cpl, uint32_t ext) {
  const SegmentState& tr = cpu.state.segments[arch::tr];
  const bool wide = (tr.rights.type() & 8) != 0;
  const uint32_t at = wide ? 4 + cpl * 8 : 2 + cpl * 4;
  const uint32_t bytes = wide ? 6 : 4;
  if (at + bytes - 1 > tr.limit) return Err{tss_fault(tr, ext)};
  uint64_t field = 0;
  const auto read = cpu.mmu.read_bytes(Gva{(tr.base + at) & 0xFFFFFFFF}, &field, bytes, {});
  if (!read) return Err{read.error()};
  const uint64_t sp = wide ? field & 0xFFFFFFFF : field & 0xFFFF;
  const auto selector = static_cast<uint16_t>(wide ? field >> 32 : field >> 16);
  const auto ss = check_stack_segment(cpu, selector, cpl, Vector::invalid_tss);
  if (!ss) {
    Fault f = ss.error();
    if (f.kind == Fault::Kind::exception && f.vector != Vector::page_fault) f.error_code |= ext;
    return Err{f};
  }
  EventStack stack;
  stack.ss = *ss;
  stack.sp = sp;
  stack.mask = ss->rights.big() ? 0xFFFFFFFF : 0xFFFF;
  stack.user = cpl == 3;
  stack.fault_code = selector_error(selector) | ext;
  return stack;
}

Result<EventStack, Fault> long_mode_stack(Cpu& cpu, uint32_t offset, unsigned cpl, uint32_t ext) {
  const SegmentState& tr = cpu.state.segments[arch::tr];
  if (offset + 7 > tr.limit) return Err{tss_fault(tr, ext)};
  const auto rsp = cpu.mmu.read_system<uint64_t>(Gva{tr.base + offset});
  if (!rsp) return Err{Cpu::locate_fault(rsp.error(), arch::ds)};
  if (!Cpu::canonical(*rsp)) return Err{fault(Vector::stack_fault, ext)};
  EventStack stack;
  stack.ss = SegmentState{0, 0, arch::SegmentRights{arch::kUnusableSegment | cpl << 5},
                          static_cast<uint16_t>(cpl)};
  stack.sp = *rsp;
  stack.user = cpl == 3;
  stack.flat = true;
  stack.fault_code = ext;
  return stack;
}

}  // namespace vitrine::emu
