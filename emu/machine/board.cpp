// Board: the chips of a PC, wired as a PC has them.
#include "emu/machine/board.h"

#include <algorithm>

#include "emu/arch/cpuid_profile.h"
#include "emu/arch/require.h"
#include "emu/devices/acpi_tables.h"
#include "emu/machine/memory_map.h"

namespace vitrine::emu {

namespace {

constexpr unsigned kTimerIrq = 0;
constexpr unsigned kHpetInput = 20;      ///< I/O APIC input of its first timer; the DSDT names none
constexpr unsigned kFirstPciInput = 16;  ///< links A to D
/// PCI slots; a slot that is not used is empty, so that a disk's place does not depend on the console.
constexpr unsigned kConsoleSlot = 1;
constexpr unsigned kFirstDiskSlot = 2;

/// Addresses that PAM0 to PAM6 control; the upper 128 KiB show the end of the firmware at reset.
constexpr Hpa kShadowArea{0xC0000};
constexpr Hpa kFirmwareShadow{0xE0000};
constexpr Hpa kShadowEnd{0x100000};
/// A page of ones, for what is neither ROM nor read from RAM; written when it is first shown.
constexpr uint64_t kBlank = kPageSize;

uint64_t whole_pages(uint64_t bytes) { return (bytes + kPageMask) & ~kPageMask; }

}  // namespace

Board::Board(const MachineConfig& config, Bus& bus, EventQueue& events, BoardEvents& machine)
    : config_(config),
      bus_(bus),
      machine_(machine),
      serial_line_(*this, OutputPort::serial),
      debug_line_(*this, OutputPort::debug),
      console_line_(*this, OutputPort::console),
      verdict_(machine),
      processors_(machine),
      external_interrupt_(*this),
      gates_(*this),
      apic_bus_(events),
      ioapic_(apic_bus_, static_cast<uint8_t>(config.processors)),
      pic_(Line{&external_interrupt_, 0}),
      isa_(pic_, ioapic_),
      legacy_timers_(*this),
      pit_(events, time_, Line{&legacy_timers_, kTimerIrq}),
      rtc_(events, time_, Line{&legacy_timers_, Rtc::kIrq}, config.rtc_seconds),
      power_(events, time_, Line{&isa_, Power::kSciIrq}, verdict_),
      hpet_(events, time_,
            HpetWiring{.irq = Line{&ioapic_, kHpetInput},
                       .legacy_timer = Line{&isa_, kTimerIrq},
                       .legacy_rtc = Line{&isa_, Rtc::kIrq},
                       .msi = &apic_bus_}),
      pci_(bus, Line{&ioapic_, kFirstPciInput}, &gates_, !config.firmware.empty()),
      i8042_(Line{&isa_, I8042::kIrq}, verdict_, &gates_),
      fw_cfg_({.processors = config.processors, .ram_bytes = config.memory_bytes}),
      test_device_(Line{&isa_, 0}),
      uart_(events, time_, Line{&isa_, Uart::kCom1Irq}, &serial_line_),
      debug_port_(&debug_line_),
      exit_port_(verdict_) {
  const arch::CpuProfile& profile = *arch::find_profile(config.cpu);
  for (uint32_t i = 0; i < config.processors; ++i) {
    const ApicWiring wiring{.events = events,
                            .bus = apic_bus_,
                            .client = processors_,
                            .tsc = processors_,
                            .ext_int = i == 0 ? &pic_ : nullptr,
                            .time = time_,
                            .timer_hz = profile.crystal_hz};
    apics_.push_back(std::make_unique<LocalApic>(i, wiring));
  }
  if (config.console) {
    console_ = std::make_unique<VirtioConsole>(bus, Line{&pci_, kConsoleSlot}, &console_line_);
    pci_.plug(kConsoleSlot, *console_);
  }
  for (unsigned i = 0; i < config.disks.size(); ++i) {
    const unsigned slot = kFirstDiskSlot + i;
    disks_.push_back(
        std::make_unique<DiskSlot>(events, bus, Line{&pci_, slot}, config.disks[i]));
    pci_.plug(slot, disks_.back()->controller);
  }
  for (const auto& apic : apics_) chips_.push_back(apic.get());
  // Functions before their host, which reads their configuration when it is loaded.
  if (console_) chips_.push_back(console_.get());
  for (const auto& slot : disks_) chips_.push_back(&slot->controller);
  for (Device* chip : std::initializer_list<Device*>{&apic_bus_, &ioapic_, &pic_, &pit_, &rtc_,
                                                     &power_, &hpet_, &pci_, &i8042_, &fw_cfg_,
                                                     &test_device_, &uart_, &debug_port_,
                                                     &exit_port_}) {
    chips_.push_back(chip);
  }
}

Board::~Board() = default;

uint64_t Board::storage(const MachineConfig& config) {
  return kBlank + whole_pages(config.firmware.size());
}

void Board::write_blank(uint64_t offset) {
  const std::vector<std::byte> ones(kPageSize, std::byte{0xFF});
  bus_.memory().write(offset, ones);
}

/// The firmware ends at 4 GiB; what its first page lacks is ones.
void Board::map_firmware() {
  const uint64_t rom = config_.memory_bytes + kBlank;
  const uint64_t size = whole_pages(config_.firmware.size());
  if (size == 0) return;
  write_blank(rom);
  bus_.memory().write(rom + size - config_.firmware.size(), config_.firmware);
  bus_.map({Hpa{(uint64_t{1} << 32) - size}, size, BusRange::Kind::rom, rom, nullptr});
}

/// One stretch below 1 MiB, at most 64 KiB, read and written as PAM says.
void Board::map_segment(Hpa start, uint64_t size, bool reads_ram, bool writes_ram) {
  const uint64_t rom_end = config_.memory_bytes + kBlank + whole_pages(config_.firmware.size());
  const uint64_t shown = std::min(whole_pages(config_.firmware.size()), kShadowEnd - kFirmwareShadow);
  if (reads_ram) {
    const auto kind = writes_ram ? BusRange::Kind::ram : BusRange::Kind::rom;
    bus_.map({start, size, kind, start.value, nullptr});
    return;
  }
  for (Hpa at = start; at < start + size; at += kPageSize) {
    const bool firmware = kShadowEnd - at <= shown;
    if (!firmware) write_blank(config_.memory_bytes);
    const uint64_t rom = firmware ? rom_end - (kShadowEnd - at) : config_.memory_bytes;
    BusRange range{at, kPageSize, BusRange::Kind::rom, rom, nullptr};
    range.shadowed = writes_ram;
    range.shadow_offset = at.value;
    bus_.map(range);
  }
}

/// PAM0's upper half is F0000H to FFFFFH; the others have 16 KiB in each half, from C0000H on.
void Board::MemoryGates::shadow_changed(std::span<const uint8_t, 7> pam) {
  constexpr uint64_t kSegment = 0x4000;
  constexpr Hpa kLast{0xF0000};
  const auto map = [this](Hpa start, uint64_t size, unsigned bits) {
    board.map_segment(start, size, (bits & 1) != 0, (bits & 2) != 0);
  };
  Hpa at = kShadowArea;
  for (const uint8_t two : pam.subspan<1>()) {
    map(at, kSegment, two & 15u);
    map(at + kSegment, kSegment, two >> 4u);
    at += 2 * kSegment;
  }
  map(kLast, kShadowEnd - kLast, pam[0] >> 4u);
}

void Board::map_devices() {
  bus_.map({Ioapic::kDefaultPage, Ioapic::kSize, BusRange::Kind::device, 0, &ioapic_});
  bus_.map_ports(Pic::kMasterPort, Pic::kPorts, pic_, Pic::kMasterOffset);
  bus_.map_ports(Pic::kSlavePort, Pic::kPorts, pic_, Pic::kSlaveOffset);
  bus_.map_ports(Pic::kElcrPort, Pic::kPorts, pic_, Pic::kElcrOffset);
  bus_.map_ports(Pit::kPort, Pit::kPorts, pit_);
  bus_.map_ports(Pit::kSystemControlPort, 1, pit_, Pit::kSystemControlOffset);
  bus_.map_ports(Rtc::kPort, Rtc::kPorts, rtc_);
  bus_.map_ports(Power::kEventPort, Power::kBlockPorts, power_);
  bus_.map_ports(Power::kSmiPort, 1, power_, Power::kSmiOffset);
  bus_.map({Hpet::kDefaultPage, kPageSize, BusRange::Kind::device, 0, &hpet_});
  bus_.map_ports(PciHost::kPort, PciHost::kPorts, pci_);
  // 0xCF9 lies inside mechanism 1's ports and belongs to the reset control.
  bus_.map_ports(Power::kResetPort, 1, power_, Power::kResetOffset);
  bus_.map_ports(I8042::kDataPort, 1, i8042_, I8042::kDataOffset);
  bus_.map_ports(I8042::kCommandPort, 1, i8042_, I8042::kCommandOffset);
  bus_.map_ports(I8042::kFastA20Port, 1, i8042_, I8042::kFastA20Offset);
  if (config_.test_board) {
    bus_.map_ports(FwCfg::kPort, FwCfg::kPorts, fw_cfg_);
    bus_.map_ports(TestDevice::kPort, TestDevice::kPorts, test_device_);
    bus_.map_ports(TestDevice::kLinePort, TestDevice::kLines, test_device_,
                   TestDevice::kLineOffset);
    bus_.map({TestDevice::kMemory, TestDevice::kMemorySize, BusRange::Kind::device, 0,
              &test_device_, TestDevice::kMemoryOffset});
  }
  bus_.map_ports(Uart::kCom1, Uart::kPorts, uart_);
  bus_.map_ports(DebugPort::kPort, DebugPort::kPorts, debug_port_);
  bus_.map_ports(ExitPort::kPort, ExitPort::kPorts, exit_port_);
  map_firmware();
}

/// Makes the bus agree with IA32_APIC_BASE of all processors (SDM "Relocating the Local APIC
/// Registers"). A page hides RAM and holes, but no other chip.
void Board::map_apics() {
  for (const ApicPage& old : apic_pages_) {
    if (old.beneath.kind == BusRange::Kind::open) {
      bus_.unmap(old.page, kPageSize);
    } else {
      bus_.map(old.beneath);
    }
  }
  apic_pages_.clear();
  for (const auto& apic : apics_) {
    if (!apic->enabled() || apic->x2apic()) continue;
    const Hpa page{apic->base() & ~uint64_t{kPageMask}};
    const BusRange found = bus_.find(page);
    if (found.kind == BusRange::Kind::device || found.kind == BusRange::Kind::rom) continue;
    BusRange beneath{page, kPageSize, found.kind, found.ram_offset + (page - found.start), nullptr};
    apic_pages_.push_back({page, beneath});
    bus_.map({page, kPageSize, BusRange::Kind::device, 0, &apic_bus_});
  }
}

void Board::reset(Cycle now) {
  for (Device* chip : chips_) chip->reset(now);
  map_apics();
  // As firmware leaves it: the 8259's interrupts reach the bootstrap processor by LINT0.
  apics_.front()->set_virtual_wire(now);
}

Hpa Board::write_acpi_tables() {
  const AcpiConfig config{.processors = config_.processors, .base = kAcpiArea};
  const auto tables = acpi_tables(config);
  require(tables.size() <= kAcpiAreaSize, "the ACPI tables fit their area");
  bus_.write_block(config.base, tables);
  return config.base;
}

void Board::ExternalInterrupt::set_line(unsigned, bool level, Cycle now) {
  board.apics_.front()->set_line(LocalApic::kLint0, level, now);
}

void Board::TextLine::output(std::span<const uint8_t> bytes) {
  if (board.receiver_ != nullptr) {
    board.receiver_->output(port, bytes, board.machine_.machine_now());
  }
}

void Board::receive(InputPort port, std::span<const uint8_t> bytes, Cycle now) {
  for (const uint8_t byte : bytes) {
    if (port == InputPort::serial) uart_.receive(byte, now);
    if (port == InputPort::keyboard) i8042_.receive(byte, now);
    if (port == InputPort::console && console_) console_->receive(byte, now);
  }
}

bool Board::interrupt_pending(uint32_t processor) { return apics_[processor]->pending(); }

std::optional<uint8_t> Board::acknowledge_interrupt(uint32_t processor, Cycle now) {
  return apics_[processor]->acknowledge(now);
}

uint8_t Board::task_priority(uint32_t processor) { return apics_[processor]->task_priority(); }

void Board::set_task_priority(uint32_t processor, uint8_t priority, Cycle now) {
  apics_[processor]->set_task_priority(priority, now);
}

uint64_t Board::apic_base(uint32_t processor) const { return apics_[processor]->base(); }

Result<void, Fault> Board::set_apic_base(uint32_t processor, uint64_t value, Cycle now) {
  const arch::CpuProfile& profile = *arch::find_profile(config_.cpu);
  const uint64_t before = apics_[processor]->base();
  const auto set = apics_[processor]->set_base(value, profile.physical_bits, now);
  if (apics_[processor]->base() != before) map_apics();
  return set;
}

Result<uint64_t, Fault> Board::read_apic_msr(uint32_t processor, uint32_t msr, Cycle now) {
  return apics_[processor]->read_msr(msr, now);
}

Result<void, Fault> Board::write_apic_msr(uint32_t processor, uint32_t msr, uint64_t value,
                                          Cycle now) {
  return apics_[processor]->write_msr(msr, value, now);
}

void Board::tsc_changed(uint32_t processor, Cycle now) { apics_[processor]->tsc_changed(now); }

void Board::set_ferr(bool level, Cycle now) {
  constexpr unsigned kFerrIrq = 13;
  isa_.set_line(kFerrIrq, level, now);
}

void Board::visit(StateVisitor& v) {
  for (Device* chip : chips_) {
    v.enter(chip->name());
    chip->visit(v);
    v.leave();
  }
  if (v.loading()) map_apics();
}

}  // namespace vitrine::emu
