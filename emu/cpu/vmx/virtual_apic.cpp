// The virtual-APIC page: accesses that are virtualised, and the virtual interrupts that follow.
#include "emu/cpu/vmx/virtual_apic.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "emu/cpu/cpu.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/transitions.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu::vmx {

namespace {

using arch::ApicAccessExit;
using arch::ApicAccessType;
using arch::ExitReason;
using After = State::AfterApic;

/// Offsets in the virtual-APIC page (SDM "Virtual APIC State").
namespace page {
constexpr uint32_t tpr = 0x080, ppr = 0x0A0, eoi = 0x0B0, isr = 0x100, irr = 0x200, icr_low = 0x300,
                   icr_high = 0x310, self_ipi = 0x3F0;
}  // namespace page

/// The registers whose reads and writes APIC-register virtualization takes over (SDM "Virtualizing
/// Reads from the APIC-Access Page", "Virtualizing Writes to the APIC-Access Page").
struct RegisterRange {
  uint16_t first;
  uint16_t last;
  bool read;
  bool written;
};
// clang-format off
constexpr auto kRegisters = std::to_array<RegisterRange>({
    {0x020, 0x020, true, true},   // local APIC ID
    {0x030, 0x030, true, false},  // version
    {0x080, 0x080, true, true},   // TPR
    {0x0B0, 0x0B0, true, true},   // EOI
    {0x0D0, 0x0F0, true, true},   // logical destination, destination format, spurious vector
    {0x100, 0x270, true, false},  // ISR, TMR, IRR
    {0x280, 0x280, true, true},   // error status
    {0x300, 0x380, true, true},   // ICR, LVT, initial count
    {0x3E0, 0x3E0, true, true},   // divide configuration
});
// clang-format on

constexpr bool ascending() {
  for (size_t i = 1; i < kRegisters.size(); ++i) {
    if (kRegisters[i].first <= kRegisters[i - 1].last) return false;
  }
  return true;
}
static_assert(ascending());

const RegisterRange* find(uint32_t reg) {
  for (const RegisterRange& row : kRegisters) {
    if (reg >= row.first && reg <= row.last) return &row;
  }
  return nullptr;
}

bool shadows_tpr(const Cpu& cpu) { return guest_primary(cpu.vmx, primary::use_tpr_shadow); }
bool registers_on(const Cpu& cpu) {
  return guest_secondary(cpu.vmx, secondary::apic_register_virtualization);
}
bool delivery_on(const Cpu& cpu) {
  return guest_secondary(cpu.vmx, secondary::virtual_interrupt_delivery);
}

Hpa at(const Cpu& cpu, uint64_t offset) {
  return Hpa{cpu.vmx.vmcs[Field::virtual_apic_address] + offset};
}
uint32_t get(const Cpu& cpu, uint32_t reg) {
  uint32_t value = 0;
  cpu.mmu.bus().read_block(at(cpu, reg), std::as_writable_bytes(std::span{&value, 1}));
  return value;
}
void put(Cpu& cpu, uint32_t reg, uint32_t value) {
  cpu.bus().write_block(at(cpu, reg), std::as_bytes(std::span{&value, 1}));
}
uint8_t vtpr(const Cpu& cpu) { return static_cast<uint8_t>(get(cpu, page::tpr)); }

// --- 256 bits in eight registers, and the guest interrupt status ---

void set_bit(Cpu& cpu, uint32_t base, uint8_t vector, bool on) {
  const uint32_t reg = base + vector / 32u * 16;
  const uint32_t mask = 1u << vector % 32;
  const uint32_t old = get(cpu, reg);
  put(cpu, reg, on ? old | mask : old & ~mask);
}
/// The highest vector whose bit is 1; 0 when there is none.
uint8_t highest(const Cpu& cpu, uint32_t base) {
  for (uint32_t word = 8; word-- > 0;) {
    const uint32_t bits = get(cpu, base + word * 16);
    if (bits != 0) {
      return static_cast<uint8_t>(word * 32 + static_cast<uint32_t>(std::bit_width(bits)) - 1);
    }
  }
  return 0;
}

uint8_t rvi(const Cpu& cpu) {
  return static_cast<uint8_t>(cpu.vmx.vmcs[Field::guest_interrupt_status]);
}
uint8_t svi(const Cpu& cpu) {
  return static_cast<uint8_t>(cpu.vmx.vmcs[Field::guest_interrupt_status] >> 8);
}
void set_status(Cpu& cpu, uint8_t requesting, uint8_t servicing) {
  cpu.vmx.vmcs.set(Field::guest_interrupt_status, requesting | uint64_t{servicing} << 8);
}

void after(Cpu& cpu, After what, unsigned value = 0) {
  cpu.vmx.after_apic = what;
  cpu.vmx.after_apic_value = static_cast<uint16_t>(value);
  cpu.device_accessed();
  cpu.attention();
}

// --- SDM "Evaluation and Delivery of Virtual Interrupts" ---

void virtualise_ppr(Cpu& cpu) {
  const uint8_t tpr = vtpr(cpu);
  const uint8_t servicing = svi(cpu);
  put(cpu, page::ppr, (tpr >> 4) >= (servicing >> 4) ? tpr : servicing & 0xF0u);
}

void evaluate(Cpu& cpu) {
  const bool window = primary_on(cpu.vmx.vmcs, primary::interrupt_window_exiting);
  cpu.vmx.virtual_interrupt = !window && (rvi(cpu) >> 4) > (get(cpu, page::ppr) >> 4 & 0xF);
  cpu.attention();
}

bool below_threshold(const Cpu& cpu) {
  return (vtpr(cpu) >> 4) < (cpu.vmx.vmcs[Field::tpr_threshold] & 0xF);
}

/// SDM "TPR Virtualization".
void virtualise_tpr(Cpu& cpu) {
  if (delivery_on(cpu)) {
    virtualise_ppr(cpu);
    evaluate(cpu);
  } else if (below_threshold(cpu)) {
    after(cpu, After::tpr_below_threshold);
  }
}

/// SDM "EOI Virtualization".
void virtualise_eoi(Cpu& cpu) {
  const uint8_t vector = svi(cpu);
  set_bit(cpu, page::isr, vector, false);
  const uint8_t next = highest(cpu, page::isr);
  set_status(cpu, rvi(cpu), next);
  virtualise_ppr(cpu);
  const auto bitmap =
      static_cast<Field>(static_cast<unsigned>(Field::eoi_exit_bitmap_0) + vector / 64u * 2);
  if ((cpu.vmx.vmcs[bitmap] >> vector % 64 & 1) != 0) {
    after(cpu, After::virtualized_eoi, vector);
  } else {
    evaluate(cpu);
  }
}

/// SDM "Self-IPI Virtualization".
void virtualise_self_ipi(Cpu& cpu, uint8_t vector) {
  set_bit(cpu, page::irr, vector, true);
  set_status(cpu, std::max(rvi(cpu), vector), svi(cpu));
  evaluate(cpu);
}

/// An ICR that sends a fixed, edge-triggered interrupt to the sender itself.
bool is_self_ipi(uint32_t icr) {
  constexpr uint32_t kReserved = 0xFFF32000;
  constexpr uint32_t kDeliveryStatus = 1u << 12;
  constexpr uint32_t kLevelTriggered = 1u << 15;
  constexpr uint32_t kFixed = 7u << 8;
  constexpr uint32_t kShorthand = 3u << 18;
  constexpr uint32_t kSelf = 1u << 18;
  return (icr & (kReserved | kDeliveryStatus | kLevelTriggered | kFixed)) == 0 &&
         (icr & kShorthand) == kSelf && (icr & 0xF0) != 0;
}

/// SDM "APIC-Write Emulation".
void emulate_write(Cpu& cpu, uint32_t reg) {
  switch (reg) {
    case page::tpr:
      put(cpu, page::tpr, vtpr(cpu));
      virtualise_tpr(cpu);
      return;
    case page::eoi:
      if (!delivery_on(cpu)) break;
      put(cpu, page::eoi, 0);
      virtualise_eoi(cpu);
      return;
    case page::icr_low: {
      const uint32_t icr = get(cpu, page::icr_low);
      if (!delivery_on(cpu) || !is_self_ipi(icr)) break;
      virtualise_self_ipi(cpu, static_cast<uint8_t>(icr));
      return;
    }
    case page::icr_high: put(cpu, page::icr_high, get(cpu, page::icr_high) & 0xFF000000); return;
    default: break;
  }
  after(cpu, After::apic_write, reg);
}

// --- The APIC-access page ---

bool reads(const Cpu& cpu, uint32_t reg) {
  if (!registers_on(cpu)) return reg == page::tpr;
  const RegisterRange* const row = find(reg);
  return row != nullptr && row->read;
}
bool writes(const Cpu& cpu, uint32_t reg) {
  if (registers_on(cpu)) {
    const RegisterRange* const row = find(reg);
    return row != nullptr && row->written;
  }
  if (reg == page::tpr) return true;
  return delivery_on(cpu) && (reg == page::eoi || reg == page::icr_low);
}

bool is_virtualised(const Cpu& cpu, const ApicAccess& access) {
  using Use = ApicAccess::Use;
  const auto reg = static_cast<uint32_t>(access.offset & ~uint64_t{15});
  const bool contained = (access.offset & 15) + access.size <= 4;
  if (!shadows_tpr(cpu) || !contained || cpu.vmx.vectoring.information != 0) return false;
  switch (access.use) {
    case Use::read: return reads(cpu, reg);
    case Use::write: return writes(cpu, reg);
    case Use::modify: return reads(cpu, reg) && writes(cpu, reg);
    case Use::fetch: return false;
  }
  return false;
}

ApicAccessType access_type(const Cpu& cpu, ApicAccess::Use use) {
  if (cpu.vmx.vectoring.information != 0) return ApicAccessType::event_delivery;
  switch (use) {
    case ApicAccess::Use::read: return ApicAccessType::linear_read;
    case ApicAccess::Use::fetch: return ApicAccessType::linear_fetch;
    default: return ApicAccessType::linear_write;
  }
}

bool exits_for(Cpu& cpu, ExitReason reason, uint64_t qualification) {
  Exit exit{reason};
  exit.qualification = qualification;
  vm_exit(cpu, exit);
  return true;
}

}  // namespace

Virtualised write_virtual_tpr(Cpu& cpu, uint64_t value) {
  if (!shadows_tpr(cpu)) return Virtualised::no;
  put(cpu, page::tpr, static_cast<uint32_t>(value & 0xF) << 4);
  virtualise_tpr(cpu);
  return Virtualised::done;
}

bool read_virtual_tpr(const Cpu& cpu, uint64_t& value) {
  if (!shadows_tpr(cpu)) return false;
  value = vtpr(cpu) >> 4;
  return true;
}

Virtualised read_virtual_msr(Cpu& cpu, uint32_t msr, uint64_t& value) {
  if ((msr & ~0xFFu) != 0x800) return Virtualised::no;
  if (!guest_secondary(cpu.vmx, secondary::virtualize_x2apic_mode)) return Virtualised::no;
  const uint32_t reg = (msr & 0xFF) << 4;
  if (!registers_on(cpu) && reg != page::tpr) return Virtualised::no;
  cpu.bus().read_block(at(cpu, reg), std::as_writable_bytes(std::span{&value, 1}));
  return Virtualised::done;
}

Virtualised write_virtual_msr(Cpu& cpu, uint32_t msr, uint64_t value) {
  if ((msr & ~0xFFu) != 0x800) return Virtualised::no;
  if (!guest_secondary(cpu.vmx, secondary::virtualize_x2apic_mode)) return Virtualised::no;
  const uint32_t reg = (msr & 0xFF) << 4;
  const bool ours =
      reg == page::tpr || (delivery_on(cpu) && (reg == page::eoi || reg == page::self_ipi));
  if (!ours) return Virtualised::no;
  const uint64_t reserved = reg == page::eoi ? ~uint64_t{0} : ~uint64_t{0xFF};
  if ((value & reserved) != 0) return Virtualised::general_protection;
  cpu.bus().write_block(at(cpu, reg), std::as_bytes(std::span{&value, 1}));
  const auto vector = static_cast<uint8_t>(value);
  if (reg == page::tpr) {
    virtualise_tpr(cpu);
  } else if (reg == page::eoi) {
    virtualise_eoi(cpu);
  } else if (vector < 16) {
    after(cpu, After::apic_write, reg);
  } else {
    virtualise_self_ipi(cpu, vector);
  }
  return Virtualised::done;
}

void enter_virtual_apic(Cpu& cpu) {
  cpu.vmx.after_apic = After::none;
  cpu.vmx.virtual_interrupt = false;
  if (delivery_on(cpu)) {
    virtualise_ppr(cpu);
    evaluate(cpu);
  } else if (shadows_tpr(cpu) && below_threshold(cpu) &&
             guest_secondary(cpu.vmx, secondary::virtualize_apic_accesses) &&
             cpu.state.activity != Activity::wait_for_sipi) {
    after(cpu, After::tpr_below_threshold);
  }
}

bool exits_behind_apic_operation(Cpu& cpu) {
  if (cpu.vmx.after_apic == After::written) {
    cpu.vmx.after_apic = After::none;
    emulate_write(cpu, cpu.vmx.after_apic_value);
  }
  const uint16_t value = cpu.vmx.after_apic_value;
  switch (std::exchange(cpu.vmx.after_apic, After::none)) {
    case After::tpr_below_threshold: return exits_for(cpu, ExitReason::tpr_below_threshold, 0);
    case After::virtualized_eoi: return exits_for(cpu, ExitReason::virtualized_eoi, value);
    case After::apic_write: return exits_for(cpu, ExitReason::apic_write, value);
    default: return false;
  }
}

bool delivers_virtual_interrupt(Cpu& cpu) {
  CpuState& s = cpu.state;
  if (!cpu.vmx.nonroot || !cpu.vmx.virtual_interrupt) return false;
  if ((s.rflags_system & arch::rflags::if_) == 0 || s.sti_shadow || s.mov_ss_shadow) return false;
  const uint8_t vector = rvi(cpu);
  set_bit(cpu, page::isr, vector, true);
  put(cpu, page::ppr, vector & 0xF0u);
  set_bit(cpu, page::irr, vector, false);
  const uint8_t next = highest(cpu, page::irr);
  set_status(cpu, next, vector);
  cpu.vmx.virtual_interrupt = false;
  s.activity = Activity::active;
  begin_vectoring(cpu, uint32_t{vector} | arch::InterruptionInfo::kValid, 0, 0);
  cpu.deliver_event(vector, Cpu::EventType::external, false, 0, s.rip());
  return true;
}

bool consumes_posted_interrupt(Cpu& cpu, uint8_t vector) {
  const Vmcs& v = cpu.vmx.vmcs;
  if (!guest_pin(cpu.vmx, pin::process_posted_interrupts)) return false;
  if (vector != (v[Field::posted_interrupt_vector] & 0xFF)) return false;
  struct Descriptor {
    std::array<uint32_t, 8> requests;
    uint32_t control;
  };
  Descriptor posted{};
  const Hpa address{v[Field::posted_interrupt_descriptor]};
  cpu.bus().read_block(address, std::as_writable_bytes(std::span{&posted, 1}));
  const auto requests = posted.requests;
  posted.requests = {};
  posted.control &= ~1u;  // outstanding notification
  cpu.bus().write_block(address, std::as_bytes(std::span{&posted, 1}));
  cpu.ports().end_interrupt(cpu.index(), cpu.now());
  uint8_t top = rvi(cpu);
  for (uint32_t word = 0; word < 8; ++word) {
    if (requests[word] == 0) continue;
    const uint32_t reg = page::irr + word * 16;
    put(cpu, reg, get(cpu, reg) | requests[word]);
    const auto last = static_cast<uint32_t>(std::bit_width(requests[word])) - 1;
    top = std::max(top, static_cast<uint8_t>(word * 32 + last));
  }
  set_status(cpu, top, svi(cpu));
  evaluate(cpu);
  return true;
}

}  // namespace vitrine::emu::vmx

namespace vitrine::emu {

Result<void, Fault> Cpu::apic_access(const ApicAccess& access, void* data) {
  using namespace vitrine::emu::vmx;
  using Use = ApicAccess::Use;
  if (!is_virtualised(*this, access)) {
    vmx.apic_access =
        ApicAccessExit::make(static_cast<unsigned>(access.offset), access_type(*this, access.use))
            .value;
    return Err{Fault{Fault::Kind::apic_access}};
  }
  const Hpa place = at(*this, access.offset);
  if (access.use == Use::write) {
    bus().write_block(place, {static_cast<const std::byte*>(data), access.size});
    after(*this, After::written, static_cast<unsigned>(access.offset & ~uint64_t{15}));
  } else {
    bus().read_block(place, {static_cast<std::byte*>(data), access.size});
  }
  return {};
}

bool Cpu::page_log_full() const { return vmx.vmcs[vmx::Field::pml_index] > 511; }

void Cpu::log_page(Gpa page) {
  vmx::Vmcs& v = vmx.vmcs;
  const uint64_t index = v[vmx::Field::pml_index];
  bus().write_block(Hpa{v[vmx::Field::pml_address] + 8 * index},
                    std::as_bytes(std::span{&page.value, 1}));
  v.set(vmx::Field::pml_index, index - 1);
}

}  // namespace vitrine::emu
