// Looking at a guest's memory the way its processor does.
#pragma once

#include <cstdint>
#include <span>

namespace vitrine::hv {

struct Hypervisor;
struct Partition;

// What decides how a linear address is translated.
struct GuestPaging {
  std::uint64_t cr0{}, cr3{}, cr4{}, efer{};
  bool user{};
};

// Copies the bytes from a linear address on, as far as they can be fetched as code, and tells how many.
// Nothing is marked accessed.
std::uint8_t fetch_instruction(const Hypervisor& hv, const Partition& partition,
                               const GuestPaging& paging, std::uint64_t linear,
                               std::span<std::uint8_t> bytes);

}  // namespace vitrine::hv
