// Decoding: bytes to Insn, per instruction of a mixed sequence.
#include <benchmark/benchmark.h>

#include <array>

#include "emu/cpu/build_insn.h"

namespace {

using namespace vitrine::emu;

// push rbp; mov rbp,rsp; mov rax,[rdi+rsi*8+16]; add rax,rcx; cmp rax,100; jne +5; lea rdx,[rip+64];
// call +0; pop rbp; ret
constexpr std::array<uint8_t, 36> kCode = {
    0x55, 0x48, 0x89, 0xE5, 0x48, 0x8B, 0x44, 0xF7, 0x10, 0x48, 0x01, 0xC8,
    0x48, 0x83, 0xF8, 0x64, 0x75, 0x05, 0x48, 0x8D, 0x15, 0x40, 0x00, 0x00,
    0x00, 0xE8, 0x00, 0x00, 0x00, 0x00, 0x5D, 0xC3, 0x90, 0x90, 0x90, 0x90};

void decode_mixed(benchmark::State& state) {
  const auto bytes = std::as_bytes(std::span{kCode});
  const DecodeMode mode;
  int64_t count = 0;
  for (auto _ : state) {
    for (size_t at = 0; at < 32;) {
      Insn insn;
      build_insn(bytes.subspan(at), mode, arch::kSkylakeSp, insn);
      benchmark::DoNotOptimize(insn);
      at += insn.length;
      ++count;
    }
  }
  state.SetItemsProcessed(count);
}
BENCHMARK(decode_mixed);

}  // namespace
