// The test device of bare-metal tests: messages and events of the root that come back to itself.
#pragma once

#include <array>
#include <cstdint>

#include "hv/core/message_buffer.h"
#include "hv/core/outcome.h"
#include "hv/tlfs/message_types.h"
#include "hv/tlfs/port_calls.h"

namespace vitrine::hv {

struct Caller;
struct Hypervisor;

// A connection without a port: what is posted to it arrives at a SINT of the root.
struct TestConnection {
  enum class Kind : std::uint8_t { none, message, event };

  tlfs::Message message;
  MessageBuffer buffer;
  Kind kind{};
  std::uint8_t id{};
  std::uint8_t vp{};
  std::uint8_t sint{};
  std::uint32_t reserved{};
};

struct TestDevice {
  static constexpr std::uint16_t kPort = 0x3000;

  std::array<TestConnection, 8> connections{};
  std::uint64_t enabled{};
};

// A word written to its port: identifier in 31:24, command in 23:16, VP in 15:8, SINT in 7:0.
void write_test_device(Hypervisor& hv, std::uint32_t processor, std::uint32_t word);

// HvPostMessage and HvSignalEvent by the root on a connection that it has not: the test device may have it.
Done post_to_test_device(Caller& caller, const tlfs::PostMessageInput& in);
Done signal_test_device(Caller& caller, const tlfs::SignalEventInput& in);

}  // namespace vitrine::hv
