// The Linux 64-bit boot protocol: bzImage, boot_params, command line and initrd.
#include <algorithm>
#include <cstring>

#include "emu/machine/boot/loader.h"

namespace vitrine::emu {

namespace {

// Offsets in the setup header and boot_params (Documentation: "The Linux/x86 Boot Protocol").
constexpr size_t kSetupSects = 0x1F1;
constexpr size_t kHeaderLength = 0x201;
constexpr size_t kVersion = 0x206;
constexpr size_t kTypeOfLoader = 0x210;
constexpr size_t kLoadFlags = 0x211;
constexpr size_t kRamdiskImage = 0x218;
constexpr size_t kRamdiskSize = 0x21C;
constexpr size_t kCommandLine = 0x228;
constexpr size_t kInitrdMax = 0x22C;
constexpr size_t kXLoadFlags = 0x236;
constexpr size_t kCommandLineSize = 0x238;
constexpr size_t kPrefAddress = 0x258;
constexpr size_t kInitSize = 0x260;
constexpr size_t kAcpiRsdp = 0x070;
constexpr size_t kE820Entries = 0x1E8;
constexpr size_t kE820Table = 0x2D0;
constexpr size_t kMaxE820 = 128;

template <class T>
T read_at(std::span<const std::byte> bytes, size_t offset) {
  T value{};
  if (offset + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

/// The highest usable place below `limit` that ends in RAM, page aligned.
Hpa place_for_initrd(const std::vector<MemoryRegion>& map, uint64_t size, uint64_t limit,
                     uint64_t floor) {
  for (auto region = map.rbegin(); region != map.rend(); ++region) {
    if (region->kind != RegionKind::usable) continue;
    const uint64_t end = std::min(region->start.value + region->size, limit);
    if (end < size) continue;
    const uint64_t start = (end - size) & ~kPageMask;
    if (start >= std::max(region->start.value, floor)) return Hpa{start};
  }
  throw BootError("the initrd does not fit into the machine's memory; give more with -m");
}

}  // namespace

void boot_linux(Loader& loader, const BootRequest& request, BootResult& result) {
  const std::span<const std::byte> image = request.image;
  if (read_at<uint16_t>(image, kVersion) < 0x20C || (read_at<uint16_t>(image, kXLoadFlags) & 1) == 0) {
    throw BootError("'" + request.name +
                    "' is a Linux kernel without a 64-bit entry point (boot protocol 2.12)");
  }
  const uint64_t sectors = std::max<uint8_t>(read_at<uint8_t>(image, kSetupSects), 1);
  const uint64_t setup_size = (sectors + 1) * 512;
  if (setup_size >= image.size()) throw BootError("'" + request.name + "' is cut short");
  const auto kernel = image.subspan(setup_size);
  const uint64_t load = read_at<uint64_t>(image, kPrefAddress);
  const uint64_t init_size = std::max<uint64_t>(read_at<uint32_t>(image, kInitSize), kernel.size());
  loader.place_at(Hpa{load}, kernel, init_size);

  ByteWriter params;
  params.data.resize(kPageSize);
  const size_t header_end =
      std::min<size_t>(0x202 + read_at<uint8_t>(image, kHeaderLength), 0x290);
  std::copy(image.begin() + kSetupSects, image.begin() + static_cast<ptrdiff_t>(header_end),
            params.data.begin() + kSetupSects);
  params.set(kTypeOfLoader, uint8_t{0xFF});
  params.set(kLoadFlags, static_cast<uint8_t>(read_at<uint8_t>(image, kLoadFlags) | 1));

  const uint32_t longest = read_at<uint32_t>(image, kCommandLineSize);
  if (request.command_line.size() > longest) {
    throw BootError("the command line is longer than the " + std::to_string(longest) +
                    " bytes this kernel takes");
  }
  ByteWriter line;
  line.text(request.command_line);
  params.set(kCommandLine, static_cast<uint32_t>(loader.place_low(line.data).value));

  if (!request.initrd.empty()) {
    const uint64_t limit = uint64_t{read_at<uint32_t>(image, kInitrdMax)} + 1;
    const Hpa at = place_for_initrd(loader.map, request.initrd.size(), limit, load + init_size);
    loader.place_at(at, request.initrd, request.initrd.size());
    params.set(kRamdiskImage, static_cast<uint32_t>(at.value));
    params.set(kRamdiskSize, static_cast<uint32_t>(request.initrd.size()));
  }

  params.set(kAcpiRsdp, loader.rsdp.value);
  const size_t entries = std::min(loader.map.size(), kMaxE820);
  params.set(kE820Entries, static_cast<uint8_t>(entries));
  for (size_t i = 0; i < entries; ++i) {
    const MemoryRegion& r = loader.map[i];
    params.set(kE820Table + 20 * i, r.start.value);
    params.set(kE820Table + 20 * i + 8, r.size);
    params.set(kE820Table + 20 * i + 16, static_cast<uint32_t>(r.kind));
  }
  const Hpa params_at = loader.place_low(params.data);

  result.entry = load + 0x200;
  loader.enter_long(result.entry);
  loader.cpu.state.regs[arch::rsi] = params_at.value;
}

}  // namespace vitrine::emu
