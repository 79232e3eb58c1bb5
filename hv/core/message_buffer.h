// Message buffers: the hypervisor's copy of a message on its way to a slot of a message page.
#pragma once

#include <cstdint>

namespace vitrine::hv {

enum class BufferKind : std::uint32_t { port, timer, intercept };

// Queued per virtual processor and SINT, first in first out. The message itself lies elsewhere.
struct MessageBuffer {
  std::uint64_t next{};     // the next MessageBuffer of the queue
  std::uint64_t message{};  // a tlfs::Message
  std::uint64_t target{};   // the VirtualProcessor in whose queue it is, 0 while not queued
  std::uint64_t owner{};    // the Port, or the VirtualProcessor
  BufferKind kind{};
  std::uint32_t sint{};
};
static_assert(sizeof(MessageBuffer) == 40);

}  // namespace vitrine::hv
