// Parameters of a modelled core, each with where its value comes from.
#pragma once

#include <array>
#include <cstdint>
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
  fitted,     ///< chosen so that measured blocks come out right
  assumed,    ///< neither; plausible for the kind of core
};

/// Cycles the divider is busy with one operation, which is not pipelined.
struct Divider {
  uint32_t integer32, unsigned64, signed64;
  uint32_t single, twofold;            ///< scalar and 128-bit division, single and double precision
  uint32_t root_single, root_twofold;  ///< square root
  uint32_t wide_factor;                ///< 256-bit vectors take so many times longer
};

struct CoreParameters {
  std::string_view name;
  const UopTable& (*uops)();
  uint32_t issue_width;       ///< fused-domain slots a cycle
  uint32_t predecode_bytes;   ///< bytes of a fetch window, one window a cycle; 0: no such limit
  uint32_t predecode_insns;   ///< instructions a window and cycle
  uint32_t lcp_cycles;        ///< stall of a length-changing prefix
  uint32_t decode_width;      ///< instructions a cycle through the legacy decoders
  bool one_complex_decoder;   ///< of several slots only the first decoder takes
  uint32_t microcode_cycles;  ///< switching to the microcode sequencer and back
  uint32_t uop_cache_width;   ///< slots a cycle from the micro-operation cache
  uint32_t front_end_lead;    ///< cycles the front end can run ahead of issue
  uint32_t rob_slots;         ///< reorder buffer
  uint32_t port_lead;         ///< cycles of work a port may lag behind issue: the scheduler's depth
  uint32_t load_latency;      ///< cycles, first-level hit
  uint32_t vector_load_latency;
  uint32_t chase_latency;    ///< the same, when the base comes from a load and the form is short
  uint32_t forward_latency;  ///< store data to load result
  bool renames_memory;    ///< a load of the same address expression takes the store's data at once
  uint32_t forward_fail;  ///< commit of the store to load result when it cannot forward
  uint32_t lock_cycles;   ///< a locked operation, with nothing before it
  Divider divider;
  bool stack_aliases_data;  ///< of the protocol that its blocks were measured with (frontend/timing)
  uint32_t block_passes;    ///< the same: passes over the repetitions, of which the last counts
  std::array<PortSet, kPortLanes> lanes;  ///< unions of ports whose work is added up; 0: unused
};

/// Values and evidence of the named profile, for people.
struct ParameterNote {
  std::string_view parameter;
  std::string_view value;
  Evidence evidence;
  std::string_view source;
};

const CoreParameters& skylake_core();
const CoreParameters& zen4_core();
/// By name; nullptr for a name that no core has.
const CoreParameters* find_core(std::string_view name);

}  // namespace vitrine::emu::timing
