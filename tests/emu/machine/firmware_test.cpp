// The map that firmware changes: the reset vector, ROM shadowed by RAM, and the A20 gate.
#include "emu/machine/boot/loader.h"
#include "emu/machine/memory_map.h"
#include "tests/emu/machine/disk_bench.h"

using namespace vitrine::test;

namespace {

// clang-format off
/// A whole ROM: makes F0000H to FFFFFH write RAM and read ROM, copies itself onto itself, makes them
/// RAM altogether, jumps there, changes itself and leaves by the exit port with what it reads then.
constexpr std::array<uint8_t, 64> kRom = {
    0x66, 0xB8, 0x58, 0x00, 0x00, 0x80,  // mov eax, 80000058H
    0xBA, 0xF8, 0x0C,                    // mov dx, CF8H
    0x66, 0xEF,                          // out dx, eax
    0xB2, 0xFD,                          // mov dl, FDH
    0xB0, 0x20,                          // mov al, 20H
    0xEE,                                // out dx, al
    0xB8, 0x00, 0xF0,                    // mov ax, F000H
    0x8E, 0xD8,                          // mov ds, ax
    0x8E, 0xC0,                          // mov es, ax
    0xBE, 0xC0, 0xFF,                    // mov si, FFC0H
    0x89, 0xF7,                          // mov di, si
    0xB9, 0x40, 0x00,                    // mov cx, 64
    0xF3, 0xA4,                          // rep movsb
    0xB0, 0x30,                          // mov al, 30H
    0xEE,                                // out dx, al
    0xEA, 0xF2, 0xFF, 0x00, 0xF0,        // jmp F000:FFF2
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    0xEB, 0xCE,                          // FFF0: jmp FFC0
    0xC6, 0x06, 0xC0, 0xFF, 0x5A,        // FFF2: mov byte [FFC0H], 5AH
    0xA0, 0xC0, 0xFF,                    // mov al, [FFC0H]
    0xE6, 0xF4,                          // out F4H, al
    0xF4, 0x90, 0x90, 0x90};

/// Reads and runs what lies at 1 MiB and above, with the gate open, closed and open again.
constexpr std::array<uint8_t, 58> kGate = {
    0xA1, 0x00, 0x88, 0x10, 0x00,              // mov eax, [108800H]
    0x89, 0xC1,                                // mov ecx, eax
    0xB0, 0x00, 0xE6, 0x92,                    // mov al, 0; out 92H, al
    0x8B, 0x1D, 0x00, 0x88, 0x10, 0x00,        // mov ebx, [108800H]
    0xC6, 0x05, 0x00, 0x89, 0x10, 0x00, 0x77,  // mov byte [108900H], 77H
    0xE8, 0xE3, 0x09, 0x10, 0x00,              // call 108A00H
    0x89, 0xD6,                                // mov esi, edx
    0xB0, 0x02, 0xE6, 0x92,                    // mov al, 2; out 92H, al
    0xE8, 0xD8, 0x09, 0x10, 0x00,              // call 108A00H
    0x8B, 0x3D, 0x00, 0x88, 0x10, 0x00,        // mov edi, [108800H]
    0xB0, 0x01, 0xE6, 0xF4,                    // mov al, 1; out F4H, al
    0xF4, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90};
constexpr std::array<uint8_t, 6> kBelow = {0xBA, 0x34, 0x12, 0x00, 0x00, 0xC3};  // mov edx, 1234H; ret
constexpr std::array<uint8_t, 6> kAbove = {0xBA, 0x99, 0x99, 0x00, 0x00, 0xC3};
// clang-format on

MachineConfig small() {
  MachineConfig config;
  config.memory_bytes = uint64_t{16} << 20;
  return config;
}

MachineConfig with_rom() {
  MachineConfig config = small();
  const auto bytes = std::as_bytes(std::span{kRom});
  config.firmware.assign(bytes.begin(), bytes.end());
  return config;
}

void prepare_gate(Machine& m) {
  const auto map = memory_map(m.config().memory_bytes);
  Loader(m.bus(), map, Hpa{}, m.cpu(0), "test").enter_protected(0x8000);
  m.cpu(0).state.regs[arch::rsp] = 0x7000;
  m.bus().write_block(Hpa{0x8000}, std::as_bytes(std::span{kGate}));
  m.bus().write_block(Hpa{0x8A00}, std::as_bytes(std::span{kBelow}));
  m.bus().write_block(Hpa{0x108A00}, std::as_bytes(std::span{kAbove}));
  put(m, 0x8800, uint32_t{0x11111111});
  put(m, 0x108800, uint32_t{0x22222222});
}

void write_port(Machine& m, uint16_t port, uint64_t value) {
  m.bus().write_port(port, 1, value, {m.now(), 0});
}

}  // namespace

TEST_CASE("a 64-byte ROM is reset into, shadows itself and changes the shadow",
          "[machine][firmware]") {
  Machine m(with_rom());
  REQUIRE(m.run({.max_instructions = 500}) == StopReason::guest_exit);
  CHECK(m.exit_code() == (0x5A << 1 | 1));
  CHECK(get<uint8_t>(m, 0xFFFC0) == 0x5A);
  CHECK(get<uint16_t>(m, 0xFFFC1) == 0x58B8);
  CHECK(get<uint8_t>(m, 0xFFFFFFC0) == 0x66);
  CHECK(get<uint8_t>(m, 0xFFFFFFBF) == 0xFF);
  CHECK(m.bus().find(Hpa{0xFFFC0}).kind == BusRange::Kind::ram);
}

TEST_CASE("a snapshot anywhere in a ROM's start continues the same", "[machine][firmware]") {
  Machine whole(with_rom());
  REQUIRE(whole.run({.max_instructions = 500}) == StopReason::guest_exit);
  for (uint64_t at = 1; at < whole.instructions(); at += 5) {
    Machine first(with_rom());
    REQUIRE(first.run({.max_instructions = at}) == StopReason::instruction_limit);
    const auto snapshot = first.save();
    Machine second(with_rom());
    REQUIRE(second.load(snapshot));
    CHECK(second.state_hash() == first.state_hash());
    REQUIRE(second.run({.max_instructions = 500}) == StopReason::guest_exit);
    CHECK(second.state_hash() == whole.state_hash());
  }
  Machine without(small());
  CHECK_FALSE(without.load(whole.save()));
}

TEST_CASE("each of PAM's four settings reads and writes what it says", "[machine][firmware]") {
  Machine m(with_rom());
  const auto set_pam = [&m](uint8_t value) {
    m.bus().write_port(0xCF8, 4, 0x80000058, {Cycle{0}, 0});
    m.bus().write_port(0xCFD, 1, value, {Cycle{0}, 0});
  };
  const auto write = [&m](uint8_t value) { m.bus().write(Hpa{0xFFFC0}, 1, value, {Cycle{0}, 0}); };
  const auto read = [&m] { return m.bus().read(Hpa{0xFFFC0}, 1, {Cycle{0}, 0}); };
  CHECK(read() == 0x66);
  write(1);
  set_pam(0x10);  // reads RAM, writes nothing
  CHECK(read() == 0);
  write(2);
  CHECK(read() == 0);
  set_pam(0x20);  // reads ROM, writes RAM
  write(3);
  CHECK(read() == 0x66);
  set_pam(0x30);
  CHECK(read() == 3);
  set_pam(0x00);
  CHECK(read() == 0x66);
  CHECK(m.bus().read(Hpa{0xC0000}, 4, {Cycle{0}, 0}) == 0xFFFFFFFF);
  Machine plain(small());
  plain.bus().write(Hpa{0xC0000}, 4, 77, {Cycle{0}, 0});
  CHECK(plain.bus().read(Hpa{0xC0000}, 4, {Cycle{0}, 0}) == 77);
}

TEST_CASE("a closed A20 gate folds odd megabytes for loads, stores and fetches", "[machine][a20]") {
  Machine m(small());
  prepare_gate(m);
  REQUIRE(m.run({.max_instructions = 100}) == StopReason::guest_exit);
  const CpuState& s = m.cpu(0).state;
  CHECK(s.regs[arch::rcx] == 0x22222222);
  CHECK(s.regs[arch::rbx] == 0x11111111);
  CHECK(s.regs[arch::rsi] == 0x1234);
  CHECK(s.regs[arch::rdx] == 0x9999);
  CHECK(s.regs[arch::rdi] == 0x22222222);
  CHECK(get<uint8_t>(m, 0x8900) == 0x77);
  CHECK(get<uint8_t>(m, 0x108900) == 0);

  const uint64_t hash = m.state_hash();
  for (uint64_t at = 1; at < m.instructions(); ++at) {
    Machine first(small());
    prepare_gate(first);
    REQUIRE(first.run({.max_instructions = at}) == StopReason::instruction_limit);
    Machine second(small());
    REQUIRE(second.load(first.save()));
    REQUIRE(second.run({.max_instructions = 100}) == StopReason::guest_exit);
    CHECK(second.state_hash() == hash);
  }
}

TEST_CASE("the keyboard controller's output port holds the A20 gate too", "[machine][a20]") {
  Machine m(small());
  write_port(m, 0x64, 0xDD);
  CHECK(m.bus().find(Hpa{0x100000}).ram_offset == 0);
  CHECK(m.bus().find(Hpa{0x300000}).ram_offset == 0x200000);
  write_port(m, 0x64, 0xD1);
  write_port(m, 0x60, 0x03);
  CHECK(m.bus().find(Hpa{0x123456}).ram_offset == 0);
  put(m, 0x101000, uint32_t{5});
  CHECK(get<uint32_t>(m, 0x1000) == 0);
}

TEST_CASE("what cannot be reset into is refused by name", "[boot][firmware]") {
  const auto refusal = [](std::vector<std::byte> image) -> std::string {
    try {
      check_firmware(image, "file");
    } catch (const BootError& error) {
      return error.what();
    }
    return "";
  };
  const auto with = [](size_t offset, std::string_view magic) {
    std::vector<std::byte> image(0x9000, std::byte{0x90});
    std::memcpy(image.data() + offset, magic.data(), magic.size());
    return image;
  };
  CHECK(refusal(with_rom().firmware).empty());
  CHECK(refusal({}).find("too short") != std::string::npos);
  CHECK(refusal(with(0, "\x7F\x45LF")).find("without --firmware") != std::string::npos);
  CHECK(refusal(with(0x28, "_FVH")).find("firmware volume") != std::string::npos);
  CHECK(refusal(with(0, "MZ")).find("PE/EFI") != std::string::npos);
  CHECK(refusal(std::vector<std::byte>(0x1000)).find("reset vector") != std::string::npos);
  CHECK(refusal(std::vector<std::byte>(0x1000, std::byte{0xFF})).find("reset vector") !=
        std::string::npos);
}
