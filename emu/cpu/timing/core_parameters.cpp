// Parameters of the modelled cores.
#include "emu/cpu/timing/core_parameters.h"

namespace vitrine::emu::timing {

const CoreParameters& skylake_core() {
  // clang-format off
  static const CoreParameters parameters = {
      .name = "skylake-sp",
      .uops = skylake_uops,
      .issue_width = 4,           // published: uiCA
      .predecode_bytes = 16,      // published: uiCA
      .predecode_insns = 5,       // published: uiCA
      .lcp_cycles = 3,            // fitted: blocks with imm16 compares take 3.2 to 3.4 cycles
      .decode_width = 4,          // published: uiCA
      .one_complex_decoder = true,
      .microcode_cycles = 2,      // published: uiCA
      .uop_cache_width = 6,       // published: uiCA
      .front_end_lead = 16,       // published: decoded queue of 64 slots, issued 4 a cycle
      .rob_slots = 224,           // published: uiCA
      .port_lead = 48,            // fitted; the scheduler has 97 entries
      .load_latency = 5,          // published: uops.info
      .vector_load_latency = 6,   // published: uops.info
      .chase_latency = 4,         // published: InstLatX64 ladder
      .forward_latency = 4,       // published: uops.info, 4 to 5
      .renames_memory = false,
      .forward_fail = 12,         // fitted: measured 11 to 13
      .lock_cycles = 18,          // published: uops.info
      .divider = {6, 21, 24, 3, 4, 3, 5, 2},  // published: uops.info
      .stack_aliases_data = false,
      .block_passes = 1,
      .lanes = {0x63, 0x01, 0x02, 0x20, 0x41, 0x22, 0x03, 0x21, 0x23, 0x0C, 0x8C, 0x10, 0},
  };
  // clang-format on
  return parameters;
}

const CoreParameters& zen4_core() {
  // clang-format off
  static const CoreParameters parameters = {
      .name = "zen4-core",
      .uops = zen4_uops,
      .issue_width = 6,
      .predecode_bytes = 32,
      .predecode_insns = 8,
      .lcp_cycles = 0,
      .decode_width = 4,
      .one_complex_decoder = false,
      .microcode_cycles = 2,
      .uop_cache_width = 9,
      .front_end_lead = 12,
      .rob_slots = 320,
      .port_lead = 32,
      .load_latency = 4,
      .vector_load_latency = 7,
      .chase_latency = 4,
      .forward_latency = 5,
      .renames_memory = true,
      .forward_fail = 14,
      .lock_cycles = 7,
      .divider = {6, 7, 7, 3, 5, 5, 8, 2},
      .stack_aliases_data = true,
      .block_passes = 2,
      .lanes = {0x0F, 0x09, 0x06, 0x02, 0x70, 0x30, 0x180, 0x3C00, 0xC00, 0x1800, 0x3000, 0x2400, 0x2},
  };
  // clang-format on
  return parameters;
}

const CoreParameters* find_core(std::string_view name) {
  for (const CoreParameters* core : {&skylake_core(), &zen4_core()}) {
    if (core->name == name) return core;
  }
  return nullptr;
}

}  // namespace vitrine::emu::timing
