// The test device: connections of the root to itself, their statuses, and who may not use them.
#include <catch2/catch.hpp>

#include "hv/core/test_device.h"
#include "tests/hv/core/status_cases.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

constexpr std::uint32_t kRaise = 3;
constexpr std::uint32_t kCreateMessage = 4;
constexpr std::uint32_t kDestroyMessage = 5;
constexpr std::uint32_t kCreateEvent = 6;
constexpr std::uint32_t kDestroyEvent = 7;

struct Scene {
  Machine machine;
  hv::VirtualProcessor& vp;

  Scene() : vp(*machine.root().vp) {
    machine.hv.test_device.enabled = 1;
    machine.enable_synic(vp, 0x100, 0x101);
  }
  void write(std::uint32_t command, std::uint32_t sint, std::uint32_t id, std::uint32_t index = 0) {
    write_test_device(machine.hv, 0, id << 24 | command << 16 | index << 8 | sint);
  }
  Status post(std::uint32_t id, std::uint32_t type = 9) {
    tl::PostMessageInput in{.connection = id, .type = type, .payload_size = 3};
    in.payload = {1, 2, 3};
    return machine.call(Call::post_message, in).status;
  }
  Status signal(std::uint32_t id, std::uint16_t flag = 0) {
    return machine.call(Call::signal_event, tl::SignalEventInput{.connection = id, .flag = flag})
        .status;
  }
};

TEST_CASE("a message to the test device arrives at its SINT, one at a time", "[hv][test-device]") {
  Scene scene;
  CHECK(scene.post(7) == Status::invalid_connection_id);
  scene.write(kCreateMessage, 2, 7);
  CHECK(scene.post(7) == Status::success);
  const tl::Message& slot = scene.machine.slot(scene.vp, 2);
  CHECK(slot.type == 9);
  CHECK(slot.payload_size == 3);
  CHECK(slot.sender == 7);
  CHECK(slot.payload[2] == 3);
  REQUIRE(scene.machine.interrupts.size() == 1);
  CHECK(scene.machine.interrupts[0].vector == 0x42);
  CHECK(scene.post(7) == Status::success);  // waits for the slot
  CHECK(scene.post(7) == Status::insufficient_buffers);
  CHECK(scene.post(7, 0) == Status::invalid_parameter);
  scene.write(kDestroyMessage, 2, 7);
  CHECK(scene.post(7) == Status::invalid_connection_id);
  CHECK(scene.vp.synic.queued == 0);
  CHECK(scene.machine.check().empty());
}

TEST_CASE("an event at the test device sets the flag of its connection", "[hv][test-device]") {
  Scene scene;
  scene.write(kCreateEvent, 3, 21);
  CHECK(scene.signal(21, 1) == Status::invalid_parameter);
  CHECK(scene.signal(21) == Status::success);
  CHECK(scene.machine.at<std::uint8_t>(scene.vp.overlay[1] + 3 * 256 + 2) == 1 << 5);
  REQUIRE(scene.machine.interrupts.size() == 1);
  CHECK(scene.machine.interrupts[0].vector == 0x43);
  CHECK(scene.signal(21) == Status::success);  // set already: no second interrupt
  CHECK(scene.machine.interrupts.size() == 1);
  scene.write(kDestroyEvent, 3, 21);
  CHECK(scene.signal(21) == Status::invalid_connection_id);
}

TEST_CASE("the test device raises a SINT, but none that is masked or does not exist",
          "[hv][test-device]") {
  Scene scene;
  scene.write(kRaise, 4, 0);
  REQUIRE(scene.machine.interrupts.size() == 1);
  CHECK(scene.machine.interrupts[0].vector == 0x44);
  scene.write(kRaise, 16, 0);
  scene.write(kRaise, 4, 0, 5);
  scene.write(99, 4, 0);
  scene.machine.write_msr(scene.vp, tl::Msr::sint0, 0x10040);
  scene.write(kRaise, 0, 0);
  CHECK(scene.machine.interrupts.size() == 1);
}

TEST_CASE("the test device is the root's, and there only when it is asked for",
          "[hv][test-device]") {
  Scene scene;
  scene.write(kCreateMessage, 2, 7);
  Guest child = privileged_child(scene.machine);
  const tl::PostMessageInput in{.connection = 7, .type = 9};
  CHECK(scene.machine.call(child, Call::post_message, Machine::bytes(in), {}).status ==
        Status::invalid_connection_id);
  scene.machine.hv.test_device.enabled = 0;
  CHECK(scene.post(7) == Status::invalid_connection_id);
}

TEST_CASE("with the SynIC off the test device's connections say so", "[hv][test-device]") {
  Scene scene;
  scene.write(kCreateMessage, 2, 7);
  scene.write(kCreateEvent, 2, 8);
  scene.machine.write_msr(scene.vp, tl::Msr::scontrol, 0);
  CHECK(scene.post(7) == Status::invalid_synic_state);
  CHECK(scene.signal(8) == Status::invalid_synic_state);
  for (std::uint32_t id = 10; id < 20; ++id) scene.write(kCreateEvent, 2, id);  // eight places
  CHECK(scene.signal(15) == Status::invalid_synic_state);
  CHECK(scene.signal(16) == Status::invalid_connection_id);
}

}  // namespace
}  // namespace vitrine::test
