// MSRs, ports, time, CPUID, HLT, extended state.
#include <catch2/catch.hpp>

#include "emu/arch/msr.h"
#include "emu/cpu/msr.h"
#include "emu/cpu/state_area.h"
#include "tests/emu/cpu/system_rig.h"

using namespace vitrine::emu;
using Rig = SystemRig;
namespace rflags = vitrine::emu::arch::rflags;
namespace msr = vitrine::emu::arch::msr;

TEST_CASE("RDMSR and WRMSR fault on what does not exist, and at CPL 3", "[msr]") {
  Rig r;
  SECTION("unknown number") {
    r.long_mode();
    r.s().regs[arch::rcx] = 0x12345;
    r.run({0x0F, 0x32});
    REQUIRE(r.vector() == 13);
    CHECK(r.frame(0) == 0);
  }
  SECTION("CPL 3") {
    r.long_mode(3);
    r.s().regs[arch::rcx] = msr::ia32_efer;
    r.run({0x0F, 0x32});
    CHECK(r.vector() == 13);
  }
}

TEST_CASE("WRMSR checks addresses, memory types and EFER", "[msr]") {
  Rig r;
  r.long_mode();
  CHECK_FALSE(write_msr(r.cpu, msr::ia32_lstar, uint64_t{1} << 47));
  CHECK(write_msr(r.cpu, msr::ia32_lstar, 0xFFFF800000000000));
  CHECK_FALSE(write_msr(r.cpu, msr::ia32_pat, 0x02));
  CHECK(write_msr(r.cpu, msr::ia32_pat, 0x0007010600070106));
  CHECK_FALSE(write_msr(r.cpu, msr::ia32_efer, arch::efer::sce));
  CHECK_FALSE(write_msr(r.cpu, msr::ia32_efer, 1u << 14));
  CHECK(write_msr(r.cpu, msr::ia32_efer, arch::efer::lme | arch::efer::nxe));
  CHECK(r.s().long_mode());
  CHECK_FALSE(write_msr(r.cpu, msr::ia32_fmask, uint64_t{1} << 32));
}

TEST_CASE("writing the TSC moves IA32_TSC_ADJUST", "[msr]") {
  Rig r;
  r.long_mode();
  const uint64_t before = r.cpu.tsc();
  REQUIRE(write_msr(r.cpu, msr::ia32_time_stamp_counter, before + 1000));
  CHECK(*read_msr(r.cpu, msr::ia32_tsc_adjust) == 1000);
  CHECK(r.cpu.tsc() == before + 1000);
}

TEST_CASE("RDTSC obeys CR4.TSD", "[time]") {
  Rig r;
  r.long_mode(3);
  r.run({0x0F, 0x31}, 1);
  CHECK(r.vector() == -1);
  r.s().cr4 |= arch::cr4::tsd;
  r.run({0x0F, 0x31});
  CHECK(r.vector() == 13);
}

TEST_CASE("CPUID names the vendor", "[cpuid]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rax] = 0;
  r.run({0x0F, 0xA2}, 1);
  CHECK(r.s().regs[arch::rbx] == 0x756E6547);
  CHECK(r.s().regs[arch::rdx] == 0x49656E69);
  CHECK(r.s().regs[arch::rcx] == 0x6C65746E);
}

TEST_CASE("ports: IN and OUT at CPL 3 need IOPL or a clear bit in the TSS", "[ports]") {
  Rig r;
  r.long_mode(3);
  r.s().regs[arch::rax] = 0x5A;
  SECTION("bit set") {
    r.poke<uint8_t>(Rig::kTss + 0x68 + Rig::kPort / 8, 0x01);
    r.run({0xE6, Rig::kPort});
    REQUIRE(r.vector() == 13);
    CHECK(r.latch.written.empty());
  }
  SECTION("bit clear") {
    r.run({0xE6, Rig::kPort}, 1);
    REQUIRE(r.latch.written.size() == 1);
    CHECK(r.latch.written[0] == 0x5A);
  }
  SECTION("beyond the limit") {
    r.s().segments[arch::tr].limit = 0x68 + Rig::kPort / 8;
    r.run({0xE6, Rig::kPort});
    CHECK(r.vector() == 13);
  }
  SECTION("IOPL 3") {
    r.s().segments[arch::tr].limit = 0x67;
    r.s().rflags_system |= rflags::iopl;
    r.latch.value = 0x77;
    r.run({0xE4, Rig::kPort}, 1);
    CHECK(r.s().regs[arch::rax] == 0x77);
  }
}

TEST_CASE("REP OUTSB writes each byte and INSB faults before it reads the port", "[ports]") {
  Rig r;
  r.long_mode();
  r.s().regs[arch::rdx] = Rig::kPort;
  SECTION("REP OUTSB") {
    r.poke<uint32_t>(Rig::kData, 0x04030201);
    r.s().regs[arch::rsi] = Rig::kData;
    r.s().regs[arch::rcx] = 3;
    r.run({0xF3, 0x6E, 0xF4});
    CHECK(r.latch.written == std::vector<uint64_t>{1, 2, 3});
    CHECK(r.s().regs[arch::rcx] == 0);
    CHECK(r.s().regs[arch::rsi] == Rig::kData + 3);
    CHECK(r.s().activity == Activity::hlt);
  }
  SECTION("INSB") {
    r.poke<uint64_t>(Rig::kPt, 0);
    r.s().regs[arch::rdi] = Rig::kPage;
    r.run({0x6C});
    CHECK(r.vector() == 14);
    CHECK(r.s().cr2 == Rig::kPage);
  }
  SECTION("INSW") {
    r.latch.value = 0xBEEF;
    r.s().regs[arch::rdi] = Rig::kData;
    r.run({0x66, 0x6D}, 1);
    CHECK(r.peek<uint16_t>(Rig::kData) == 0xBEEF);
    CHECK(r.s().regs[arch::rdi] == Rig::kData + 2);
  }
}

TEST_CASE("CLI and STI need IOPL", "[interrupts]") {
  Rig r;
  r.long_mode(3);
  r.run({0xFA});
  CHECK(r.vector() == 13);
}

TEST_CASE("FXSAVE64 and FXRSTOR64 keep the state, and fault as they must", "[state]") {
  Rig r;
  r.long_mode();
  CpuState& s = r.s();
  for (size_t i = 0; i < 16; ++i) s.vector.ymm[i] = {i + 1, i + 100, i + 7, i + 9};
  s.x87.fcw = 0x37F;
  s.x87.fsw = 3u << 11;
  s.x87.valid = 0x18;
  s.x87.fip = 0x123456789A;
  s.x87.fop = 0x123;
  s.x87.significand[3] = 0x8000000000000001;
  s.x87.sign_exponent[3] = 0x3FFF;
  const VectorState vectors = s.vector;
  r.run({0x48, 0x0F, 0xAE, 0x04, 0x25, 0, 0, 2, 0}, 1);
  CHECK(r.peek<uint64_t>(Rig::kData + 8) == 0x123456789A);
  CHECK(r.peek<uint8_t>(Rig::kData + 4) == 0x18);
  CHECK(r.peek<uint64_t>(Rig::kData + 32) == 0x8000000000000001);  // ST(0) is register 3
  CHECK(r.peek<uint32_t>(Rig::kData + 28) == 0xFFFF);
  s.vector.ymm = {};
  s.x87 = {};
  r.run({0x48, 0x0F, 0xAE, 0x0C, 0x25, 0, 0, 2, 0}, 1);
  CHECK(s.vector.ymm[5][0] == vectors.ymm[5][0]);
  CHECK(s.vector.ymm[15][1] == vectors.ymm[15][1]);
  CHECK(s.x87.significand[3] == 0x8000000000000001);
  CHECK(s.x87.valid == 0x18);
  SECTION("alignment") {
    r.run({0x48, 0x0F, 0xAE, 0x04, 0x25, 8, 0, 2, 0});
    CHECK(r.vector() == 13);
  }
  SECTION("TS") {
    s.cr0 |= arch::cr0::ts;
    r.run({0x48, 0x0F, 0xAE, 0x04, 0x25, 0, 0, 2, 0});
    CHECK(r.vector() == 7);
  }
  SECTION("reserved MXCSR bits") {
    r.poke<uint32_t>(Rig::kData + 24, 0x10000);
    r.run({0x48, 0x0F, 0xAE, 0x0C, 0x25, 0, 0, 2, 0});
    CHECK(r.vector() == 13);
  }
}

TEST_CASE("LDMXCSR refuses reserved bits", "[state]") {
  Rig r;
  r.long_mode();
  r.poke<uint32_t>(Rig::kData, 0x1FA0);
  r.run({0x0F, 0xAE, 0x14, 0x25, 0, 0, 2, 0}, 1);
  CHECK(r.s().vector.mxcsr == 0x1FA0);
  r.poke<uint32_t>(Rig::kData, 0x21F80);
  r.run({0x0F, 0xAE, 0x14, 0x25, 0, 0, 2, 0});
  CHECK(r.vector() == 13);
}
