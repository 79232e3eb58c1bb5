// Board: wiring.
#include "emu/machine/board.h"

namespace vitrine::emu {

Board::Board(const MachineConfig& config, Bus& bus, EventQueue& events, BoardEvents& machine)
    : config_(config),
      bus_(bus),
      machine_(machine),
      serial_line_(*this, OutputPort::serial),
      debug_line_(*this, OutputPort::debug),
      verdict_(machine),
      uart_(events, time_, Line{}, &serial_line_),
      debug_port_(&debug_line_),
      exit_port_(verdict_) {}

Board::~Board() = default;

void Board::map_devices() {
  bus_.map_ports(Uart::kCom1, Uart::kPorts, uart_);
  bus_.map_ports(DebugPort::kPort, DebugPort::kPorts, debug_port_);
  bus_.map_ports(ExitPort::kPort, ExitPort::kPorts, exit_port_);
}

void Board::reset(Cycle now) { uart_.reset(now); }

Hpa Board::write_acpi_tables() { return Hpa{}; }

void Board::TextLine::output(std::span<const uint8_t> bytes) {
  if (board.receiver_ != nullptr) {
    board.receiver_->output(port, bytes, board.machine_.machine_now());
  }
}

void Board::receive(InputPort port, std::span<const uint8_t> bytes, Cycle now) {
  if (port != InputPort::serial) return;
  for (const uint8_t byte : bytes) uart_.receive(byte, now);
}

bool Board::interrupt_pending(uint32_t, Cycle) { return false; }
std::optional<uint8_t> Board::acknowledge_interrupt(uint32_t, Cycle) { return std::nullopt; }
uint8_t Board::task_priority(uint32_t) { return 0; }
void Board::set_task_priority(uint32_t, uint8_t, Cycle) {}
uint64_t Board::apic_base(uint32_t processor) const {
  return 0xFEE00800 | (processor == 0 ? 0x100u : 0u);
}
Result<void, Fault> Board::set_apic_base(uint32_t, uint64_t) { return Err{kGeneralProtection0}; }
Result<uint64_t, Fault> Board::read_apic_msr(uint32_t, uint32_t, Cycle) {
  return Err{kGeneralProtection0};
}
Result<void, Fault> Board::write_apic_msr(uint32_t, uint32_t, uint64_t, Cycle) {
  return Err{kGeneralProtection0};
}
void Board::tsc_changed(uint32_t, Cycle) {}
void Board::set_ferr(bool, Cycle) {}

void Board::visit(StateVisitor& v) { uart_.visit(v); }

}  // namespace vitrine::emu
