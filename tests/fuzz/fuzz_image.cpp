// Any bytes as an image: refused in a sentence that names the file, or booted and run for a while.
#include <string>

#include "emu/arch/require.h"
#include "emu/machine/boot/elf_file.h"
#include "emu/machine/machine.h"
#include "frontend/symbols.h"
#include "tests/fuzz/input.h"

namespace {

using namespace vitrine;
using emu::require;

constexpr uint64_t kInstructions = 300;
constexpr emu::Cycle kUntil{1'000'000};

/// Booted with and without the extras, since some kinds refuse them.
void boot(std::span<const uint8_t> image, bool extras) {
  emu::MachineConfig config;
  config.memory_bytes = uint64_t{4} << 20;
  emu::Machine machine(config);
  emu::BootRequest request;
  const auto bytes = std::as_bytes(image);
  request.image.assign(bytes.begin(), bytes.end());
  request.name = "fuzzed";
  if (extras) {
    request.command_line = "a command line";
    request.initrd.assign(100, std::byte{0x5A});
    request.modules.push_back({std::vector<std::byte>(5000, std::byte{0xA5}), "a module"});
  }
  try {
    machine.boot(request);
  } catch (const emu::BootError& error) {
    require(!std::string(error.what()).empty(), "a refusal says why");
    return;
  }
  machine.run({.until = kUntil, .max_instructions = kInstructions});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const uint8_t> image{data, size};
  boot(image, size % 2 == 0);
  std::string why;
  if (const auto elf = emu::ElfFile::parse(std::as_bytes(image), why)) {
    const ui::SymbolTable symbols(*elf);
    static_cast<void>(symbols.describe(elf->entry()));
  } else {
    require(!why.empty(), "a refusal says why");
  }
  return 0;
}
