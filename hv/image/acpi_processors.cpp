// The processors that the machine's ACPI tables list. Offsets are those of the ACPI specification.
#include "hv/image/acpi_processors.h"

#include "hv/image/acpi_tables.h"
#include "hv/image/page_heap.h"

namespace vitrine::hv {
namespace {

template <typename T>
T read(std::uint64_t address) {
  T value;
  __builtin_memcpy(&value, at<const void>(address), sizeof(T));
  return value;
}

}  // namespace

ProcessorList listed_processors(const BootInformation& information) {
  // "Interrupt Controller Structures" of the two kinds that name a processor.
  constexpr std::uint8_t kLocalApic = 0;
  constexpr std::uint8_t kLocalX2apic = 9;
  constexpr std::uint32_t kEnabled = 1;
  ProcessorList list;
  constexpr std::uint32_t kMadt = 0x43495041;  // "APIC"
  const std::uint64_t madt = find_acpi_table(information, kMadt);
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
