// The handlers of all implemented hypercalls, each with its one-line promise.
#pragma once

#include "hv/core/call.h"
#include "hv/tlfs/event_log.h"
#include "hv/tlfs/flush_calls.h"
#include "hv/tlfs/intercepts.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/port_calls.h"
#include "hv/tlfs/system_calls.h"
#include "hv/tlfs/vp_calls.h"

namespace vitrine::hv {

using tlfs::Nothing;

// --- address_space.cpp: 0x0001-0x0003 --------------------------------------------------------------
// Loads CR3 and forgets the old space's translations, like MOV to CR3.
Done switch_virtual_address_space(Caller&, const tlfs::SwitchSpaceInput&);
// Forgets the translations of one or all address spaces on a set of the caller's VPs.
Done flush_virtual_address_space(Caller&, const tlfs::FlushSpaceInput&);
// Forgets the translations of listed page ranges on a set of the caller's VPs.
Outcome<tlfs::FlushSpaceInput> begin_flush_list(Caller&, const tlfs::FlushSpaceInput&);
Done flush_range(Caller&, tlfs::FlushSpaceInput&, const tlfs::GvaRange&, std::uint32_t);

// --- partition_life.cpp: 0x0040-0x0043, 0x0046, 0x0047 -----------------------------------------------
// Makes an uninitialized child of the caller, with an empty pool.
Outcome<tlfs::PartitionOutput> create_partition(Caller&, const tlfs::CreatePartitionInput&);
// Gives a child its memory map and overlay pages: uninitialized to active.
Done initialize_partition(Caller&, const tlfs::PartitionInput&);
// Takes everything an active child owns apart, page by page, into its own pool.
Done finalize_partition(Caller&, const tlfs::PartitionInput&);
// Forgets an uninitialized or finalized child whose pool is drained.
Done delete_partition(Caller&, const tlfs::PartitionInput&);
// Tells the caller its own identifier.
Outcome<tlfs::PartitionOutput> get_partition_id(Caller&, const Nothing&);
// Walks the children of a partition in order of creation.
Outcome<tlfs::PartitionOutput> get_next_child_partition(Caller&, const tlfs::NextChildInput&);

// --- partition_properties.cpp: 0x0044, 0x0045 ----------------------------------------------------------
// Reads a property of a child, or of the root itself.
Outcome<tlfs::PropertyOutput> get_partition_property(Caller&, const tlfs::GetPropertyInput&);
// Writes a property of a child, or of the root itself.
Done set_partition_property(Caller&, const tlfs::SetPropertyInput&);

// --- pool_calls.cpp: 0x0048-0x004A -----------------------------------------------------------------------
// Moves pages of the caller into a pool.
Outcome<Partition*> begin_deposit(Caller&, const tlfs::PartitionInput&);
Done deposit_element(Caller&, Partition*&, const tlfs::GpaPageElement&, std::uint32_t);
// Moves unused pages of a pool back to the caller.
Outcome<Partition*> begin_withdraw(Caller&, const tlfs::PoolInput&);
Outcome<tlfs::GpaPageElement> withdraw_element(Caller&, Partition*&, const Nothing&, std::uint32_t);
// Counts the pages of a pool.
Outcome<tlfs::BalanceOutput> get_memory_balance(Caller&, const tlfs::PoolInput&);

// --- gpa_calls.cpp: 0x004B, 0x004C ------------------------------------------------------------------------
// What the elements of a map or unmap call need.
struct GpaTarget {
  Partition* partition{};
  std::uint64_t gpa_base{};
  Rights rights{};
};
// Maps pages of the caller into a child, or sets the root's rights to its own pages.
Outcome<GpaTarget> begin_map(Caller&, const tlfs::MapGpaInput&);
Done map_element(Caller&, GpaTarget&, const tlfs::GpaPageElement&, std::uint32_t);
// Unmaps pages of a child.
Outcome<GpaTarget> begin_unmap(Caller&, const tlfs::UnmapGpaInput&);
Done unmap_element(Caller&, GpaTarget&, const Nothing&, std::uint32_t);

// --- intercepts.cpp: 0x004D -----------------------------------------------------------------------------
// Installs, changes or removes an intercept on a child.
Done install_intercept(Caller&, const tlfs::InstallInterceptInput&);

// --- vp_life.cpp: 0x004E, 0x004F --------------------------------------------------------------------------
// Makes a virtual processor in a child, explicitly suspended.
Done create_vp(Caller&, const tlfs::CreateVpInput&);
// Takes a child's virtual processor apart.
Done delete_vp(Caller&, const tlfs::VpInput&);

// --- vp_registers.cpp: 0x0050, 0x0051 -----------------------------------------------------------------------
// Reads registers of a VP of a child or of the caller.
Outcome<VirtualProcessor*> begin_get_registers(Caller&, const tlfs::VpInput&);
Outcome<tlfs::U128> get_register_element(Caller&, VirtualProcessor*&, const tlfs::RegisterName&,
                                         std::uint32_t);
// Writes registers of a VP of a child.
Outcome<VirtualProcessor*> begin_set_registers(Caller&, const tlfs::VpInput&);
Done set_register_element(Caller&, VirtualProcessor*&, const tlfs::RegisterAssignment&,
                          std::uint32_t);

// --- guest_access.cpp: 0x0052-0x0054 --------------------------------------------------------------------------
// Walks the page tables of a child's VP.
Outcome<tlfs::TranslateOutput> translate_virtual_address(Caller&, const tlfs::TranslateInput&);
// Reads up to 16 bytes of a child's memory as one of its VPs would.
Outcome<tlfs::ReadGpaOutput> read_gpa(Caller&, const tlfs::ReadGpaInput&);
// Writes up to 16 bytes of a child's memory as one of its VPs would.
Outcome<tlfs::WriteGpaOutput> write_gpa(Caller&, const tlfs::WriteGpaInput&);

// --- virtual_interrupts.cpp: 0x0055, 0x0056 -------------------------------------------------------------------
// Requests an interrupt in a child.
Done assert_virtual_interrupt(Caller&, const tlfs::AssertInterruptInput&);
// Ends an acknowledged external interrupt of a child.
Done clear_virtual_interrupt(Caller&, const tlfs::PartitionInput&);

// --- port_calls.cpp: 0x0057-0x005D -----------------------------------------------------------------------------
// Makes a port that one other partition may connect to.
Done create_port(Caller&, const tlfs::CreatePortInput&);
// Removes a port with its message buffers, delivered or not.
Done delete_port(Caller&, const tlfs::PortInput&);
// Connects a partition to a port made for it.
Done connect_port(Caller&, const tlfs::ConnectPortInput&);
// Reads a property of a port.
Outcome<tlfs::PropertyOutput> get_port_property(Caller&, const tlfs::GetPortPropertyInput&);
// Removes a connection; messages under way arrive.
Done disconnect_port(Caller&, const tlfs::ConnectionInput&);
// Sends a message to the port of a connection.
Done post_message(Caller&, const tlfs::PostMessageInput&);
// Sets an event flag at the port of a connection.
Done signal_event(Caller&, const tlfs::SignalEventInput&);

// --- event_log_calls.cpp: 0x0060-0x0068 ------------------------------------------------------------------------
// Prepares a buffer group.
Done initialize_event_log_buffer_group(Caller&, const tlfs::InitializeEventLogInput&);
// Forgets a buffer group that has no buffer and logs nothing.
Done finalize_event_log_buffer_group(Caller&, const tlfs::EventLogGroupInput&);
// Makes a buffer, in Standby.
Done create_event_log_buffer(Caller&, const tlfs::CreateEventLogBufferInput&);
// Removes a buffer in Standby.
Done delete_event_log_buffer(Caller&, const tlfs::EventLogBufferInput&);
// Shows a buffer to the root, read-only: Standby to Free.
Outcome<tlfs::GpaPageElement> map_event_log_buffer(Caller&, const tlfs::EventLogBufferInput&);
// Hides a buffer: Free or Ready to Standby.
Done unmap_event_log_buffer(Caller&, const tlfs::EventLogBufferInput&);
// Chooses what is logged.
Done set_event_log_group_sources(Caller&, const tlfs::EventLogSourcesInput&);
// Gives a buffer back that the root has read: Ready to Free.
Done release_event_log_buffer(Caller&, const tlfs::EventLogBufferInput&);
// Completes a partly filled buffer and sends the ready message at once.
Done flush_event_log_buffer(Caller&, const tlfs::EventLogBufferInput&);

// --- system_calls.cpp: 0x0004, 0x006F, 0x0084 -----------------------------------------------------------

Outcome<tlfs::RunTimeOutput> get_logical_processor_run_time(Caller&, const tlfs::ProcessorInput&);
// Registers how the machine is turned off.
Done set_system_property(Caller&, const tlfs::SetSystemPropertyInput&);
// Turns the machine off.
Done enter_sleep_state(Caller&, const tlfs::EnterSleepStateInput&);

}  // namespace vitrine::hv
