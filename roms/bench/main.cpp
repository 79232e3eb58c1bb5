// Runs works one after the other and says on the serial line when each begins and ends; the clock is outside.
// Command line: percent=N (of each work's count), only=N (the Nth work alone, from 1).
#include <string_view>

#include "roms/bench/vectors.h"
#include "roms/bench/works.h"
#include "roms/kit/boot.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/serial.h"
#include "roms/kit/vectors.h"

using namespace vitrine;
using bench::Needs;

namespace {

std::uint64_t refused_calls(std::uint64_t count) {
  constexpr auto kNone = static_cast<hv::tlfs::Call>(0x7FFE);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    sum += static_cast<std::uint64_t>(kit::fast_call(kNone).status());
  }
  return sum;
}

}  // namespace

// clang-format off
extern "C" const bench::Work vitrine_works[] = {
    {"mixed",          150,       bench::mixed,           Needs::nothing},
    {"matrix_sse2",    1'000,     bench::matrix_sse2,     Needs::nothing},
    {"bodies_sse2",    500,       bench::bodies_sse2,     Needs::nothing},
    {"matrix_avx2",    1'000,     bench::matrix_avx2,     Needs::avx2},
    {"bodies_avx2",    500,       bench::bodies_avx2,     Needs::avx2},
    {"x87",            1'000,     bench::x87,             Needs::nothing},
    {"calls",          5'000,      bench::calls,           Needs::nothing},
    {"jumps",          20'000,    bench::jumps,           Needs::nothing},
    {"indirect_calls", 20'000,    bench::indirect_calls,  Needs::nothing},
    {"copy_apart",     30,        bench::copy_apart,      Needs::nothing},
    {"copy_near",      30,        bench::copy_near,       Needs::nothing},
    {"rep_movsb",      4'000,    bench::rep_movsb,       Needs::nothing},
    {"rep_stosq",      20'000,    bench::rep_stosq,       Needs::nothing},
    {"patched_call",   100'000,   bench::patched_call,    Needs::nothing},
    {"fresh_blocks",   50'000,    bench::fresh_blocks,    Needs::nothing},
    {"running_page",   2'000'000, bench::running_page,    Needs::nothing},
    {"cr3_and_touch",  200'000,   bench::cr3_and_touch,   Needs::system},
    {"invlpg_and_load", 1'000'000, bench::invlpg_and_load, Needs::system},
    {"int_iret",       1'000'000, bench::int_iret,        Needs::system},
    {"syscall_sysret", 1'000'000, bench::syscall_sysret,  Needs::system},
    {"page_fault",     1'000'000, bench::page_fault,      Needs::system},
    {"port_in",        2'000'000, bench::port_in,         Needs::system},
    {"port_out",       2'000'000, bench::port_out,        Needs::system},
    {"apic_read",      2'000'000, bench::apic_read,       Needs::system},
    {"vmcall_exit",    500'000,   bench::vmcall_exit,     Needs::vmx},
    {"cpuid_exit",     500'000,   bench::cpuid_exit,      Needs::vmx},
    {"ept_chase",      20'000,    bench::ept_chase,       Needs::vmx},
    {"tlfs_cpuid",     50'000,    bench::cpuid_loop,      Needs::hypervisor},
    {"tlfs_refused",   20'000,    refused_calls,          Needs::hypervisor},
    {},
};
// clang-format on

std::uint32_t payload_main() {
  const std::uint64_t percent = kit::option_number("percent=", 100);
  const std::uint64_t only = kit::option_number("only=", 0);
  asm volatile("fninit");  // after RESET the x87 unit's exceptions are unmasked
  const bool avx = kit::enable_vectors();
  const bool hypervisor = kit::enable_hypercalls();
  bench::start_system();
  const bool vmx = !hypervisor && bench::start_virtual();
  const auto can_run = [&](Needs needs) {
    switch (needs) {
      case Needs::avx2: return avx && !hypervisor;
      case Needs::vmx: return vmx;
      case Needs::hypervisor: return hypervisor;
      default: return !hypervisor;
    }
  };
  for (std::uint64_t i = 0; vitrine_works[i].count != 0; ++i) {
    const bench::Work& work = vitrine_works[i];
    if ((only != 0 && only != i + 1) || !can_run(work.needs)) continue;
    const std::string_view name = work.name;
    const std::uint64_t count = work.count * percent / 100 + 1;
    kit::print_line("BEGIN ", name, " ", count);
    const std::uint64_t sum = work.run(count);
    kit::print_line("END ", name, " ", kit::Hex{sum});
  }
  kit::print_line("BENCH PASS");
  return 0;
}
