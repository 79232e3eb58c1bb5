// The physical local APIC in x2APIC mode.
#include "hv/image/local_apic.h"

#include "emu/arch/msr.h"
#include "hv/image/console.h"
#include "hv/image/instructions.h"

namespace vitrine::hv {
namespace {

namespace msr = emu::arch::msr;

// SDM "x2APIC Register Address Space", as MSR numbers.
namespace x2apic {
constexpr std::uint32_t id = 0x802;
constexpr std::uint32_t task_priority = 0x808;
constexpr std::uint32_t end_of_interrupt = 0x80B;
constexpr std::uint32_t spurious = 0x80F;
constexpr std::uint32_t in_service = 0x810;
constexpr std::uint32_t trigger_mode = 0x818;
constexpr std::uint32_t request = 0x820;
constexpr std::uint32_t interrupt_command = 0x830;
constexpr std::uint32_t timer = 0x832;
constexpr std::uint32_t lint0 = 0x835;
}  // namespace x2apic

constexpr std::uint32_t kX2apicBit = 1U << 21;       // CPUID.1:ECX
constexpr std::uint32_t kTscDeadlineBit = 1U << 24;  // CPUID.1:ECX
constexpr std::uint32_t kSoftwareEnable = 1U << 8;
constexpr std::uint32_t kTimerDeadlineMode = 2U << 17;
constexpr std::uint32_t kMasked = 1U << 16;
constexpr std::uint32_t kExternal = 7U << 8;  // ExtINT

bool bit_of(std::uint32_t first_register, std::uint8_t vector) {
  return (read_msr(first_register + vector / 32) >> (vector % 32) & 1) != 0;
}

}  // namespace

void start_local_apic() {
  const std::uint32_t features = cpuid(1).ecx;
  if ((features & kX2apicBit) == 0) stop("this processor has no x2APIC mode");
  if ((features & kTscDeadlineBit) == 0) stop("this processor's local APIC has no TSC deadline");
  const std::uint64_t base = read_msr(msr::ia32_apic_base);
  write_msr(msr::ia32_apic_base, base | emu::arch::apic_base::enable);
  write_msr(msr::ia32_apic_base,
            base | emu::arch::apic_base::enable | emu::arch::apic_base::x2apic);
  write_msr(x2apic::spurious, kSoftwareEnable | kSpuriousVector);
  write_msr(x2apic::task_priority, 0);
  write_msr(x2apic::timer, kTimerDeadlineMode | kTimerVector);
  // The firmware has left the 8259 connected. An exit acknowledges its vector whether the root can
  // take an interrupt or not, so it stays off until the root itself opens LINT0.
  write_msr(x2apic::lint0, kMasked | kExternal);
}

std::uint32_t physical_apic_id() { return static_cast<std::uint32_t>(read_msr(x2apic::id)); }

void arm_physical_timer(std::uint64_t deadline) { write_msr(msr::ia32_tsc_deadline, deadline); }

bool in_service(std::uint8_t vector) { return bit_of(x2apic::in_service, vector); }

bool level_triggered(std::uint8_t vector) { return bit_of(x2apic::trigger_mode, vector); }

std::uint8_t highest_in_service() {
  for (std::uint32_t word = 8; word-- > 0;) {
    const auto bits = static_cast<std::uint32_t>(read_msr(x2apic::in_service + word));
    if (bits != 0) {
      return static_cast<std::uint8_t>(word * 32 + 31 - static_cast<unsigned>(__builtin_clz(bits)));
    }
  }
  return 0;
}

void end_of_interrupt() { write_msr(x2apic::end_of_interrupt, 0); }

bool interrupt_requested(std::uint32_t word) { return read_msr(x2apic::request + word) != 0; }

void send_interrupt(std::uint32_t apic_id, std::uint8_t vector) {
  write_msr(x2apic::interrupt_command, (std::uint64_t{apic_id} << 32) | vector);
}

void send_init(std::uint32_t apic_id) {
  constexpr std::uint64_t kInit = (1U << 14) | (5U << 8);
  write_msr(x2apic::interrupt_command, (std::uint64_t{apic_id} << 32) | kInit);
}

void send_startup(std::uint32_t apic_id, std::uint8_t page) {
  constexpr std::uint64_t kStartup = (1U << 14) | (6U << 8);
  write_msr(x2apic::interrupt_command, (std::uint64_t{apic_id} << 32) | kStartup | page);
}

void write_local_vector(std::uint32_t register_index, std::uint32_t value) {
  write_msr(msr::x2apic_first + register_index, value);
}

}  // namespace vitrine::hv
