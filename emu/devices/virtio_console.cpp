// The console's two queues: 0 towards the guest, 1 from it.
#include "emu/devices/virtio_console.h"

#include <algorithm>

namespace vitrine::emu {

namespace {

constexpr size_t kReceive = 0;
constexpr size_t kTransmit = 1;
constexpr size_t kStep = 4096;
/// A longer buffer is printed up to here: nobody prints this much at once by intent.
constexpr uint64_t kLongest = uint64_t{1} << 20;

}  // namespace

VirtioConsole::VirtioConsole(Bus& bus, Line interrupt, OutputSink* sink)
    : VirtioDevice(bus, interrupt, {.type = 3, .class_code = 0x078000, .queues = 2}), sink_(sink) {}

void VirtioConsole::receive(uint8_t byte, Cycle now) {
  waiting_.push_back(std::byte{byte});
  deliver(now);
}

void VirtioConsole::deliver(Cycle now) {
  while (!waiting_.empty()) {
    const auto chain = take(kReceive, now);
    if (!chain) return;
    const auto count = std::min<uint64_t>(waiting_.size(), chain->writable_bytes());
    write_parts(*chain, 0, std::span{waiting_}.first(count));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    give_back(kReceive, *chain, static_cast<uint32_t>(count), now);
  }
}

void VirtioConsole::notified(size_t queue, Cycle now) {
  if (queue == kReceive) return deliver(now);
  while (const auto chain = take(kTransmit, now)) {
    std::array<uint8_t, kStep> bytes{};
    const uint64_t size = std::min(chain->readable_bytes(), kLongest);
    for (uint64_t done = 0; done < size; done += kStep) {
      const auto part = std::span{bytes}.first(std::min<uint64_t>(kStep, size - done));
      read_parts(*chain, done, std::as_writable_bytes(part));
      if (sink_ != nullptr) sink_->output(part);
    }
    give_back(kTransmit, *chain, 0, now);
  }
}

void VirtioConsole::visit(StateVisitor& v) {
  v.enter(name());
  VirtioDevice::visit(v);
  v.blob("waiting", waiting_);
  v.leave();
}

}  // namespace vitrine::emu
