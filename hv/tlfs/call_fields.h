// The wire form of each call as rows: the fields of its input, output and list elements, in order.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hv/tlfs/call_codes.h"

namespace vitrine::hv::tlfs {

enum class CallPart : std::uint8_t { input, input_element, output, output_element };

// A field's offset is the sum of the sizes in front of it in the same part.
struct CallField {
  Call call;
  CallPart part;
  std::uint16_t size;
  std::string_view name;
};

// The structures themselves are beside the calls in hv/tlfs; a test holds both against each other.
// HvUnmapGpaPages has no list, HvMapEventLogBuffer answers one page number for each page of the buffer.
// clang-format off
inline constexpr auto kCallFields = std::to_array<CallField>({
  {Call::switch_virtual_address_space,      CallPart::input,            8, "AddressSpace"},
  {Call::flush_virtual_address_space,       CallPart::input,            8, "AddressSpace"},
  {Call::flush_virtual_address_space,       CallPart::input,            8, "Flags"},
  {Call::flush_virtual_address_space,       CallPart::input,            8, "ProcessorMask"},
  {Call::flush_virtual_address_list,        CallPart::input,            8, "AddressSpace"},
  {Call::flush_virtual_address_list,        CallPart::input,            8, "Flags"},
  {Call::flush_virtual_address_list,        CallPart::input,            8, "ProcessorMask"},
  {Call::flush_virtual_address_list,        CallPart::input_element,    8, "GvaRange"},
  {Call::create_partition,                  CallPart::input,            8, "Flags"},
  {Call::create_partition,                  CallPart::input,            8, "ProximityDomainInfo"},
  {Call::create_partition,                  CallPart::output,           8, "PartitionId"},
  {Call::initialize_partition,              CallPart::input,            8, "PartitionId"},
  {Call::finalize_partition,                CallPart::input,            8, "PartitionId"},
  {Call::delete_partition,                  CallPart::input,            8, "PartitionId"},
  {Call::get_partition_property,            CallPart::input,            8, "PartitionId"},
  {Call::get_partition_property,            CallPart::input,            4, "PropertyCode"},
  {Call::get_partition_property,            CallPart::input,            4, "(padding)"},
  {Call::get_partition_property,            CallPart::output,           8, "PropertyValue"},
  {Call::set_partition_property,            CallPart::input,            8, "PartitionId"},
  {Call::set_partition_property,            CallPart::input,            4, "PropertyCode"},
  {Call::set_partition_property,            CallPart::input,            4, "(padding)"},
  {Call::set_partition_property,            CallPart::input,            8, "PropertyValue"},
  {Call::get_partition_id,                  CallPart::output,           8, "PartitionId"},
  {Call::get_next_child_partition,          CallPart::input,            8, "ParentId"},
  {Call::get_next_child_partition,          CallPart::input,            8, "PreviousChildId"},
  {Call::get_next_child_partition,          CallPart::output,           8, "NextChildId"},
  {Call::deposit_memory,                    CallPart::input,            8, "PartitionId"},
  {Call::deposit_memory,                    CallPart::input_element,    8, "GpaPageNumber"},
  {Call::withdraw_memory,                   CallPart::input,            8, "PartitionId"},
  {Call::withdraw_memory,                   CallPart::input,            8, "ProximityDomainInfo"},
  {Call::withdraw_memory,                   CallPart::output_element,   8, "GpaPageNumber"},
  {Call::get_memory_balance,                CallPart::input,            8, "PartitionId"},
  {Call::get_memory_balance,                CallPart::input,            8, "ProximityDomainInfo"},
  {Call::get_memory_balance,                CallPart::output,           8, "PagesAvailable"},
  {Call::get_memory_balance,                CallPart::output,           8, "PagesInUse"},
  {Call::map_gpa_pages,                     CallPart::input,            8, "TargetPartitionId"},
  {Call::map_gpa_pages,                     CallPart::input,            8, "TargetGpaBase"},
  {Call::map_gpa_pages,                     CallPart::input,            4, "MapFlags"},
  {Call::map_gpa_pages,                     CallPart::input,            4, "(padding)"},
  {Call::map_gpa_pages,                     CallPart::input_element,    8, "SourceGpaPageNumber"},
  {Call::unmap_gpa_pages,                   CallPart::input,            8, "TargetPartitionId"},
  {Call::unmap_gpa_pages,                   CallPart::input,            8, "TargetGpaBase"},
  {Call::install_intercept,                 CallPart::input,            8, "PartitionId"},
  {Call::install_intercept,                 CallPart::input,            4, "AccessType"},
  {Call::install_intercept,                 CallPart::input,            4, "InterceptType"},
  {Call::install_intercept,                 CallPart::input,            8, "InterceptParameter"},
  {Call::create_vp,                         CallPart::input,            8, "PartitionId"},
  {Call::create_vp,                         CallPart::input,            4, "VpIndex"},
  {Call::create_vp,                         CallPart::input,            4, "(padding)"},
  {Call::create_vp,                         CallPart::input,            8, "ProximityDomainInfo"},
  {Call::create_vp,                         CallPart::input,            8, "Flags"},
  {Call::delete_vp,                         CallPart::input,            8, "PartitionId"},
  {Call::delete_vp,                         CallPart::input,            4, "VpIndex"},
  {Call::delete_vp,                         CallPart::input,            4, "(padding)"},
  {Call::get_vp_registers,                  CallPart::input,            8, "PartitionId"},
  {Call::get_vp_registers,                  CallPart::input,            4, "VpIndex"},
  {Call::get_vp_registers,                  CallPart::input,            4, "(padding)"},
  {Call::get_vp_registers,                  CallPart::input_element,    4, "RegisterName"},
  {Call::get_vp_registers,                  CallPart::output_element,  16, "RegisterValue"},
  {Call::set_vp_registers,                  CallPart::input,            8, "PartitionId"},
  {Call::set_vp_registers,                  CallPart::input,            4, "VpIndex"},
  {Call::set_vp_registers,                  CallPart::input,            4, "(padding)"},
  {Call::set_vp_registers,                  CallPart::input_element,    4, "RegisterName"},
  {Call::set_vp_registers,                  CallPart::input_element,   12, "(padding)"},
  {Call::set_vp_registers,                  CallPart::input_element,   16, "RegisterValue"},
  {Call::translate_virtual_address,         CallPart::input,            8, "PartitionId"},
  {Call::translate_virtual_address,         CallPart::input,            4, "VpIndex"},
  {Call::translate_virtual_address,         CallPart::input,            4, "(padding)"},
  {Call::translate_virtual_address,         CallPart::input,            8, "ControlFlags"},
  {Call::translate_virtual_address,         CallPart::input,            8, "GvaPage"},
  {Call::translate_virtual_address,         CallPart::output,           8, "TranslationResult"},
  {Call::translate_virtual_address,         CallPart::output,           8, "GpaPage"},
  {Call::read_gpa,                          CallPart::input,            8, "PartitionId"},
  {Call::read_gpa,                          CallPart::input,            4, "VpIndex"},
  {Call::read_gpa,                          CallPart::input,            4, "ByteCount"},
  {Call::read_gpa,                          CallPart::input,            8, "BaseGpa"},
  {Call::read_gpa,                          CallPart::input,            8, "ControlFlags"},
  {Call::read_gpa,                          CallPart::output,           8, "AccessResult"},
  {Call::read_gpa,                          CallPart::output,          16, "Data"},
  {Call::write_gpa,                         CallPart::input,            8, "PartitionId"},
  {Call::write_gpa,                         CallPart::input,            4, "VpIndex"},
  {Call::write_gpa,                         CallPart::input,            4, "ByteCount"},
  {Call::write_gpa,                         CallPart::input,            8, "BaseGpa"},
  {Call::write_gpa,                         CallPart::input,            8, "ControlFlags"},
  {Call::write_gpa,                         CallPart::input,           16, "Data"},
  {Call::write_gpa,                         CallPart::output,           8, "AccessResult"},
  {Call::assert_virtual_interrupt,          CallPart::input,            8, "DestinationPartition"},
  {Call::assert_virtual_interrupt,          CallPart::input,            8, "InterruptControl"},
  {Call::assert_virtual_interrupt,          CallPart::input,            8, "DestinationAddress"},
  {Call::assert_virtual_interrupt,          CallPart::input,            4, "RequestedVector"},
  {Call::assert_virtual_interrupt,          CallPart::input,            4, "(padding)"},
  {Call::clear_virtual_interrupt,           CallPart::input,            8, "PartitionId"},
  {Call::create_port,                       CallPart::input,            8, "PortPartition"},
  {Call::create_port,                       CallPart::input,            4, "PortId"},
  {Call::create_port,                       CallPart::input,            4, "(padding)"},
  {Call::create_port,                       CallPart::input,            8, "ConnectionPartition"},
  {Call::create_port,                       CallPart::input,            4, "PortInfo.Type"},
  {Call::create_port,                       CallPart::input,            4, "(padding)"},
  {Call::create_port,                       CallPart::input,            4, "PortInfo.TargetSint"},
  {Call::create_port,                       CallPart::input,            4, "PortInfo.TargetVp"},
  {Call::create_port,                       CallPart::input,            2, "PortInfo.BaseFlag"},
  {Call::create_port,                       CallPart::input,            2, "PortInfo.FlagCount"},
  {Call::create_port,                       CallPart::input,            4, "(padding)"},
  {Call::delete_port,                       CallPart::input,            8, "PortPartition"},
  {Call::delete_port,                       CallPart::input,            4, "PortId"},
  {Call::delete_port,                       CallPart::input,            4, "(padding)"},
  {Call::connect_port,                      CallPart::input,            8, "ConnectionPartition"},
  {Call::connect_port,                      CallPart::input,            4, "ConnectionId"},
  {Call::connect_port,                      CallPart::input,            4, "(padding)"},
  {Call::connect_port,                      CallPart::input,            8, "PortPartition"},
  {Call::connect_port,                      CallPart::input,            4, "PortId"},
  {Call::connect_port,                      CallPart::input,            4, "(padding)"},
  {Call::connect_port,                      CallPart::input,            4, "ConnectionInfo.Type"},
  {Call::connect_port,                      CallPart::input,            4, "(padding)"},
  {Call::connect_port,                      CallPart::input,            8, "ConnectionInfo.Reserved"},
  {Call::get_port_property,                 CallPart::input,            8, "PortPartition"},
  {Call::get_port_property,                 CallPart::input,            4, "PortId"},
  {Call::get_port_property,                 CallPart::input,            4, "(padding)"},
  {Call::get_port_property,                 CallPart::input,            4, "PropertyCode"},
  {Call::get_port_property,                 CallPart::input,            4, "(padding)"},
  {Call::get_port_property,                 CallPart::output,           8, "PropertyValue"},
  {Call::disconnect_port,                   CallPart::input,            8, "ConnectionPartition"},
  {Call::disconnect_port,                   CallPart::input,            4, "ConnectionId"},
  {Call::disconnect_port,                   CallPart::input,            4, "(padding)"},
  {Call::post_message,                      CallPart::input,            4, "ConnectionId"},
  {Call::post_message,                      CallPart::input,            4, "(padding)"},
  {Call::post_message,                      CallPart::input,            4, "MessageType"},
  {Call::post_message,                      CallPart::input,            4, "PayloadSize"},
  {Call::post_message,                      CallPart::input,          240, "Message"},
  {Call::signal_event,                      CallPart::input,            4, "ConnectionId"},
  {Call::signal_event,                      CallPart::input,            2, "FlagNumber"},
  {Call::signal_event,                      CallPart::input,            2, "(padding)"},
  {Call::initialize_event_log_buffer_group, CallPart::input,            4, "EventLogType"},
  {Call::initialize_event_log_buffer_group, CallPart::input,            4, "MaximumBufferCount"},
  {Call::initialize_event_log_buffer_group, CallPart::input,            4, "BufferSizeInPages"},
  {Call::initialize_event_log_buffer_group, CallPart::input,            4, "Threshold"},
  {Call::initialize_event_log_buffer_group, CallPart::input,            4, "TimeBasis"},
  {Call::initialize_event_log_buffer_group, CallPart::input,            4, "(padding)"},
  {Call::initialize_event_log_buffer_group, CallPart::input,            8, "SystemTime"},
  {Call::finalize_event_log_buffer_group,   CallPart::input,            4, "EventLogType"},
  {Call::finalize_event_log_buffer_group,   CallPart::input,            4, "(padding)"},
  {Call::create_event_log_buffer,           CallPart::input,            4, "EventLogType"},
  {Call::create_event_log_buffer,           CallPart::input,            4, "BufferIndex"},
  {Call::create_event_log_buffer,           CallPart::input,            8, "ProximityDomainInfo"},
  {Call::delete_event_log_buffer,           CallPart::input,            4, "EventLogType"},
  {Call::delete_event_log_buffer,           CallPart::input,            4, "BufferIndex"},
  {Call::map_event_log_buffer,              CallPart::input,            4, "EventLogType"},
  {Call::map_event_log_buffer,              CallPart::input,            4, "BufferIndex"},
  {Call::unmap_event_log_buffer,            CallPart::input,            4, "EventLogType"},
  {Call::unmap_event_log_buffer,            CallPart::input,            4, "BufferIndex"},
  {Call::set_event_log_group_sources,       CallPart::input,            4, "EventLogType"},
  {Call::set_event_log_group_sources,       CallPart::input,            4, "(padding)"},
  {Call::set_event_log_group_sources,       CallPart::input,            8, "EnableFlags"},
  {Call::release_event_log_buffer,          CallPart::input,            4, "EventLogType"},
  {Call::release_event_log_buffer,          CallPart::input,            4, "BufferIndex"},
  {Call::flush_event_log_buffer,            CallPart::input,            4, "EventLogType"},
  {Call::flush_event_log_buffer,            CallPart::input,            4, "BufferIndex"},
});
// clang-format on

constexpr bool call_fields_in_order() {
  for (std::size_t i = 1; i < kCallFields.size(); ++i) {
    const CallField& before = kCallFields[i - 1];
    const CallField& row = kCallFields[i];
    if (row.call < before.call || (row.call == before.call && row.part < before.part)) return false;
  }
  return true;
}
static_assert(call_fields_in_order());

}  // namespace vitrine::hv::tlfs
