// Loader: placing bytes in RAM, and the processor states that boot protocols begin in.
#include "emu/machine/boot/loader.h"

#include <algorithm>

namespace vitrine::emu {

namespace {

constexpr Hpa kPageTables{0x1000};  // two pages: PML4 and PDPT
constexpr Hpa kGdt{0x500};
constexpr uint16_t kCode = 0x10;
constexpr uint16_t kData = 0x18;

SegmentState flat_segment(uint16_t selector, uint32_t rights) {
  return SegmentState{0, 0xFFFFFFFF, arch::SegmentRights{rights}, selector};
}

}  // namespace

Loader::Loader(Bus& b, const std::vector<MemoryRegion>& m, Hpa r, Cpu& c, std::string_view name)
    : bus(b), map(m), rsdp(r), cpu(c), name_(name) {
  place_bios_data();
}

void Loader::place_bios_data() {
  constexpr Hpa kSerialPorts{0x400}, kExtendedArea{0x40E}, kKilobytes{0x413};
  const uint64_t conventional = map.front().size;
  const auto place_word = [this](Hpa at, uint64_t value) {
    ByteWriter word;
    word.put(static_cast<uint16_t>(value));
    bus.write_block(at, word.data);
  };
  place_word(kSerialPorts, 0x3F8);
  place_word(kExtendedArea, conventional >> 4);
  place_word(kKilobytes, conventional >> 10);
  place_word(Hpa{conventional}, (0xA0000 - conventional) >> 10);
}

void Loader::place_at(Hpa address, std::span<const std::byte> bytes, uint64_t memory_size) {
  const bool fits = std::any_of(map.begin(), map.end(), [&](const MemoryRegion& region) {
    return region.kind == RegionKind::usable && address >= region.start &&
           address - region.start <= region.size &&
           memory_size <= region.size - (address - region.start);
  });
  if (!fits || bytes.size() > memory_size) {
    throw BootError("'" + name_ + "' does not fit into the machine's memory; give more with -m");
  }
  bus.write_block(address, bytes);
  const uint64_t end = address.value + memory_size;
  if (end < kHighRamStart) next_free_ = std::max(next_free_, end);
}

Hpa Loader::place(std::span<const std::byte> bytes) {
  const Hpa at{(next_free_ + kPageMask) & ~kPageMask};
  place_at(at, bytes, std::max<uint64_t>(bytes.size(), 1));
  return at;
}

void Loader::place_elf(const ElfFile& elf) {
  for (const ElfSegment& s : elf.segments()) {
    place_at(Hpa{s.physical}, s.file_bytes, s.memory_size);
  }
}

Hpa Loader::place_low(std::span<const std::byte> bytes) {
  const Hpa at{next_low_};
  next_low_ = (next_low_ + bytes.size() + 15) & ~uint64_t{15};
  if (next_low_ > 0x9F000) throw BootError("the command lines of '" + name_ + "' are too long");
  bus.write_block(at, bytes);
  return at;
}

void Loader::enter_protected(uint64_t entry) {
  CpuState& s = cpu.state;
  s.cr0 = arch::cr0::pe | arch::cr0::et | arch::cr0::ne;
  s.segments[arch::cs] = flat_segment(kCode, 0xC09B);
  for (const auto i : {arch::ds, arch::es, arch::fs, arch::gs, arch::ss}) {
    s.segments[i] = flat_segment(kData, 0xC093);
  }
  s.segments[arch::tr] = SegmentState{0, 0x67, arch::SegmentRights{0x8B}, 0};
  s.cpl = 0;
  s.set_rflags(arch::rflags::fixed1);
  s.set_rip(entry);
  cpu.context_changed();
}

void Loader::enter_long(uint64_t entry) {
  std::vector<std::byte> tables(2 * kPageSize);
  ByteWriter writer;
  writer.data = std::move(tables);
  writer.set(0, (kPageTables.value + kPageSize) | 3);
  for (uint64_t i = 0; i < 512; ++i) writer.set(kPageSize + i * 8, i << 30 | 0x83);
  bus.write_block(kPageTables, writer.data);

  ByteWriter gdt;
  for (const uint64_t d : {uint64_t{0}, uint64_t{0}, uint64_t{0x00AF9B000000FFFF},
                           uint64_t{0x00CF93000000FFFF}}) {
    gdt.put(d);
  }
  bus.write_block(kGdt, gdt.data);

  enter_protected(entry);
  CpuState& s = cpu.state;
  s.segments[arch::cs] = flat_segment(kCode, 0xA09B);
  s.gdtr = {kGdt.value, static_cast<uint16_t>(gdt.data.size() - 1)};
  s.cr3 = kPageTables.value;
  s.cr4 = arch::cr4::pae;
  s.efer = arch::efer::lme | arch::efer::lma;
  s.cr0 |= arch::cr0::pg;
  cpu.context_changed();
}

void boot_elf64(Loader& loader, const BootRequest& request, BootResult& result) {
  std::string why;
  const auto elf = ElfFile::parse(request.image, why);
  if (!elf) throw BootError("'" + request.name + "' cannot be booted: " + why);
  loader.place_elf(*elf);
  result.entry = elf->physical_entry();
  loader.enter_long(result.entry);
}

}  // namespace vitrine::emu
