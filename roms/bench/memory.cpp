// Copies and fills.
#include <array>
#include <cstddef>

#include "roms/bench/works.h"

namespace vitrine::bench {
namespace {

constexpr std::size_t kCopied = std::size_t{16} << 20;
constexpr std::size_t kFurther = 4160;
constexpr std::size_t kBulk = 65536;

alignas(4096) std::array<std::uint8_t, 2 * kCopied + 8192> arena;

std::uint64_t copy(std::size_t distance, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint8_t* from = arena.data();
    std::uint8_t* to = arena.data() + distance;
    std::uint64_t words = kCopied / 8;
    // By hand, so that no compiler makes it a string instruction or vectors.
    asm volatile(
        "1: movq (%[from]), %%rax\n"
        "   movq %%rax, (%[to])\n"
        "   addq $8, %[from]\n"
        "   addq $8, %[to]\n"
        "   decq %[words]\n"
        "   jnz 1b\n"
        : [from] "+r"(from), [to] "+r"(to), [words] "+r"(words)
        :
        : "rax", "memory", "cc");
  }
  return arena[distance];
}

}  // namespace

std::uint64_t copy_apart(std::uint64_t count) { return copy(kCopied, count); }
std::uint64_t copy_near(std::uint64_t count) { return copy(kCopied + kFurther, count); }

std::uint64_t rep_movsb(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint8_t* from = arena.data();
    std::uint8_t* to = arena.data() + kCopied;
    std::uint64_t bytes = kBulk;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  }
  return arena[kCopied];
}

std::uint64_t rep_stosq(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint8_t* to = arena.data();
    std::uint64_t words = kBulk / 8;
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(i) : "memory");
  }
  return arena[0];
}

}  // namespace vitrine::bench
