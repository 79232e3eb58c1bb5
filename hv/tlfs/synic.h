// The synthetic interrupt controller's data: messages, event flags, ports, timers, register
// layouts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vitrine::hv::tlfs {

inline constexpr std::uint32_t kSints = 16;
inline constexpr std::uint32_t kHypervisorSint = 0;
inline constexpr std::size_t kMessageBytes = 256;
inline constexpr std::size_t kMaximumPayload = 240;
inline constexpr std::uint32_t kEventFlagsPerSint = 2048;

// HV_MESSAGE. A message page holds one slot per SINT; type 0 is an empty slot.
// Manual says (TLFS 2.0 structure) flags before size; its headers and the wire have size@4,
// flags@5.
struct Message {
  std::uint32_t type{};
  std::uint8_t payload_size{};
  std::uint8_t flags{};
  std::uint16_t reserved{};
  std::uint64_t sender{};  // a partition, a port, or 0
  std::array<std::uint8_t, kMaximumPayload> payload{};

  static constexpr std::uint8_t kPending = 1;
};
static_assert(sizeof(Message) == kMessageBytes);
static_assert(offsetof(Message, sender) == 8 && offsetof(Message, payload) == 16);

// HV_X64_MSR_SINTx.
struct SintRegister {
  std::uint64_t word{};

  constexpr std::uint8_t vector() const { return static_cast<std::uint8_t>(word); }
  constexpr bool masked() const { return (word >> 16 & 1) != 0; }
  constexpr bool auto_eoi() const { return (word >> 17 & 1) != 0; }
  constexpr bool polling() const { return (word >> 18 & 1) != 0; }

  static constexpr std::uint64_t kReset = std::uint64_t{1} << 16;
  // Vectors 0 to 15 raise #GP; Decided: only while the SINT is not masked, as guests mask it by
  // writing 0x10000.
  static constexpr std::uint8_t kFirstVector = 16;
};

// SCONTROL, SIMP, SIEFP, SIRBP, VP_ASSIST, HYPERCALL, REFERENCE_TSC: an enable bit and a page.
struct PageRegister {
  std::uint64_t word{};

  constexpr bool enabled() const { return (word & 1) != 0; }
  constexpr std::uint64_t page() const { return word >> 12; }
  static constexpr PageRegister make(std::uint64_t page, bool enabled) {
    return {(page << 12) | (enabled ? 1U : 0U)};
  }
};

// HV_X64_MSR_STIMERx_CONFIG.
struct TimerConfig {
  std::uint64_t word{};

  constexpr bool enabled() const { return (word & 1) != 0; }
  constexpr bool periodic() const { return (word >> 1 & 1) != 0; }
  constexpr bool lazy() const { return (word >> 2 & 1) != 0; }
  constexpr bool auto_enable() const { return (word >> 3 & 1) != 0; }
  constexpr std::uint8_t vector() const { return static_cast<std::uint8_t>(word >> 4); }
  constexpr bool direct() const { return (word >> 12 & 1) != 0; }
  constexpr std::uint32_t sint() const { return static_cast<std::uint32_t>(word >> 16 & 0xF); }
  constexpr TimerConfig with_enabled(bool on) const {
    return {(word & ~std::uint64_t{1}) | (on ? 1U : 0U)};
  }
  static constexpr std::uint64_t kDefined = 0xF1FFF;
};

inline constexpr std::uint32_t kTimersPerVp = 4;

// HV_TIMER_MESSAGE_PAYLOAD.
struct TimerPayload {
  std::uint32_t timer_index{};
  std::uint32_t reserved{};
  std::uint64_t expiration_time{};
  std::uint64_t delivery_time{};
};
static_assert(sizeof(TimerPayload) == 24);

// HV_REFERENCE_TSC_PAGE: time = ((tsc * scale) >> 64) + offset; sequence 0 means "use the MSR".
struct ReferenceTscPage {
  std::uint32_t sequence{};
  std::uint32_t reserved{};
  std::uint64_t scale{};
  std::int64_t offset{};
};
static_assert(sizeof(ReferenceTscPage) == 24);

enum class PortType : std::uint32_t { message = 1, event = 2, monitor = 3 };

// HV_PORT_INFO as versions 1 and 2 have it; the fields' meaning depends on the type.
struct PortInfo {
  std::uint32_t type{};
  std::uint32_t padding{};
  std::uint32_t target_sint{};
  std::uint32_t target_vp{};
  std::uint16_t base_flag{};   // event ports
  std::uint16_t flag_count{};  // event ports
  std::uint32_t reserved{};
};
static_assert(sizeof(PortInfo) == 24 && offsetof(PortInfo, target_sint) == 8);
static_assert(offsetof(PortInfo, base_flag) == 16 && offsetof(PortInfo, reserved) == 20);

// HV_CONNECTION_INFO as versions 1 and 2 have it: message and event connections carry nothing.
struct ConnectionInfo {
  std::uint32_t type{};
  std::uint32_t padding{};
  std::uint64_t reserved{};
};
static_assert(sizeof(ConnectionInfo) == 16);

// Port and connection identifiers have 24 bits.
inline constexpr std::uint32_t kPortIdMask = 0x00FFFFFF;
// TLFS "Message Buffers": each port has 16.
inline constexpr std::uint32_t kBuffersPerPort = 16;

enum class PortProperty : std::uint32_t { post_count = 0, preferred_target_vp = 1 };

}  // namespace vitrine::hv::tlfs
