// What changes nothing a program can see: NOP, PAUSE, fences, prefetches, cache-line write-backs.
#include "emu/cpu/handlers/forms.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu {

namespace {

// NOP, MFENCE, LFENCE, SFENCE, PREFETCHh m8, PREFETCHW m8: memory operands are not accessed
Flow nop(Cpu&, const Insn&) { return Flow::next; }

// PAUSE
Flow pause(Cpu& cpu, const Insn& insn) {
  if (vmx::exits(cpu, vmx::Intercept::pause, insn)) return Flow::exit;
  cpu.yield();
  return Flow::next;
}

// CLFLUSH m8, CLFLUSHOPT m8, CLWB m8: checked like a load of one byte; caches are always coherent,
// so there is nothing to write back. A device behind the address is not read.
template <bool drops>
Flow flush_line(Cpu& cpu, const Insn& insn) {
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  const uint64_t offset = cpu.effective_address(insn);
  const Gva gva{cpu.segment_base(insn.segment) + offset};
  if (!checked && Cpu::canonical(gva.value)) {
    const auto place = cpu.mmu.peek(gva, cpu.mmu.ordinary());
    if (place && cpu.bus().find(place->hpa).kind == BusRange::Kind::device) return Flow::next;
  }
  const auto loaded = cpu.load_at<uint8_t>(insn.segment, offset, checked);
  if (!loaded) return cpu.raise(loaded.error());
  if (drops) cpu.flush_line(gva);
  return Flow::next;
}

template <Handler handler>
Handler select(const Decoded&) {
  return handler;
}

// clang-format off
constexpr std::array<Row, 15> kRows = {{
  {"nop",         Feature::base,       InsnClass::plain, CostClass::alu,           {}, select<nop>},
  {"pause",       Feature::base,       InsnClass::plain, CostClass::cache_control, {}, select<pause>},
  {"lfence",      Feature::sse2,       InsnClass::plain, CostClass::fence,         {}, select<nop>},
  {"mfence",      Feature::sse2,       InsnClass::plain, CostClass::fence,         {}, select<nop>},
  {"sfence",      Feature::sse,        InsnClass::plain, CostClass::fence,         {}, select<nop>},
  {"prefetch",    Feature::base,       InsnClass::plain, CostClass::load_op,       {}, select<nop>},
  {"prefetchw",   Feature::base,       InsnClass::plain, CostClass::load_op,       {}, select<nop>},
  {"prefetchwt1", Feature::base,       InsnClass::plain, CostClass::load_op,       {}, select<nop>},
  {"prefetchnta", Feature::base,       InsnClass::plain, CostClass::load_op,       {}, select<nop>},
  {"prefetcht0",  Feature::base,       InsnClass::plain, CostClass::load_op,       {}, select<nop>},
  {"prefetcht1",  Feature::base,       InsnClass::plain, CostClass::load_op,       {}, select<nop>},
  {"prefetcht2",  Feature::base,       InsnClass::plain, CostClass::load_op,       {}, select<nop>},
  {"clflush",     Feature::clflush,    InsnClass::plain, CostClass::cache_control, {}, select<flush_line<true>>},
  {"clflushopt",  Feature::clflushopt, InsnClass::plain, CostClass::cache_control, {}, select<flush_line<true>>},
  {"clwb",        Feature::clwb,       InsnClass::plain, CostClass::cache_control, {}, select<flush_line<false>>},
}};
// clang-format on

}  // namespace

std::span<const Row> hint_rows() { return kRows; }

}  // namespace vitrine::emu
