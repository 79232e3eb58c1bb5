// The local APIC that a virtual processor sees: x2APIC registers, priorities and timer, in
// software.
#pragma once

#include <array>
#include <cstdint>

namespace vitrine::hv {

// 256 bits, one per vector, as the IRR, ISR and TMR have them; and which of the eight words are not
// 0, because the highest member is asked for at every VM entry.
class VectorSet {
 public:
  constexpr bool test(std::uint8_t vector) const {
    return (words_[vector / 32] >> (vector % 32) & 1) != 0;
  }
  constexpr void set(std::uint8_t vector) {
    words_[vector / 32] |= 1U << (vector % 32);
    used_ |= 1U << (vector / 32);
  }
  constexpr void clear(std::uint8_t vector) {
    words_[vector / 32] &= ~(1U << (vector % 32));
    if (words_[vector / 32] == 0) used_ &= ~(1U << (vector / 32));
  }
  constexpr void assign(std::uint8_t vector, bool on) { on ? set(vector) : clear(vector); }
  // The highest member, 0 for none: vectors below 16 are never accepted.
  constexpr std::uint8_t highest() const {
    if (used_ == 0) return 0;
    const unsigned word = top_bit(used_);
    return static_cast<std::uint8_t>(word * 32 + top_bit(words_[word]));
  }
  constexpr std::uint32_t word(unsigned index) const { return words_[index]; }

 private:
  static constexpr unsigned top_bit(std::uint32_t word) {
    return 31U - static_cast<unsigned>(__builtin_clz(word));
  }

  std::array<std::uint32_t, 8> words_{};
  std::uint32_t used_{};
};

// SDM "Local Vector Table", in the order of the registers 0x32 to 0x37.
enum class LocalVector : std::uint8_t { timer, thermal, performance, lint0, lint1, error };
constexpr std::size_t kLocalVectors = 6;

// The counting clock of the timer is the TSC divided by this and by the divide configuration.
constexpr std::uint64_t kApicBusDivider = 16;

// What a register write asks of the world outside this APIC.
struct ApicEffect {
  enum class Kind : std::uint8_t {
    none,
    fault,
    end_of_interrupt,
    command,
    timer_changed,
    local_vector
  };
  Kind kind{};
  std::uint64_t value{};  // the vector ended, the command written, or the register written
};

class VirtualApic {
 public:
  // SDM "Local APIC State After Power-Up or Reset"; the x2APIC identifier is fixed here.
  void reset(std::uint32_t apic_id);

  // RDMSR and WRMSR of x2APIC register `index` (MSR 800H + index).
  bool read(std::uint32_t index, std::uint64_t tsc, std::uint64_t& value) const;
  ApicEffect write(std::uint32_t index, std::uint64_t value, std::uint64_t tsc);

  // IA32_TSC_DEADLINE.
  std::uint64_t deadline() const;
  void set_deadline(std::uint64_t tsc);

  // IA32_APIC_BASE, which never changes.
  std::uint64_t base_msr() const;

  // Requests an interrupt; ignored while the APIC is disabled by software. With `automatic_end` it
  // never comes into service (TLFS "SINTx Registers", AutoEOI).
  void request(std::uint8_t vector, bool level = false, bool automatic_end = false);
  // The vector that may interrupt now by priority, 0 for none.
  std::uint8_t deliverable() const;
  // IRR to ISR: the vector is being delivered. True if it ended with that.
  bool accept(std::uint8_t vector);
  // Ends the highest vector in service and returns it, 0 for none.
  std::uint8_t end_of_interrupt();
  bool was_level(std::uint8_t vector) const { return trigger_mode_.test(vector); }
  bool requested(std::uint8_t vector) const { return request_.test(vector); }
  bool serving(std::uint8_t vector) const { return service_.test(vector); }

  std::uint8_t task_priority() const { return task_priority_; }
  void set_task_priority(std::uint8_t value) { task_priority_ = value; }
  bool enabled() const { return (spurious_ & kSoftwareEnable) != 0; }
  std::uint32_t id() const { return id_; }
  // Whether LINT0 is unmasked and takes ExtINT.
  bool external_open() const;

  // The TSC value at which the timer next expires, 0 while it is not running.
  std::uint64_t next_expiry() const { return expiry_; }
  // Takes notice of an expiry at or before `tsc`.
  void run_timer(std::uint64_t tsc);

 private:
  static constexpr std::uint32_t kSoftwareEnable = 1U << 8;

  std::uint8_t processor_priority() const;
  std::uint32_t divider() const;
  std::uint32_t current_count(std::uint64_t tsc) const;
  void start_count(std::uint64_t tsc);
  std::uint32_t timer_mode() const;

  std::uint32_t id_{};
  std::uint32_t spurious_{};
  std::uint8_t task_priority_{};
  std::uint32_t error_status_{};
  std::uint64_t command_{};
  std::array<std::uint32_t, kLocalVectors> local_{};
  std::uint32_t divide_{};
  std::uint32_t initial_count_{};
  std::uint64_t expiry_{};
  VectorSet request_, service_, trigger_mode_, automatic_end_;
};

}  // namespace vitrine::hv
