// What is measured here and on the peers: one function per work, and the table that names them.
#pragma once

#include <cstdint>

namespace vitrine::bench {

// Each does its work `count` times and answers a number that depends on all of it.

// mixed.cpp
std::uint64_t mixed(std::uint64_t rounds);  // a round is 2.85 million instructions

// calls.cpp: calls and jumps.
std::uint64_t calls(std::uint64_t count);           // Fibonacci of 20 by recursion
std::uint64_t jumps(std::uint64_t count);           // an interpreter of 1,000 steps, threaded
std::uint64_t indirect_calls(std::uint64_t count);  // 1,000 calls through a table
std::uint64_t x87(std::uint64_t count);             // 1,000 steps of a logistic map and a root

// memory.cpp
std::uint64_t copy_apart(std::uint64_t count);  // 16 MiB by quadwords to 16 MiB further on
std::uint64_t copy_near(std::uint64_t count);   // and to 16 MiB and 4,160 bytes further on
std::uint64_t rep_movsb(std::uint64_t count);   // 64 KiB
std::uint64_t rep_stosq(std::uint64_t count);   // 64 KiB

// code.cpp: code that changes.
std::uint64_t patched_call(std::uint64_t count);  // a call's target is written, the call made
std::uint64_t fresh_blocks(std::uint64_t count);  // 64 bytes of code written and run
std::uint64_t running_page(std::uint64_t count);  // a store to the page that runs

// system.cpp: what only privileged code can do.
void start_system();
std::uint64_t cr3_and_touch(std::uint64_t count);  // MOV to CR3, and 16 pages read
std::uint64_t invlpg_and_load(std::uint64_t count);
std::uint64_t int_iret(std::uint64_t count);
std::uint64_t syscall_sysret(std::uint64_t count);
std::uint64_t page_fault(std::uint64_t count);
std::uint64_t port_in(std::uint64_t count);
std::uint64_t port_out(std::uint64_t count);
std::uint64_t apic_read(std::uint64_t count);
std::uint64_t cpuid_loop(std::uint64_t count);

// virtual.cpp: with this program as hypervisor.
bool start_virtual();  // false without VMX
std::uint64_t vmcall_exit(std::uint64_t count);
std::uint64_t cpuid_exit(std::uint64_t count);
std::uint64_t ept_chase(std::uint64_t count);  // 512 dependent loads, each from another page

// What a work needs. Works without needs run in user mode as well.
enum class Needs : std::uint32_t { nothing, avx2, system, vmx, hypervisor };

struct Work {
  char name[24];
  std::uint64_t count;  // well under a second here
  std::uint64_t (*run)(std::uint64_t count);
  Needs needs;
};

}  // namespace vitrine::bench

// The table ends with an empty name. bench/native.cpp finds it by this symbol.
extern "C" const vitrine::bench::Work vitrine_works[];
