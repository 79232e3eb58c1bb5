// Writes the seeds of the fuzz targets: seeds FOLDER fills FOLDER/fuzz_*/ as tests/fuzz/corpus has it.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "emu/machine/boot/loader.h"
#include "frontend/expression/terms.h"

namespace {

namespace fs = std::filesystem;
using vitrine::emu::ByteWriter;
using Bytes = std::vector<uint8_t>;

class Corpus {
 public:
  explicit Corpus(fs::path folder) : folder_(std::move(folder)) {}

  void add(std::string_view target, std::string_view name, std::string_view bytes) const {
    const fs::path folder = folder_ / target;
    fs::create_directories(folder);
    std::ofstream out(folder / name, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  void add(std::string_view target, std::string_view name, const ByteWriter& bytes) const {
    add(target, name, {reinterpret_cast<const char*>(bytes.data.data()), bytes.data.size()});
  }
  void add(std::string_view target, std::string_view name, const Bytes& bytes) const {
    add(target, name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

 private:
  fs::path folder_;
};

void append(ByteWriter& out, std::initializer_list<int> bytes) {
  for (const int byte : bytes) out.put(static_cast<uint8_t>(byte));
}

// --- Images ---

constexpr uint64_t kLoad = 0x100000;
/// mov eax, 0; out 0F4H, eax; hlt
constexpr std::initializer_list<int> kExitCode = {0xB8, 0, 0, 0, 0, 0xE7, 0xF4, 0xF4};
constexpr uint32_t kCodeAt = 0x200;

struct Elf {
  bool is64 = true;
  bool note = false;  ///< the PVH entry
  bool symbols = false;
};

/// One segment that is the whole file; a multiboot header may be put at 180H afterwards.
ByteWriter elf(const Elf& shape) {
  ByteWriter w;
  const auto word = [&](uint64_t value) {
    if (shape.is64)
      w.put(value);
    else
      w.put(static_cast<uint32_t>(value));
  };
  const unsigned header = shape.is64 ? 64 : 52;
  const unsigned entry = shape.is64 ? 56 : 32;
  const uint16_t segments = shape.note ? 2 : 1;
  w.put(uint32_t{0x464C457F});
  w.put(shape.is64 ? uint32_t{0x00010102} : uint32_t{0x00010101});
  w.put(uint64_t{0});
  w.put(uint16_t{2});
  w.put(shape.is64 ? uint16_t{62} : uint16_t{3});
  w.put(uint32_t{1});
  word(kLoad + kCodeAt);
  word(header);
  word(shape.symbols ? 0x240 : 0);
  w.put(uint32_t{0});
  w.put(static_cast<uint16_t>(header));
  w.put(static_cast<uint16_t>(entry));
  w.put(segments);
  w.put(shape.is64 ? uint16_t{64} : uint16_t{40});
  w.put(shape.symbols ? uint16_t{3} : uint16_t{0});
  w.put(uint16_t{0});
  const auto segment = [&](uint32_t type, uint64_t offset, uint64_t size, uint64_t memory) {
    w.put(type);
    if (shape.is64) w.put(uint32_t{7});
    word(offset);
    word(kLoad + offset);
    word(kLoad + offset);
    word(size);
    word(memory);
    if (!shape.is64) w.put(uint32_t{7});
    word(0x1000);
  };
  segment(1, 0, 0x400, 0x2000);
  if (shape.note) segment(4, 0x1C0, 20, 20);
  w.data.resize(0x400);
  if (shape.note) {
    w.set(0x1C0, uint32_t{4});   // name size
    w.set(0x1C4, uint32_t{4});   // value size
    w.set(0x1C8, uint32_t{18});  // XEN_ELFNOTE_PHYS32_ENTRY
    w.set(0x1CC, uint32_t{0x006E6558});
    w.set(0x1D0, static_cast<uint32_t>(kLoad + kCodeAt));
  }
  size_t at = kCodeAt;
  for (const int byte : kExitCode) w.set(at++, static_cast<uint8_t>(byte));
  if (shape.symbols) {
    // Sections: none, the symbols at 340H, their names at 380H.
    const auto section = [&](size_t index, uint32_t type, uint64_t offset, uint64_t size,
                             uint32_t link, uint64_t entry_size) {
      const size_t base = 0x240 + index * 64;
      w.set(base + 4, type);
      w.set(base + 24, offset);
      w.set(base + 32, size);
      w.set(base + 40, link);
      w.set(base + 56, entry_size);
    };
    section(1, 2, 0x340, 48, 2, 24);
    section(2, 3, 0x380, 16, 0, 0);
    w.set(0x340 + 24, uint32_t{1});
    w.set(0x340 + 28, uint8_t{0x12});
    w.set(0x340 + 30, uint16_t{1});
    w.set(0x340 + 32, uint64_t{kLoad + kCodeAt});
    w.set(0x340 + 40, uint64_t{8});
    const std::string_view name = "start";
    for (size_t i = 0; i < name.size(); ++i) w.set(0x381 + i, name[i]);
  }
  return w;
}

void put_multiboot1(ByteWriter& w, size_t at, uint32_t flags) {
  w.set(at, uint32_t{0x1BADB002});
  w.set(at + 4, flags);
  w.set(at + 8, uint32_t{0} - 0x1BADB002 - flags);
}

void put_multiboot2(ByteWriter& w, size_t at, uint32_t size) {
  w.set(at, uint32_t{0xE85250D6});
  w.set(at + 4, uint32_t{0});
  w.set(at + 8, size);
  w.set(at + 12, uint32_t{0} - 0xE85250D6 - size);
}

ByteWriter flat() {
  ByteWriter w;
  w.data.resize(0x80);
  append(w, kExitCode);
  return w;
}

void write_images(const Corpus& corpus) {
  constexpr std::string_view kTarget = "fuzz_image";
  corpus.add(kTarget, "elf64", elf({.symbols = true}));
  corpus.add(kTarget, "pvh", elf({.is64 = false, .note = true}));
  auto multiboot1 = elf({.is64 = false});
  put_multiboot1(multiboot1, 0x180, 3);
  corpus.add(kTarget, "multiboot1", multiboot1);
  auto multiboot2 = elf({});
  put_multiboot2(multiboot2, 0x180, 24);
  multiboot2.set(0x194, uint32_t{8});
  corpus.add(kTarget, "multiboot2", multiboot2);

  const auto load = static_cast<uint32_t>(kLoad);
  auto flat1 = flat();
  put_multiboot1(flat1, 0, 0x10000);
  for (size_t i = 0; i < 5; ++i) {
    // header, load, load end, end of zeros, entry
    constexpr uint32_t kOffsets[] = {0, 0, 0x88, 0x100, 0x80};
    flat1.set(12 + i * 4, load + kOffsets[i]);
  }
  corpus.add(kTarget, "multiboot1-flat", flat1);
  auto flat2 = flat();
  put_multiboot2(flat2, 0, 64);
  flat2.set(16, uint32_t{2});
  flat2.set(20, uint32_t{24});
  flat2.set(24, load);
  flat2.set(28, load);
  flat2.set(40, uint32_t{3});
  flat2.set(44, uint32_t{12});
  flat2.set(48, load + 0x80);
  flat2.set(60, uint32_t{8});
  corpus.add(kTarget, "multiboot2-flat", flat2);
  // A tag whose size, rounded up, is 0 in 32 bits: whoever adds it stands still.
  flat2.set(20, uint32_t{0xFFFFFFFF});
  corpus.add(kTarget, "multiboot2-endless-tag", flat2);

  ByteWriter linux;
  linux.data.resize(0x600);
  linux.set(0x1F1, uint8_t{1});
  linux.set(0x1FE, uint16_t{0xAA55});
  linux.set(0x201, uint8_t{0x66});
  linux.set(0x202, uint32_t{0x53726448});
  linux.set(0x206, uint16_t{0x20F});
  linux.set(0x211, uint8_t{1});
  linux.set(0x22C, uint32_t{0x7FFFFFFF});
  linux.set(0x236, uint16_t{1});
  linux.set(0x238, uint32_t{255});
  linux.set(0x258, uint64_t{kLoad});
  linux.set(0x260, uint32_t{0x4000});
  size_t at = 0x400;
  for (const int byte : {0xF4, 0xEB, 0xFD}) linux.set(at++, static_cast<uint8_t>(byte));
  corpus.add(kTarget, "bzimage", linux);
  corpus.add(kTarget, "gzip", "\x1F\x8B\x08 and so on");
  corpus.add(kTarget, "text", "#!/bin/sh\n");
}

// --- Code ---

/// Mode, options, a register pick each for RAX to R15 without RSP, flags, code.
void write_code(const Corpus& corpus, std::string_view name, int mode, int options,
                std::initializer_list<int> code) {
  ByteWriter w;
  append(w, {mode, options});
  for (int i = 0; i < 15; ++i) append(w, {3 | i << 4});
  w.put(uint32_t{0x202});
  append(w, code);
  corpus.add("fuzz_code", name, w);
}

void write_codes(const Corpus& corpus) {
  // A loop that adds, stores and calls.
  const std::initializer_list<int> loop = {0xB9, 5, 0, 0, 0, 0x01, 0xC8, 0x89, 0x03,
                                           0xE8, 0, 0, 0, 0, 0x58, 0xE2, 0xF4, 0xF4};
  write_code(corpus, "loop-long", 0, 0, loop);
  write_code(corpus, "loop-user", 1, 0, loop);
  write_code(corpus, "loop-protected", 2, 0, loop);
  write_code(corpus, "loop-compatibility", 5, 0, loop);
  write_code(corpus, "loop-real", 4, 0, {0xB9, 5, 0, 0x01, 0xC8, 0x89, 0x07, 0xE2, 0xFA, 0xF4});
  write_code(corpus, "virtual-8086", 3, 32, {0x40, 0xFA, 0x9C, 0x58, 0xCD, 0x21, 0xF4});
  // mov rdi, rip-relative next; stosb into the code ahead; rep movsb; iret from pushed frame
  write_code(corpus, "self-modifying", 0, 0,
             {0x48, 0x8D, 0x3D, 3, 0, 0, 0, 0xB0, 0x90, 0xAA, 0xCC, 0xCC, 0xF4});
  write_code(corpus, "strings", 0, 0,
             {0xB9, 40, 0, 0, 0, 0xF3, 0xA4, 0xB9, 9, 0, 0, 0, 0xF2, 0xAE, 0xF4});
  write_code(corpus, "interrupt", 0, 64, {0xFB, 0x90, 0x90, 0x90, 0xF4});
  write_code(corpus, "single-step", 0, 0, {0x9C, 0x80, 0x4C, 0x24, 1, 1, 0x9D, 0x90, 0x90, 0xF4});
  write_code(corpus, "page-tables", 0, 0,
             {0x48, 0xC7, 0x04, 0x25, 0, 0x30, 3, 0,   0, 0, 0, 0,  // mov qword [33000H], 0
              0x8A, 0x04, 0x25, 0,    0, 0x20, 0, 0xF4});           // mov al, [200000H]
  write_code(corpus, "control-registers", 0, 3,
             {0x0F, 0x20, 0xC0, 0x0F, 0x22, 0xC0, 0x0F, 0x20, 0xD8, 0x0F, 0x22, 0xD8, 0x0F,
              0x01, 0x38, 0xB9, 0x80, 0,    0,    0xC0, 0x0F, 0x32, 0x0F, 0x30, 0xF4});
  write_code(corpus, "vectors", 0, 1, {0x0F, 0x10, 0x03, 0x0F, 0x58, 0xC0, 0x66, 0x0F, 0xFE, 0xC1,
                                       0x0F, 0x29, 0x03, 0xDB, 0xE3, 0xD9, 0xE8, 0xDD, 0x1B, 0xF4});
  // mov rax, cr4; or VMXE; vmxon [rdi's page pointer]; vmclear; vmptrld; vmwrite; vmread; vmlaunch; vmxoff
  write_code(
      corpus, "vmx", 0, 2,
      {0xF3, 0x0F, 0xC7, 0x34, 0x25, 0x00, 0x00, 2,    0,    0x66, 0x0F, 0xC7, 0x34, 0x25, 0x08,
       0x00, 2,    0,    0x0F, 0xC7, 0x34, 0x25, 0x08, 0x00, 2,    0,    0xB8, 0x1E, 0x68, 0,
       0,    0x0F, 0x79, 0xC3, 0x0F, 0x78, 0xC1, 0x0F, 0x01, 0xC2, 0x0F, 0x01, 0xC4, 0xF4});
  write_code(corpus, "task-switch", 2, 0,
             {0xC7, 0x05, 0x58, 0x10, 0, 0, 0xFF, 1, 0x00, 0x48, 0x9A, 0, 0, 0, 0, 0x38, 0, 0xF4});
}

// --- Single instructions ---

void write_instructions(const Corpus& corpus) {
  const auto add = [&](std::string_view name, std::initializer_list<int> bytes) {
    ByteWriter w;
    append(w, bytes);
    corpus.add("fuzz_decode", name, w);
  };
  add("sib", {2, 0x48, 0x8B, 0x84, 0xCB, 0x78, 0x56, 0x34, 0x12});
  add("prefixes", {2, 0x66, 0xF3, 0x64, 0x4F, 0x0F, 0xBC, 0x05, 1, 2, 3, 4});
  add("vex", {2, 0xC4, 0xE2, 0x70, 0xF5, 0xC2});
  add("vex-two-bytes", {2, 0xC5, 0xF8, 0x58, 0xC2});
  add("sse", {2, 0x66, 0x0F, 0x3A, 0x0F, 0xC1, 3});
  add("x87", {1, 0xD8, 0xC1});
  add("far", {1, 0x9A, 1, 2, 3, 4, 5, 6});
  add("address16", {0, 0x67, 0x8B, 0x44, 0x10, 2});
  add("address", {0, 0x8B, 0x46, 0xFE});
  add("immediate64", {2, 0x48, 0xB8, 1, 2, 3, 4, 5, 6, 7, 8});
  add("lock", {2, 0xF0, 0x0F, 0xC7, 0x08});
  add("too-long", {2, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                   0x66, 0x90});
}

// --- Tables ---

/// A step of the target: what to do, an entry's place (page and index), its flags and its page.
void entry(ByteWriter& w, int step, int page, int index, int flags, int target) {
  append(w, {step});
  w.put(static_cast<uint16_t>(page << 4 | index));
  w.put(static_cast<uint16_t>(flags));
  append(w, {target});
}

void write_tables(const Corpus& corpus) {
  constexpr int kPresent = 7, kLarge = 0x87, kGuest = 8, kEpt = 5;
  const auto accesses = [](ByteWriter& w) {
    for (const int step : {0x0D, 0x1D, 0x3E, 0x0C, 0x3C, 0x1B, 0x03, 0x02, 0x0D}) {
      append(w, {step, 0, 0x10});
    }
  };
  const auto chain = [&](ByteWriter& w, int levels) {
    for (int i = 1; i <= levels; ++i) entry(w, kGuest, i, 0, kPresent, i + 1);
  };
  for (const int privilege : {0x00, 0x51, 0xDF}) {
    const auto name = [&](std::string_view mode) {
      return std::string(mode) + "-" + std::to_string(privilege);
    };
    ByteWriter four;
    append(four, {3, privilege, 1});
    chain(four, 4);
    accesses(four);
    corpus.add("fuzz_walk", name("four-levels"), four);
    ByteWriter pae;
    append(pae, {0, 0, 0});
    entry(pae, kGuest, 1, 0, 1, 2);
    entry(pae, kGuest, 2, 0, kPresent, 3);
    entry(pae, kGuest, 3, 0, kPresent, 4);
    append(pae, {0, 2, privilege, 1});
    accesses(pae);
    corpus.add("fuzz_walk", name("pae"), pae);
    ByteWriter legacy;
    append(legacy, {1, privilege | 2, 1});
    chain(legacy, 2);
    entry(legacy, kGuest, 1, 1, kLarge, 0);
    accesses(legacy);
    corpus.add("fuzz_walk", name("legacy"), legacy);
    ByteWriter ept;
    append(ept, {3 | 4 | 8, privilege, 1, 0});
    chain(ept, 4);
    // Tables of level l are pages 8(4-l) to 8(4-l)+7; a pick is one of the eight below.
    for (int level = 4; level >= 2; --level) entry(ept, kEpt, 8 * (4 - level), 0, kPresent, 0);
    for (int i = 0; i < 8; ++i) entry(ept, kEpt, 24, i, 0x37, i);
    accesses(ept);
    corpus.add("fuzz_walk", name("ept"), ept);
  }
}

// --- Hypercalls ---

/// Caller, call, shape, number of words, words; each seed goes through the calls from another start.
void write_hypercalls(const Corpus& corpus) {
  for (int seed = 0; seed < 6; ++seed) {
    ByteWriter w;
    for (int i = 0; i < 40; ++i) {
      const int words = (i * 5 + seed) % 12;
      append(w, {i % 4, i + seed * 9, (i * 37 + seed) & 0x77 & 0xC7, words});
      for (int k = 0; k < words; ++k)
        append(w, {(k * 8 + (k + seed) % 4 + (k == 0 ? 9 : 0)) & 0xFF});
    }
    corpus.add("fuzz_hypercall", "round-" + std::to_string(seed), w);
  }
}

// --- Texts ---

void write_texts(const Corpus& corpus) {
  for (size_t i = 0; i < vitrine::ui::kTerms.size(); ++i) {
    corpus.add("fuzz_text", "expression-" + std::to_string(i),
               "e" + std::string(vitrine::ui::kTerms[i].example));
  }
  corpus.add("fuzz_text", "expression-long",
             "e!(cycle > 5 && rip != 0x10) || (partition(2).state -> finalizing && reg(rax) <= 3)");
  corpus.add("fuzz_text", "recording",
             "rvitrine-input 1\n1000 serial 616263\n2000 keyboard 1c\n2000 console 00ff\n");
  corpus.add(
      "fuzz_text", "trace",
      "tpartition(2).state == active\nvitrine-trace 1\nconfig memory=4194304 cpu=skylake-sp\n"
      "image role=root name=\"a b\" sha256=00\n10 0 partition id=2 from=uninitialized to=active\n"
      "20 0 hypercall.enter code=0x42 vp=0\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: seeds FOLDER\n");
    return 2;
  }
  const Corpus corpus{argv[1]};
  write_images(corpus);
  write_codes(corpus);
  write_instructions(corpus);
  write_tables(corpus);
  write_hypercalls(corpus);
  write_texts(corpus);
  return 0;
}
