// Recognising images: each kind by its bytes, everything else refused by name.
#include "emu/machine/boot/boot.h"

#include <catch2/catch.hpp>

#include <cstring>
#include <random>

#include "emu/machine/boot/elf_file.h"
#include "emu/machine/boot/loader.h"
#include "emu/machine/machine.h"

using namespace vitrine::emu;

namespace {

std::vector<std::byte> image_with(size_t offset, std::string_view magic, size_t size = 0x9000) {
  std::vector<std::byte> image(size);
  std::memcpy(image.data() + offset, magic.data(), magic.size());
  return image;
}

std::string refusal(std::span<const std::byte> image) {
  try {
    recognise(image, "file");
  } catch (const BootError& error) {
    return error.what();
  }
  return "";
}

std::vector<std::byte> minimal_elf64() {
  ByteWriter w;
  w.put(uint32_t{0x464C457F});
  w.put(uint32_t{0x00010102});  // 64 bit, little endian, version
  w.put(uint64_t{0});
  w.put(uint16_t{2});
  w.put(uint16_t{62});
  w.put(uint32_t{1});
  w.put(uint64_t{0x200010});  // entry
  w.put(uint64_t{64});        // program headers
  w.put(uint64_t{0});
  w.put(uint32_t{0});
  w.put(uint16_t{64});
  w.put(uint16_t{56});
  w.put(uint16_t{1});
  for (int i = 0; i < 3; ++i) w.put(uint16_t{0});
  w.put(uint32_t{1});
  w.put(uint32_t{7});
  w.put(uint64_t{0});         // offset
  w.put(uint64_t{0x200000});  // linear
  w.put(uint64_t{0x100000});  // physical
  w.put(uint64_t{120});
  w.put(uint64_t{0x1000});
  w.put(uint64_t{0x1000});
  return w.data;
}

}  // namespace

TEST_CASE("images that cannot be booted are refused by name", "[boot]") {
  CHECK(refusal({}).find("is empty") != std::string::npos);
  CHECK(refusal(image_with(0, "MZ")).find("PE/EFI") != std::string::npos);
  CHECK(refusal(image_with(0x8001, "CD001")).find("ISO image") != std::string::npos);
  CHECK(refusal(image_with(0x28, "_FVH")).find("firmware volume") != std::string::npos);
  CHECK(refusal(image_with(0, "\x1F\x8B")).find("gzip") != std::string::npos);
  CHECK(refusal(image_with(0, "070701")).find("--initrd") != std::string::npos);
  CHECK(refusal(image_with(0, "anything else")).find("no image this machine can boot") !=
        std::string::npos);
}

TEST_CASE("an ELF entry is translated to physical by its segment", "[boot][elf]") {
  std::string why;
  const auto image = minimal_elf64();
  const auto elf = ElfFile::parse(image, why);
  REQUIRE(elf);
  CHECK(elf->entry() == 0x200010);
  CHECK(elf->physical_entry() == 0x100010);
  CHECK(elf->segments().size() == 1);
  CHECK(recognise(image, "file") == ImageKind::elf64);
}

TEST_CASE("every cut and every damaged byte of an ELF file is survived", "[boot][elf]") {
  const auto image = minimal_elf64();
  std::string why;
  for (size_t size = 0; size < image.size(); ++size) {
    static_cast<void>(ElfFile::parse(std::span{image}.first(size), why));
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    auto damaged = image;
    for (int k = 0; k < 3; ++k) {
      const size_t at = random() % damaged.size();
      damaged[at] = static_cast<std::byte>(random());
    }
    if (const auto elf = ElfFile::parse(damaged, why)) static_cast<void>(elf->symbols());
  }
}

TEST_CASE("multiboot headers are found only where and how the specifications say", "[boot]") {
  ByteWriter w;
  w.data.resize(0x9000);
  w.set(0x1000, uint32_t{0xE85250D6});
  w.set(0x1004, uint32_t{0});
  w.set(0x1008, uint32_t{16});
  w.set(0x100C, uint32_t{0} - 0xE85250D6 - 16);
  CHECK(find_multiboot2(w.data) == 0x1000);
  w.set(0x100C, uint32_t{1});
  CHECK(find_multiboot2(w.data) == kNoHeader);
  w.set(0x0FFC, uint32_t{0x1BADB002});
  w.set(0x1000, uint32_t{0});
  w.set(0x1004, uint32_t{0} - 0x1BADB002);
  CHECK(find_multiboot1(w.data) == 0x0FFC);
}

TEST_CASE("boot code finds conventional memory in the BIOS data area", "[boot]") {
  MachineConfig config;
  config.memory_bytes = uint64_t{8} << 20;
  Machine machine(config);
  BootRequest request;
  request.image = minimal_elf64();
  request.name = "file";
  machine.boot(request);
  const auto word = [&](uint64_t address) {
    uint16_t value = 0;
    machine.bus().read_block(Hpa{address}, std::as_writable_bytes(std::span{&value, 1}));
    return value;
  };
  CHECK(word(0x400) == 0x3F8);
  CHECK(word(0x40E) == 0x9FC0);
  CHECK(word(0x413) == 639);
  CHECK(word(0x9FC00) == 1);
}

TEST_CASE("a multiboot2 tag of any size comes to an end", "[boot]") {
  for (const uint32_t size : {8u, 0x7FFFFFFFu, 0xFFFFFFF8u, 0xFFFFFFF9u, 0xFFFFFFFFu}) {
    ByteWriter w;
    w.data.resize(0x100);
    w.set(0, uint32_t{0xE85250D6});
    w.set(8, uint32_t{64});
    w.set(12, uint32_t{0} - 0xE85250D6 - 64);
    w.set(16, uint32_t{1});
    w.set(20, size);
    MachineConfig config;
    config.memory_bytes = kMinMemory;
    Machine machine(config);
    BootRequest request;
    request.image = w.data;
    request.name = "file";
    CHECK_THROWS_AS(machine.boot(request), BootError);
  }
}
