// The processors that the machine's ACPI tables list. Offsets are those of the ACPI specification.
#include "hv/image/acpi_processors.h"

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

// "Root System Description Pointer": revision 2 has the XSDT.
std::uint64_t find_madt(const BootInformation& information) {
  constexpr std::uint32_t kMadt = 0x43495041;  // "APIC"
  constexpr std::size_t kRevision = 15;
  constexpr std::size_t kSizeOfFirst = 20;
  if (information.acpi_root_size < kSizeOfFirst) return 0;
  const auto pointer = reinterpret_cast<std::uint64_t>(information.acpi_root.data());
  const std::uint64_t extended = information.acpi_root_size >= information.acpi_root.size() &&
                                         information.acpi_root[kRevision] >= 2
                                     ? read<std::uint64_t>(pointer + 24)
                                     : 0;
  if (extended != 0) return find_table(extended, 8, kMadt);
  const auto root = read<std::uint32_t>(pointer + 16);
  return root == 0 ? 0 : find_table(root, 4, kMadt);
}

}  // namespace

ProcessorList listed_processors(const BootInformation& information) {
  // "Interrupt Controller Structures" of the two kinds that name a processor.
  constexpr std::uint8_t kLocalApic = 0;
  constexpr std::uint8_t kLocalX2apic = 9;
  constexpr std::uint32_t kEnabled = 1;
  ProcessorList list;
  const std::uint64_t madt = find_madt(information);
  if (madt == 0) return list;
  const std::uint64_t end = madt + read<std::uint32_t>(madt + 4);
  for (std::uint64_t entry = madt + 44; entry + 2 <= end;) {
    const auto type = read<std::uint8_t>(entry);
    const auto size = read<std::uint8_t>(entry + 1);
    if (size < 2 || list.count == ProcessorList::kMaximum) break;
    if (type == kLocalApic && (read<std::uint32_t>(entry + 4) & kEnabled) != 0) {
      list.apic_ids[list.count++] = read<std::uint8_t>(entry + 3);
    }
    if (type == kLocalX2apic && (read<std::uint32_t>(entry + 8) & kEnabled) != 0) {
      list.apic_ids[list.count++] = read<std::uint32_t>(entry + 4);
    }
    entry += size;
  }
  return list;
}

}  // namespace vitrine::hv
