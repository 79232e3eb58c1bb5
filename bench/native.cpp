// vitrine_native: runs the works of works.elf that need no machine on this processor, with the same bytes at the same
// addresses, and prints the same lines.
#include <elf.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "emu/host/files.h"
#include "emu/host/fixed_memory.h"
#include "roms/bench/works.h"

namespace {

using vitrine::bench::Needs;
using vitrine::bench::Work;

class Image {
 public:
  explicit Image(const std::string& path) : bytes_(vitrine::emu::host::read_file(path)) {
    const auto header = at<Elf64_Ehdr>(0);
    for (size_t i = 0; i < header.e_phnum; ++i) {
      const auto segment = at<Elf64_Phdr>(header.e_phoff + i * header.e_phentsize);
      if (segment.p_type == PT_LOAD) load(segment);
    }
  }

  /// The address of a symbol; throws if there is none.
  uint64_t symbol(const std::string& name) const {
    const auto header = at<Elf64_Ehdr>(0);
    for (size_t i = 0; i < header.e_shnum; ++i) {
      const auto table = section(i);
      if (table.sh_type != SHT_SYMTAB) continue;
      const auto names = section(table.sh_link);
      for (uint64_t entry = 0; entry < table.sh_size; entry += sizeof(Elf64_Sym)) {
        const auto symbol = at<Elf64_Sym>(table.sh_offset + entry);
        const auto* const text = reinterpret_cast<const char*>(bytes_.data()) + names.sh_offset;
        if (name == text + symbol.st_name) return symbol.st_value;
      }
    }
    throw std::runtime_error("no symbol '" + name + "'");
  }

 private:
  template <class T>
  T at(uint64_t offset) const {
    if (offset + sizeof(T) > bytes_.size()) throw std::runtime_error("not a whole ELF file");
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }
  Elf64_Shdr section(uint64_t index) const {
    const auto header = at<Elf64_Ehdr>(0);
    return at<Elf64_Shdr>(header.e_shoff + index * header.e_shentsize);
  }
  void load(const Elf64_Phdr& segment) const {
    constexpr uint64_t kPage = 4096;
    const uint64_t first = segment.p_vaddr & ~(kPage - 1);
    const uint64_t end = (segment.p_vaddr + segment.p_memsz + kPage - 1) & ~(kPage - 1);
    vitrine::emu::host::take_fixed_memory(first, end - first);
    std::memcpy(reinterpret_cast<void*>(segment.p_vaddr), bytes_.data() + segment.p_offset,
                segment.p_filesz);
  }

  std::vector<std::byte> bytes_;
};

int run(const std::string& path, uint64_t percent, uint64_t only) {
  const Image image(path);
  const auto* const works = reinterpret_cast<const Work*>(image.symbol("vitrine_works"));
  const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  for (uint64_t i = 0; works[i].count != 0; ++i) {
    const Work& work = works[i];
    const bool can = work.needs == Needs::nothing || (work.needs == Needs::avx2 && avx2);
    if (!can || (only != 0 && only != i + 1)) continue;
    const uint64_t count = work.count * percent / 100 + 1;
    std::printf("BEGIN %s %llu\n", work.name, static_cast<unsigned long long>(count));
    std::fflush(stdout);
    const uint64_t sum = work.run(count);
    std::printf("END %s 0x%llx\n", work.name, static_cast<unsigned long long>(sum));
    std::fflush(stdout);
  }
  std::printf("BENCH PASS\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: vitrine_native works.elf [percent] [only]\n");
    return 2;
  }
  try {
    return run(argv[1], argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 100,
               argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vitrine_native: %s: %s\n", argv[1], error.what());
    return 2;
  }
}
