// PVH: the 32-bit entry named by an ELF note, with an hvm_start_info (version 1) in EBX.
#include "emu/machine/boot/loader.h"

namespace vitrine::emu {

void boot_pvh(Loader& loader, const BootRequest& request, BootResult& result) {
  std::string why;
  const auto elf = ElfFile::parse(request.image, why);
  if (!elf || !elf->pvh_entry()) {
    throw BootError("'" + request.name + "' cannot be booted by PVH: " + why);
  }
  loader.place_elf(*elf);

  ByteWriter modules;
  uint32_t module_count = 0;
  const auto add_module = [&](std::span<const std::byte> bytes, std::string_view line) {
    const Hpa at = loader.place(bytes);
    ByteWriter text;
    text.text(line);
    const Hpa line_at = loader.place_low(text.data);
    modules.put(at.value);
    modules.put(uint64_t{bytes.size()});
    modules.put(line_at.value);
    modules.put(uint64_t{0});
    ++module_count;
  };
  if (!request.initrd.empty()) add_module(request.initrd, "");
  for (const BootModule& m : request.modules) add_module(m.bytes, m.command_line);

  ByteWriter map;
  for (const MemoryRegion& r : loader.map) {
    map.put(r.start.value);
    map.put(r.size);
    map.put(static_cast<uint32_t>(r.kind));
    map.put(uint32_t{0});
  }
  ByteWriter line;
  line.text(request.command_line);
  const Hpa line_at = loader.place_low(line.data);
  const Hpa modules_at = loader.place_low(modules.data);
  const Hpa map_at = loader.place_low(map.data);

  ByteWriter info;
  info.put(uint32_t{0x336EC578});
  info.put(uint32_t{1});  // version
  info.put(uint32_t{0});  // flags
  info.put(module_count);
  info.put(modules_at.value);
  info.put(line_at.value);
  info.put(loader.rsdp.value);
  info.put(map_at.value);
  info.put(static_cast<uint32_t>(loader.map.size()));
  info.put(uint32_t{0});
  const Hpa at = loader.place_low(info.data);

  result.entry = *elf->pvh_entry();
  loader.enter_protected(result.entry);
  loader.cpu.state.regs[arch::rbx] = at.value;
}

}  // namespace vitrine::emu
