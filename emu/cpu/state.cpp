// CpuState: every architectural field in one list, for snapshots and hashes.
#include "emu/cpu/state.h"

namespace vitrine::emu {

namespace {

void visit_segment(StateVisitor& v, SegmentState& s) {
  v.field("base", s.base);
  v.field("limit", s.limit);
  v.field("rights", s.rights.bits);
  v.field("selector", s.selector);
}

void visit_table(StateVisitor& v, TableRegister& t) {
  v.field("base", t.base);
  v.field("limit", t.limit);
}

void visit_msrs(StateVisitor& v, MsrState& m) {
  v.enter("msr");
  for (uint64_t* value :
       {&m.star, &m.lstar, &m.cstar, &m.sfmask, &m.kernel_gs_base, &m.tsc_aux, &m.sysenter_cs,
        &m.sysenter_esp, &m.sysenter_eip, &m.pat, &m.apic_base, &m.tsc_adjust, &m.misc_enable,
        &m.feature_control, &m.debugctl, &m.xss, &m.spec_ctrl, &m.mtrr_def_type, &m.mcg_status}) {
    v.field("value", *value);
  }
  v.field("mtrr_fixed", m.mtrr_fixed);
  v.field("mtrr_variable", m.mtrr_variable);
  v.field("perf_scratch", m.perf_scratch);
  v.leave();
}

void visit_x87(StateVisitor& v, X87State& x) {
  v.enter("x87");
  v.field("significand", x.significand);
  v.field("sign_exponent", x.sign_exponent);
  v.field("fcw", x.fcw);
  v.field("fsw", x.fsw);
  v.field("valid", x.valid);
  v.field("fop", x.fop);
  v.field("fip", x.fip);
  v.field("fdp", x.fdp);
  v.field("fcs", x.fcs);
  v.field("fds", x.fds);
  v.leave();
}

}  // namespace

void CpuState::visit(StateVisitor& v) {
  v.enter("cpu");
  v.field("regs", regs);
  // The flags have several spellings; only what RFLAGS shows is state.
  uint64_t arithmetic = flags.arithmetic();
  v.field("flags", arithmetic);
  if (v.loading()) flags.set_arithmetic(arithmetic);
  v.field("rflags_system", rflags_system);
  for (SegmentState& s : segments) visit_segment(v, s);
  visit_table(v, gdtr);
  visit_table(v, idtr);
  for (uint64_t* value : {&cr0, &cr2, &cr3, &cr4, &efer, &xcr0, &dr6, &dr7}) {
    v.field("control", *value);
  }
  v.field("pdpte", pdpte);
  v.field("dr", dr);
  v.field("cpl", cpl);
  visit_msrs(v, msr);
  visit_x87(v, x87);
  for (auto& ymm : vector.ymm) v.field("ymm", ymm);
  v.field("mxcsr", vector.mxcsr);
  v.field("activity", activity);
  for (bool* value : {&sti_shadow, &mov_ss_shadow, &nmi_blocked, &nmi_pending, &init_pending,
                      &sipi_pending, &smi_blocked}) {
    v.field("event", *value);
  }
  v.field("sipi_vector", sipi_vector);
  v.field("pending_debug", pending_debug);
  v.field("random", random);
  v.field("clock", clock);
  v.field("retired", retired);
  v.field("exceptions", exceptions);
  v.field("interrupts", interrupts);
  v.enter("position");
  // Outside a block the entry is leftover: only the index says so.
  if (!v.loading() && position.index == 0) position = BlockPosition{};
  v.field("entry", position.entry);
  v.field("entry_hpa", position.entry_hpa);
  v.field("mode", position.mode);
  v.field("index", position.index);
  v.field("bytes", position.bytes);
  v.field("entry_clock", position.entry_clock);
  v.leave();
  v.leave();
}

}  // namespace vitrine::emu
