// A hypervisor and a guest of a few instructions in the memory of a Rig, run by the engine.
#pragma once

#include <catch2/catch.hpp>
#include <initializer_list>

#include "emu/arch/ept.h"
#include "tests/emu/cpu/vmx/rig.h"

namespace vitrine::emu::vmx {

inline constexpr uint64_t kGuestCode = 0x4000;
inline constexpr uint64_t kHostCode = 0x8000;
inline constexpr uint64_t kEptTables = 0x50000;

struct Guest : Rig {
  Guest() {
    become_root();
    cpu.state.set_rip(kRootRip);
    cpu.context_changed();
    put(kRootRip, {0x0F, 0x01, 0xC2});  // vmlaunch
    put(kHostCode, {0xEB, 0xFE});       // jmp $
  }
  void put(uint64_t address, std::initializer_list<uint8_t> code) {
    for (const uint8_t byte : code) poke<uint8_t>(address++, byte);
  }
  /// Host code that skips the exiting instruction of 3 bytes, counts in RBX and resumes.
  void put_resuming_host() {
    put(kHostCode, {
                       0xFF, 0xC3,                    // inc ebx
                       0xB9, 0x1E, 0x68, 0x00, 0x00,  // mov ecx, guest RIP
                       0x0F, 0x78, 0xCA,              // vmread rdx, rcx
                       0x48, 0x83, 0xC2, 0x03,        // add rdx, 3
                       0x0F, 0x79, 0xCA,              // vmwrite rcx, rdx
                       0x0F, 0x01, 0xC3,              // vmresume
                   });
  }
  /// Runs until the first instruction of the host, or `limit` more instructions.
  void run_to_exit(uint64_t limit = 100'000) {
    const uint64_t end = cpu.state.retired + limit;
    bool entered = false;
    while (cpu.state.retired < end) {
      cpu.run({.max_retired = cpu.state.retired + 1});
      entered = entered || cpu.vmx.nonroot;
      if (entered && !cpu.vmx.nonroot) return;
      if (!entered && cpu.state.rip() == kHostCode) return;
    }
    FAIL("the guest did not exit");
  }
  /// Identity EPT of the first 2 MiB in 4-KiB pages.
  void use_ept() {
    poke<uint64_t>(kEptTables, kEptTables + 0x1007);
    poke<uint64_t>(kEptTables + 0x1000, kEptTables + 0x2007);
    poke<uint64_t>(kEptTables + 0x2000, kEptTables + 0x3007);
    for (uint64_t page = 0; page < 512; ++page) {
      poke<uint64_t>(ept_entry(page << 12), page << 12 | 6u << 3 | 7);
    }
    secondary_bits(secondary::enable_ept | secondary::unrestricted_guest);
    set(Field::eptp, arch::make_eptp(kEptTables, false));
  }
  static uint64_t ept_entry(uint64_t gpa) { return kEptTables + 0x3000 + (gpa >> 12) * 8; }
  void resume() {
    put(kRootRip, {0x0F, 0x01, 0xC3});  // vmresume
    cpu.state.set_rip(kRootRip);
    run_to_exit();
  }
};

}  // namespace vitrine::emu::vmx
