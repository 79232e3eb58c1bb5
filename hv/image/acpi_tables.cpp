// Finding the machine's ACPI tables, and the registers that turn it off. Offsets are those of the ACPI
// specification.
#include "hv/image/acpi_tables.h"

#include "hv/image/page_heap.h"

namespace vitrine::hv {
namespace {

constexpr std::uint64_t kHeaderSize = 36;

template <typename T>
T read(std::uint64_t address) {
  T value;
  __builtin_memcpy(&value, at<const void>(address), sizeof(T));
  return value;
}

// "Root System Description Table" and "Extended System Description Table": headers, then addresses.
std::uint64_t find_table(std::uint64_t root, std::uint64_t entry_size, std::uint32_t signature) {
  const std::uint64_t end = root + read<std::uint32_t>(root + 4);
  for (std::uint64_t entry = root + kHeaderSize; entry + entry_size <= end; entry += entry_size) {
    const std::uint64_t table =
        entry_size == 8 ? read<std::uint64_t>(entry) : read<std::uint32_t>(entry);
    if (read<std::uint32_t>(table) == signature) return table;
  }
  return 0;
}

// "Fixed ACPI Description Table": the extended address where the table has one and it is a port, else
// the old one.
std::uint16_t control_port(std::uint64_t fadt, std::uint64_t old, std::uint64_t extended) {
  constexpr std::uint8_t kSystemIo = 1;
  constexpr std::uint64_t kAddressSize = 12;
  const std::uint64_t size = read<std::uint32_t>(fadt + 4);
  if (extended + kAddressSize <= size && read<std::uint8_t>(fadt + extended) == kSystemIo) {
    const auto address = read<std::uint64_t>(fadt + extended + 4);
    if (address != 0) return static_cast<std::uint16_t>(address);
  }
  return old + 4 <= size ? static_cast<std::uint16_t>(read<std::uint32_t>(fadt + old)) : 0;
}

}  // namespace

// "Root System Description Pointer": revision 2 has the XSDT.
std::uint64_t find_acpi_table(const BootInformation& information, std::uint32_t signature) {
  constexpr std::size_t kRevision = 15;
  constexpr std::size_t kSizeOfFirst = 20;
  if (information.acpi_root_size < kSizeOfFirst) return 0;
  const auto pointer = reinterpret_cast<std::uint64_t>(information.acpi_root.data());
  const std::uint64_t extended = information.acpi_root_size >= information.acpi_root.size() &&
                                         information.acpi_root[kRevision] >= 2
                                     ? read<std::uint64_t>(pointer + 24)
                                     : 0;
  if (extended != 0) return find_table(extended, 8, signature);
  const auto root = read<std::uint32_t>(pointer + 16);
  return root == 0 ? 0 : find_table(root, 4, signature);
}

PowerPorts power_ports(const BootInformation& information) {
  constexpr std::uint32_t kFadt = 0x50434146;  // "FACP"
  const std::uint64_t fadt = find_acpi_table(information, kFadt);
  if (fadt == 0) return {};
  return {control_port(fadt, 64, 172), control_port(fadt, 68, 184)};
}

}  // namespace vitrine::hv
