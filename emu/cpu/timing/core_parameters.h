// Parameters of a modelled core and its memory, each with where its value comes from.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "emu/cpu/timing/uop_table.h"

namespace vitrine::emu::timing {

/// Time inside the model: sixteenths of a core cycle, so that issue slots are whole numbers.
using Ticks = uint64_t;
inline constexpr uint32_t kTicksPerCycle = 16;

inline constexpr size_t kPortLanes = 13;

/// How well a value is known.
enum class Evidence : uint8_t {
  published,  ///< a data sheet, paper or published measurement
  measured,   ///< by us, on a processor of the kind
  fitted,     ///< chosen so that measured blocks come out right
  assumed,    ///< neither; plausible for the kind of core
};
std::string_view to_string(Evidence evidence);

/// Numbers of one core; `rows()` has them all by name.
struct CoreParameters {
  std::string_view name;
  const UopTable& (*uops)() = nullptr;
  /// Unions of ports whose work is added up; 0: unused.
  std::array<PortSet, kPortLanes> lanes{};

  // The front end.
  uint32_t issue_width = 0, predecode_bytes = 0, predecode_insns = 0, lcp_cycles = 0;
  uint32_t decode_width = 0, one_complex_decoder = 0, microcode_cycles = 0, uop_cache_width = 0;
  uint32_t front_end_lead = 0;
  // Execution.
  uint32_t rob_slots = 0, port_lead = 0, load_latency = 0, vector_load_latency = 0;
  uint32_t chase_latency = 0, forward_latency = 0, renames_memory = 0, forward_fail = 0;
  uint32_t lock_cycles = 0, string_startup = 0, string_chunk = 0;
  uint32_t divide_integer32 = 0, divide_unsigned64 = 0, divide_signed64 = 0, divide_single = 0;
  uint32_t divide_double = 0, root_single = 0, root_double = 0, divide_wide_factor = 0;
  // How its blocks were measured (frontend/timing).
  uint32_t stack_aliases_data = 0, block_passes = 0;
  // Branches.
  uint32_t mispredict_cycles = 0, resteer_cycles = 0, btb_sets = 0, btb_ways = 0, return_stack = 0;
  // Caches, of 64-byte lines; latencies from address to data.
  uint32_t l1i_sets = 0, l1i_ways = 0, l1d_sets = 0, l1d_ways = 0, l2_sets = 0, l2_ways = 0;
  uint32_t l3_sets = 0, l3_ways = 0, l2_latency = 0, l3_latency = 0, dram_latency = 0;
  uint32_t stream_latency = 0, dram_line_cycles = 0, fetch_stream_cycles = 0, fill_buffers = 0;
  uint32_t split_line_cycles = 0, store_buffer = 0;
  // Translations.
  uint32_t dtlb_4k_sets = 0, dtlb_4k_ways = 0, dtlb_2m_sets = 0, dtlb_2m_ways = 0, dtlb_1g_ways = 0;
  uint32_t itlb_4k_sets = 0, itlb_4k_ways = 0, itlb_2m_ways = 0, stlb_sets = 0, stlb_ways = 0;
  uint32_t stlb_1g_ways = 0, stlb_latency = 0, pde_entries = 0, pdpte_entries = 0;
  uint32_t pml4e_entries = 0, nested_pde_entries = 0, walkers = 0;
};

/// A parameter as people see it.
struct ParameterRow {
  std::string_view name;
  uint32_t CoreParameters::*field;
  uint32_t value;
  std::string_view unit;  ///< empty: a yes or no
  Evidence evidence;
  std::string_view source;
};

const CoreParameters& skylake_core();
const CoreParameters& zen4_core();
/// By name; nullptr for a name that no core has.
const CoreParameters* find_core(std::string_view name);
/// The table that the core's numbers were made from.
std::span<const ParameterRow> parameter_rows(const CoreParameters& core);

}  // namespace vitrine::emu::timing
