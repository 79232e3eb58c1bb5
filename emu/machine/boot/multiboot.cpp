// Multiboot 1 and 2: headers, information structures, modules and the 32-bit entry state.
#include <algorithm>
#include <cstring>

#include "emu/machine/boot/loader.h"

namespace vitrine::emu {

namespace {

constexpr uint32_t kMagic1 = 0x1BADB002;
constexpr uint32_t kMagic2 = 0xE85250D6;
constexpr uint32_t kEntryMagic1 = 0x2BADB002;
constexpr uint32_t kEntryMagic2 = 0x36D76289;
constexpr std::string_view kLoaderName = "Vitrine";

uint32_t word(std::span<const std::byte> image, size_t offset) {
  uint32_t value = 0;
  if (offset + 4 <= image.size()) std::memcpy(&value, image.data() + offset, 4);
  return value;
}

uint64_t low_kilobytes(const std::vector<MemoryRegion>& map) { return map.front().size / 1024; }

uint64_t high_kilobytes(const std::vector<MemoryRegion>& map) {
  for (const MemoryRegion& r : map) {
    if (r.kind == RegionKind::usable && r.start == Hpa{0x100000}) return r.size / 1024;
  }
  return 0;
}

/// The address fields that a header gives when the file is not ELF.
struct FlatAddresses {
  uint64_t header = 0, load = 0, load_end = 0, bss_end = 0;
};

void place_flat(Loader& loader, std::span<const std::byte> image, size_t header_offset,
                const FlatAddresses& a) {
  const uint64_t before = a.header - a.load;
  if (a.load > a.header || before > header_offset) {
    throw BootError("the multiboot header's addresses do not fit the file");
  }
  const uint64_t first = header_offset - before;
  uint64_t size = image.size() - first;
  if (a.load_end != 0) {
    if (a.load_end < a.load || a.load_end - a.load > size) {
      throw BootError("the multiboot header's addresses do not fit the file");
    }
    size = a.load_end - a.load;
  }
  const uint64_t memory_size = a.bss_end > a.load + size ? a.bss_end - a.load : size;
  loader.place_at(Hpa{a.load}, image.subspan(first, size), memory_size);
}

ElfFile parse_elf(const BootRequest& request) {
  std::string why;
  const auto elf = ElfFile::parse(request.image, why);
  if (!elf) throw BootError("'" + request.name + "' cannot be booted: " + why);
  return *elf;
}

struct PlacedModule {
  Hpa start;
  uint64_t size;
  const std::string& command_line;
};

std::vector<PlacedModule> place_modules(Loader& loader, const BootRequest& request) {
  std::vector<PlacedModule> placed;
  for (const BootModule& module : request.modules) {
    const Hpa at = loader.place(module.bytes);
    placed.push_back({at, module.bytes.size(), module.command_line});
  }
  return placed;
}

}  // namespace

size_t find_multiboot1(std::span<const std::byte> image) {
  const size_t end = std::min<size_t>(image.size(), 8192);
  for (size_t at = 0; at + 12 <= end; at += 4) {
    if (word(image, at) == kMagic1 &&
        word(image, at) + word(image, at + 4) + word(image, at + 8) == 0) {
      return at;
    }
  }
  return kNoHeader;
}

size_t find_multiboot2(std::span<const std::byte> image) {
  const size_t end = std::min<size_t>(image.size(), 32768);
  for (size_t at = 0; at + 16 <= end; at += 8) {
    const uint32_t sum = word(image, at) + word(image, at + 4) + word(image, at + 8) +
                         word(image, at + 12);
    if (word(image, at) == kMagic2 && sum == 0 && word(image, at + 4) == 0) return at;
  }
  return kNoHeader;
}

void boot_multiboot2(Loader& loader, const BootRequest& request, BootResult& result) {
  const std::span<const std::byte> image = request.image;
  const size_t header = find_multiboot2(image);
  const size_t header_end = header + word(image, header + 8);
  FlatAddresses flat;
  bool has_flat = false;
  uint64_t entry = 0;
  for (size_t at = header + 16; at + 8 <= header_end && at + 8 <= image.size();) {
    const uint32_t type = word(image, at) & 0xFFFF;
    const uint32_t size = word(image, at + 4);
    if (type == 0 || size < 8) break;
    if (type == 2) {
      flat = {word(image, at + 8), word(image, at + 12), word(image, at + 16),
              word(image, at + 20)};
      has_flat = true;
    } else if (type == 3) {
      entry = word(image, at + 8);
    }
    at += (size_t{size} + 7) & ~size_t{7};
  }
  if (has_flat) {
    place_flat(loader, image, header, flat);
  } else {
    const ElfFile elf = parse_elf(request);
    loader.place_elf(elf);
    if (entry == 0) entry = elf.physical_entry();
  }

  const auto modules = place_modules(loader, request);
  ByteWriter info;
  info.put(uint32_t{0});  // total size, set below
  info.put(uint32_t{0});
  const auto tag = [&](uint32_t type, auto fill) {
    info.align(8);
    const size_t start = info.data.size();
    info.put(type);
    info.put(uint32_t{0});
    fill();
    info.set(start + 4, static_cast<uint32_t>(info.data.size() - start));
  };
  tag(1, [&] { info.text(request.command_line); });
  tag(2, [&] { info.text(kLoaderName); });
  for (const PlacedModule& m : modules) {
    tag(3, [&] {
      info.put(static_cast<uint32_t>(m.start.value));
      info.put(static_cast<uint32_t>(m.start.value + m.size));
      info.text(m.command_line);
    });
  }
  tag(4, [&] {
    info.put(static_cast<uint32_t>(low_kilobytes(loader.map)));
    info.put(static_cast<uint32_t>(high_kilobytes(loader.map)));
  });
  tag(6, [&] {
    info.put(uint32_t{24});
    info.put(uint32_t{0});
    for (const MemoryRegion& r : loader.map) {
      info.put(r.start.value);
      info.put(r.size);
      info.put(static_cast<uint32_t>(r.kind));
      info.put(uint32_t{0});
    }
  });
  if (loader.rsdp != Hpa{}) {
    tag(15, [&] {
      std::array<std::byte, 36> copy;
      loader.bus.read_block(loader.rsdp, copy);
      info.data.insert(info.data.end(), copy.begin(), copy.end());
    });
  }
  tag(0, [] {});
  info.align(8);
  info.set(0, static_cast<uint32_t>(info.data.size()));
  const Hpa at = loader.place_low(info.data);

  result.entry = entry;
  loader.enter_protected(entry);
  loader.cpu.state.regs[arch::rax] = kEntryMagic2;
  loader.cpu.state.regs[arch::rbx] = at.value;
}

void boot_multiboot1(Loader& loader, const BootRequest& request, BootResult& result) {
  const std::span<const std::byte> image = request.image;
  const size_t header = find_multiboot1(image);
  const uint32_t flags = word(image, header + 4);
  uint64_t entry = 0;
  if ((flags & 0x10000) != 0) {
    place_flat(loader, image, header,
               {word(image, header + 12), word(image, header + 16), word(image, header + 20),
                word(image, header + 24)});
    entry = word(image, header + 28);
  } else {
    const ElfFile elf = parse_elf(request);
    loader.place_elf(elf);
    entry = elf.physical_entry();
  }

  const auto text_at = [&](std::string_view text) {
    ByteWriter bytes;
    bytes.text(text);
    return loader.place_low(bytes.data);
  };
  const auto modules = place_modules(loader, request);
  ByteWriter list;
  for (const PlacedModule& m : modules) {
    const Hpa line = text_at(m.command_line);
    list.put(static_cast<uint32_t>(m.start.value));
    list.put(static_cast<uint32_t>(m.start.value + m.size));
    list.put(static_cast<uint32_t>(line.value));
    list.put(uint32_t{0});
  }
  ByteWriter map;
  for (const MemoryRegion& r : loader.map) {
    map.put(uint32_t{20});
    map.put(r.start.value);
    map.put(r.size);
    map.put(static_cast<uint32_t>(r.kind));
  }
  const Hpa list_at = loader.place_low(list.data);
  const Hpa map_at = loader.place_low(map.data);
  const Hpa command_line = text_at(request.command_line);
  const Hpa loader_name = text_at(kLoaderName);

  ByteWriter info;
  info.put(uint32_t{0x1 | 0x4 | 0x8 | 0x40 | 0x200});
  info.put(static_cast<uint32_t>(low_kilobytes(loader.map)));
  info.put(static_cast<uint32_t>(high_kilobytes(loader.map)));
  info.put(uint32_t{0});  // boot device
  info.put(static_cast<uint32_t>(command_line.value));
  info.put(static_cast<uint32_t>(modules.size()));
  info.put(static_cast<uint32_t>(list_at.value));
  for (int i = 0; i < 4; ++i) info.put(uint32_t{0});  // symbols
  info.put(static_cast<uint32_t>(map.data.size()));
  info.put(static_cast<uint32_t>(map_at.value));
  for (int i = 0; i < 3; ++i) info.put(uint32_t{0});  // drives, configuration table
  info.put(static_cast<uint32_t>(loader_name.value));
  for (int i = 0; i < 12; ++i) info.put(uint32_t{0});  // APM, VBE, framebuffer
  const Hpa at = loader.place_low(info.data);

  result.entry = entry;
  loader.enter_protected(entry);
  loader.cpu.state.regs[arch::rax] = kEntryMagic1;
  loader.cpu.state.regs[arch::rbx] = at.value;
}

}  // namespace vitrine::emu
