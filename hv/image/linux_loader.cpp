// Loads a Linux bzImage as the root kernel; offsets are those of "The Linux/x86 Boot Protocol".
#include "hv/image/linux_loader.h"

#include "hv/image/console.h"
#include "hv/image/page_heap.h"

namespace vitrine::hv {
namespace {

// Low pages of the root that the boot information fills.
constexpr std::uint64_t kParameters = 0x7000;  // boot_params
constexpr std::uint64_t kCommandLine = 0x8000;
constexpr std::uint64_t kPml4 = 0x9000;
constexpr std::uint64_t kPdpt = 0xA000;
constexpr std::uint64_t kDirectories = 0xB000;  // four of them
constexpr std::uint64_t kAcpiRoot = 0x6000;

// The setup header, in the file and in boot_params alike, and the fields of boot_params around it.
namespace offset {
constexpr std::uint64_t acpi_rsdp = 0x070;
constexpr std::uint64_t e820_entries = 0x1E8;
constexpr std::uint64_t setup_sects = 0x1F1;
constexpr std::uint64_t header_length = 0x201;
constexpr std::uint64_t signature = 0x202;
constexpr std::uint64_t version = 0x206;
constexpr std::uint64_t loader_type = 0x210;
constexpr std::uint64_t load_flags = 0x211;
constexpr std::uint64_t ramdisk_image = 0x218;
constexpr std::uint64_t ramdisk_size = 0x21C;
constexpr std::uint64_t command_line = 0x228;
constexpr std::uint64_t extended_flags = 0x236;
constexpr std::uint64_t preferred_address = 0x258;
constexpr std::uint64_t initial_size = 0x260;
constexpr std::uint64_t e820_table = 0x2D0;
}  // namespace offset

template <typename T>
T get(std::uint64_t address) {
  T value;
  __builtin_memcpy(&value, at<void>(address), sizeof(T));
  return value;
}
template <typename T>
void put(std::uint64_t address, T value) {
  __builtin_memcpy(at<void>(address), &value, sizeof(T));
}

// SDM "4-Level Paging": 4 GiB one to one, in 2 MiB pages.
void build_page_tables() {
  constexpr std::uint64_t kTable = 3;
  constexpr std::uint64_t kLargePage = 0x83;
  constexpr std::uint64_t kLargeSize = 0x200000;
  __builtin_memset(at<void>(kPml4), 0, 2 * kPageSize);
  put(kPml4, kPdpt | kTable);
  for (std::uint64_t i = 0; i < 4; ++i) put(kPdpt + 8 * i, (kDirectories + i * kPageSize) | kTable);
  for (std::uint64_t i = 0; i < 2048; ++i) put(kDirectories + 8 * i, i * kLargeSize | kLargePage);
}

void write_memory_map(const BootInformation& information) {
  constexpr std::uint64_t kEntrySize = 20;
  std::uint64_t entry = kParameters + offset::e820_table;
  for (const BootRange& range : information.memory()) {
    put(entry, range.base);
    put(entry + 8, range.size);
    put(entry + 16, static_cast<std::uint32_t>(range.type));
    entry += kEntrySize;
  }
  put(kParameters + offset::e820_entries, static_cast<std::uint8_t>(information.range_count));
}

}  // namespace

bool is_linux(std::uint64_t file, std::uint64_t size) {
  constexpr std::uint32_t kSignature = 0x53726448;  // "HdrS"
  constexpr std::uint64_t kSmallest = 0x1000;
  return size >= kSmallest && get<std::uint32_t>(file + offset::signature) == kSignature;
}

RootEntry load_linux(const BootInformation& information, const StagedModules& staged) {
  constexpr std::uint16_t kHas64BitEntry = 1;
  constexpr std::uint16_t kFirstVersion = 0x20C;
  constexpr std::uint64_t kSector = 512;
  constexpr std::uint64_t kEntryOffset = 0x200;
  const std::uint64_t file = staged.base[0];
  const std::uint64_t file_size = information.modules[0].size;
  if (get<std::uint16_t>(file + offset::version) < kFirstVersion ||
      (get<std::uint16_t>(file + offset::extended_flags) & kHas64BitEntry) == 0) {
    stop("the root kernel is a Linux without a 64-bit entry");
  }
  const std::uint64_t setup = (get<std::uint8_t>(file + offset::setup_sects) + 1) * kSector;
  const auto target = get<std::uint64_t>(file + offset::preferred_address);
  const auto size = get<std::uint32_t>(file + offset::initial_size);
  if (setup >= file_size) stop("the root kernel's file is cut short");
  if (!is_root_ram(information, target, size)) {
    stop("the root kernel wants memory that is not there, at", target);
  }
  if (target < file + file_size && file < target + size) {
    stop("the root kernel does not fit below its own file");
  }
  __builtin_memcpy(at<void>(target), at<const void>(file + setup), file_size - setup);

  __builtin_memset(at<void>(kParameters), 0, kPageSize);
  const std::uint64_t header_end =
      offset::signature + get<std::uint8_t>(file + offset::header_length);
  __builtin_memcpy(at<void>(kParameters + offset::setup_sects),
                   at<const void>(file + offset::setup_sects), header_end - offset::setup_sects);
  constexpr std::uint8_t kUnregisteredLoader = 0xFF;
  put(kParameters + offset::loader_type, kUnregisteredLoader);
  const auto flags = get<std::uint8_t>(file + offset::load_flags);
  put(kParameters + offset::load_flags, static_cast<std::uint8_t>(flags | 1));
  put(kCommandLine, information.modules[0].command_line.characters);
  put(kParameters + offset::command_line, static_cast<std::uint32_t>(kCommandLine));
  if (information.module_count > 1) {
    put(kParameters + offset::ramdisk_image, static_cast<std::uint32_t>(staged.base[1]));
    put(kParameters + offset::ramdisk_size,
        static_cast<std::uint32_t>(information.modules[1].size));
  }
  if (information.acpi_root_size != 0) {
    put(kAcpiRoot, information.acpi_root);
    put(kParameters + offset::acpi_rsdp, kAcpiRoot);
  }
  write_memory_map(information);
  build_page_tables();
  return {.mode = RootEntry::Mode::long_mode,
          .rip = target + kEntryOffset,
          .rbx = 0,
          .rsi = kParameters,
          .cr3 = kPml4};
}

}  // namespace vitrine::hv
