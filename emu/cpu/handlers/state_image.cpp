// Extended state in memory: FXSAVE, FXRSTOR, the XSAVE family, XCR0 and MXCSR.
#include "emu/arch/cpuid_profile.h"
#include "emu/cpu/handlers/system.h"
#include "emu/cpu/state_area.h"

namespace vitrine::emu {

namespace {

using arch::Vector;
using vmx::Intercept;
namespace cr0 = arch::cr0;
namespace cr4 = arch::cr4;
namespace xcr0 = arch::xcr0;

size_t vector_count(const Cpu& cpu) { return cpu.mode().code_size == 8 ? 16 : 8; }
PointerForm pointer_form(const Insn& insn) {
  return (insn.flags & insn_flag::rex_w) != 0 ? PointerForm::wide : PointerForm::selectors;
}

/// Where the area lies, aligned as it must be.
Result<Gva, Fault> area_address(Cpu& cpu, const Insn& insn, size_t size, uint64_t alignment,
                                bool write) {
  const uint64_t offset = cpu.effective_address(insn);
  Gva at{cpu.segment_base(insn.segment) + offset};
  if (is_checked(insn)) {
    const auto checked = cpu.checked_linear(insn.segment, offset, size, write);
    if (!checked) return checked;
    at = *checked;
  }
  if ((at.value & (alignment - 1)) != 0) return Err{kGeneralProtection0};
  return at;
}

Result<void, Fault> read_area(Cpu& cpu, const Insn& insn, Gva at, StateArea& area, size_t size) {
  const auto read = cpu.mmu.read_bytes(at, area.bytes.data(), size, cpu.mmu.ordinary());
  if (!read) return Err{Cpu::locate_fault(read.error(), insn.segment)};
  return {};
}

AccessRequest ordinary_write(const Cpu& cpu) {
  AccessRequest request = cpu.mmu.ordinary();
  request.write = true;
  return request;
}

Result<void, Fault> probe_area(Cpu& cpu, const Insn& insn, Gva at, size_t size) {
  const auto probed = cpu.mmu.probe_write(at, size, ordinary_write(cpu));
  if (!probed) return Err{Cpu::locate_fault(probed.error(), insn.segment)};
  return {};
}

/// One stretch of an area that has been probed.
Result<void, Fault> write_part(Cpu& cpu, const Insn& insn, Gva at, const StateArea& area,
                               size_t first, size_t size) {
  const auto written =
      cpu.mmu.write_bytes(at + first, area.bytes.data() + first, size, ordinary_write(cpu));
  if (!written) return Err{Cpu::locate_fault(written.error(), insn.segment)};
  return {};
}

// --- FXSAVE and FXRSTOR ---

// FXSAVE m512; FXSAVE64 m512: bytes 464 to 511 are left to software
Flow fxsave(Cpu& cpu, const Insn& insn) {
  if ((cpu.state.cr0 & (cr0::em | cr0::ts)) != 0) {
    return cpu.raise(Vector::device_not_available);
  }
  const auto at = area_address(cpu, insn, StateArea::kLegacySize, 16, true);
  if (!at) return cpu.raise(at.error());
  StateArea area;
  put_x87(area, cpu.state, pointer_form(insn));
  put_mxcsr(area, cpu.state);
  const size_t count = vector_count(cpu);
  put_xmm(area, cpu.state, count);
  if (const auto r = probe_area(cpu, insn, *at, StateArea::kLegacySize); !r) {
    return cpu.raise(r.error());
  }
  const size_t used = StateArea::kXmm + 16 * count;
  if (const auto r = write_part(cpu, insn, *at, area, 0, used); !r) return cpu.raise(r.error());
  return Flow::next;
}

// FXRSTOR m512; FXRSTOR64 m512
Flow fxrstor(Cpu& cpu, const Insn& insn) {
  if ((cpu.state.cr0 & (cr0::em | cr0::ts)) != 0) {
    return cpu.raise(Vector::device_not_available);
  }
  const auto at = area_address(cpu, insn, StateArea::kLegacySize, 16, false);
  if (!at) return cpu.raise(at.error());
  StateArea area;
  if (const auto r = read_area(cpu, insn, *at, area, StateArea::kLegacySize); !r) {
    return cpu.raise(r.error());
  }
  if ((area.mxcsr() & ~kMxcsrMask) != 0) return cpu.raise(kGeneralProtection0);
  take_x87(area, cpu.state, pointer_form(insn));
  cpu.state.vector.mxcsr = area.mxcsr();
  take_xmm(area, cpu.state, vector_count(cpu));
  return Flow::next;
}

// --- XSAVE, XSAVEOPT, XSAVEC, XSAVES ---

enum class SaveKind : uint8_t { plain, optimized, compact, supervisor };
constexpr bool compacts(SaveKind k) { return k >= SaveKind::compact; }

/// Requested-feature bitmap.
uint64_t requested(const Cpu& cpu, bool with_xss) {
  const uint64_t enabled = cpu.state.xcr0 | (with_xss ? cpu.state.msr.xss : 0);
  return enabled & edx_eax(cpu);
}

/// What precedes every instruction of the family; Flow::next when it may go on.
Flow xsave_entry(Cpu& cpu, const Insn& insn, bool supervisor_form, Intercept intercept) {
  if ((cpu.state.cr4 & cr4::osxsave) == 0) return cpu.raise(kUndefinedOpcode);
  if (supervisor_form) {
    if (vmx::disabled(cpu, intercept)) return cpu.raise(kUndefinedOpcode);
    if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
    if (vmx::exits(cpu, intercept, insn)) return Flow::exit;
  }
  if ((cpu.state.cr0 & cr0::ts) != 0) return cpu.raise(Vector::device_not_available);
  return Flow::next;
}

/// The components written, and what XSTATE_BV says about them.
struct SavePlan {
  uint64_t requested = 0;
  uint64_t written = 0;
  uint64_t xstate_bv = 0;
  bool mxcsr = false;
};

SavePlan plan_save(const Cpu& cpu, SaveKind kind, uint64_t old_bv) {
  SavePlan plan;
  plan.requested = requested(cpu, kind == SaveKind::supervisor);
  uint64_t in_use = components_in_use(cpu.state);
  // Only the compacted form counts MXCSR as part of the SSE component.
  if (compacts(kind) && cpu.state.vector.mxcsr != kMxcsrInit) in_use |= xcr0::sse;
  const uint64_t present = plan.requested & in_use;
  plan.written = kind == SaveKind::plain ? plan.requested : present;
  plan.xstate_bv = compacts(kind) ? present : (old_bv & ~plan.requested) | present;
  plan.mxcsr = compacts(kind) ? (plan.written & xcr0::sse) != 0
                              : (plan.requested & (xcr0::sse | xcr0::avx)) != 0;
  return plan;
}

Result<void, Fault> write_plan(Cpu& cpu, const Insn& insn, Gva at, StateArea& area,
                               const SavePlan& plan, bool compact) {
  struct Part {
    bool wanted;
    size_t first;
    size_t size;
  };
  const size_t count = vector_count(cpu);
  const bool x87 = (plan.written & xcr0::x87) != 0;
  if (compact) area.set(StateArea::kXcompBv, plan.requested | StateArea::kCompacted);
  area.set(StateArea::kHeader, plan.xstate_bv);
  put_x87(area, cpu.state, pointer_form(insn));
  put_mxcsr(area, cpu.state);
  put_xmm(area, cpu.state, count);
  put_ymm_high(area, cpu.state, count);
  const std::array<Part, 6> parts = {{
      {x87, StateArea::kX87Control, StateArea::kX87ControlSize},
      {plan.mxcsr, StateArea::kMxcsr, StateArea::kMxcsrSize},
      {x87, StateArea::kX87Registers, StateArea::kX87RegistersSize},
      {(plan.written & xcr0::sse) != 0, StateArea::kXmm, 16 * count},
      {(plan.written & xcr0::avx) != 0, StateArea::kExtended, 16 * count},
      {true, StateArea::kHeader, compact ? size_t{16} : size_t{8}},
  }};
  for (const Part& part : parts) {
    if (!part.wanted) continue;
    if (const auto r = write_part(cpu, insn, at, area, part.first, part.size); !r) return r;
  }
  return {};
}

template <SaveKind kind>
Flow xsave(Cpu& cpu, const Insn& insn) {
  constexpr bool kSupervisor = kind == SaveKind::supervisor;
  if (const Flow f = xsave_entry(cpu, insn, kSupervisor, Intercept::xsaves); f != Flow::next) {
    return f;
  }
  const bool wide = (requested(cpu, kSupervisor) & xcr0::avx) != 0;
  const size_t size = wide ? StateArea::kSize : StateArea::kExtended;
  const auto at = area_address(cpu, insn, size, 64, true);
  if (!at) return cpu.raise(at.error());
  if (const auto r = probe_area(cpu, insn, *at, size); !r) return cpu.raise(r.error());
  StateArea area;
  if (const auto r = read_area(cpu, insn, *at, area, StateArea::kExtended); !r) {
    return cpu.raise(r.error());
  }
  const SavePlan plan = plan_save(cpu, kind, area.xstate_bv());
  if (const auto r = write_plan(cpu, insn, *at, area, plan, compacts(kind)); !r) {
    return cpu.raise(r.error());
  }
  return Flow::next;
}

// --- XRSTOR, XRSTORS ---

/// SDM "XRSTOR", "XRSTORS": what the header must look like.
bool header_valid(const Cpu& cpu, const StateArea& area, bool supervisor_form) {
  const uint64_t enabled = cpu.state.xcr0 | (supervisor_form ? cpu.state.msr.xss : 0);
  const uint64_t xcomp = area.xcomp_bv();
  const size_t reserved_from = StateArea::kHeader + 16;
  if ((xcomp & StateArea::kCompacted) == 0) {
    return !supervisor_form && xcomp == 0 && area.get<uint64_t>(reserved_from) == 0 &&
           (area.xstate_bv() & ~enabled) == 0;
  }
  if (!cpu.profile().has(arch::CpuFeature::xsavec)) return false;
  for (size_t at = reserved_from; at < StateArea::kExtended; at += 8) {
    if (area.get<uint64_t>(at) != 0) return false;
  }
  const uint64_t components = xcomp & ~StateArea::kCompacted;
  return (components & ~enabled) == 0 && (area.xstate_bv() & ~components) == 0;
}

void restore_components(Cpu& cpu, const Insn& insn, const StateArea& area, uint64_t asked) {
  const size_t count = vector_count(cpu);
  const uint64_t present = asked & area.xstate_bv();
  CpuState& s = cpu.state;
  if ((present & xcr0::x87) != 0) {
    take_x87(area, s, pointer_form(insn));
  } else if ((asked & xcr0::x87) != 0) {
    init_x87(s);
  }
  if ((present & xcr0::sse) != 0) {
    take_xmm(area, s, count);
  } else if ((asked & xcr0::sse) != 0) {
    init_xmm(s, count);
  }
  if ((present & xcr0::avx) != 0) {
    take_ymm_high(area, s, count);
  } else if ((asked & xcr0::avx) != 0) {
    init_ymm_high(s, count);
  }
}

template <bool supervisor_form>
Flow xrstor(Cpu& cpu, const Insn& insn) {
  if (const Flow f = xsave_entry(cpu, insn, supervisor_form, Intercept::xrstors); f != Flow::next) {
    return f;
  }
  const uint64_t asked = requested(cpu, supervisor_form);
  const auto at = area_address(cpu, insn, StateArea::kExtended, 64, false);
  if (!at) return cpu.raise(at.error());
  StateArea area;
  if (const auto r = read_area(cpu, insn, *at, area, StateArea::kExtended); !r) {
    return cpu.raise(r.error());
  }
  if (!header_valid(cpu, area, supervisor_form)) return cpu.raise(kGeneralProtection0);
  if ((asked & area.xstate_bv() & xcr0::avx) != 0) {
    if (const auto r = read_area(cpu, insn, *at, area, StateArea::kSize); !r) {
      return cpu.raise(r.error());
    }
  }
  // The standard form reads MXCSR for SSE or AVX whatever XSTATE_BV says; the compacted form treats
  // it as part of SSE.
  const bool compacted = (area.xcomp_bv() & StateArea::kCompacted) != 0;
  const bool from_memory = compacted ? (asked & area.xstate_bv() & xcr0::sse) != 0
                                     : (asked & (xcr0::sse | xcr0::avx)) != 0;
  if (from_memory) {
    if ((area.mxcsr() & ~kMxcsrMask) != 0) return cpu.raise(kGeneralProtection0);
    cpu.state.vector.mxcsr = area.mxcsr();
  } else if (compacted && (asked & xcr0::sse) != 0) {
    cpu.state.vector.mxcsr = kMxcsrInit;
  }
  restore_components(cpu, insn, area, asked);
  return Flow::next;
}

// --- XCR0 ---

// XGETBV
Flow xgetbv(Cpu& cpu, const Insn&) {
  if ((cpu.state.cr4 & cr4::osxsave) == 0) return cpu.raise(kUndefinedOpcode);
  const uint32_t number = cpu.reg<uint32_t>(at::rcx);
  const bool in_use = number == 1 && cpu.profile().has(arch::CpuFeature::xgetbv1);
  if (number != 0 && !in_use) return cpu.raise(kGeneralProtection0);
  set_edx_eax(cpu, in_use ? cpu.state.xcr0 & components_in_use(cpu.state) : cpu.state.xcr0);
  return Flow::next;
}

/// SDM "XSETBV": x87 is always on, and AVX needs SSE.
bool xcr0_valid(const Cpu& cpu, uint64_t value) {
  return (value & ~arch::legal_xcr0(cpu.profile())) == 0 && (value & xcr0::x87) != 0 &&
         ((value & xcr0::avx) == 0 || (value & xcr0::sse) != 0);
}

// XSETBV
Flow xsetbv(Cpu& cpu, const Insn& insn) {
  if ((cpu.state.cr4 & cr4::osxsave) == 0) return cpu.raise(kUndefinedOpcode);
  if (!supervisor(cpu)) return cpu.raise(kGeneralProtection0);
  if (vmx::exits(cpu, Intercept::xsetbv, insn)) return Flow::exit;
  const uint64_t value = edx_eax(cpu);
  if (cpu.reg<uint32_t>(at::rcx) != 0 || !xcr0_valid(cpu, value)) {
    return cpu.raise(kGeneralProtection0);
  }
  cpu.state.xcr0 = value;
  cpu.context_changed();
  return Flow::branch;
}

// --- MXCSR ---

/// #UD and #NM conditions of LDMXCSR and STMXCSR, and of their VEX forms.
template <bool vex>
Result<void, Fault> mxcsr_usable(const Cpu& cpu) {
  const CpuState& s = cpu.state;
  constexpr uint64_t kAvx = xcr0::sse | xcr0::avx;
  const bool exists = vex ? s.protected_mode() && !s.v8086() && (s.cr4 & cr4::osxsave) != 0 &&
                                (s.xcr0 & kAvx) == kAvx
                          : (s.cr0 & cr0::em) == 0 && (s.cr4 & cr4::osfxsr) != 0;
  if (!exists) return Err{kUndefinedOpcode};
  if ((s.cr0 & cr0::ts) != 0) return Err{fault(Vector::device_not_available)};
  return {};
}

// LDMXCSR m32; VLDMXCSR m32
template <bool vex>
Flow ldmxcsr(Cpu& cpu, const Insn& insn) {
  if (const auto r = mxcsr_usable<vex>(cpu); !r) return cpu.raise(r.error());
  const auto value = cpu.load<uint32_t>(insn);
  if (!value) return cpu.raise(value.error());
  if ((*value & ~kMxcsrMask) != 0) return cpu.raise(kGeneralProtection0);
  cpu.state.vector.mxcsr = *value;
  return Flow::next;
}

// STMXCSR m32; VSTMXCSR m32
template <bool vex>
Flow stmxcsr(Cpu& cpu, const Insn& insn) {
  if (const auto r = mxcsr_usable<vex>(cpu); !r) return cpu.raise(r.error());
  const auto stored = cpu.store<uint32_t>(insn, cpu.state.vector.mxcsr);
  if (!stored) return cpu.raise(stored.error());
  return Flow::next;
}

constexpr Row image_row(std::string_view mnemonic, Handler (*select)(const Decoded&),
                        Feature feature) {
  return {mnemonic, feature, InsnClass::plain, CostClass::xsave, {}, select};
}

constexpr auto kSave = always<xsave<SaveKind::plain>>;
constexpr auto kSaveOpt = always<xsave<SaveKind::optimized>>;
constexpr auto kSaveC = always<xsave<SaveKind::compact>>;
constexpr auto kSaveS = always<xsave<SaveKind::supervisor>>;

// clang-format off
constexpr std::array<Row, 22> kRows = {{
  image_row("fxsave",   always<fxsave>,        Feature::sse),      image_row("fxsave64",   always<fxsave>,        Feature::sse),
  image_row("fxrstor",  always<fxrstor>,       Feature::sse),      image_row("fxrstor64",  always<fxrstor>,       Feature::sse),
  image_row("xsave",    kSave,                 Feature::xsave),    image_row("xsave64",    kSave,                 Feature::xsave),
  image_row("xsaveopt", kSaveOpt,              Feature::xsaveopt), image_row("xsaveopt64", kSaveOpt,              Feature::xsaveopt),
  image_row("xsavec",   kSaveC,                Feature::xsavec),   image_row("xsavec64",   kSaveC,                Feature::xsavec),
  image_row("xsaves",   kSaveS,                Feature::xsaves),   image_row("xsaves64",   kSaveS,                Feature::xsaves),
  image_row("xrstor",   always<xrstor<false>>, Feature::xsave),    image_row("xrstor64",   always<xrstor<false>>, Feature::xsave),
  image_row("xrstors",  always<xrstor<true>>,  Feature::xsaves),   image_row("xrstors64",  always<xrstor<true>>,  Feature::xsaves),
  image_row("xgetbv",   always<xgetbv>,        Feature::xsave),
  system_row("xsetbv",  always<xsetbv>,        CostClass::system,  Feature::xsave),
  image_row("ldmxcsr",  always<ldmxcsr<false>>, Feature::sse),     image_row("stmxcsr",    always<stmxcsr<false>>, Feature::sse),
  image_row("vldmxcsr", always<ldmxcsr<true>>,  Feature::avx),     image_row("vstmxcsr",   always<stmxcsr<true>>,  Feature::avx),
}};
// clang-format on

}  // namespace

std::span<const Row> state_image_rows() { return kRows; }

}  // namespace vitrine::emu
