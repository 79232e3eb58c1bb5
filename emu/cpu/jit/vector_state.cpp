// The guest's MXCSR in the host, and the conditions for it.
#include "emu/cpu/jit/vector_state.h"

#include "emu/arch/registers.h"
#include "emu/cpu/jit/code.h"
#include "emu/cpu/jit/compiler.h"

namespace vitrine::emu::jit {

namespace {

constexpr int32_t kAllMasked = 0x1F80;
constexpr int32_t kSseAndAvx = 6;  // of XCR0

x86::Mem field(int32_t at, unsigned bytes) { return x86::Mem(kState, at, bytes); }

}  // namespace

bool can_compile_vectors() {
#ifdef _WIN32
  return false;  // its calling convention has vector registers to keep
#else
  using Features = asmjit::CpuFeatures::X86;
  const auto& features = asmjit::CpuInfo::host().features().x86();
  return features.has(Features::kAVX) && features.has(Features::kAVX2) &&
         features.has(Features::kFMA);
#endif
}

/// SDM "VEX Instruction Encoding and Exceptions" and "Exceptions Type 1-5" in 64-bit mode.
void use_vectors(x86::Assembler& a, const Layout& layout) {
  const auto done = a.newLabel();
  const auto no_avx = a.newLabel();
  const auto no_sse = a.newLabel();
  const auto none = a.newLabel();
  a.cmp(field(layout.usable, 4), 0);
  a.jne(done);
  a.mov(x86::eax, field(layout.mxcsr, 4));
  a.and_(x86::eax, kAllMasked);
  a.cmp(x86::eax, kAllMasked);
  a.jne(none);
  a.test(field(layout.cr0, 4), static_cast<int32_t>(arch::cr0::ts));
  a.jne(none);
  a.xor_(x86::ecx, x86::ecx);
  a.test(field(layout.cr0, 4), static_cast<int32_t>(arch::cr0::em));
  a.jne(no_sse);
  a.test(field(layout.cr4, 4), static_cast<int32_t>(arch::cr4::osfxsr));
  a.je(no_sse);
  a.or_(x86::ecx, kSseUsable);
  a.bind(no_sse);
  a.test(field(layout.cr4, 4), static_cast<int32_t>(arch::cr4::osxsave));
  a.je(no_avx);
  a.mov(x86::eax, field(layout.xcr0, 4));
  a.and_(x86::eax, kSseAndAvx);
  a.cmp(x86::eax, kSseAndAvx);
  a.jne(no_avx);
  a.or_(x86::ecx, kAvxUsable);
  a.bind(no_avx);
  a.test(x86::ecx, x86::ecx);
  a.je(none);
  a.mov(field(layout.usable, 4), x86::ecx);
  a.vstmxcsr(field(layout.host_mxcsr, 4));
  a.vldmxcsr(field(layout.mxcsr, 4));
  a.bind(none);
  a.bind(done);
}

void leave_vectors(x86::Assembler& a, const Layout& layout) {
  if (!can_compile_vectors()) return;
  const auto out = a.newLabel();
  a.cmp(field(layout.usable, 4), 0);
  a.je(out);
  a.vstmxcsr(field(layout.mxcsr, 4));
  a.vldmxcsr(field(layout.host_mxcsr, 4));
  a.vzeroupper();
  a.mov(field(layout.usable, 4), 0);
  a.bind(out);
}

}  // namespace vitrine::emu::jit
