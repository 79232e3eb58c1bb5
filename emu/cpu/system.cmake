# The system parts of a processor: privilege, segmentation, events and their instructions.
target_sources(emu_cpu PRIVATE
  boundary.cpp breakpoints.cpp control_registers.cpp event_stack.cpp interrupts.cpp msr.cpp reset.cpp
  segmentation.cpp state.cpp state_area.cpp task_switch.cpp timing_events.cpp
  handlers/far_return.cpp handlers/far_transfer.cpp handlers/segment.cpp
  handlers/segment_query.cpp handlers/segment_tables.cpp handlers/state_image.cpp
  handlers/system_call.cpp handlers/system_control.cpp handlers/system_interrupt.cpp
  handlers/system_msr.cpp handlers/system_port.cpp)
