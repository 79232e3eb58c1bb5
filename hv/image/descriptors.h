// GDT, TSS and IDT of the hypervisor: one GDT and TSS per processor, one IDT for all.
#pragma once

#include <array>
#include <cstdint>

namespace vitrine::hv {

namespace selector {
constexpr std::uint16_t code = 0x08;
constexpr std::uint16_t data = 0x10;
constexpr std::uint16_t task = 0x18;
}  // namespace selector

// SDM "TSS Structure in 64-bit Mode".
struct [[gnu::packed]] TaskState {
  std::uint32_t reserved0{};
  std::array<std::uint64_t, 3> stack_pointers{};
  std::uint64_t reserved1{};
  std::array<std::uint64_t, 7> interrupt_stacks{};
  std::uint64_t reserved2{};
  std::uint16_t reserved3{};
  std::uint16_t io_map_base = 104;
};
static_assert(sizeof(TaskState) == 104);

struct Descriptors {
  std::array<std::uint64_t, 5> gdt{};  // null, code, data, and the TSS in two slots
  TaskState task;
};

// Fills `descriptors` and makes it, the common IDT and `gs_base` current on this processor.
void load_descriptors(Descriptors& descriptors, std::uint64_t gs_base);

std::uint64_t idt_base();

}  // namespace vitrine::hv
