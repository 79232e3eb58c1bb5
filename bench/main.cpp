// vitrine_bench: all benchmarks in one program, selected with --benchmark_filter.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
