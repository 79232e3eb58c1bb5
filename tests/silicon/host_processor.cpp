// The host side of the silicon harness: state goes in and comes out through signal frames.
#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>

#include "tests/silicon/harness.h"

namespace vitrine::test {

namespace {

constexpr uint64_t kTrapFlag = 1u << 8;
constexpr uint64_t kUnframed = 1u << 14 | 1u << 21;
constexpr greg_t kCode64 = 0x33;
constexpr greg_t kCode32 = 0x23;
constexpr uint16_t kFlatData = 0x2B;
// Entries 1 and 2 of the local descriptor table.
constexpr greg_t kCode16 = 0x0F;
constexpr uint16_t kData16 = 0x17;
constexpr uint8_t kInt3 = 0xCC;

// ucontext numbers registers in its own order.
constexpr std::array<int, 16> kRegisterSlots = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

/// The XSAVE area of a signal frame: FXSAVE image, header, upper halves of YMM (standard format).
struct SignalXsave {
  std::array<uint8_t, 512> legacy;
  uint64_t xstate_bv;
  std::array<uint8_t, 56> header_rest;
  std::array<std::array<uint64_t, 2>, 16> ymm_high;
};
static_assert(offsetof(SignalXsave, ymm_high) == 576);

enum class Phase : uint8_t { idle, entering, running };

struct Exchange {
  Phase phase = Phase::idle;
  const Case* test = nullptr;
  Outcome* outcome = nullptr;
  gregset_t host_registers{};
  SignalXsave host_vectors{};
};
Exchange exchange;

template <class T>
void put(SignalXsave& area, size_t offset, const T& value) {
  std::memcpy(area.legacy.data() + offset, &value, sizeof(T));
}
template <class T>
void get(const SignalXsave& area, size_t offset, T& value) {
  std::memcpy(&value, area.legacy.data() + offset, sizeof(T));
}

// FXSAVE layout: FCW 0, FSW 2, FTW 4, FOP 6, FIP 8, FDP 16, MXCSR 24, ST 32…, XMM 160…. The stack
// registers are stored from the top.
void load_vectors(SignalXsave& area, const Registers& r) {
  put(area, 0, r.x87.fcw);
  put(area, 2, r.x87.fsw);
  put(area, 4, r.x87.valid);
  put(area, 6, r.x87.fop);
  put(area, 8, r.x87.fip);
  put(area, 16, r.x87.fdp);
  put(area, 24, r.vector.mxcsr);
  const unsigned top = (r.x87.fsw >> 11) & 7;
  for (unsigned i = 0; i < 8; ++i) {
    put(area, 32 + 16 * i, r.x87.significand[(top + i) & 7]);
    put(area, 40 + 16 * i, r.x87.sign_exponent[(top + i) & 7]);
  }
  for (unsigned i = 0; i < 16; ++i) {
    put(area, 160 + 16 * i, r.vector.ymm[i][0]);
    put(area, 168 + 16 * i, r.vector.ymm[i][1]);
    area.ymm_high[i] = {r.vector.ymm[i][2], r.vector.ymm[i][3]};
  }
  area.xstate_bv |= 7;
}

void store_vectors(const SignalXsave& area, Registers& r) {
  get(area, 0, r.x87.fcw);
  get(area, 2, r.x87.fsw);
  get(area, 4, r.x87.valid);
  get(area, 6, r.x87.fop);
  get(area, 8, r.x87.fip);
  get(area, 16, r.x87.fdp);
  get(area, 24, r.vector.mxcsr);
  const unsigned top = (r.x87.fsw >> 11) & 7;
  for (unsigned i = 0; i < 8; ++i) {
    get(area, 32 + 16 * i, r.x87.significand[(top + i) & 7]);
    get(area, 40 + 16 * i, r.x87.sign_exponent[(top + i) & 7]);
  }
  const bool has_high = (area.xstate_bv & 4) != 0;
  for (unsigned i = 0; i < 16; ++i) {
    get(area, 160 + 16 * i, r.vector.ymm[i][0]);
    get(area, 168 + 16 * i, r.vector.ymm[i][1]);
    r.vector.ymm[i][2] = has_high ? area.ymm_high[i][0] : 0;
    r.vector.ymm[i][3] = has_high ? area.ymm_high[i][1] : 0;
  }
}

greg_t code_selector(CodeSize size) {
  switch (size) {
    case CodeSize::bits16: return kCode16;
    case CodeSize::bits32: return kCode32;
    case CodeSize::bits64: return kCode64;
  }
  return kCode64;
}

void enter(gregset_t& g, SignalXsave& vectors) {
  std::memcpy(&exchange.host_registers, &g, sizeof(g));
  const Case& c = *exchange.test;
  if (c.with_vectors) {
    std::memcpy(&exchange.host_vectors, &vectors, sizeof(vectors));
    load_vectors(vectors, c.before);
  }
  for (size_t i = 0; i < 16; ++i) {
    g[kRegisterSlots[i]] = static_cast<greg_t>(c.before.gpr[i]);
  }
  g[REG_RIP] = static_cast<greg_t>(c.before.rip);
  g[REG_EFL] = static_cast<greg_t>(c.before.rflags | (c.single_step ? kTrapFlag : 0));
  // CS in the lowest word of its slot, SS in the highest.
  constexpr greg_t kKept = 0x0000'FFFF'FFFF'0000;
  const uint64_t stack = c.size == CodeSize::bits16 ? kData16 : kFlatData;
  g[REG_CSGSFS] =
      (g[REG_CSGSFS] & kKept) | code_selector(c.size) | static_cast<greg_t>(stack << 48);
  exchange.phase = Phase::running;
}

void leave(gregset_t& g, SignalXsave& vectors) {
  const Case& c = *exchange.test;
  Outcome& out = *exchange.outcome;
  for (size_t i = 0; i < 16; ++i) {
    out.after.gpr[i] = static_cast<uint64_t>(g[kRegisterSlots[i]]);
  }
  out.after.rip = static_cast<uint64_t>(g[REG_RIP]);
  out.after.rflags = static_cast<uint64_t>(g[REG_EFL]);
  const auto vector = static_cast<emu::arch::Vector>(g[REG_TRAPNO]);
  const bool stepped = c.single_step && vector == emu::arch::Vector::debug;
  const bool landed = !c.single_step && vector == emu::arch::Vector::breakpoint;
  out.faulted = !stepped && !landed;
  if (landed) --out.after.rip;
  if (out.faulted) {
    out.fault = emu::fault(vector, static_cast<uint32_t>(g[REG_ERR]));
    if (vector == emu::arch::Vector::page_fault) {
      out.fault_address = static_cast<uint64_t>(g[REG_CR2]);
    }
  }
  if (c.with_vectors) {
    store_vectors(vectors, out.after);
    std::memcpy(&vectors, &exchange.host_vectors, sizeof(vectors));
  }
  std::memcpy(&g, &exchange.host_registers, sizeof(g));
  exchange.phase = Phase::idle;
}

void on_signal(int number, siginfo_t*, void* context) {
  auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  auto& vectors = *reinterpret_cast<SignalXsave*>(machine.fpregs);
  switch (exchange.phase) {
    case Phase::entering: enter(machine.gregs, vectors); return;
    case Phase::running: leave(machine.gregs, vectors); return;
    case Phase::idle: signal(number, SIG_DFL); return;  // our own crash: let it happen
  }
}

constexpr std::array<int, 5> kSignals = {SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGBUS};

void* at_address(uint64_t address) { return reinterpret_cast<void*>(address); }

bool map_fixed(uint64_t address, size_t size, int protection) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  return mmap(at_address(address), size, protection, flags, -1, 0) == at_address(address);
}

bool make_segment(unsigned entry, uint64_t base, uint64_t bytes, unsigned contents) {
  user_desc d{};
  d.entry_number = entry;
  d.base_addr = static_cast<unsigned>(base);
  d.limit = static_cast<unsigned>(bytes - 1);
  d.contents = contents & 3;
  d.useable = 1;
  return syscall(SYS_modify_ldt, 1, &d, sizeof(d)) == 0;
}

/// Compatibility-mode code needs data segments; 64-bit code does not look at them.
void load_data_segments(uint16_t selector) {
  asm volatile("mov %0, %%ds\n\tmov %0, %%es" ::"r"(selector));
}

}  // namespace

bool HostProcessor::available() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool avx = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_AVX) != 0;
  if (!avx || !map_fixed(kWindow, kMappedBytes, PROT_READ)) return false;
  munmap(at_address(kWindow), kMappedBytes);
  return true;
}

bool HostProcessor::is_amd() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0, &eax, &ebx, &ecx, &edx) != 0 && ebx == signature_AMD_ebx;
}

HostProcessor::HostProcessor() {
  const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
  if (!map_fixed(kCode, kCodeBytes, all) ||
      !map_fixed(kWindow, kMappedBytes, PROT_READ | PROT_WRITE)) {
    throw std::runtime_error("the silicon harness needs its addresses");
  }
  std::memset(at_address(kCode), kInt3, kCodeBytes);
  std::memset(at_address(kWindow), 0, kMappedBytes);  // backs the pages, so that they are present
  mprotect(at_address(kReadOnly), kUnmapped - kReadOnly, PROT_READ);

  static std::array<std::byte, 65536> stack;
  stack_t alternate{};
  alternate.ss_sp = stack.data();
  alternate.ss_size = stack.size();
  sigaltstack(&alternate, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (const int number : kSignals) sigaction(number, &action, nullptr);
  constexpr unsigned kIsData = 0, kIsCode = 2;
  has_segments_ = make_segment(1, kCode, kCodeBytes, kIsCode) &&
                  make_segment(2, kWindow, kMappedBytes, kIsData);
  syscall(SYS_arch_prctl, ARCH_SET_GS, kWindow + kGsOffset);
}

HostProcessor::~HostProcessor() {
  for (const int number : kSignals) signal(number, SIG_DFL);
  munmap(at_address(kCode), kCodeBytes);
  munmap(at_address(kWindow), kMappedBytes);
}

Outcome HostProcessor::execute(const Case& c) {
  Outcome outcome;
  auto* const code = static_cast<uint8_t*>(at_address(code_base(c.size) + c.before.rip));
  std::memcpy(code, c.bytes.data(), c.length);
  exchange.test = &c;
  exchange.outcome = &outcome;
  load_data_segments(c.size == CodeSize::bits16 ? kData16 : kFlatData);
  // NT and ID go through signal frames unchanged, in both directions.
  const uint64_t own_flags = __builtin_ia32_readeflags_u64();
  __builtin_ia32_writeeflags_u64((own_flags & ~kUnframed) | (c.before.rflags & kUnframed));
  exchange.phase = Phase::entering;
  asm volatile("int3" ::: "memory");
  __builtin_ia32_writeeflags_u64(own_flags);
  std::memset(code, kInt3, c.length);
  return outcome;
}

std::span<uint8_t> HostProcessor::memory() {
  return {static_cast<uint8_t*>(at_address(kWindow)), kMappedBytes};
}

}  // namespace vitrine::test
