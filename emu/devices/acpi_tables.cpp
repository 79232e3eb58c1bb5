// ACPI tables: what firmware of this board would tell the operating system.
#include "emu/devices/acpi_tables.h"

#include <algorithm>
#include <string_view>

#include "emu/devices/aml.h"
#include "emu/devices/apic_bus.h"
#include "emu/devices/hpet.h"
#include "emu/devices/ioapic.h"
#include "emu/devices/power.h"
#include "emu/devices/uart.h"

namespace vitrine::emu {

namespace {

using Bytes = std::vector<uint8_t>;

constexpr size_t kRsdp = 36;
constexpr size_t kFacs = 64;
constexpr size_t kFadt = 276;

void put(Bytes& out, uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) out.push_back(static_cast<uint8_t>(value >> 8 * i));
}

void put_text(Bytes& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

void set(Bytes& out, size_t at, uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) out[at + i] = static_cast<uint8_t>(value >> 8 * i);
}

uint8_t checksum(const Bytes& bytes, size_t first, size_t size) {
  uint8_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum = static_cast<uint8_t>(sum + bytes[first + i]);
  return static_cast<uint8_t>(-sum);
}

/// ACPI "System Description Table Header"; length and checksum come with finish().
Bytes header(std::string_view signature, uint8_t revision) {
  Bytes table;
  put_text(table, signature);
  put(table, 0, 4);
  put(table, revision, 1);
  put(table, 0, 1);
  put_text(table, "VITRNE");
  put_text(table, "VITRINE ");
  put(table, 1, 4);
  put_text(table, "VTRN");
  put(table, 1, 4);
  return table;
}

Bytes finish(Bytes table) {
  set(table, 4, table.size(), 4);
  table[9] = checksum(table, 0, table.size());
  return table;
}

/// ACPI "Generic Address Structure" in I/O space.
void set_io_address(Bytes& table, size_t at, uint16_t port, unsigned bits, unsigned access) {
  set(table, at, 1, 1);
  set(table, at + 1, bits, 1);
  set(table, at + 3, access, 1);
  set(table, at + 4, port, 8);
}

Bytes fadt(const AcpiConfig& config, uint64_t facs, uint64_t dsdt) {
  Bytes t = header("FACP", 6);
  t.resize(kFadt);
  set(t, 36, facs, 4);
  set(t, 40, dsdt, 4);
  set(t, 46, Power::kSciIrq, 2);
  // SMI_CMD stays 0: ACPI is always on. No PM1b, PM2 or GPE blocks.
  set(t, 56, Power::kEventPort, 4);
  set(t, 64, Power::kControlPort, 4);
  set(t, 76, Power::kTimerPort, 4);
  set(t, 88, 4, 1);      // PM1 event bytes
  set(t, 89, 2, 1);      // PM1 control bytes
  set(t, 91, 4, 1);      // PM timer bytes
  set(t, 96, 0xFFF, 2);  // no C2
  set(t, 98, 0xFFF, 2);  // no C3
  set(t, 108, 0x32, 1);  // century in CMOS
  // IA-PC boot architecture: legacy devices, 8042 if there, no VGA.
  set(t, 109, 1u | (config.i8042 ? 2u : 0u) | 4u, 2);
  // Fixed features: WBINVD, C1, sleep button absent, reset register supported.
  set(t, 112, 1u << 0 | 1u << 2 | 1u << 5 | 1u << 10, 4);
  set_io_address(t, 116, Power::kResetPort, 8, 1);
  set(t, 128, Power::kResetValue, 1);
  set(t, 131, 2, 1);  // minor version
  set(t, 132, facs, 8);
  set(t, 140, dsdt, 8);
  set_io_address(t, 148, Power::kEventPort, 32, 2);
  set_io_address(t, 172, Power::kControlPort, 16, 2);
  set_io_address(t, 208, Power::kTimerPort, 32, 3);
  return finish(std::move(t));
}

Bytes facs() {
  Bytes t;
  put_text(t, "FACS");
  put(t, kFacs, 4);
  t.resize(kFacs);
  t[32] = 2;  // version
  return t;
}

/// ACPI "Multiple APIC Description Table (MADT)".
Bytes madt(const AcpiConfig& config) {
  Bytes t = header("APIC", 5);
  put(t, ApicBus::kDefaultPage.value, 4);
  put(t, config.pic ? 1 : 0, 4);
  for (uint32_t i = 0; i < config.processors; ++i) {
    if (i < 255) {
      put(t, 0x0800, 2);  // processor local APIC
      put(t, i, 1);
      put(t, i, 1);
      put(t, 1, 4);  // enabled
    } else {
      put(t, 0x1009, 2);  // processor local x2APIC
      put(t, 0, 2);
      put(t, i, 4);
      put(t, 1, 4);
      put(t, i, 4);
    }
  }
  put(t, 0x0C01, 2);             // I/O APIC
  put(t, config.processors, 1);  // its id: the first after the processors'
  put(t, 0, 1);
  put(t, Ioapic::kDefaultPage.value, 4);
  put(t, 0, 4);
  const auto override_source = [&t](uint8_t irq, uint32_t input, uint16_t flags) {
    put(t, 0x0A02, 2);
    put(t, 0, 1);
    put(t, irq, 1);
    put(t, input, 4);
    put(t, flags, 2);
  };
  override_source(0, 2, 0);                    // the timer, as the bus says: edge
  override_source(Power::kSciIrq, 9, 0x000D);  // the SCI: active high, level
  put(t, 0x0604, 2);                           // LINT1 of every processor is NMI
  put(t, 0xFF, 1);
  put(t, 0x0005, 2);
  put(t, 1, 1);
  return finish(std::move(t));
}

Bytes hpet_table() {
  Bytes t = header("HPET", 1);
  put(t, Hpet::kBlockId, 4);
  put(t, 0, 1);  // memory
  put(t, 64, 1);
  put(t, 0, 2);
  put(t, Hpet::kDefaultPage.value, 8);
  put(t, 0, 1);
  put(t, Hpet::kMinimumTicks, 2);
  put(t, 0, 1);
  return finish(std::move(t));
}

void legacy_device(AmlWriter& w, std::string_view path, std::string_view id, uint16_t port,
                   uint8_t ports, uint8_t irq) {
  const auto device = w.open_device(path);
  w.named_eisa_id("_HID", id);
  const auto resources = w.open_resources();
  w.io(port, ports);
  w.irq(irq);
  w.close_resources(resources);
  w.close(device);
}

void keyboard(AmlWriter& w) {
  const auto device = w.open_device("KBD");
  w.named_eisa_id("_HID", "PNP0303");
  const auto resources = w.open_resources();
  w.io(0x60, 1);
  w.io(0x64, 1);
  w.irq(1);
  w.close_resources(resources);
  w.close(device);
}

/// Slot s, pin p is wired to input 16 + (s + p) mod 4 of the I/O APIC.
void pci_root(AmlWriter& w, const AcpiConfig& config) {
  constexpr uint8_t kSlots = 32;
  const auto device = w.open_device("PCI0");
  w.named_eisa_id("_HID", "PNP0A03");
  w.named_integer("_UID", 0);
  const auto resources = w.open_resources();
  w.bus_range(0, 0);
  w.io(0xCF8, 8);
  w.io_window(0x0000, 0x0CF7);
  w.io_window(0x0D00, 0xFFFF);
  const auto first = static_cast<uint32_t>(config.pci_window.value);
  w.memory_window(first, first + config.pci_window_size - 1);
  w.close_resources(resources);
  w.begin_name("_PRT");
  const auto table = w.open_package((kSlots - 1) * 4);
  for (uint32_t slot = 1; slot < kSlots; ++slot) {
    for (uint32_t pin = 0; pin < 4; ++pin) {
      const auto row = w.open_package(4);
      w.integer(slot << 16 | 0xFFFF);
      w.integer(pin);
      w.integer(0);
      w.integer(16 + (slot + pin) % 4);
      w.close(row);
    }
  }
  w.close(table);
  w.close(device);
}

Bytes dsdt(const AcpiConfig& config) {
  AmlWriter w;
  w.begin_name("\\_S5");
  const auto s5 = w.open_package(4);
  for (int i = 0; i < 4; ++i) w.integer(Power::kSleepTypeS5);
  w.close(s5);
  const auto scope = w.open_scope("\\_SB");
  for (uint32_t i = 0; i < config.processors; ++i) {
    const std::string_view digits = "0123456789ABCDEF";
    const char path[] = {'C', digits[i >> 8 & 15], digits[i >> 4 & 15], digits[i & 15]};
    const auto device = w.open_device({path, 4});
    w.begin_name("_HID");
    w.string("ACPI0007");
    w.named_integer("_UID", i);
    w.close(device);
  }
  if (config.pci) pci_root(w, config);
  legacy_device(w, "COM1", "PNP0501", Uart::kCom1, Uart::kPorts, Uart::kCom1Irq);
  legacy_device(w, "RTC", "PNP0B00", 0x70, 2, 8);
  legacy_device(w, "TMR", "PNP0100", 0x40, 4, 0);
  if (config.i8042) keyboard(w);
  if (config.hpet) {
    const auto device = w.open_device("HPET");
    w.named_eisa_id("_HID", "PNP0103");
    const auto resources = w.open_resources();
    w.fixed_memory(static_cast<uint32_t>(Hpet::kDefaultPage.value), Hpet::kSize);
    w.close_resources(resources);
    w.close(device);
  }
  w.close(scope);
  Bytes t = header("DSDT", 2);
  t.insert(t.end(), w.bytes().begin(), w.bytes().end());
  return finish(std::move(t));
}

/// ACPI "Root System Description Pointer (RSDP)", revision 2.
void write_rsdp(Bytes& all, uint64_t xsdt) {
  Bytes r;
  put_text(r, "RSD PTR ");
  put(r, 0, 1);
  put_text(r, "VITRNE");
  put(r, 2, 1);
  put(r, 0, 4);  // no RSDT
  put(r, kRsdp, 4);
  put(r, xsdt, 8);
  put(r, 0, 4);
  r[8] = checksum(r, 0, 20);
  r[32] = checksum(r, 0, kRsdp);
  std::copy(r.begin(), r.end(), all.begin());
}

}  // namespace

std::vector<std::byte> acpi_tables(const AcpiConfig& config) {
  Bytes all(kRsdp);
  const auto place = [&](const Bytes& table) {
    all.resize((all.size() + 63) / 64 * 64);
    const uint64_t address = config.base.value + all.size();
    all.insert(all.end(), table.begin(), table.end());
    return address;
  };
  const uint64_t facs_at = place(facs());
  const uint64_t dsdt_at = place(dsdt(config));
  std::vector<uint64_t> pointers;
  pointers.push_back(place(fadt(config, facs_at, dsdt_at)));
  pointers.push_back(place(madt(config)));
  if (config.hpet) pointers.push_back(place(hpet_table()));
  Bytes xsdt = header("XSDT", 1);
  for (const uint64_t pointer : pointers) put(xsdt, pointer, 8);
  const uint64_t xsdt_at = place(finish(std::move(xsdt)));
  write_rsdp(all, xsdt_at);

  std::vector<std::byte> out;
  out.reserve(all.size());
  for (const uint8_t b : all) out.push_back(std::byte{b});
  return out;
}

}  // namespace vitrine::emu
