// Code that changes while it runs: a patched call, blocks that are always new, stores beside the code.
#include <array>
#include <cstddef>

#include "roms/bench/works.h"

namespace vitrine::bench {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kBlock = 64;
constexpr std::size_t kBlocks = 4096;

alignas(kPage) std::array<std::uint8_t, kPage> stub;
alignas(kPage) std::array<std::uint8_t, kBlock * kBlocks> ring;

template <typename T>
T* at(std::uint8_t* bytes) {
  return reinterpret_cast<T*>(bytes);
}

void place(std::uint8_t* to, std::initializer_list<std::uint8_t> bytes) {
  for (const std::uint8_t byte : bytes) *to++ = byte;
}

using Code = std::uint64_t(std::uint64_t);

}  // namespace

std::uint64_t patched_call(std::uint64_t count) {
  constexpr std::size_t kFirst = 0x100, kSecond = 0x140;
  place(stub.data(), {0x48, 0x89, 0xF8, 0xE8, 0, 0, 0, 0, 0xC3});  // mov rax,rdi; call; ret
  place(stub.data() + kFirst, {0x48, 0x83, 0xC0, 0x01, 0xC3});     // add rax,1; ret
  place(stub.data() + kSecond, {0x48, 0x83, 0xC0, 0x03, 0xC3});    // add rax,3; ret
  std::uint64_t value = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::size_t target = (i & 1) != 0 ? kSecond : kFirst;
    *at<volatile std::uint32_t>(stub.data() + 4) = static_cast<std::uint32_t>(target - 8);
    value = at<Code>(stub.data())(value);
  }
  return value;
}

std::uint64_t fresh_blocks(std::uint64_t count) {
  constexpr std::size_t kAdds = 15;
  std::uint64_t value = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint8_t* const block = ring.data() + i % kBlocks * kBlock;
    place(block, {0x48, 0x89, 0xF8});  // mov rax,rdi
    for (std::size_t add = 0; add < kAdds; ++add) {
      // add rax,imm8 with an operand that is another one each time
      const auto operand = static_cast<std::uint32_t>((i + add) & 0x7F);
      *at<volatile std::uint32_t>(block + 3 + 4 * add) = 0x00C08348 | operand << 24;
    }
    block[3 + 4 * kAdds] = 0xC3;
    value = at<Code>(block)(value);
  }
  return value;
}

std::uint64_t running_page(std::uint64_t count) {
  // 1: inc qword [counter]; dec rdi; jnz 1b; mov rax,[counter]; ret. The counter is at 0x200.
  place(stub.data() + 0x00, {0x48, 0xFF, 0x05, 0xF9, 0x01, 0, 0, 0x48, 0xFF, 0xCF, 0x75, 0xF4});
  place(stub.data() + 0x0C, {0x48, 0x8B, 0x05, 0xED, 0x01, 0, 0, 0xC3});
  *at<volatile std::uint64_t>(stub.data() + 0x200) = 0;
  return at<Code>(stub.data())(count);
}

}  // namespace vitrine::bench
