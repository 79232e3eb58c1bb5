// The tables of the modelled cores' parameters.
#include "emu/cpu/timing/core_parameters.h"

namespace vitrine::emu::timing {

namespace {

using C = CoreParameters;
using enum Evidence;

// clang-format off
constexpr std::array kSkylakeRows = std::to_array<ParameterRow>({
    {"issue_width", &C::issue_width, 4, "slots a cycle", published, "uiCA"},
    {"predecode_bytes", &C::predecode_bytes, 16, "bytes a cycle", published, "uiCA"},
    {"predecode_insns", &C::predecode_insns, 5, "instructions a cycle", published, "uiCA"},
    {"lcp_cycles", &C::lcp_cycles, 3, "cycles", fitted, "blocks with imm16 compares measure 3.2 to 3.4"},
    {"decode_width", &C::decode_width, 4, "instructions a cycle", published, "uiCA"},
    {"one_complex_decoder", &C::one_complex_decoder, 1, "", published, "uiCA"},
    {"microcode_cycles", &C::microcode_cycles, 2, "cycles", published, "uiCA"},
    {"uop_cache_width", &C::uop_cache_width, 6, "slots a cycle", published, "uiCA"},
    {"front_end_lead", &C::front_end_lead, 16, "cycles", published, "decoded queue of 64 slots, issued 4 a cycle"},
    {"rob_slots", &C::rob_slots, 224, "slots", published, "uiCA"},
    {"port_lead", &C::port_lead, 48, "cycles", fitted, "the scheduler has 97 entries"},
    {"load_latency", &C::load_latency, 5, "cycles", published, "uops.info"},
    {"vector_load_latency", &C::vector_load_latency, 6, "cycles", published, "uops.info"},
    {"chase_latency", &C::chase_latency, 4, "cycles", published, "InstLatX64 ladder"},
    {"forward_latency", &C::forward_latency, 4, "cycles", published, "uops.info, 4 to 5"},
    {"renames_memory", &C::renames_memory, 0, "", published, "uops.info"},
    {"forward_fail", &C::forward_fail, 12, "cycles", fitted, "blocks measure 11 to 13"},
    {"lock_cycles", &C::lock_cycles, 18, "cycles", published, "uops.info"},
    {"string_startup", &C::string_startup, 35, "cycles", published, "Intel optimisation manual, enhanced REP MOVSB and STOSB"},
    {"string_chunk", &C::string_chunk, 32, "bytes a cycle", published, "Intel optimisation manual, enhanced REP MOVSB and STOSB"},
    {"divide_integer32", &C::divide_integer32, 6, "cycles", published, "uops.info"},
    {"divide_unsigned64", &C::divide_unsigned64, 21, "cycles", published, "uops.info"},
    {"divide_signed64", &C::divide_signed64, 24, "cycles", published, "uops.info"},
    {"divide_single", &C::divide_single, 3, "cycles", published, "uops.info"},
    {"divide_double", &C::divide_double, 4, "cycles", published, "uops.info"},
    {"root_single", &C::root_single, 3, "cycles", published, "uops.info"},
    {"root_double", &C::root_double, 5, "cycles", published, "uops.info"},
    {"divide_wide_factor", &C::divide_wide_factor, 2, "times", published, "uops.info"},
    {"stack_aliases_data", &C::stack_aliases_data, 0, "", published, "protocol of the BHive blocks"},
    {"block_passes", &C::block_passes, 1, "passes", published, "protocol of the BHive blocks"},
    {"mispredict_cycles", &C::mispredict_cycles, 16, "cycles", assumed, "16 from the micro-operation cache, 20 from the decoders"},
    {"resteer_cycles", &C::resteer_cycles, 8, "cycles", assumed, "8 to 9 when the decoders find the target"},
    {"btb_sets", &C::btb_sets, 1024, "sets", assumed, "4,096 targets"},
    {"btb_ways", &C::btb_ways, 4, "ways", assumed, "4,096 targets"},
    {"return_stack", &C::return_stack, 16, "entries", assumed, "of the kind"},
    {"l1i_sets", &C::l1i_sets, 64, "sets", published, "32 KiB, Intel optimisation manual"},
    {"l1i_ways", &C::l1i_ways, 8, "ways", published, "32 KiB, Intel optimisation manual"},
    {"l1d_sets", &C::l1d_sets, 64, "sets", published, "32 KiB, Intel optimisation manual"},
    {"l1d_ways", &C::l1d_ways, 8, "ways", published, "32 KiB, Intel optimisation manual"},
    {"l2_sets", &C::l2_sets, 1024, "sets", published, "1 MiB, Intel optimisation manual"},
    {"l2_ways", &C::l2_ways, 16, "ways", published, "1 MiB, Intel optimisation manual"},
    {"l3_sets", &C::l3_sets, 12288, "sets", published, "8.25 MiB of the part that the ladder was measured on"},
    {"l3_ways", &C::l3_ways, 11, "ways", published, "Intel optimisation manual"},
    {"l2_latency", &C::l2_latency, 14, "cycles", published, "InstLatX64 ladder"},
    {"l3_latency", &C::l3_latency, 74, "cycles", published, "InstLatX64 ladder, 74 to 78; AnandTech 77"},
    {"dram_latency", &C::dram_latency, 290, "cycles", published, "InstLatX64 ladder at 3.5 GHz"},
    {"stream_latency", &C::stream_latency, 24, "cycles a line", published, "InstLatX64 ladder, lines in a row"},
    {"dram_line_cycles", &C::dram_line_cycles, 14, "cycles a line", assumed, "16 GB/s for one core"},
    {"fetch_stream_cycles", &C::fetch_stream_cycles, 4, "cycles a line", assumed, "straight code from the second level"},
    {"fill_buffers", &C::fill_buffers, 12, "lines", published, "Intel optimisation manual"},
    {"split_line_cycles", &C::split_line_cycles, 5, "cycles", assumed, "of the kind"},
    {"store_buffer", &C::store_buffer, 56, "stores", published, "Intel optimisation manual"},
    {"dtlb_4k_sets", &C::dtlb_4k_sets, 16, "sets", published, "64 entries, CPUID 02H as InstLatX64 prints it"},
    {"dtlb_4k_ways", &C::dtlb_4k_ways, 4, "ways", published, "64 entries"},
    {"dtlb_2m_sets", &C::dtlb_2m_sets, 8, "sets", published, "32 entries"},
    {"dtlb_2m_ways", &C::dtlb_2m_ways, 4, "ways", published, "32 entries"},
    {"dtlb_1g_ways", &C::dtlb_1g_ways, 4, "ways", published, "4 entries"},
    {"itlb_4k_sets", &C::itlb_4k_sets, 16, "sets", published, "128 entries by AnandTech; AIDA prints 64"},
    {"itlb_4k_ways", &C::itlb_4k_ways, 8, "ways", published, "128 entries by AnandTech"},
    {"itlb_2m_ways", &C::itlb_2m_ways, 8, "ways", published, "8 entries"},
    {"stlb_sets", &C::stlb_sets, 128, "sets", published, "1,536 entries"},
    {"stlb_ways", &C::stlb_ways, 12, "ways", published, "1,536 entries"},
    {"stlb_1g_ways", &C::stlb_1g_ways, 16, "ways", published, "16 entries"},
    {"stlb_latency", &C::stlb_latency, 9, "cycles", published, "InstLatX64 ladder, 14 to 23 at a stride of 4 KiB"},
    {"pde_entries", &C::pde_entries, 32, "entries", assumed, "of the kind"},
    {"pdpte_entries", &C::pdpte_entries, 4, "entries", assumed, "of the kind"},
    {"pml4e_entries", &C::pml4e_entries, 4, "entries", assumed, "of the kind"},
    {"nested_pde_entries", &C::nested_pde_entries, 32, "entries", assumed, "of the kind"},
    {"walkers", &C::walkers, 2, "walks", published, "Intel, Skylake client"},
});

constexpr std::array kZen4Rows = std::to_array<ParameterRow>({
    {"issue_width", &C::issue_width, 6, "slots a cycle", assumed, "of the kind; blocks agree"},
    {"predecode_bytes", &C::predecode_bytes, 32, "bytes a cycle", assumed, "of the kind"},
    {"predecode_insns", &C::predecode_insns, 8, "instructions a cycle", assumed, "of the kind"},
    {"lcp_cycles", &C::lcp_cycles, 0, "cycles", fitted, "blocks show none"},
    {"decode_width", &C::decode_width, 4, "instructions a cycle", assumed, "of the kind"},
    {"one_complex_decoder", &C::one_complex_decoder, 0, "", assumed, "of the kind"},
    {"microcode_cycles", &C::microcode_cycles, 2, "cycles", assumed, "of the kind"},
    {"uop_cache_width", &C::uop_cache_width, 9, "slots a cycle", published, "AMD optimisation guide"},
    {"front_end_lead", &C::front_end_lead, 12, "cycles", fitted, "measured blocks"},
    {"rob_slots", &C::rob_slots, 320, "slots", assumed, "AMD optimisation guide"},
    {"port_lead", &C::port_lead, 32, "cycles", fitted, "measured blocks"},
    {"load_latency", &C::load_latency, 4, "cycles", measured, "pointer ladder"},
    {"vector_load_latency", &C::vector_load_latency, 7, "cycles", published, "uops.info"},
    {"chase_latency", &C::chase_latency, 4, "cycles", measured, "pointer ladder"},
    {"forward_latency", &C::forward_latency, 5, "cycles", fitted, "measured blocks"},
    {"renames_memory", &C::renames_memory, 1, "", measured, "a read-modify-write chain takes 1.1 cycles"},
    {"forward_fail", &C::forward_fail, 14, "cycles", fitted, "measured 19 from load to load"},
    {"lock_cycles", &C::lock_cycles, 7, "cycles", published, "uops.info"},
    {"string_startup", &C::string_startup, 35, "cycles", assumed, "as Skylake-SP"},
    {"string_chunk", &C::string_chunk, 32, "bytes a cycle", assumed, "as Skylake-SP"},
    {"divide_integer32", &C::divide_integer32, 6, "cycles", published, "uops.info"},
    {"divide_unsigned64", &C::divide_unsigned64, 7, "cycles", published, "uops.info"},
    {"divide_signed64", &C::divide_signed64, 7, "cycles", published, "uops.info"},
    {"divide_single", &C::divide_single, 3, "cycles", published, "uops.info"},
    {"divide_double", &C::divide_double, 5, "cycles", published, "uops.info"},
    {"root_single", &C::root_single, 5, "cycles", published, "uops.info"},
    {"root_double", &C::root_double, 8, "cycles", published, "uops.info"},
    {"divide_wide_factor", &C::divide_wide_factor, 2, "times", published, "uops.info"},
    {"stack_aliases_data", &C::stack_aliases_data, 1, "", measured, "protocol of the measured blocks"},
    {"block_passes", &C::block_passes, 2, "passes", measured, "protocol of the measured blocks"},
    {"mispredict_cycles", &C::mispredict_cycles, 13, "cycles", assumed, "21 measured from compare to first result"},
    {"resteer_cycles", &C::resteer_cycles, 8, "cycles", assumed, "of the kind"},
    {"btb_sets", &C::btb_sets, 1024, "sets", assumed, "of the kind"},
    {"btb_ways", &C::btb_ways, 8, "ways", assumed, "of the kind"},
    {"return_stack", &C::return_stack, 32, "entries", assumed, "of the kind"},
    {"l1i_sets", &C::l1i_sets, 64, "sets", measured, "lscpu"},
    {"l1i_ways", &C::l1i_ways, 8, "ways", measured, "lscpu"},
    {"l1d_sets", &C::l1d_sets, 64, "sets", measured, "lscpu"},
    {"l1d_ways", &C::l1d_ways, 8, "ways", measured, "lscpu"},
    {"l2_sets", &C::l2_sets, 2048, "sets", measured, "lscpu, 1 MiB"},
    {"l2_ways", &C::l2_ways, 8, "ways", measured, "lscpu, 1 MiB"},
    {"l3_sets", &C::l3_sets, 32768, "sets", measured, "lscpu, 32 MiB"},
    {"l3_ways", &C::l3_ways, 16, "ways", measured, "lscpu, 32 MiB"},
    {"l2_latency", &C::l2_latency, 14, "cycles", measured, "pointer ladder, 14.4 to 15"},
    {"l3_latency", &C::l3_latency, 55, "cycles", published, "InstLatX64 ladder, 50 to 67"},
    {"dram_latency", &C::dram_latency, 287, "cycles", published, "InstLatX64 ladder, 284 to 290"},
    {"stream_latency", &C::stream_latency, 24, "cycles a line", assumed, "as Skylake-SP"},
    {"dram_line_cycles", &C::dram_line_cycles, 10, "cycles a line", assumed, "24 GB/s for one core"},
    {"fetch_stream_cycles", &C::fetch_stream_cycles, 2, "cycles a line", assumed, "32 bytes a cycle"},
    {"fill_buffers", &C::fill_buffers, 24, "lines", assumed, "of the kind"},
    {"split_line_cycles", &C::split_line_cycles, 1, "cycles", assumed, "of the kind"},
    {"store_buffer", &C::store_buffer, 64, "stores", assumed, "of the kind"},
    {"dtlb_4k_sets", &C::dtlb_4k_sets, 1, "sets", assumed, "72 entries"},
    {"dtlb_4k_ways", &C::dtlb_4k_ways, 72, "ways", assumed, "72 entries"},
    {"dtlb_2m_sets", &C::dtlb_2m_sets, 1, "sets", assumed, "72 entries"},
    {"dtlb_2m_ways", &C::dtlb_2m_ways, 72, "ways", assumed, "72 entries"},
    {"dtlb_1g_ways", &C::dtlb_1g_ways, 72, "ways", assumed, "72 entries"},
    {"itlb_4k_sets", &C::itlb_4k_sets, 1, "sets", assumed, "64 entries"},
    {"itlb_4k_ways", &C::itlb_4k_ways, 64, "ways", assumed, "64 entries"},
    {"itlb_2m_ways", &C::itlb_2m_ways, 64, "ways", assumed, "64 entries"},
    {"stlb_sets", &C::stlb_sets, 128, "sets", assumed, "3,072 entries"},
    {"stlb_ways", &C::stlb_ways, 24, "ways", assumed, "3,072 entries"},
    {"stlb_1g_ways", &C::stlb_1g_ways, 64, "ways", assumed, "of the kind"},
    {"stlb_latency", &C::stlb_latency, 7, "cycles", measured, "pointer ladder, 4.0 to 11.0 at a stride of 4 KiB"},
    {"pde_entries", &C::pde_entries, 64, "entries", assumed, "of the kind"},
    {"pdpte_entries", &C::pdpte_entries, 16, "entries", assumed, "of the kind"},
    {"pml4e_entries", &C::pml4e_entries, 16, "entries", assumed, "of the kind"},
    {"nested_pde_entries", &C::nested_pde_entries, 64, "entries", assumed, "of the kind"},
    {"walkers", &C::walkers, 6, "walks", assumed, "of the kind"},
});
// clang-format on

constexpr bool alike() {
  if (kSkylakeRows.size() != kZen4Rows.size()) return false;
  for (size_t i = 0; i < kSkylakeRows.size(); ++i) {
    if (kSkylakeRows[i].field != kZen4Rows[i].field) return false;
  }
  return true;
}
static_assert(alike(), "both cores name the same parameters");

CoreParameters made(CoreParameters core, std::span<const ParameterRow> rows) {
  for (const ParameterRow& row : rows) core.*row.field = row.value;
  return core;
}

}  // namespace

std::string_view to_string(Evidence evidence) {
  switch (evidence) {
    case published: return "published";
    case measured: return "measured";
    case fitted: return "fitted";
    case assumed: break;
  }
  return "assumed";
}

const CoreParameters& skylake_core() {
  // clang-format off
  static const CoreParameters core = made(
      {.name = "skylake-sp", .uops = skylake_uops,
       .lanes = {0x63, 0x01, 0x02, 0x20, 0x41, 0x22, 0x03, 0x21, 0x23, 0x0C, 0x8C, 0x10, 0}},
      kSkylakeRows);
  // clang-format on
  return core;
}

const CoreParameters& zen4_core() {
  // clang-format off
  static const CoreParameters core = made(
      {.name = "zen4-core", .uops = zen4_uops,
       .lanes = {0x0F, 0x09, 0x06, 0x02, 0x70, 0x30, 0x180, 0x3C00, 0xC00, 0x1800, 0x3000, 0x2400, 0x2}},
      kZen4Rows);
  // clang-format on
  return core;
}

const CoreParameters* find_core(std::string_view name) {
  for (const CoreParameters* core : {&skylake_core(), &zen4_core()}) {
    if (core->name == name) return core;
  }
  return nullptr;
}

std::span<const ParameterRow> parameter_rows(const CoreParameters& core) {
  return &core == &skylake_core() ? std::span<const ParameterRow>{kSkylakeRows} : kZen4Rows;
}

}  // namespace vitrine::emu::timing
