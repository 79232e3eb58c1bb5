// Walking page tables: one dimension, and two under EPT.
#include <benchmark/benchmark.h>

#include "emu/arch/ept.h"
#include "emu/arch/registers.h"
#include "emu/mmu/walk.h"

namespace {

using namespace vitrine::emu;

struct Tables {
  Tables() {
    bus.map({Hpa{0}, memory.size(), BusRange::Kind::ram, 0, nullptr});
    put(0x1000, 0x2007);
    put(0x2000, 0x3007);
    put(0x3000, 0x4007);
    for (uint64_t i = 0; i < 512; ++i) put(0x4000 + i * 8, i << 12 | 0x67);
    put(0x10000, 0x11007);
    put(0x11000, 0x12007);
    for (uint64_t i = 0; i < 2; ++i) put(0x12000 + i * 8, i << 21 | 7 | 6u << 3 | 0x80);
  }
  void put(uint64_t at, uint64_t value) {
    memory.write(at, std::as_bytes(std::span{&value, 1}));
  }
  Memory memory{1 << 22};
  Bus bus{memory};
};

void walk_pages(benchmark::State& state, bool ept) {
  Tables tables;
  PagingContext context;
  context.cr0 = arch::cr0::pg;
  context.cr3 = 0x1000;
  context.cr4 = arch::cr4::pae;
  context.efer = arch::efer::lma;
  if (ept) context.eptp = arch::make_eptp(0x10000, false);
  uint64_t page = 0;
  for (auto _ : state) {
    page = (page + 1) & 511;
    EptFault why;
    auto t = walk(tables.bus, context, Gva{page << 12}, {}, &why);
    benchmark::DoNotOptimize(t);
  }
}
BENCHMARK_CAPTURE(walk_pages, four_levels, false);
BENCHMARK_CAPTURE(walk_pages, four_levels_under_ept, true);

}  // namespace
