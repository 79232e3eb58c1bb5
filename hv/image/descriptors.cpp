// GDT, TSS and IDT of the hypervisor.
#include "hv/image/descriptors.h"

#include "emu/arch/exceptions.h"
#include "emu/arch/msr.h"
#include "hv/image/console.h"
#include "hv/image/instructions.h"
#include "hv/image/processor.h"

extern "C" char host_vectors[];

namespace vitrine::hv {
namespace {

constexpr std::uint64_t kVectors = 32;
constexpr std::uint64_t kStubSize = 16;

// SDM "64-Bit IDT Gate Descriptors".
struct Gate {
  std::uint64_t low{};
  std::uint64_t high{};
};
alignas(16) std::array<Gate, kVectors> idt;

struct [[gnu::packed]] TableRegister {
  std::uint16_t limit;
  std::uint64_t base;
};

constexpr Gate interrupt_gate(std::uint64_t target) {
  constexpr std::uint64_t kPresentInterruptGate = 0x8E00;
  return {.low = (target & 0xFFFF) | (std::uint64_t{selector::code} << 16) |
                 (kPresentInterruptGate << 32) | ((target & 0xFFFF0000) << 32),
          .high = target >> 32};
}

constexpr std::uint64_t task_descriptor_low(std::uint64_t base) {
  constexpr std::uint64_t kPresentAvailableTask = 0x89;
  return (sizeof(TaskState) - 1) | ((base & 0xFFFFFF) << 16) | (kPresentAvailableTask << 40) |
         ((base & 0xFF000000) << 32);
}

}  // namespace

std::uint64_t idt_base() { return reinterpret_cast<std::uint64_t>(idt.data()); }

void load_descriptors(Descriptors& descriptors, std::uint64_t gs_base) {
  const auto task_base = reinterpret_cast<std::uint64_t>(&descriptors.task);
  descriptors.gdt = {0, 0x00AF9B000000FFFF, 0x00CF93000000FFFF, task_descriptor_low(task_base),
                     task_base >> 32};
  const TableRegister gdt{sizeof(descriptors.gdt) - 1,
                          reinterpret_cast<std::uint64_t>(descriptors.gdt.data())};
  asm volatile("lgdt %0" : : "m"(gdt));
  asm volatile("ltr %0" : : "r"(selector::task));

  const auto stubs = reinterpret_cast<std::uint64_t>(host_vectors);
  for (std::uint64_t i = 0; i < kVectors; ++i) idt[i] = interrupt_gate(stubs + i * kStubSize);
  const TableRegister idtr{sizeof(idt) - 1, idt_base()};
  asm volatile("lidt %0" : : "m"(idtr));

  asm volatile("mov %0, %%fs; mov %0, %%gs" : : "r"(0));
  write_msr(emu::arch::msr::ia32_gs_base, gs_base);
}

// The frame that host_exception in entry.S builds.
struct HostFrame {
  std::uint64_t vector, error_code, rip, cs, rflags, rsp, ss;
};

extern "C" void host_interrupted(const HostFrame* frame) {
  if (frame->vector == static_cast<std::uint64_t>(emu::arch::Vector::nmi)) {
    // An NMI that arrives in root mode belongs to the root partition as much as one that causes an
    // exit.
    this_processor().nmi_pending = true;
    return;
  }
  say("exception ", frame->vector, " error ", Hex{frame->error_code}, " rip ", Hex{frame->rip},
      " rsp ", Hex{frame->rsp}, " cr2 ", Hex{read_cr2()});
  stop("exception in the hypervisor");
}

}  // namespace vitrine::hv
