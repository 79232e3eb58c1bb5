// EPT tables: one hierarchy per partition, mapped in pages of 4 KiB, 2 MiB and 1 GiB and split
// where needed.
#pragma once

#include <cstdint>

#include "emu/arch/ept.h"

namespace vitrine::hv {

namespace arch = emu::arch;

// Where table pages come from: the hypervisor's heap for the root, the partition's pool for a
// child.
struct PageSource {
  std::uint64_t (*allocate)(void* context){};  // a zeroed page, 0 when there is none
  void (*release)(void* context, std::uint64_t page){};
  void* context{};
};

// What a leaf entry grants and how it is cached.
struct EptLeaf {
  std::uint64_t bits{};  // rights and memory type, as in the entry

  static constexpr EptLeaf make(std::uint64_t rights, arch::MemoryType type) {
    return {(rights & arch::ept::rights) | arch::ept::type(type)};
  }
};

// Table entries hold physical addresses; the hypervisor's own addresses are physical ones.
class EptTables {
 public:
  static constexpr unsigned kLevels = 4;

  // Makes an empty hierarchy; false when the source has no page.
  bool create(PageSource source);
  // Gives all table pages back.
  void destroy();

  std::uint64_t eptp() const { return arch::make_eptp(root_, false); }
  bool exists() const { return root_ != 0; }

  // Maps `size` bytes at `gpa` to `spa`, all multiples of 4 KiB, in the largest pages that fit.
  // False when the source has no page; what was mapped before that stays mapped.
  bool map(std::uint64_t gpa, std::uint64_t spa, std::uint64_t size, EptLeaf leaf);
  // Takes away every mapping in the range; false when a large page cannot be split for want of a
  // page.
  bool unmap(std::uint64_t gpa, std::uint64_t size);

  // Sets the leaf entry of one 4 KiB page, 0 for none; false when the source has no page.
  bool set_page(std::uint64_t gpa, std::uint64_t entry) { return set(gpa, 1, entry); }
  // How many table pages map() would need for one 4 KiB page.
  unsigned missing_tables(std::uint64_t gpa) const;
  // Gives one table page back, a lowest one; everything it mapped is gone. False when none is left.
  bool release_one();

  // The leaf entry that translates `gpa`, 0 if none; its page size goes to `size`.
  std::uint64_t lookup(std::uint64_t gpa, std::uint64_t* size = nullptr) const;

 private:
  std::uint64_t* table_entry(std::uint64_t gpa, unsigned level);
  bool set(std::uint64_t gpa, unsigned level, std::uint64_t entry);
  void release_table(std::uint64_t table, unsigned level);

  PageSource source_;
  std::uint64_t root_{};
};

}  // namespace vitrine::hv
