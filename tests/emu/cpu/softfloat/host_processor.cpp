// Executes one SSE or x87 instruction on the processor the tests run on.
#include "tests/emu/cpu/softfloat/host_processor.h"

#if defined(__x86_64__) && defined(__linux__)
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#endif

#include <cstddef>
#include <cstring>
#include <stdexcept>

namespace vitrine::emu::softfloat::host {

static_assert(offsetof(Context, in) == 16 && offsetof(Context, memory) == 64);
static_assert(offsetof(Context, rflags) == 80 && offsetof(Context, out) == 96);

#if defined(__x86_64__) && defined(__linux__)

namespace {

constexpr size_t kCodeSize = 4096;

// What a SIGFPE needs: the instruction it may come from, and the MXCSR it found.
struct Trap {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint32_t mxcsr = 0;
  bool taken = false;
};
thread_local Trap trap;

// Resumes behind the instruction with everything masked.
void on_floating_point_exception(int, siginfo_t*, void* raw) {
  ucontext_t& context = *static_cast<ucontext_t*>(raw);
  const uint64_t rip = static_cast<uint64_t>(context.uc_mcontext.gregs[REG_RIP]);
  if (rip < trap.begin || rip >= trap.end) {
    signal(SIGFPE, SIG_DFL);
    return;
  }
  trap.taken = true;
  trap.mxcsr = context.uc_mcontext.fpregs->mxcsr;
  context.uc_mcontext.fpregs->mxcsr = 0x1f80;
  context.uc_mcontext.gregs[REG_RIP] = static_cast<greg_t>(trap.end);
}

constexpr std::array<uint8_t, 19> kSseBefore = {
    0x0f, 0xae, 0x17,        // ldmxcsr [rdi]
    0x0f, 0x10, 0x47, 0x10,  // movups xmm0, [rdi+16]
    0x0f, 0x10, 0x4f, 0x20,  // movups xmm1, [rdi+32]
    0x0f, 0x10, 0x57, 0x30,  // movups xmm2, [rdi+48]
    0x48, 0x8b, 0x47, 0x40,  // mov rax, [rdi+64]
};
constexpr std::array<uint8_t, 20> kSseAfter = {
    0x0f, 0xae, 0x1f,        // stmxcsr [rdi]
    0x0f, 0xae, 0x57, 0x08,  // ldmxcsr [rdi+8]
    0x0f, 0x11, 0x47, 0x10,  // movups [rdi+16], xmm0
    0x48, 0x89, 0x47, 0x40,  // mov [rdi+64], rax
    0x9c, 0x8f, 0x47, 0x50,  // pushfq; pop [rdi+80]
    0xc3,                    // ret
};
constexpr std::array<uint8_t, 12> kX87Before = {
    0xdb, 0xe3,        // fninit
    0xdb, 0x6f, 0x20,  // fld tbyte [rdi+32]
    0xdb, 0x6f, 0x10,  // fld tbyte [rdi+16]
    0xdb, 0xe2,        // fnclex
    0xd9, 0x2f,        // fldcw [rdi]
};
constexpr std::array<uint8_t, 17> kX87After = {
    0xdd, 0x7f, 0x04,  // fnstsw [rdi+4]
    0xdb, 0xe2,        // fnclex
    0xd9, 0x6f, 0x06,  // fldcw [rdi+6]
    0xdb, 0x7f, 0x60,  // fstp tbyte [rdi+96]
    0xdb, 0x7f, 0x70,  // fstp tbyte [rdi+112]
    0xdb, 0xe3,        // fninit
    0xc3,              // ret
};

std::array<uint64_t, 2> to_memory(F80 x) { return {x.significand, x.sign_exponent}; }
F80 from_memory(const std::array<uint64_t, 2>& m) { return {m[0], static_cast<uint16_t>(m[1])}; }

}  // namespace

bool is_x86() { return true; }

bool has(Feature feature) {
  switch (feature) {
    case Feature::baseline: return true;
    case Feature::sse41: return __builtin_cpu_supports("sse4.1") != 0;
    case Feature::avx: return __builtin_cpu_supports("avx") != 0;
    case Feature::fma: return __builtin_cpu_supports("fma") != 0;
    // Every processor with FMA has F16C; the older compilers cannot ask for it by name.
    case Feature::f16c: return __builtin_cpu_supports("fma") != 0;
  }
  return false;
}

Instruction::Instruction(Kind kind, std::span<const uint8_t> bytes) {
  code_ = mmap(nullptr, kCodeSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code_ == MAP_FAILED) throw std::runtime_error("cannot map memory for test code");
  uint8_t* const start = static_cast<uint8_t*>(code_);
  uint8_t* to = start;
  const auto append = [&](std::span<const uint8_t> part) {
    std::memcpy(to, part.data(), part.size());
    to += part.size();
  };
  append(kind == Kind::sse ? std::span<const uint8_t>(kSseBefore)
                           : std::span<const uint8_t>(kX87Before));
  begin_ = reinterpret_cast<uint64_t>(to);
  append(bytes);
  end_ = reinterpret_cast<uint64_t>(to);
  append(kind == Kind::sse ? std::span<const uint8_t>(kSseAfter)
                           : std::span<const uint8_t>(kX87After));
  if (mprotect(code_, kCodeSize, PROT_READ | PROT_EXEC) != 0) {
    throw std::runtime_error("cannot make test code executable");
  }
  struct sigaction action = {};
  action.sa_sigaction = on_floating_point_exception;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGFPE, &action, nullptr);
}

Instruction::~Instruction() { munmap(code_, kCodeSize); }

void Instruction::run(Context& context) const {
  trap = {.begin = begin_, .end = end_};
  const auto function = reinterpret_cast<void (*)(Context*)>(code_);
  function(&context);
}

SseResult Instruction::sse(uint32_t mxcsr, uint64_t a, uint64_t b, uint64_t c,
                           uint64_t integer) const {
  Context context;
  context.control = mxcsr;
  context.in = {{{a, 0}, {b, 0}, {c, 0}}};
  context.memory = {integer, 0};
  run(context);
  const uint32_t after = trap.taken ? trap.mxcsr : context.control;
  return {context.in[0], context.memory[0], context.rflags, static_cast<uint8_t>(after & 0x3f),
          trap.taken};
}

X87Result Instruction::x87(uint16_t fcw, F80 a, F80 b, std::array<uint64_t, 2> memory) const {
  Context context;
  context.control = fcw;
  context.in = {to_memory(a), to_memory(b), {}};
  context.memory = memory;
  run(context);
  return {from_memory(context.out[0]), from_memory(context.out[1]), context.memory, context.status};
}

#else

bool is_x86() { return false; }
bool has(Feature) { return false; }
Instruction::Instruction(Kind, std::span<const uint8_t>) {}
Instruction::~Instruction() = default;
void Instruction::run(Context&) const {}
SseResult Instruction::sse(uint32_t, uint64_t, uint64_t, uint64_t, uint64_t) const { return {}; }
X87Result Instruction::x87(uint16_t, F80, F80, std::array<uint64_t, 2>) const { return {}; }

#endif

}  // namespace vitrine::emu::softfloat::host
