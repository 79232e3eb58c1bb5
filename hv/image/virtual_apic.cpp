// The local APIC that a virtual processor sees.
#include "hv/image/virtual_apic.h"

#include "emu/arch/msr.h"

namespace vitrine::hv {
namespace {

// SDM "x2APIC Register Address Space": register numbers behind MSR 800H.
namespace reg {
constexpr std::uint32_t id = 0x02;
constexpr std::uint32_t version = 0x03;
constexpr std::uint32_t task_priority = 0x08;
constexpr std::uint32_t processor_priority = 0x0A;
constexpr std::uint32_t end_of_interrupt = 0x0B;
constexpr std::uint32_t logical_destination = 0x0D;
constexpr std::uint32_t spurious = 0x0F;
constexpr std::uint32_t in_service = 0x10;
constexpr std::uint32_t trigger_mode = 0x18;
constexpr std::uint32_t request = 0x20;
constexpr std::uint32_t error_status = 0x28;
constexpr std::uint32_t corrected_machine_check = 0x2F;
constexpr std::uint32_t command = 0x30;
constexpr std::uint32_t local_first = 0x32;
constexpr std::uint32_t local_last = 0x37;
constexpr std::uint32_t initial_count = 0x38;
constexpr std::uint32_t current_count = 0x39;
constexpr std::uint32_t divide = 0x3E;
constexpr std::uint32_t self_interrupt = 0x3F;
}  // namespace reg

constexpr std::uint32_t kVersion = 0x14 | ((kLocalVectors - 1) << 16);
constexpr std::uint32_t kMasked = 1U << 16;
constexpr std::uint32_t kSpuriousWritable = 0x1FF;
constexpr std::uint32_t kDivideWritable = 0xB;
enum TimerMode : std::uint32_t { one_shot, periodic, tsc_deadline };

// Bits of each local-vector register that software may write.
constexpr std::array<std::uint32_t, kLocalVectors> kLocalWritable = {
    0x000700FF, 0x000107FF, 0x000107FF, 0x0001A7FF, 0x0001A7FF, 0x000100FF};

// Delivery status and remote IRR: writes do not reach them.
constexpr std::uint32_t kLocalReadOnly = 0x5000;

constexpr unsigned timer = static_cast<unsigned>(LocalVector::timer);

}  // namespace

void VirtualApic::reset(std::uint32_t apic_id) {
  *this = VirtualApic{};
  id_ = apic_id;
  spurious_ = 0xFF;
  local_.fill(kMasked);
}

bool VirtualApic::read(std::uint32_t index, std::uint64_t tsc, std::uint64_t& value) const {
  value = 0;
  if (index >= reg::in_service && index < reg::in_service + 8) {
    value = service_.word(index - reg::in_service);
  } else if (index >= reg::trigger_mode && index < reg::trigger_mode + 8) {
    value = trigger_mode_.word(index - reg::trigger_mode);
  } else if (index >= reg::request && index < reg::request + 8) {
    value = request_.word(index - reg::request);
  } else if (index >= reg::local_first && index <= reg::local_last) {
    value = local_[index - reg::local_first];
  } else {
    switch (index) {
      case reg::id: value = id_; break;
      case reg::version: value = kVersion; break;
      case reg::task_priority: value = task_priority_; break;
      case reg::processor_priority: value = processor_priority(); break;
      // SDM "Deriving Logical x2APIC ID from the Local x2APIC ID".
      case reg::logical_destination: value = ((id_ >> 4) << 16) | (1U << (id_ & 15)); break;
      case reg::spurious: value = spurious_; break;
      case reg::error_status: value = error_status_; break;
      case reg::corrected_machine_check: return false;
      case reg::command: value = command_; break;
      case reg::initial_count: value = initial_count_; break;
      case reg::current_count: value = current_count(tsc); break;
      case reg::divide: value = divide_; break;
      default: return false;
    }
  }
  return true;
}

ApicEffect VirtualApic::write(std::uint32_t index, std::uint64_t value, std::uint64_t tsc) {
  using Kind = ApicEffect::Kind;
  constexpr ApicEffect kFault{Kind::fault, 0};
  const auto low = static_cast<std::uint32_t>(value);
  if (index != reg::command && (value >> 32) != 0) return kFault;
  if (index >= reg::local_first && index <= reg::local_last) {
    const std::uint32_t which = index - reg::local_first;
    if ((low & ~(kLocalWritable[which] | kLocalReadOnly)) != 0) return kFault;
    const std::uint32_t old_mode = timer_mode();
    local_[which] = (low & ~kLocalReadOnly) | (enabled() ? 0 : kMasked);
    if (which != timer) return {Kind::local_vector, index};
    if (timer_mode() != old_mode) expiry_ = 0;
    return {Kind::timer_changed, 0};
  }
  switch (index) {
    case reg::task_priority:
      if (low > 0xFF) return kFault;
      task_priority_ = static_cast<std::uint8_t>(low);
      return {};
    case reg::end_of_interrupt: {
      if (low != 0) return kFault;
      const std::uint8_t vector = end_of_interrupt();
      return {Kind::end_of_interrupt, vector};
    }
    case reg::spurious:
      if ((low & ~kSpuriousWritable) != 0) return kFault;
      spurious_ = low;
      if (!enabled()) {
        for (std::uint32_t& entry : local_) entry |= kMasked;
      }
      return {};
    case reg::error_status:
      if (low != 0) return kFault;
      error_status_ = 0;
      return {};
    case reg::command: command_ = value; return {Kind::command, value};
    case reg::self_interrupt:
      if (low > 0xFF) return kFault;
      request(static_cast<std::uint8_t>(low));
      return {};
    case reg::initial_count:
      initial_count_ = low;
      start_count(tsc);
      return {Kind::timer_changed, 0};
    case reg::divide:
      if ((low & ~kDivideWritable) != 0) return kFault;
      divide_ = low;
      return {};
    default: return kFault;
  }
}

std::uint64_t VirtualApic::base_msr() const {
  namespace base = emu::arch::apic_base;
  return base::default_address | base::enable | base::x2apic | (id_ == 0 ? base::bootstrap : 0);
}

std::uint32_t VirtualApic::timer_mode() const { return local_[timer] >> 17 & 3; }

bool VirtualApic::external_open() const {
  constexpr std::uint32_t kDeliveryMode = 7U << 8;
  constexpr std::uint32_t kExternal = 7U << 8;
  const std::uint32_t lint0 = local_[static_cast<unsigned>(LocalVector::lint0)];
  return (lint0 & kMasked) == 0 && (lint0 & kDeliveryMode) == kExternal;
}

std::uint64_t VirtualApic::deadline() const { return timer_mode() == tsc_deadline ? expiry_ : 0; }

void VirtualApic::set_deadline(std::uint64_t tsc) {
  if (timer_mode() == tsc_deadline) expiry_ = tsc;
}

void VirtualApic::request(std::uint8_t vector, bool level, bool automatic_end) {
  if (!enabled() || vector < 16) return;
  request_.set(vector);
  trigger_mode_.assign(vector, level);
  automatic_end_.assign(vector, automatic_end);
}

// SDM "Task and Processor Priorities".
std::uint8_t VirtualApic::processor_priority() const {
  const std::uint8_t in_service = service_.highest();
  const bool task_wins = (task_priority_ >> 4) >= (in_service >> 4);
  return task_wins ? task_priority_ : static_cast<std::uint8_t>(in_service & 0xF0);
}

std::uint8_t VirtualApic::deliverable() const {
  const std::uint8_t vector = request_.highest();
  return (vector >> 4) > (processor_priority() >> 4) ? vector : 0;
}

bool VirtualApic::accept(std::uint8_t vector) {
  request_.clear(vector);
  if (automatic_end_.test(vector)) return true;
  service_.set(vector);
  return false;
}

std::uint8_t VirtualApic::end_of_interrupt() {
  const std::uint8_t vector = service_.highest();
  if (vector != 0) service_.clear(vector);
  return vector;
}

// SDM "Divide Configuration Register": 000 is 2, … 110 is 128, 111 is 1.
std::uint32_t VirtualApic::divider() const {
  const std::uint32_t code = (divide_ & 3) | ((divide_ & 8) >> 1);
  return 1U << ((code + 1) % 8);
}

void VirtualApic::start_count(std::uint64_t tsc) {
  if (timer_mode() == tsc_deadline) return;
  expiry_ = initial_count_ == 0 ? 0 : tsc + initial_count_ * kApicBusDivider * divider();
}

std::uint32_t VirtualApic::current_count(std::uint64_t tsc) const {
  if (timer_mode() == tsc_deadline || expiry_ <= tsc) return 0;
  return static_cast<std::uint32_t>((expiry_ - tsc) / (kApicBusDivider * divider()));
}

void VirtualApic::run_timer(std::uint64_t tsc) {
  if (expiry_ == 0 || tsc < expiry_) return;
  if ((local_[timer] & kMasked) == 0) request(static_cast<std::uint8_t>(local_[timer]));
  if (timer_mode() != periodic) {
    expiry_ = 0;
    return;
  }
  const std::uint64_t period = initial_count_ * kApicBusDivider * divider();
  expiry_ += period * ((tsc - expiry_) / period + 1);
}

}  // namespace vitrine::hv
