// Hypercalls from a payload.
#include "roms/kit/hypercall.h"

#include <array>

#include "roms/kit/cpu.h"

namespace vitrine::kit {
namespace {

constexpr std::uint32_t kFirstLeaf = 0x40000000;
constexpr std::uint32_t kInterfaceLeaf = 0x40000001;
constexpr std::uint32_t kHvInterface = 0x31237648;  // "Hv#1"
constexpr std::uint32_t kGuestOsId = 0x40000000;
constexpr std::uint32_t kHypercall = 0x40000001;
// TLFS "Reporting the Guest OS Identity", open-source form: bit 63, operating system type 0.
constexpr std::uint64_t kIdentity = 0x8000'0000'0001'0000;

struct alignas(4096) Page {
  std::array<std::uint8_t, 4096> bytes{};
};
Page hypercall_page;
Page input_page;
Page output_page;

std::uint64_t address_of(const Page& page) { return reinterpret_cast<std::uint64_t>(&page); }

}  // namespace

bool enable_hypercalls() {
  const CpuidResult first = cpuid(kFirstLeaf);
  if (first.eax < kInterfaceLeaf || cpuid(kInterfaceLeaf).eax != kHvInterface) return false;
  write_msr(kGuestOsId, kIdentity);
  write_msr(kHypercall, address_of(hypercall_page) | 1);
  return (read_msr(kHypercall) & 1) != 0;
}

std::uint64_t hypercall_rip() { return address_of(hypercall_page); }

tlfs::HypercallResult call_hypervisor(tlfs::HypercallControl control, std::uint64_t rdx,
                                      std::uint64_t r8) {
  std::uint64_t result;
  std::uint64_t word = control.word;
  register std::uint64_t third asm("r8") = r8;
  asm volatile("call *%[page]"
               : "=a"(result), "+c"(word), "+d"(rdx), "+r"(third)
               : [page] "r"(hypercall_rip())
               : "memory", "cc", "r9", "r10", "r11");
  return {result};
}

tlfs::HypercallResult fast_call(tlfs::Call code, std::uint64_t first, std::uint64_t second) {
  return call_hypervisor(tlfs::HypercallControl::make(static_cast<std::uint16_t>(code), true),
                         first, second);
}

tlfs::HypercallResult memory_call(tlfs::Call code, const void* input, std::uint64_t input_size,
                                  void* output, std::uint64_t output_size, std::uint32_t reps) {
  __builtin_memcpy(input_page.bytes.data(), input, input_size);
  const auto control = tlfs::HypercallControl::make(static_cast<std::uint16_t>(code), false, reps);
  const auto result = call_hypervisor(control, address_of(input_page), address_of(output_page));
  if (output_size != 0) __builtin_memcpy(output, output_page.bytes.data(), output_size);
  return result;
}

}  // namespace vitrine::kit
