// What only privileged code can do: address spaces, interrupts, system calls, faults, ports, the local APIC.
#include <array>
#include <cstddef>

#include "roms/bench/works.h"
#include "roms/kit/cpu.h"

extern "C" {
void bench_interrupt();
void bench_page_fault();
void bench_syscall_entry();
std::uint64_t bench_syscalls(std::uint64_t count);
}

namespace vitrine::bench {
namespace {

using kit::read_msr;
using kit::write_msr;

constexpr std::size_t kEntries = 512;
constexpr std::uint64_t kAddress = 0x000F'FFFF'FFFF'F000;
constexpr std::uint64_t kPresentWritableUser = 7;
constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kTouched = 16;

using Table = std::array<std::uint64_t, kEntries>;
constexpr std::size_t kSmallTables = 32;  // 64 MiB in 4 KiB pages
alignas(kPage) std::array<Table, kSmallTables> tables;
alignas(kPage) std::array<std::uint8_t, kPage*(kTouched + 1)> pages;
alignas(kPage) std::array<std::uint8_t, kPage> hole;

struct Gate {
  std::uint64_t low, high;
};
constexpr std::size_t kSoftwareVector = 0x80;
constexpr std::size_t kPageFault = 14;
alignas(16) std::array<Gate, kSoftwareVector + 1> gates;

Table& table_at(std::uint64_t entry) { return *reinterpret_cast<Table*>(entry & kAddress); }

std::uint64_t read_cr3() {
  std::uint64_t value = 0;
  asm volatile("movq %%cr3, %0" : "=r"(value));
  return value;
}
void write_cr3(std::uint64_t value) { asm volatile("movq %0, %%cr3" : : "r"(value) : "memory"); }

// The start code maps 2 MiB pages of the kernel's; measured are 4 KiB pages that ring 3 may use.
void use_small_pages() {
  Table& top = table_at(read_cr3());
  top[0] |= kPresentWritableUser;
  Table& second = table_at(top[0]);
  second[0] |= kPresentWritableUser;
  Table& directory = table_at(second[0]);
  for (std::size_t i = 0; i < kSmallTables; ++i) {
    for (std::size_t page = 0; page < kEntries; ++page) {
      tables[i][page] = (i * kEntries + page) * kPage | kPresentWritableUser;
    }
    directory[i] = reinterpret_cast<std::uint64_t>(tables[i].data()) | kPresentWritableUser;
  }
  const auto number = reinterpret_cast<std::uint64_t>(hole.data()) / kPage;
  tables[number / kEntries][number % kEntries] = 0;
  write_cr3(read_cr3());
}

void set_gate(std::size_t vector, void (*entry)()) {
  const auto target = reinterpret_cast<std::uint64_t>(entry);
  constexpr std::uint64_t kKernelCode = 0x08ULL << 16, kInterruptGate = 0x8E00ULL << 32;
  gates[vector] = {(target & 0xFFFF) | kKernelCode | kInterruptGate | (target & 0xFFFF0000) << 32,
                   target >> 32};
}

struct [[gnu::packed]] TableRegister {
  std::uint16_t limit;
  std::uint64_t base;
};

template <typename T>
T load(const volatile T* from) {
  return *from;
}

}  // namespace

void start_system() {
  use_small_pages();
  set_gate(kSoftwareVector, bench_interrupt);
  set_gate(kPageFault, bench_page_fault);
  const TableRegister idtr{sizeof(gates) - 1, reinterpret_cast<std::uint64_t>(gates.data())};
  asm volatile("lidt %0" : : "m"(idtr));
  constexpr std::uint32_t kEfer = 0xC0000080, kStar = 0xC0000081, kLstar = 0xC0000082,
                          kFmask = 0xC0000084;
  write_msr(kEfer, read_msr(kEfer) | 1);
  // SYSCALL takes CS 0x08 and SS 0x10; SYSRET CS 0x23 and SS 0x1B, which no descriptor backs.
  write_msr(kStar, 0x0013'0008'0000'0000);
  write_msr(kLstar, reinterpret_cast<std::uint64_t>(bench_syscall_entry));
  write_msr(kFmask, 0);
}

std::uint64_t cr3_and_touch(std::uint64_t count) {
  std::uint64_t sum = 0;
  const std::uint64_t cr3 = read_cr3();
  for (std::uint64_t i = 0; i < count; ++i) {
    write_cr3(cr3);
    for (std::size_t page = 0; page < kTouched; ++page) sum += load(&pages[page * kPage]) + 1U;
  }
  return sum;
}

std::uint64_t invlpg_and_load(std::uint64_t count) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    asm volatile("invlpg (%0)" : : "r"(pages.data()) : "memory");
    sum += load(pages.data()) + 1U;
  }
  return sum;
}

std::uint64_t int_iret(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) asm volatile("int $0x80" : : : "memory");
  return count;
}

std::uint64_t syscall_sysret(std::uint64_t count) { return bench_syscalls(count); }

std::uint64_t page_fault(std::uint64_t count) {
  std::uint64_t faults = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t value = 1;  // stays, the load does not happen
    asm volatile("movb (%1), %%al" : "+a"(value) : "D"(hole.data()) : "memory");
    faults += value;
  }
  return faults;
}

std::uint64_t port_in(std::uint64_t count) {
  constexpr std::uint16_t kPicMask = 0x21;
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) sum += kit::in8(kPicMask) | 1U;
  return sum;
}

std::uint64_t port_out(std::uint64_t count) {
  constexpr std::uint16_t kPostCode = 0x80;
  for (std::uint64_t i = 0; i < count; ++i) kit::out8(kPostCode, static_cast<std::uint8_t>(i));
  return count;
}

std::uint64_t apic_read(std::uint64_t count) {
  const auto* const version = reinterpret_cast<const volatile std::uint32_t*>(0xFEE00030);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) sum += load(version) & 1U;
  return sum;
}

std::uint64_t cpuid_loop(std::uint64_t count) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) sum += kit::cpuid(0).ebx & 1U;
  return sum;
}

}  // namespace vitrine::bench
