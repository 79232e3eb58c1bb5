// The ACPI tables: pointers, checksums, processors; and what ACPICA's own tools say of them.
#include "emu/devices/acpi_tables.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "emu/devices/power.h"
#include "tests/emu/devices/fakes.h"
#include "tests/skip.h"

using namespace vitrine::test;

namespace {

struct Tables {
  explicit Tables(const AcpiConfig& config) : base(config.base.value), all(acpi_tables(config)) {
    const uint64_t xsdt = number(24, 8);
    add(xsdt);
    for (uint64_t at = xsdt - base + 36; at < xsdt - base + number(xsdt - base + 4, 4); at += 8) {
      add(number(at, 8));
    }
    add(number(offset("FACP") + 140, 8));
  }
  uint64_t number(uint64_t at, unsigned size) const {
    uint64_t value = 0;
    std::memcpy(&value, all.data() + at, size);
    return value;
  }
  uint64_t sum(uint64_t at, uint64_t size) const {
    uint8_t total = 0;
    for (uint64_t i = 0; i < size; ++i) {
      total = static_cast<uint8_t>(total + std::to_integer<uint8_t>(all[at + i]));
    }
    return total;
  }
  std::string text(uint64_t at, size_t size) const {
    std::string s(size, ' ');
    std::memcpy(s.data(), all.data() + at, size);
    return s;
  }
  void add(uint64_t address) {
    const uint64_t at = address - base;
    REQUIRE(at + 36 <= all.size());
    found[text(at, 4)] = at;
    CHECK(sum(at, number(at + 4, 4)) == 0);
  }
  uint64_t offset(const std::string& signature) const { return found.at(signature); }

  uint64_t base;
  std::vector<std::byte> all;
  std::map<std::string, uint64_t> found;
};

/// Runs a tool quietly in `folder`; its exit code.
int run(const std::filesystem::path& folder, const std::string& command) {
  const std::string line = "cd '" + folder.string() + "' && " + command + " > out.txt 2>&1";
  return std::system(line.c_str());
}

}  // namespace

TEST_CASE("every ACPI table is where its pointer says, with a right checksum", "[devices]") {
  const Tables t(AcpiConfig{.processors = 3});
  CHECK(t.text(0, 8) == "RSD PTR ");
  CHECK(t.sum(0, 20) == 0);
  CHECK(t.sum(0, 36) == 0);
  std::string names;
  for (const auto& [name, at] : t.found) names += name + " ";
  CHECK(names == "APIC DSDT FACP HPET XSDT ");
  const uint64_t facs = t.number(t.offset("FACP") + 132, 8) - t.base;
  CHECK(t.text(facs, 4) == "FACS");
  CHECK(facs % 64 == 0);
}

TEST_CASE("the MADT has one entry per processor, the I/O APIC and the two overrides", "[devices]") {
  const Tables t(AcpiConfig{.processors = 8, .pic = false});
  const uint64_t madt = t.offset("APIC");
  CHECK(t.number(madt + 36, 4) == 0xFEE00000);
  CHECK(t.number(madt + 40, 4) == 0);
  std::map<uint64_t, int> kinds;
  for (uint64_t at = madt + 44; at < madt + t.number(madt + 4, 4); at += t.number(at + 1, 1)) {
    const uint64_t kind = t.number(at, 1);
    if (kind == 0) CHECK(t.number(at + 3, 1) == static_cast<uint64_t>(kinds[0]));
    if (kind == 2 && t.number(at + 3, 1) == 0) CHECK(t.number(at + 4, 4) == 2);
    if (kind == 2 && t.number(at + 3, 1) == 9) CHECK(t.number(at + 8, 2) == 0x0D);
    ++kinds[kind];
  }
  CHECK(kinds == std::map<uint64_t, int>{{0, 8}, {1, 1}, {2, 2}, {4, 1}});
}

TEST_CASE("the FADT names the ports of the power block", "[devices]") {
  const Tables t(AcpiConfig{});
  const uint64_t fadt = t.offset("FACP");
  CHECK(t.number(fadt + 46, 2) == Power::kSciIrq);
  CHECK(t.number(fadt + 48, 4) == 0);
  CHECK(t.number(fadt + 56, 4) == Power::kEventPort);
  CHECK(t.number(fadt + 64, 4) == Power::kControlPort);
  CHECK(t.number(fadt + 76, 4) == Power::kTimerPort);
  CHECK(t.number(fadt + 120, 8) == Power::kResetPort);
}

TEST_CASE("tables of a small machine name neither HPET nor PCI", "[devices]") {
  const Tables t(AcpiConfig{.hpet = false, .pci = false, .i8042 = false});
  CHECK(t.found.count("HPET") == 0);
  CHECK(acpi_tables(AcpiConfig{.hpet = false, .pci = false}).size() <
        acpi_tables(AcpiConfig{}).size());
}

TEST_CASE("iasl disassembles every table and compiles the DSDT again without an error",
          "[devices]") {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("vitrine-acpi-" + std::to_string(std::random_device{}()));
  std::filesystem::create_directories(folder);
  if (run(folder, "iasl -v") != 0) {
    skip(SkipReason::file_absent, "iasl");
    std::filesystem::remove_all(folder);
    return;
  }
  const Tables t(AcpiConfig{.processors = 8});
  for (const auto& [name, at] : t.found) {
    std::ofstream file(folder / (name + ".aml"), std::ios::binary);
    const std::string content = t.text(at, t.number(at + 4, 4));
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    INFO(name);
    CHECK(run(folder, "iasl -d " + name + ".aml") == 0);
    std::ifstream out(folder / "out.txt");
    const std::string said((std::istreambuf_iterator<char>(out)), {});
    INFO(said);
    CHECK(said.find("rror") == std::string::npos);
    CHECK(said.find("Incorrect") == std::string::npos);
  }
  CHECK(run(folder, "iasl -p again DSDT.dsl") == 0);
  std::ifstream out(folder / "out.txt");
  const std::string said((std::istreambuf_iterator<char>(out)), {});
  INFO(said);
  CHECK(said.find(" 0 Errors, 0 Warnings") != std::string::npos);
  std::filesystem::remove_all(folder);
}
