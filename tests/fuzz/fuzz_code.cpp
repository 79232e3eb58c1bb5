// Any bytes as code, in every mode: run in blocks, compiled, and one at a time without caches, they end alike.
#include <array>
#include <vector>

#include "emu/arch/require.h"
#include "emu/cpu/jit/engine.h"
#include "emu/machine/snapshot.h"
#include "tests/emu/cpu/system_rig.h"
#include "tests/fuzz/input.h"

namespace {

using namespace vitrine::emu;
using vitrine::test::Input;

constexpr uint64_t kInstructions = 100;
constexpr uint64_t kCycles = 20'000;
constexpr size_t kCodeBytes = 400;

void enter_mode(SystemRig& rig, uint8_t mode) {
  switch (mode % 6) {
    case 0: rig.long_mode(0); break;
    case 1: rig.long_mode(3); break;
    case 2: rig.protected_mode(0); break;
    case 3: rig.protected_mode(3); break;
    case 4: rig.real_mode(); break;
    case 5:  // compatibility mode
      rig.long_mode(0);
      rig.s().segments[arch::cs] = {0, 0xFFFFFFFF, {0xC09B}, SystemRig::kCode0_32};
      break;
  }
}

/// Something that points where there is something, or is close to an edge.
uint64_t register_value(Input& in) {
  const auto pick = in.take<uint8_t>();
  const uint64_t small = pick >> 4;
  switch (pick & 15) {
    case 0: return 0;
    case 1: return small;
    case 2: return ~small;
    case 3: return SystemRig::kData + small * 8;
    case 4: return SystemRig::kData + 0x1000 - small;
    case 5: return SystemRig::kPage + 0x1000 - small;
    case 6: return SystemRig::kCode + small * 4;
    case 7: return SystemRig::kGdt + small * 8;
    case 8: return SystemRig::kPml4 + small * 8;
    case 9: return SystemRig::kPt + small * 8;
    case 10: return SystemRig::kStack0 - small * 8;
    case 11: return uint64_t{1} << (small * 4);
    case 12: return uint64_t{0x7FFF'FFFF'FFFF} + small;
    case 13: return 0xC0000080 + small;  // MSRs
    case 14: return 0x480 + small;
    default: return in.take<uint64_t>();
  }
}

/// The same machine for the same bytes.
void prepare(SystemRig& rig, Input in) {
  const auto mode = in.take<uint8_t>();
  const auto bits = in.take<uint8_t>();
  enter_mode(rig, mode);
  CpuState& s = rig.s();
  if ((bits & 1) != 0) s.cr4 |= arch::cr4::osxsave | arch::cr4::fsgsbase;
  if ((bits & 2) != 0) s.cr4 |= arch::cr4::vmxe;
  if ((bits & 4) != 0) s.cr4 |= arch::cr4::smep | arch::cr4::smap;
  if ((bits & 8) != 0) s.cr0 |= arch::cr0::ts;
  if ((bits & 16) != 0) s.cr0 |= arch::cr0::am;
  if ((bits & 1) != 0) s.xcr0 = 7;
  s.msr.feature_control = 5;
  for (unsigned i = 0; i < 16; ++i) {
    if (i != arch::rsp) s.regs[i] = register_value(in);
  }
  uint64_t flags = in.take<uint32_t>() & 0x00243FD5;
  if (mode % 6 == 3 && (bits & 32) != 0) flags |= arch::rflags::vm;
  s.set_rflags(flags | arch::rflags::fixed1);
  if ((flags & arch::rflags::vm) != 0) {
    for (unsigned i = 0; i < 6; ++i) s.segments[i] = {0, 0xFFFF, {0xF3}, 0};
    s.segments[arch::cs] = {SystemRig::kCode, 0xFFFF, {0xF3}, 0x1000};
  }
  if ((bits & 64) != 0) rig.ports.pending = uint8_t{0x40};
  // Operands of VMXON and VMPTRLD: regions with the revision, and pointers to them.
  for (uint64_t i = 0; i < 4; ++i) {
    rig.poke<uint32_t>(0x28000 + i * 0x1000, uint32_t{arch::kVmcsRevision});
    rig.poke<uint64_t>(SystemRig::kData + i * 8, 0x28000 + i * 0x1000);
  }
  const auto code = in.take_bytes(kCodeBytes);
  rig.bus.write_block(Hpa{SystemRig::kCode}, std::as_bytes(code));
  const bool based = mode % 6 == 4 || (flags & arch::rflags::vm) != 0;
  s.set_rip(based ? 0 : SystemRig::kCode);
  rig.cpu.context_changed();
  rig.cpu.attention();
}

std::vector<std::byte> state_of(SystemRig& rig) {
  SaveVisitor v;
  rig.cpu.visit(v);
  return v.take();
}

void run_in_blocks(SystemRig& rig, Cycle deadline) {
  rig.cpu.run({.deadline = deadline, .max_retired = rig.s().retired + kInstructions});
}

/// Every block becomes code before it runs; where there is no JIT, as run_in_blocks().
void run_compiled(SystemRig& rig, Cycle deadline) {
  constexpr uint64_t kCodeCache = uint64_t{1} << 20;
  const auto engine = jit::Engine::create(rig.cpu, kCodeCache);
  if (engine != nullptr) engine->set_heat(1, 1);
  rig.cpu.set_engine(engine.get());
  run_in_blocks(rig, deadline);
  rig.cpu.set_engine(nullptr);
  rig.blocks.clear();
}

void run_singly(SystemRig& rig, Cycle deadline) {
  const uint64_t last = rig.s().retired + kInstructions;
  for (;;) {
    rig.blocks.clear();
    rig.cpu.mmu.drop_all();
    const RunStop stop = rig.cpu.run({.deadline = deadline, .max_retired = rig.s().retired + 1});
    if (stop != RunStop::budget || rig.s().retired >= last) return;
  }
}

void compare(SystemRig& a, SystemRig& b) {
  require(state_of(a) == state_of(b), "the processor ends alike");
  require(a.latch.written == b.latch.written, "ports are written alike");
  require(a.ports.triple_faults == b.ports.triple_faults, "triple faults are the same");
  for (SystemRig* rig : {&a, &b}) {
    for (const uint64_t page : rig->memory.touched_pages()) {
      const bool equal = std::memcmp(a.memory.host(page), b.memory.host(page), kPageSize) == 0;
      require(equal, "memory ends alike");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  SystemRig blocks, compiled, singly;
  prepare(blocks, Input(data, size));
  prepare(compiled, Input(data, size));
  prepare(singly, Input(data, size));
  const Cycle deadline{blocks.s().clock.value + kCycles};
  run_in_blocks(blocks, deadline);
  run_compiled(compiled, deadline);
  run_singly(singly, deadline);
  compare(blocks, singly);
  compare(blocks, compiled);
  return 0;
}
