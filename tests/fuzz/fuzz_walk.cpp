// Random page tables in every paging mode: cached translations end, and leave memory, as bare walks do.
#include <memory>

#include "emu/arch/ept.h"
#include "emu/arch/registers.h"
#include "emu/arch/require.h"
#include "emu/mmu/mmu.h"
#include "tests/fuzz/input.h"

namespace {

using namespace vitrine::emu;
using vitrine::test::Input;

constexpr uint64_t kMemory = uint64_t{2176} << 10;
/// Guest tables and data; EPT tables lie apart from them, eight pages for each level, so that no entry
/// belongs to both: a guest's accessed bit would be a reserved bit of the other.
constexpr uint64_t kGuestPages = 48;
constexpr uint64_t kEptTables = uint64_t{2} << 20;
constexpr uint64_t kEptPerLevel = 8;

class Still final : public AccessClock {
 public:
  Cycle now() const override { return Cycle{0}; }
  void device_accessed() override {}
};

/// One memory is reached through the cache, the other by walking for every access.
struct Rig {
  Memory cached_memory{kMemory}, walked_memory{kMemory};
  Bus cached_bus{cached_memory}, walked_bus{walked_memory};
  Still clock;
  Mmu mmu{cached_bus, clock, 0};
  PagingContext context;
  Rig() {
    cached_bus.map({Hpa{0}, kMemory, BusRange::Kind::ram, 0, nullptr});
    walked_bus.map({Hpa{0}, kMemory, BusRange::Kind::ram, 0, nullptr});
  }
  void write(uint64_t at, std::span<const std::byte> bytes) {
    cached_memory.write(at, bytes);
    walked_memory.write(at, bytes);
  }
  /// Behind the funnel's back, which is why every cached translation goes.
  void clear() {
    for (Memory* memory : {&cached_memory, &walked_memory}) {
      for (const uint64_t page : memory->touched_pages()) {
        std::memset(memory->host(page), 0, kPageSize);
      }
    }
    mmu.drop_all();
  }
  void compare() const {
    for (const Memory* touched : {&cached_memory, &walked_memory}) {
      for (const uint64_t page : touched->touched_pages()) {
        const bool equal =
            std::memcmp(cached_memory.host(page), walked_memory.host(page), kPageSize) == 0;
        require(equal, "caching translations changes no byte of memory");
      }
    }
  }
};

/// Entries are written where the few addresses below look for them.
uint64_t place_of_entry(uint16_t at) { return (at & 7u) * 8 + ((at & 8) != 0 ? 256 * 8 : 0); }

void poke_guest_entry(Rig& rig, Input& in) {
  const auto at = in.take<uint16_t>();
  const auto flags = in.take<uint16_t>();
  uint64_t value = (flags & 0xFFFu) | uint64_t{in.take<uint8_t>() % (kGuestPages + 1)} << 12;
  if ((flags & 0x1000) != 0) value |= uint64_t{1} << 63;
  if ((flags & 0x2000) != 0) value |= uint64_t{in.take<uint32_t>()} << 21;
  const uint64_t page = (at >> 4) % kGuestPages * kPageSize;
  rig.write(page + place_of_entry(at), std::as_bytes(std::span{&value, 1}));
}

void poke_ept_entry(Rig& rig, Input& in) {
  const auto at = in.take<uint16_t>();
  const auto flags = in.take<uint16_t>();
  const uint64_t table = (at >> 4) % (4 * kEptPerLevel);
  const uint64_t level = 4 - table / kEptPerLevel;
  const uint64_t pick = in.take<uint8_t>();
  uint64_t value = flags & 0xFFF;
  const bool leaf = level == 1 || (level < 4 && (value & arch::ept::large) != 0);
  if (!leaf) {
    const uint64_t below = (4 - level + 1) * kEptPerLevel + pick % kEptPerLevel;
    value |= kEptTables + below * kPageSize;
  } else if (level == 1) {
    value |= (pick % (kGuestPages + 1)) << 12;
  } else if (level == 2) {
    value |= (flags & 0x4000) != 0 ? uint64_t{4} << 20 : 0;
  } else {
    value |= uint64_t{1} << 30;  // behind all memory
  }
  if ((flags & 0x1000) != 0) value |= uint64_t{1} << (12 + pick % 9);
  if ((flags & 0x2000) != 0) value |= uint64_t{in.take<uint8_t>()} << 40;
  // Bits that would point a leaf at the tables are left out.
  if (leaf && level == 1) value &= ~kEptTables;
  rig.write(kEptTables + table * kPageSize + place_of_entry(at),
            std::as_bytes(std::span{&value, 1}));
}

void set_context(Rig& rig, Input& in) {
  const auto mode = in.take<uint8_t>();
  const auto bits = in.take<uint8_t>();
  PagingContext& c = rig.context;
  c = {};
  c.cr0 = arch::cr0::pe | ((mode & 3) != 0 ? arch::cr0::pg : 0);
  if ((bits & 1) != 0) c.cr0 |= arch::cr0::wp;
  if ((bits & 2) != 0) c.cr4 |= arch::cr4::pse;
  if ((bits & 4) != 0) c.cr4 |= arch::cr4::smep;
  if ((bits & 8) != 0) c.cr4 |= arch::cr4::smap;
  if ((bits & 16) != 0) c.efer |= arch::efer::nxe;
  if ((mode & 3) >= 2) c.cr4 |= arch::cr4::pae;
  if ((mode & 3) == 3) c.efer |= arch::efer::lme | arch::efer::lma;
  c.gigabyte_pages = (bits & 32) == 0;
  c.cr3 = uint64_t{in.take<uint8_t>() % kGuestPages} << 12;
  if ((mode & 4) != 0) {
    const uint64_t root = kEptTables + in.take<uint8_t>() % kEptPerLevel * kPageSize;
    c.eptp = arch::make_eptp(root, (mode & 8) != 0);
    c.ept_execute_for_user = (mode & 16) != 0;
  }
  if ((mode & 3) == 2) {
    EptFault why;
    const auto cached = load_pdptes(rig.cached_bus, c, &why);
    const auto walked = load_pdptes(rig.walked_bus, c, &why);
    require(static_cast<bool>(cached) == static_cast<bool>(walked), "PDPTEs load alike");
    if (cached) c.pdpte = *cached;
  }
  rig.mmu.set_context(c);
  rig.mmu.set_manner({.user = (bits & 64) != 0, .smap_suspended = (bits & 128) != 0});
}

/// A few pages near the ends of each table level, so that entries and addresses meet.
Gva address(Input& in, const PagingContext& c) {
  const auto v = in.take<uint16_t>();
  uint64_t a = (v & 7u) << 12 | uint64_t{v >> 3u & 3u} << 21 | uint64_t{v >> 5u & 3u} << 30 |
               uint64_t{v >> 7u & 1u} << 39 | (v >> 8 & 0xFu) * 273u;
  if ((v & 0x1000) != 0) a |= 0xFFF;
  if ((c.efer & arch::efer::lma) == 0) return Gva{a & 0xFFFFFFFF};
  return Gva{(v & 0x8000) != 0 ? a | 0xFFFF800000000000 : a};
}

/// The next byte, wrapped as the mode wraps addresses.
Gva behind(const Rig& rig, Gva gva, uint64_t distance) {
  const bool wide = (rig.context.efer & arch::efer::lma) != 0;
  return Gva{(gva.value + distance) & (wide ? ~uint64_t{0} : 0xFFFFFFFF)};
}

/// Where an access of `size` bytes goes, page by page, or its first fault.
struct Walked {
  bool ok = false;
  Fault fault{};
  EptFault ept{};
  Hpa first{}, second{};
  uint64_t in_first = 0;
};
Walked walk_access(Rig& rig, Gva gva, uint64_t size, AccessRequest request) {
  Walked w;
  w.in_first = std::min(size, kPageSize - (gva.value & kPageMask));
  const auto first = walk(rig.walked_bus, rig.context, gva, request, &w.ept);
  w.ok = static_cast<bool>(first);
  if (!first) w.fault = first.error();
  if (first) w.first = first->hpa;
  if (!w.ok || w.in_first == size) return w;
  const Gva next = behind(rig, gva, w.in_first);
  const auto second = walk(rig.walked_bus, rig.context, next, request, &w.ept);
  w.ok = static_cast<bool>(second);
  if (!second) w.fault = second.error();
  if (second) w.second = second->hpa;
  return w;
}

void compare_ends(const Rig& rig, bool ok, const Fault& fault, const Walked& w) {
  require(ok == w.ok, "an access through the cache ends as a walk does");
  if (ok) return;
  require(fault == w.fault, "an access through the cache faults as a walk does");
  if (fault.kind == Fault::Kind::exception) return;
  const EptFault& ept = rig.mmu.ept_fault();
  require(ept.gpa == w.ept.gpa && ept.qualification == w.ept.qualification &&
              ept.gva_valid == w.ept.gva_valid,
          "an EPT fault is described as a walk describes it");
}

template <class T>
T read_walked(Rig& rig, const Walked& w) {
  std::array<std::byte, sizeof(T)> bytes;
  rig.walked_bus.read_block(w.first, std::span{bytes}.first(w.in_first));
  rig.walked_bus.read_block(w.second, std::span{bytes}.subspan(w.in_first));
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

template <class T>
void write_walked(Rig& rig, const Walked& w, const T& value) {
  const auto bytes = std::as_bytes(std::span{&value, 1});
  rig.walked_bus.write_block(w.first, bytes.first(w.in_first));
  rig.walked_bus.write_block(w.second, bytes.subspan(w.in_first));
}

template <class T>
void access(Rig& rig, Gva gva, unsigned how) {
  AccessRequest request = rig.mmu.ordinary();
  request.write = (how & 1) != 0;
  const Walked w = walk_access(rig, gva, sizeof(T), request);
  const auto value = static_cast<T>(how * 0x0123456789ABCDEF);
  if (!request.write) {
    const auto read = rig.mmu.read<T>(gva);
    compare_ends(rig, static_cast<bool>(read), read ? Fault{} : read.error(), w);
    if (w.ok) require(*read == read_walked<T>(rig, w), "a load comes from where a walk goes");
  } else if ((how & 2) != 0) {
    const auto stored = rig.mmu.write<T>(gva, value);
    compare_ends(rig, static_cast<bool>(stored), stored ? Fault{} : stored.error(), w);
    if (w.ok) write_walked<T>(rig, w, value);
  } else {
    const auto old = rig.mmu.begin_modify<T>(gva);
    compare_ends(rig, static_cast<bool>(old), old ? Fault{} : old.error(), w);
    if (!w.ok) return;
    require(*old == read_walked<T>(rig, w), "a modification reads where a walk goes");
    rig.mmu.commit<T>(static_cast<T>(*old + value));
    write_walked<T>(rig, w, static_cast<T>(*old + value));
  }
}

void fetch(Rig& rig, Gva gva) {
  AccessRequest request = rig.mmu.ordinary();
  request.fetch = true;
  const Walked w = walk_access(rig, gva, 1, request);
  const auto hpa = rig.mmu.translate_fetch(gva);
  compare_ends(rig, static_cast<bool>(hpa), hpa ? Fault{} : hpa.error(), w);
  if (w.ok) require(*hpa == w.first, "a fetch goes where a walk goes");
}

void look(Rig& rig, Gva gva) {
  AccessRequest request = rig.mmu.ordinary();
  request.peek = true;
  EptFault why;
  const auto peeked = rig.mmu.peek(gva, request);
  const auto walked = walk(rig.walked_bus, rig.context, gva, request, &why);
  require(static_cast<bool>(peeked) == static_cast<bool>(walked), "a look ends as a walk does");
  if (peeked) require(peeked->hpa == walked->hpa, "a look goes where a walk goes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto rig = std::make_unique<Rig>();
  Input in(data, size);
  rig->clear();
  set_context(*rig, in);
  for (int step = 0; step < 300 && !in.empty(); ++step) {
    const auto what = in.take<uint8_t>();
    const unsigned how = what >> 4;
    switch (what & 15) {
      case 0: set_context(*rig, in); break;
      case 1: rig->mmu.drop_all(); break;
      case 2: look(*rig, address(in, rig->context)); break;
      case 3:
      case 4: fetch(*rig, address(in, rig->context)); break;
      case 5:
      case 6:
      case 7: poke_ept_entry(*rig, in); break;
      case 8:
      case 9:
      case 10: poke_guest_entry(*rig, in); break;
      case 11:
      case 12: access<uint64_t>(*rig, address(in, rig->context), how); break;
      default: access<uint8_t>(*rig, address(in, rig->context), how); break;
    }
  }
  rig->compare();
  return 0;
}
