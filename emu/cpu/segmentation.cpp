// Segmentation: SDM "Protected-Mode Memory Management" and "Protection", check by check.
#include "emu/cpu/segmentation.h"

namespace vitrine::emu {

namespace {

using arch::SegmentRights;
using arch::Vector;

constexpr uint32_t kAccessed = 1;
constexpr uint32_t kBusy = 2;

/// Where a selector's descriptor lies, or none when it is outside its table.
struct DescriptorPlace {
  Gva at;
  bool inside = false;
};

DescriptorPlace descriptor_place(const Cpu& cpu, uint16_t selector, unsigned bytes) {
  const uint64_t offset = selector & 0xFFF8;
  const CpuState& s = cpu.state;
  if ((selector & 4) == 0) {
    return {Gva{s.gdtr.base + offset}, offset + bytes - 1 <= s.gdtr.limit};
  }
  const SegmentState& ldt = s.segments[arch::ldtr];
  const bool usable = !ldt.rights.unusable();
  return {Gva{ldt.base + offset}, usable && offset + bytes - 1 <= ldt.limit};
}

Fault selector_fault(Vector vector, uint16_t selector) {
  return fault(vector, selector_error(selector));
}

SegmentState null_segment(uint16_t selector) {
  return SegmentState{0, 0, SegmentRights{arch::kUnusableSegment}, selector};
}

}  // namespace

Result<Descriptor, Fault> read_descriptor(Cpu& cpu, uint16_t selector, Vector vector,
                                          bool sixteen_bytes) {
  const auto place = descriptor_place(cpu, selector, sixteen_bytes ? 16 : 8);
  if (!place.inside) return Err{selector_fault(vector, selector)};
  Descriptor d;
  const auto low = cpu.mmu.read_system<uint64_t>(place.at);
  if (!low) return Err{Cpu::locate_fault(low.error(), arch::ds)};
  d.low = *low;
  if (sixteen_bytes) {
    const auto high = cpu.mmu.read_system<uint64_t>(place.at + 8);
    if (!high) return Err{Cpu::locate_fault(high.error(), arch::ds)};
    // A type of 0 is required above the base's upper half (SDM "Call Gates" for long mode).
    if ((*high & 0x00001F0000000000) != 0) return Err{selector_fault(vector, selector)};
    d.high = *high & 0xFFFFFFFF;
  }
  return d;
}

Result<void, Fault> mark_accessed(Cpu& cpu, uint16_t selector, const Descriptor& d) {
  if ((d.rights().bits & kAccessed) != 0) return {};
  const auto place = descriptor_place(cpu, selector, 8);
  const auto byte = static_cast<uint8_t>(d.rights().bits | kAccessed);
  return cpu.mmu.write_system<uint8_t>(place.at + 5, byte);
}

Result<void, Fault> set_busy(Cpu& cpu, uint16_t selector, bool busy) {
  const auto place = descriptor_place(cpu, selector, 8);
  const auto old = cpu.mmu.read_system<uint8_t>(place.at + 5);
  if (!old) return Err{old.error()};
  const auto byte = static_cast<uint8_t>(busy ? *old | kBusy : *old & ~kBusy);
  return cpu.mmu.write_system<uint8_t>(place.at + 5, byte);
}

void load_real_segment(Cpu& cpu, uint8_t segment, uint16_t selector) {
  SegmentState& s = cpu.state.segments[segment];
  s.selector = selector;
  s.base = uint64_t{selector} << 4;
  if (cpu.state.v8086()) {
    s.limit = 0xFFFF;
    s.rights = SegmentRights{0xF3};
  } else if (segment == arch::cs) {
    // Real mode keeps limits and rights of data segments; CS becomes writable, readable code.
    s.rights = SegmentRights{0x9B};
  } else if (s.rights.unusable()) {
    // What a null selector of protected mode left behind.
    s.limit = 0xFFFF;
    s.rights = SegmentRights{0x93};
  }
  cpu.segments_changed();
}

Result<SegmentState, Fault> check_stack_segment(Cpu& cpu, uint16_t selector, unsigned cpl,
                                                Vector vector) {
  if (null_selector(selector)) return Err{fault(vector, 0)};
  const auto d = read_descriptor(cpu, selector, vector);
  if (!d) return Err{d.error()};
  const SegmentRights rights = d->rights();
  if ((selector & 3) != cpl || rights.dpl() != cpl || !rights.writable()) {
    return Err{selector_fault(vector, selector)};
  }
  if (!rights.present()) return Err{selector_fault(Vector::stack_fault, selector)};
  if (const auto marked = mark_accessed(cpu, selector, *d); !marked) return Err{marked.error()};
  SegmentState s = d->segment(selector);
  s.rights.bits |= kAccessed;
  return s;
}

Result<void, Fault> load_segment(Cpu& cpu, uint8_t segment, uint16_t selector) {
  CpuState& s = cpu.state;
  if (!s.protected_mode() || s.v8086()) {
    load_real_segment(cpu, segment, selector);
    return {};
  }
  if (segment == arch::ss) {
    // In 64-bit mode below CPL 3 a null SS is allowed when its RPL is the CPL.
    if (null_selector(selector) && s.code64() && s.cpl != 3 && (selector & 3) == s.cpl) {
      s.segments[arch::ss] = null_segment(selector);
      s.segments[arch::ss].rights.bits |= uint32_t{s.cpl} << 5;
      cpu.segments_changed();
      return {};
    }
    const auto stack = check_stack_segment(cpu, selector, s.cpl, Vector::general_protection);
    if (!stack) return Err{stack.error()};
    s.segments[arch::ss] = *stack;
    cpu.segments_changed();
    return {};
  }
  if (null_selector(selector)) {
    s.segments[segment] = null_segment(selector);  // Intel clears the base of FS and GS too
    cpu.segments_changed();
    return {};
  }
  const auto d = read_descriptor(cpu, selector, Vector::general_protection);
  if (!d) return Err{d.error()};
  const SegmentRights rights = d->rights();
  const unsigned rpl = selector & 3;
  if (!rights.code_or_data() || !rights.readable()) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  if (!rights.conforming() && (rpl > rights.dpl() || s.cpl > rights.dpl())) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  if (!rights.present()) return Err{selector_fault(Vector::segment_not_present, selector)};
  if (const auto marked = mark_accessed(cpu, selector, *d); !marked) return marked;
  s.segments[segment] = d->segment(selector);
  s.segments[segment].rights.bits |= kAccessed;
  cpu.segments_changed();
  return {};
}

Result<void, Fault> load_ldtr(Cpu& cpu, uint16_t selector) {
  SegmentState& ldt = cpu.state.segments[arch::ldtr];
  if (null_selector(selector)) {
    ldt = null_segment(selector);
    return {};
  }
  const bool wide = cpu.state.long_mode();
  if ((selector & 4) != 0) return Err{selector_fault(Vector::general_protection, selector)};
  const auto d = read_descriptor(cpu, selector, Vector::general_protection, wide);
  if (!d) return Err{d.error()};
  const SegmentRights rights = d->rights();
  if (rights.code_or_data() || rights.type() != static_cast<uint32_t>(SystemType::ldt)) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  if (!rights.present()) return Err{selector_fault(Vector::segment_not_present, selector)};
  if (wide && !Cpu::canonical(d->base())) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  ldt = d->segment(selector);
  return {};
}

Result<void, Fault> load_tr(Cpu& cpu, uint16_t selector) {
  if (null_selector(selector)) return Err{kGeneralProtection0};
  const bool wide = cpu.state.long_mode();
  if ((selector & 4) != 0) return Err{selector_fault(Vector::general_protection, selector)};
  const auto d = read_descriptor(cpu, selector, Vector::general_protection, wide);
  if (!d) return Err{d.error()};
  const SegmentRights rights = d->rights();
  const uint32_t type = rights.type();
  const bool available = type == static_cast<uint32_t>(SystemType::tss_available) ||
                         (!wide && type == static_cast<uint32_t>(SystemType::tss16_available));
  if (rights.code_or_data() || !available) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  if (!rights.present()) return Err{selector_fault(Vector::segment_not_present, selector)};
  if (wide && !Cpu::canonical(d->base())) {
    return Err{selector_fault(Vector::general_protection, selector)};
  }
  if (const auto busy = set_busy(cpu, selector, true); !busy) return busy;
  SegmentState& tr = cpu.state.segments[arch::tr];
  tr = d->segment(selector);
  tr.rights.bits |= kBusy;
  return {};
}

void load_code_segment(Cpu& cpu, uint16_t selector, const Descriptor& d, unsigned cpl) {
  CpuState& s = cpu.state;
  s.segments[arch::cs] = d.segment(static_cast<uint16_t>((selector & ~3u) | cpl));
  s.segments[arch::cs].rights.bits |= kAccessed;
  s.cpl = static_cast<uint8_t>(cpl);
}

void drop_inner_segments(Cpu& cpu) {
  CpuState& s = cpu.state;
  for (const uint8_t segment : {arch::es, arch::ds, arch::fs, arch::gs}) {
    SegmentState& d = s.segments[segment];
    if (d.rights.unusable()) continue;
    const bool bound = !d.rights.code() || !d.rights.conforming();
    if (bound && d.rights.dpl() < s.cpl) {
      d.selector = 0;
      d.base = 0;
      d.limit = 0;
      d.rights = SegmentRights{arch::kUnusableSegment};
    }
  }
}

Result<Gva, Fault> Cpu::checked_linear(uint8_t segment, uint64_t offset, uint64_t size,
                                       bool write) {
  const auto refuse = [&] {
    return Err{fault(segment == arch::ss ? Vector::stack_fault : Vector::general_protection)};
  };
  const SegmentState& s = state.segments[segment];
  if (mode_.code_size != 8) {
    if (s.rights.unusable()) return refuse();
    if (state.protected_mode() && !state.v8086()) {
      if (write ? !s.rights.writable() : !s.rights.readable()) return refuse();
    }
    const uint64_t last = offset + size - 1;
    if (s.rights.expand_down()) {
      const uint64_t top = s.rights.big() ? 0xFFFFFFFF : 0xFFFF;
      if (offset <= s.limit || last > top) return refuse();
    } else if (last > s.limit) {
      return refuse();
    }
    return Gva{(linear_base_[segment] + offset) & linear_mask_};
  }
  const uint64_t first = linear_base_[segment] + offset;
  if (!canonical(first) || !canonical(first + size - 1)) return refuse();
  return Gva{first};
}

}  // namespace vitrine::emu
