// Timing level `count`: fixed cycles per instruction class and per serialising event, frozen per version.
#pragma once

#include <array>
#include <cstdint>

#include "emu/cpu/instruction_table.h"

namespace vitrine::emu::timing {

/// Changes whenever any number below changes: goldens quote it.
inline constexpr uint32_t kCountVersion = 1;

struct ClassCost {
  CostClass cost_class;
  uint8_t cycles;
};

// Reciprocal-throughput-like figures of a Skylake-SP core, rounded to whole cycles; assumed where the
// manual and published measurements give ranges. The level ignores overlap by design.
// clang-format off
inline constexpr std::array<ClassCost, static_cast<size_t>(CostClass::kCount)> kClassCosts = {{
    {CostClass::alu, 1},            {CostClass::load_op, 1},       {CostClass::store_op, 1},
    {CostClass::branch, 1},         {CostClass::call, 2},          {CostClass::mul, 3},
    {CostClass::div8, 12},          {CostClass::div16, 14},        {CostClass::div32, 16},
    {CostClass::div64, 36},         {CostClass::shift_double, 2},  {CostClass::bit_scan, 1},
    {CostClass::string_iteration, 1}, {CostClass::push_pop, 1},    {CostClass::segment_load, 9},
    {CostClass::far_transfer, 40},  {CostClass::interrupt, 60},    {CostClass::iret, 45},
    {CostClass::syscall, 30},       {CostClass::flags_image, 5},   {CostClass::control_register, 60},
    {CostClass::msr, 90},           {CostClass::cpuid, 100},       {CostClass::rdtsc, 25},
    {CostClass::port, 200},         {CostClass::cache_control, 40}, {CostClass::tlb_control, 120},
    {CostClass::fence, 8},          {CostClass::lock_op, 18},      {CostClass::x87_simple, 1},
    {CostClass::x87_mul, 3},        {CostClass::x87_div, 14},      {CostClass::x87_transcendental, 80},
    {CostClass::x87_state, 60},     {CostClass::mmx, 1},           {CostClass::sse_move, 1},
    {CostClass::sse_alu, 1},        {CostClass::sse_mul, 1},       {CostClass::sse_div, 5},
    {CostClass::sse_convert, 2},    {CostClass::sse_shuffle, 1},   {CostClass::xsave, 80},
    {CostClass::crypto, 2},         {CostClass::random, 200},      {CostClass::vmx_light, 30},
    {CostClass::vmx_heavy, 250},    {CostClass::hlt, 10},          {CostClass::system, 30},
}};
// clang-format on

constexpr bool in_class_order() {
  for (size_t i = 0; i < kClassCosts.size(); ++i) {
    if (kClassCosts[i].cost_class != static_cast<CostClass>(i)) return false;
  }
  return true;
}
static_assert(in_class_order(), "one row per class, in the order of the enumeration");

constexpr uint8_t class_cycles(CostClass c) { return kClassCosts[static_cast<size_t>(c)].cycles; }

/// What serialising events cost on top of the instruction that causes them, in core cycles. Assumed
/// where no published figure exists: Skylake-SP exit and entry together measure near 1,000 cycles.
struct EventCosts {
  uint32_t exception = 90;
  uint32_t external_interrupt = 110;
  uint32_t task_switch = 250;
  uint32_t vm_exit = 550;
  uint32_t vm_entry = 450;
  uint32_t ipi_latency = 400;  ///< sender's clock to receiver's IRR
};
inline constexpr EventCosts kEventCosts{};

}  // namespace vitrine::emu::timing
