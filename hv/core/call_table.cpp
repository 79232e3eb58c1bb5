// The table of implemented hypercalls: code, gating privilege, handlers; sizes follow from the handlers.
#include <array>

#include "hv/core/handlers.h"

namespace vitrine::hv {
namespace {

using tlfs::Call;
using tlfs::Privilege;

// A privilege stands here when the whole call needs it; calls that ask for it only in some cases, or after
// naming a partition, ask in their handler.
// clang-format off
constexpr auto kCalls = std::to_array<CallRow>({
  simple_call<switch_virtual_address_space>(Call::switch_virtual_address_space, Privilege::none),
  simple_call<flush_virtual_address_space>(Call::flush_virtual_address_space, Privilege::none),
  rep_call<begin_flush_list, flush_range>(Call::flush_virtual_address_list, Privilege::none),
  simple_call<get_logical_processor_run_time>(Call::get_logical_processor_run_time,
                                              Privilege::cpu_management),
  simple_call<create_partition>(Call::create_partition, Privilege::create_partitions),
  simple_call<initialize_partition>(Call::initialize_partition, Privilege::none),
  simple_call<finalize_partition>(Call::finalize_partition, Privilege::none),
  simple_call<delete_partition>(Call::delete_partition, Privilege::none),
  simple_call<get_partition_property>(Call::get_partition_property, Privilege::none),
  simple_call<set_partition_property>(Call::set_partition_property, Privilege::none),
  simple_call<get_partition_id>(Call::get_partition_id, Privilege::access_partition_id),
  simple_call<get_next_child_partition>(Call::get_next_child_partition, Privilege::none),
  rep_call<begin_deposit, deposit_element>(Call::deposit_memory, Privilege::access_memory_pool),
  rep_call<begin_withdraw, withdraw_element>(Call::withdraw_memory, Privilege::access_memory_pool),
  simple_call<get_memory_balance>(Call::get_memory_balance, Privilege::access_memory_pool),
  rep_call<begin_map, map_element>(Call::map_gpa_pages, Privilege::none),
  rep_call<begin_unmap, unmap_element>(Call::unmap_gpa_pages, Privilege::none),
  simple_call<install_intercept>(Call::install_intercept, Privilege::none),
  simple_call<create_vp>(Call::create_vp, Privilege::none),
  simple_call<delete_vp>(Call::delete_vp, Privilege::none),
  rep_call<begin_get_registers, get_register_element>(Call::get_vp_registers, Privilege::none),
  rep_call<begin_set_registers, set_register_element>(Call::set_vp_registers, Privilege::none),
  simple_call<translate_virtual_address>(Call::translate_virtual_address, Privilege::none),
  simple_call<read_gpa>(Call::read_gpa, Privilege::none),
  simple_call<write_gpa>(Call::write_gpa, Privilege::none),
  simple_call<assert_virtual_interrupt>(Call::assert_virtual_interrupt, Privilege::none),
  simple_call<clear_virtual_interrupt>(Call::clear_virtual_interrupt, Privilege::none),
  simple_call<create_port>(Call::create_port, Privilege::none),
  simple_call<delete_port>(Call::delete_port, Privilege::none),
  simple_call<connect_port>(Call::connect_port, Privilege::none),
  simple_call<get_port_property>(Call::get_port_property, Privilege::none),
  simple_call<disconnect_port>(Call::disconnect_port, Privilege::none),
  simple_call<post_message>(Call::post_message, Privilege::post_messages),
  simple_call<signal_event>(Call::signal_event, Privilege::signal_events),
  simple_call<initialize_event_log_buffer_group>(Call::initialize_event_log_buffer_group, Privilege::none),
  simple_call<finalize_event_log_buffer_group>(Call::finalize_event_log_buffer_group, Privilege::none),
  simple_call<create_event_log_buffer>(Call::create_event_log_buffer, Privilege::none),
  simple_call<delete_event_log_buffer>(Call::delete_event_log_buffer, Privilege::none),
  simple_call<map_event_log_buffer>(Call::map_event_log_buffer, Privilege::none),
  simple_call<unmap_event_log_buffer>(Call::unmap_event_log_buffer, Privilege::none),
  simple_call<set_event_log_group_sources>(Call::set_event_log_group_sources, Privilege::none),
  simple_call<release_event_log_buffer>(Call::release_event_log_buffer, Privilege::none),
  simple_call<flush_event_log_buffer>(Call::flush_event_log_buffer, Privilege::none),
  simple_call<set_system_property>(Call::set_system_property, Privilege::none),
  simple_call<enter_sleep_state>(Call::enter_sleep_state, Privilege::none),
});
// clang-format on

constexpr bool has_its_class(const CallRow& call) {
  for (const tlfs::CallCode& row : tlfs::kCallCodes) {
    if (row.code != static_cast<std::uint16_t>(call.code)) continue;
    return (row.kind == tlfs::CallClass::rep) == call.is_rep;
  }
  return false;
}

// Ascending, and each of the class that the TLFS gives its code.
constexpr bool calls_are_right() {
  for (std::size_t i = 0; i < kCalls.size(); ++i) {
    if (i != 0 && kCalls[i].code <= kCalls[i - 1].code) return false;
    if (!has_its_class(kCalls[i])) return false;
  }
  return true;
}
static_assert(calls_are_right());

}  // namespace

const CallRow* find_call_row(std::uint16_t code) {
  std::size_t low = 0;
  std::size_t high = kCalls.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (static_cast<std::uint16_t>(kCalls[middle].code) < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const bool found = low < kCalls.size() && static_cast<std::uint16_t>(kCalls[low].code) == code;
  return found ? &kCalls[low] : nullptr;
}

std::span<const CallRow> call_table() { return kCalls; }

}  // namespace vitrine::hv
