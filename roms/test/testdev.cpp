// The test device at port 3000H as bare-metal tests use it: connect, post, signal, raise, disconnect.
#include <array>
#include <string_view>

#include "hv/tlfs/msrs.h"
#include "hv/tlfs/port_calls.h"
#include "roms/kit/boot.h"
#include "roms/kit/cpu.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/interrupts.h"
#include "roms/kit/serial.h"
#include "roms/tour/pages.h"

namespace {

using namespace vitrine;
namespace tlfs = hv::tlfs;
using tlfs::Call;
using tlfs::Msr;
using tlfs::Status;

constexpr std::uint16_t kPort = 0x3000;
constexpr std::uint8_t kTimerVector = 0x40;
constexpr std::uint8_t kFirstVector = 0x50;  // of SINT 0
constexpr std::uint32_t kSint = 2;
constexpr std::uint32_t kMessageId = 7;
constexpr std::uint32_t kEventId = 21;

enum Command : std::uint32_t {
  create_route = 1,
  destroy_route,
  raise_sint,
  create_message,
  destroy_message,
  create_event,
  destroy_event
};

std::uint32_t failures;
volatile std::uint64_t interrupts;
std::uint64_t message_page, event_page;

void check(std::string_view rule, bool holds) {
  if (!holds) ++failures;
  kit::print_line(holds ? "pass: " : "FAIL: ", rule);
}

void write(Msr msr, std::uint32_t index, std::uint64_t value) {
  kit::write_msr(static_cast<std::uint32_t>(msr) + index, value);
}

void command(Command what, std::uint32_t id) { kit::out32(kPort, id << 24 | what << 16 | kSint); }

void on_sint(kit::InterruptFrame&) {
  interrupts = interrupts + 1;
  kit::end_of_interrupt();
}

void start() {
  kit::start_interrupts();
  kit::set_handler(kFirstVector + kSint, on_sint);
  kit::start_local_apic(kTimerVector);
  message_page = tour::take_pages(1);
  event_page = tour::take_pages(1);
  write(Msr::simp, 0, tlfs::PageRegister::make(message_page, true).word);
  write(Msr::siefp, 0, tlfs::PageRegister::make(event_page, true).word);
  write(Msr::sint0, kSint, kFirstVector + kSint);
  write(Msr::scontrol, 0, 1);
  kit::enable_interrupts();
}

Status post() {
  tlfs::PostMessageInput in{
      .connection = kMessageId, .padding = 0, .type = 0x1234, .payload_size = 16, .payload = {}};
  for (std::uint8_t i = 0; i < 16; ++i) in.payload[i] = i;
  return kit::memory_call(Call::post_message, in).status();
}

Status signal() { return kit::fast_call(Call::signal_event, kEventId).status(); }

// What the hypervisor writes behind our back, hence the fences around its uses.
tlfs::Message& slot() { return tour::at_page<tlfs::Message>(message_page)[kSint]; }

void fence() { asm volatile("mfence" : : : "memory"); }

// Takes the message out of the slot and lets the next one in.
bool take_message() {
  fence();
  const bool right = slot().type == 0x1234 && slot().payload_size == 16 &&
                     slot().sender == kMessageId && slot().payload[15] == 15;
  const bool more = (slot().flags & tlfs::Message::kPending) != 0;
  slot().type = 0;
  fence();
  if (more) write(Msr::eom, 0, 0);
  return right;
}

void try_messages() {
  check("nothing is connected at first", post() == Status::invalid_connection_id);
  command(create_message, kMessageId);
  check("a message is posted", post() == Status::success);
  check("its interrupt comes", interrupts == 1);
  check("a second one waits for the slot", post() == Status::success && interrupts == 1);
  check("a third one has no buffer", post() == Status::insufficient_buffers);
  check("the first one is whole", take_message());
  check("the second one follows it", interrupts == 2 && take_message());
  check("no third one came", slot().type == 0);
  command(destroy_message, kMessageId);
  check("a closed connection takes no message", post() == Status::invalid_connection_id);
}

void try_events() {
  constexpr std::uint64_t kBytesPerSint = 256;
  auto* const flags = tour::at_page<volatile std::uint8_t>(event_page) + kSint * kBytesPerSint;
  command(create_event, kEventId);
  check("an event is signalled", signal() == Status::success && interrupts == 3);
  check("its flag is the connection's number", flags[kEventId / 8] == 1 << (kEventId % 8));
  check("a flag that is set raises nothing", signal() == Status::success && interrupts == 3);
  flags[kEventId / 8] = 0;
  check("a cleared one does again", signal() == Status::success && interrupts == 4);
  command(destroy_event, kEventId);
  check("a closed connection takes no event", signal() == Status::invalid_connection_id);
}

void try_routes() {
  constexpr std::uint64_t kMasked = 1 << 16;
  command(create_route, 0);
  command(raise_sint, 0);
  check("the device raises the SINT", interrupts == 5);
  write(Msr::sint0, kSint, kMasked | (kFirstVector + kSint));
  command(raise_sint, 0);
  check("but not while it is masked", interrupts == 5);
  command(destroy_route, 0);
}

}  // namespace

std::uint32_t payload_main() {
  if (!kit::enable_hypercalls()) {
    kit::print_line("no hypervisor here");
    return 1;
  }
  start();
  try_messages();
  try_events();
  try_routes();
  check("the port answers like an open bus", kit::in8(kPort) == 0xFF);
  kit::print_line(failures == 0 ? "TESTDEV PASS" : "TESTDEV FAIL");
  return failures == 0 ? 0 : 1;
}
