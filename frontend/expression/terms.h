// The terms of the expression grammar: one table for parsing, help, completion and the reference.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace vitrine::ui {

/// What a term stands for. Events are true at the moment they happen; values can be compared.
enum class Term : uint8_t {
  cycle, instructions, processor, rip, symbol, reg, serial, hypercall_enter, hypercall_leave,
  hypercall_status, partition_state, partition_pool, eventlog_buffer_state, exit, entry, interrupt,
  exception, memory
};

/// What has to be watched for a term to be known when it changes.
enum class Watch : uint8_t {
  nothing, every_instruction, hypervisor_objects, serial_output, vm_exits, hypercalls, interrupts
};

enum class ArgumentKind : uint8_t { none, number, text, name };

struct TermRow {
  Term term;
  /// `path` with its arguments in place: "eventlog(type).buffer(index).state".
  std::string_view pattern;
  std::array<ArgumentKind, 2> arguments;
  bool event;  ///< true or false at a moment; not comparable
  Watch watch;
  std::string_view meaning;
  std::string_view example;
};

// clang-format off
inline constexpr auto kTerms = [] {
  using enum ArgumentKind;
  return std::array<TermRow, 18>{{
    {Term::cycle,            "cycle",                 {none, none},     false, Watch::nothing,
     "machine time in core cycles since reset", "cycle >= 1000000"},
    {Term::instructions,     "instructions",          {none, none},     false, Watch::nothing,
     "instructions retired by all processors", "instructions >= 5000"},
    {Term::processor,        "processor",             {none, none},     false, Watch::every_instruction,
     "index of the processor whose instruction is next", "processor == 0 && cycle > 100"},
    {Term::rip,              "rip",                   {none, none},     false, Watch::every_instruction,
     "address of the next instruction", "rip == symbol(hv, dispatch)"},
    {Term::symbol,           "symbol(image, name)",   {name, name},     false, Watch::nothing,
     "address of a symbol; images are hv, root and child", "rip == symbol(root, main)"},
    {Term::reg,              "reg(name)",             {name, none},     false, Watch::every_instruction,
     "a general-purpose register of the processor", "reg(rax) == 0x42"},
    {Term::serial,           "serial(text)",          {text, none},     true,  Watch::serial_output,
     "the serial line has just finished printing the text", "serial(\"login:\")"},
    {Term::hypercall_enter,  "hypercall(code).enter", {number, none},   true,  Watch::hypercalls,
     "a hypercall of this code reaches the hypervisor for the first time", "hypercall(0x42).enter"},
    {Term::hypercall_leave,  "hypercall(code).leave", {number, none},   true,  Watch::hypercalls,
     "a hypercall of this code returns to its caller, finished", "hypercall(0x68).leave"},
    {Term::hypercall_status, "hypercall(code).status", {number, none},  false, Watch::hypercalls,
     "status of the last finished hypercall of this code", "hypercall(0x42).status == 0"},
    {Term::partition_state,  "partition(id).state",   {number, none},   false, Watch::hypervisor_objects,
     "uninitialized, active, finalizing, finalized or absent", "partition(2).state == finalizing"},
    {Term::partition_pool,   "partition(id).pool",    {number, none},   false, Watch::hypervisor_objects,
     "pages in the partition's memory pool, used or not", "partition(2).pool > 0"},
    {Term::eventlog_buffer_state, "eventlog(type).buffer(index).state", {number, number}, false, Watch::hypervisor_objects,
     "standby, free, in_use, complete, ready or absent", "eventlog(0).buffer(1).state -> complete"},
    {Term::exit,             "exit(reason)",          {name, none},     true,  Watch::vm_exits,
     "a VM exit with this reason", "exit(ept_violation)"},
    {Term::entry,            "entry",                 {none, none},     true,  Watch::vm_exits,
     "a VM entry", "entry && cycle > 1000"},
    {Term::interrupt,        "interrupt(vector)",     {number, none},   true,  Watch::interrupts,
     "an external interrupt of this vector is delivered", "interrupt(0x30)"},
    {Term::exception,        "exception(vector)",     {number, none},   true,  Watch::interrupts,
     "an exception of this vector is delivered", "exception(14)"},
    {Term::memory,           "memory(address)",       {number, none},   false, Watch::every_instruction,
     "eight bytes of guest-virtual memory; 0 where nothing is mapped", "memory(0x1000) != 0"},
  }};
}();
// clang-format on

constexpr bool terms_in_order() {
  for (size_t i = 0; i < kTerms.size(); ++i) {
    if (kTerms[i].term != static_cast<Term>(i)) return false;
  }
  return true;
}
static_assert(terms_in_order(), "one row per term, in the order of the enumeration");

/// Names that stand for numbers: states, exit reasons without their own table.
struct NamedValue {
  std::string_view name;
  uint64_t value;
};
inline constexpr uint64_t kAbsentState = 0xFF;
// clang-format off
inline constexpr std::array<NamedValue, 12> kPartitionAndBufferStates = {{
    {"absent", kAbsentState},
    {"uninitialized", 0}, {"active", 1}, {"finalizing", 2}, {"finalized", 3},
    {"standby", 0}, {"free", 1}, {"in_use", 2}, {"complete", 3}, {"ready", 4},
    {"false", 0}, {"true", 1},
}};
// clang-format on

}  // namespace vitrine::ui
