// Task switches, in the manual's steps: check, save, mark, load, qualify.
#include "emu/cpu/task_switch.h"

#include <array>
#include <cstring>

#include "emu/cpu/control_registers.h"
#include "emu/cpu/event_stack.h"
#include "emu/cpu/timing/count.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

namespace {

using arch::SegmentRights;
using arch::Vector;
namespace rflags = arch::rflags;

constexpr uint32_t kTypeWide = 8, kTypeBusy = 2;

/// Where the fields of a TSS lie (SDM "32-Bit TSS", "16-Bit TSS").
struct TssLayout {
  uint32_t width;     ///< of a register slot
  uint32_t cr3;       ///< 0: none
  uint32_t rip;       ///< followed by flags and the eight registers
  uint32_t segments;  ///< ES CS SS DS (FS GS)
  uint32_t segment_count;
  uint32_t ldt;
  uint32_t size;
};
constexpr TssLayout kTss32{4, 28, 32, 72, 6, 96, 104};
constexpr TssLayout kTss16{2, 0, 14, 34, 4, 42, 44};
constexpr uint32_t kTrapBitAt = 100;

using TssImage = std::array<std::byte, kTss32.size>;

uint32_t slot(const TssImage& image, uint32_t at, uint32_t width) {
  uint32_t value = 0;
  std::memcpy(&value, image.data() + at, width);
  return value;
}
void set_slot(TssImage& image, uint32_t at, uint32_t width, uint64_t value) {
  std::memcpy(image.data() + at, &value, width);
}

const TssLayout& layout_of(SegmentRights rights) {
  return (rights.type() & kTypeWide) != 0 ? kTss32 : kTss16;
}

Fault task_fault(Vector vector, uint16_t selector, uint32_t ext) {
  return fault(vector, selector_error(selector) | ext);
}

/// The new TSS's descriptor, fit for the kind of switch.
Result<Descriptor, Fault> check_tss(Cpu& cpu, const TaskSwitch& how) {
  const bool returns = how.source == TaskSource::iret;
  const Vector wrong = returns ? Vector::invalid_tss : Vector::general_protection;
  if ((how.selector & 4) != 0 || null_selector(how.selector)) {
    return Err{task_fault(wrong, how.selector, how.ext)};
  }
  const auto d = read_descriptor(cpu, how.selector, wrong);
  if (!d) return d;
  const SegmentRights rights = d->rights();
  const uint32_t type = rights.type();
  const bool tss = !rights.code_or_data() && (type & 5) == 1;
  const bool busy = (type & kTypeBusy) != 0;
  if (!tss || busy != returns) return Err{task_fault(wrong, how.selector, how.ext)};
  if (!rights.present()) {
    return Err{task_fault(Vector::segment_not_present, how.selector, how.ext)};
  }
  if (d->limit() < layout_of(rights).size - 1) {
    return Err{task_fault(Vector::invalid_tss, how.selector, how.ext)};
  }
  return d;
}

/// The fields that a switch saves, from RIP to the last selector, into an image of the old TSS.
void save_registers(const CpuState& s, const TaskSwitch& how, const TssLayout& tss,
                    TssImage& image) {
  const uint64_t cleared = how.source == TaskSource::iret ? rflags::nt : 0;
  set_slot(image, tss.rip, tss.width, how.return_rip);
  set_slot(image, tss.rip + tss.width, tss.width, how.flags_image & ~cleared);
  for (uint32_t i = 0; i < 8; ++i) {
    set_slot(image, tss.rip + (2 + i) * tss.width, tss.width, s.regs[i]);
  }
  for (uint32_t i = 0; i < tss.segment_count; ++i) {
    set_slot(image, tss.segments + i * tss.width, 2, s.segments[i].selector);
  }
}

Result<void, Fault> save_task(Cpu& cpu, const TaskSwitch& how) {
  const SegmentState& tr = cpu.state.segments[arch::tr];
  const TssLayout& tss = layout_of(tr.rights);
  const uint32_t end = tss.segments + tss.segment_count * tss.width;
  TssImage image{};
  const Gva at{tr.base + tss.rip};
  const size_t size = end - tss.rip;
  if (const auto r = cpu.mmu.read_bytes(at, image.data() + tss.rip, size, {}); !r) return r;
  save_registers(cpu.state, how, tss, image);
  return cpu.mmu.write_bytes(at, image.data() + tss.rip, size, AccessRequest{.write = true});
}

/// CS of the new task, which fixes its CPL.
Result<void, Fault> load_task_code(Cpu& cpu, uint16_t selector) {
  const auto wrong = [&] { return Err{task_fault(Vector::invalid_tss, selector, 0)}; };
  if (null_selector(selector)) return wrong();
  const auto d = read_descriptor(cpu, selector, Vector::invalid_tss);
  if (!d) return Err{d.error()};
  const SegmentRights rights = d->rights();
  const unsigned rpl = selector & 3;
  const bool level = rights.conforming() ? rights.dpl() <= rpl : rights.dpl() == rpl;
  if (!rights.code() || !level) return wrong();
  if (!rights.present()) {
    return Err{task_fault(Vector::segment_not_present, selector, 0)};
  }
  if (const auto r = mark_accessed(cpu, selector, *d); !r) return r;
  load_code_segment(cpu, selector, *d, rpl);
  return {};
}

/// A data segment of the new task: as MOV loads it, with #TS in place of #GP.
Result<void, Fault> load_task_data(Cpu& cpu, uint8_t segment, uint16_t selector) {
  if (segment == arch::ss) {
    const auto ss = check_stack_segment(cpu, selector, cpu.state.cpl, Vector::invalid_tss);
    if (!ss) return Err{ss.error()};
    cpu.state.segments[arch::ss] = *ss;
    return {};
  }
  const auto loaded = load_segment(cpu, segment, selector);
  if (loaded) return loaded;
  Fault f = loaded.error();
  if (f.kind == Fault::Kind::exception && f.vector == Vector::general_protection) {
    f.vector = Vector::invalid_tss;
  }
  return Err{f};
}

Result<void, Fault> load_task_ldt(Cpu& cpu, uint16_t selector) {
  const auto loaded = load_ldtr(cpu, selector);
  if (loaded) return loaded;
  const Fault& f = loaded.error();
  if (f.kind == Fault::Kind::exception && f.vector != Vector::page_fault) {
    return Err{task_fault(Vector::invalid_tss, selector, 0)};
  }
  return loaded;
}

/// SDM's last step: the selectors' descriptors. Faults belong to the new task.
Result<void, Fault> load_task_segments(Cpu& cpu, const TssImage& image, const TssLayout& tss) {
  const auto selector = [&](uint32_t i) {
    return static_cast<uint16_t>(slot(image, tss.segments + i * tss.width, 2));
  };
  CpuState& s = cpu.state;
  if (s.v8086()) {
    s.cpl = 3;
    for (uint8_t i = 0; i < 6; ++i) load_real_segment(cpu, i, selector(i));
    return {};
  }
  for (uint8_t i = 0; i < 6; ++i) {
    const uint16_t sel = i < tss.segment_count ? selector(i) : uint16_t{0};
    s.segments[i] = SegmentState{0, 0, SegmentRights{arch::kUnusableSegment}, sel};
  }
  s.cpl = static_cast<uint8_t>(selector(arch::cs) & 3);
  cpu.context_changed();
  if (const auto r = load_task_ldt(cpu, static_cast<uint16_t>(slot(image, tss.ldt, 2))); !r) {
    return r;
  }
  if (const auto r = load_task_code(cpu, selector(arch::cs)); !r) return r;
  for (const uint8_t i : {arch::ss, arch::ds, arch::es, arch::fs, arch::gs}) {
    if (i >= tss.segment_count) continue;
    if (const auto r = load_task_data(cpu, i, selector(i)); !r) return r;
  }
  cpu.context_changed();
  return {};
}

void load_registers(Cpu& cpu, const TssImage& image, const TssLayout& tss, bool nested) {
  CpuState& s = cpu.state;
  constexpr uint64_t kFlags = 0x3F7FD5;
  const uint64_t kept = tss.width == 2 ? s.rflags_system & ~uint64_t{0xFFFF} & ~rflags::vm : 0;
  const uint64_t flags = slot(image, tss.rip + tss.width, tss.width) & kFlags;
  s.set_rflags(flags | (kept & kFlags) | (nested ? rflags::nt : 0));
  s.set_rip(slot(image, tss.rip, tss.width));
  for (uint32_t i = 0; i < 8; ++i) {
    const uint64_t value = slot(image, tss.rip + (2 + i) * tss.width, tss.width);
    s.regs[i] = tss.width == 4 ? value : (s.regs[i] & 0xFFFF0000) | value;
  }
  s.cr0 |= arch::cr0::ts;
  s.dr7 &= ~uint64_t{0x155};  // the local breakpoint enables
}

Result<void, Fault> push_task_error(Cpu& cpu, uint32_t error_code, uint32_t width) {
  EventStack stack = current_stack(cpu);
  if (const auto r = stack.push(cpu, error_code, width); !r) return r;
  cpu.state.regs[arch::rsp] = stack.sp;
  return {};
}

}  // namespace

Result<void, Fault> switch_task(Cpu& cpu, const TaskSwitch& how, bool& committed) {
  committed = false;
  CpuState& s = cpu.state;
  const auto d = check_tss(cpu, how);
  if (!d) return Err{d.error()};
  const auto source = static_cast<unsigned>(how.source);
  if (vmx::exits_on_task_switch(cpu, how.insn, how.selector, source)) return {};

  const TssLayout& tss = layout_of(d->rights());
  const Gva base{d->base()};
  TssImage image{};
  if (const auto r = cpu.mmu.read_bytes(base, image.data(), tss.size, {}); !r) return r;
  const auto room = cpu.mmu.probe_write(base, tss.size, AccessRequest{.write = true});
  if (!room) return room;

  const bool nests = how.source == TaskSource::call || how.source == TaskSource::gate;
  const uint16_t old_selector = s.segments[arch::tr].selector;
  if (!nests) {
    if (const auto r = set_busy(cpu, old_selector, false); !r) return r;
  }
  if (const auto r = save_task(cpu, how); !r) return r;
  if (nests) {
    if (const auto r = cpu.mmu.write_system<uint16_t>(base, old_selector); !r) return r;
  }
  if (how.source != TaskSource::iret) {
    if (const auto r = set_busy(cpu, how.selector, true); !r) return r;
  }

  committed = true;
  s.segments[arch::tr] = d->segment(how.selector);
  s.segments[arch::tr].rights.bits |= kTypeBusy;
  load_registers(cpu, image, tss, nests);
  cpu.context_changed();
  cpu.attention();
  if (tss.cr3 != 0 && (s.cr0 & arch::cr0::pg) != 0) {
    if (const auto r = write_cr3(cpu, slot(image, tss.cr3, 4)); !r) return r;
  }
  if (const auto r = load_task_segments(cpu, image, tss); !r) return r;
  if (how.has_error_code) {
    if (const auto r = push_task_error(cpu, how.error_code, tss.width); !r) return r;
  }
  if (s.rip() > s.segments[arch::cs].limit) return Err{kGeneralProtection0};
  if (tss.width == 4 && (slot(image, kTrapBitAt, 2) & 1) != 0) {
    s.pending_debug |= uint64_t{1} << 15;  // DR6.BT
  }
  return {};
}

namespace {

Flow run_switch(Cpu& cpu, const Insn& insn, TaskSwitch how) {
  how.insn = &insn;
  how.return_rip = cpu.state.rip();
  how.flags_image = cpu.state.rflags();
  const bool was_nonroot = vmx::nonroot(cpu.vmx);
  bool committed = false;
  const auto switched = switch_task(cpu, how, committed);
  if (!switched) {
    // A fault of the new task is reported at its first instruction.
    if (committed) cpu.state.set_rip(cpu.state.rip() + insn.length);
    return cpu.raise(Cpu::locate_fault(switched.error(), arch::ss));
  }
  if (was_nonroot && !committed) return Flow::exit;
  cpu.charge(timing::kEventCosts.task_switch);
  return Flow::branch;
}

}  // namespace

Flow far_task_switch(Cpu& cpu, const Insn& insn, uint16_t selector, const Descriptor& descriptor,
                     bool is_call) {
  const SegmentRights rights = descriptor.rights();
  const unsigned rpl = selector & 3;
  if (rights.dpl() < cpu.state.cpl || rights.dpl() < rpl) {
    return cpu.raise(task_fault(Vector::general_protection, selector, 0));
  }
  TaskSwitch how;
  how.source = is_call ? TaskSource::call : TaskSource::jump;
  how.selector = selector;
  if (rights.type() == static_cast<uint32_t>(SystemType::task_gate)) {
    if (!rights.present()) {
      return cpu.raise(task_fault(Vector::segment_not_present, selector, 0));
    }
    how.selector = descriptor.gate_selector();
  }
  return run_switch(cpu, insn, how);
}

Flow task_return(Cpu& cpu, const Insn& insn) {
  const auto link = cpu.mmu.read_system<uint16_t>(Gva{cpu.state.segments[arch::tr].base});
  if (!link) return cpu.raise(link.error());
  TaskSwitch how;
  how.source = TaskSource::iret;
  how.selector = *link;
  return run_switch(cpu, insn, how);
}

}  // namespace vitrine::emu
