// One processor's view of memory: cached translations, loads, stores and read-modify-writes.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "emu/mmu/translations.h"
#include "emu/mmu/walk.h"

namespace vitrine::emu {

/// What reaches the APIC-access page of a VM (PagingContext::apic_page).
struct ApicAccess {
  enum class Use : uint8_t { read, write, modify, fetch };
  uint64_t offset = 0;  ///< in the page
  size_t size = 0;
  Use use = Use::read;
};

/// What the Mmu asks of its processor.
class AccessClock {
 public:
  virtual ~AccessClock() = default;
  /// The clock at the instruction that is being executed.
  virtual Cycle now() const = 0;
  /// A device was touched: the block ends after this instruction.
  virtual void device_accessed() = 0;
  /// Data was read or written, told while Mmu::Manner::watch is on.
  virtual void data_accessed(Gva, Hpa, size_t, bool /*write*/) {}
  /// The APIC-access page was reached: gives or takes `data`, or fails with Fault::Kind::apic_access.
  virtual Result<void, Fault> apic_access(const ApicAccess&, void* /*data*/) {
    return Err{Fault{Fault::Kind::apic_access}};
  }
};

/// Cached translations are always coherent: every table line a cached translation was derived from is
/// marked, and a write to a marked line drops them (SDM "Caching Translation Information" allows
/// never using a stale one). Filling and dropping are therefore invisible to guest and clock.
class Mmu {
 public:
  Mmu(Bus& bus, AccessClock& clock, uint32_t processor);
  Mmu(const Mmu&) = delete;
  Mmu& operator=(const Mmu&) = delete;

  /// Selects the bank for this context; banks of other contexts keep what they hold.
  void set_context(const PagingContext& context);
  const PagingContext& context() const { return context_; }
  /// How ordinary accesses are done.
  struct Manner {
    bool user = false;            ///< CPL 3
    bool smap_suspended = false;  ///< EFLAGS.AC of supervisor code
    /// CR0.AM && EFLAGS.AC && CPL 3: every access is checked for alignment on the slow path.
    bool alignment_check = false;
    /// Data breakpoints, and timing levels that look at addresses: every access is told to the
    /// processor on the slow path.
    bool watch = false;
  };
  void set_manner(Manner manner) {
    ordinary_ = AccessRequest{.user = manner.user, .smap_suspended = manner.smap_suspended};
    alignment_check_ = manner.alignment_check;
    watch_ = manner.watch;
    select();
  }

  /// Ordinary data accesses with the rights of set_manner(). `gva` is canonical.
  template <class T>
  Result<T, Fault> read(Gva gva) {
    T value{};
    if (read_cached(gva, value)) [[likely]] return value;
    if (const auto r = read_slow(gva, &value, sizeof(T), ordinary_); !r) return Err{r.error()};
    return value;
  }
  template <class T>
  Result<void, Fault> write(Gva gva, const T& value) {
    if (write_cached(gva, value)) [[likely]] return {};
    return write_slow(gva, &value, sizeof(T), ordinary_);
  }

  /// Read-modify-write: checks write rights first, returns the old value; commit() then cannot fault.
  /// Nothing else may be accessed in between.
  template <class T>
  Result<T, Fault> begin_modify(Gva gva) {
    T value{};
    if (modify_cached(gva, value)) [[likely]] return value;
    if (const auto r = begin_modify_slow(gva, &value, sizeof(T)); !r) return Err{r.error()};
    return value;
  }

  /// The common case of these three, an access within a page of RAM whose translation is cached; false
  /// for any other.
  template <class T>
  bool read_cached(Gva gva, T& value) const {
    const Translations::Entry& e = data_->entries[Translations::index(gva)];
    if ((gva.value ^ e.read_tag) > kPageSize - sizeof(T)) [[unlikely]] return false;
    std::memcpy(&value, host(e, gva), sizeof(T));
    return true;
  }
  template <class T>
  bool write_cached(Gva gva, const T& value) {
    const Translations::Entry& e = data_->entries[Translations::index(gva)];
    if ((gva.value ^ e.write_tag) > kPageSize - sizeof(T)) [[unlikely]] return false;
    std::memcpy(host(e, gva), &value, sizeof(T));
    return true;
  }
  template <class T>
  bool modify_cached(Gva gva, T& value) {
    const Translations::Entry& e = data_->entries[Translations::index(gva)];
    if ((gva.value ^ e.write_tag) > kPageSize - sizeof(T)) [[unlikely]] return false;
    modify_host_ = host(e, gva);
    std::memcpy(&value, modify_host_, sizeof(T));
    return true;
  }

  template <class T>
  void commit(const T& value) {
    if (modify_host_ != nullptr) [[likely]] {
      std::memcpy(modify_host_, &value, sizeof(T));
    } else {
      commit_slow(&value, sizeof(T));
    }
  }

  /// Any number of bytes up to one page, with explicit rights: string blocks, XSAVE areas, implicit
  /// supervisor accesses to descriptor tables (request.user = false whatever the CPL).
  Result<void, Fault> read_bytes(Gva gva, void* out, size_t size, AccessRequest request);
  Result<void, Fault> write_bytes(Gva gva, const void* in, size_t size, AccessRequest request);
  /// Checks that a later write of these bytes will not fault.
  Result<void, Fault> probe_write(Gva gva, size_t size, AccessRequest request);

  /// The same for values.
  template <class T>
  Result<T, Fault> read_as(Gva gva, AccessRequest request) {
    T value{};
    if (const std::byte* const from = known(gva, sizeof(T), request); from != nullptr) [[likely]] {
      std::memcpy(&value, from, sizeof(T));
      return value;
    }
    if (const auto r = read_bytes(gva, &value, sizeof(T), request); !r) return Err{r.error()};
    return value;
  }
  template <class T>
  Result<void, Fault> write_as(Gva gva, const T& value, AccessRequest request) {
    request.write = true;
    if (std::byte* const to = known(gva, sizeof(T), request); to != nullptr) [[likely]] {
      std::memcpy(to, &value, sizeof(T));
      return {};
    }
    return write_bytes(gva, &value, sizeof(T), request);
  }
  template <class T>
  Result<T, Fault> read_system(Gva gva) {
    return read_as<T>(gva, AccessRequest{});
  }
  template <class T>
  Result<void, Fault> write_system(Gva gva, const T& value) {
    return write_as(gva, value, AccessRequest{.write = true});
  }

  /// Where the instruction bytes at `gva` lie; sets A bits like any fetch.
  Result<Hpa, Fault> translate_fetch(Gva gva) {
    const FetchEntry& e = fetch_->entries[Translations::index(gva)];
    if ((gva.value & ~kPageMask) == e.tag) [[likely]] return e.page + (gva.value & kPageMask);
    return translate_fetch_slow(gva);
  }
  /// The PDPTEs that a load of `cr3` brings in, with the checks of PAE paging (walk.h).
  Result<std::array<uint64_t, 4>, Fault> read_pdptes(uint64_t cr3) {
    PagingContext context = context_;
    context.cr3 = cr3;
    return load_pdptes(bus_, context, &ept_fault_);
  }
  /// For the debugger and the timing model: no side effects.
  Result<Translation, Fault> peek(Gva gva, AccessRequest request, WalkTrace* trace = nullptr) const;
  AccessRequest ordinary() const { return ordinary_; }

  /// Reads and writes of guest-physical memory by the processor itself (VMCS, virtual-APIC page…).
  Bus& bus() { return bus_; }
  const Bus& bus() const { return bus_; }
  const EptFault& ept_fault() const { return ept_fault_; }
  /// The address that CR2 takes when the last fault was a #PF.
  Gva fault_address() const { return fault_address_; }

  /// Where the byte lies when an ordinary access to its page needs nothing but a cached translation, and
  /// the rest of the page behind it; else null.
  std::byte* cached(Gva gva, bool write) const {
    const Translations::Entry& e = data_->entries[Translations::index(gva)];
    const uint64_t tag = write ? e.write_tag : e.read_tag;
    return (gva.value ^ tag) < kPageSize ? host(e, gva) : nullptr;
  }
  /// For compiled code, which looks into them itself: where the pointer to the cached translations of
  /// ordinary accesses is.
  const void* ordinary_translations() const { return &data_; }
  /// To be called when compiled code is left: makes anew the range that it has missed too often.
  void widen_range() {
    if (data_->patience < 0) [[unlikely]] data_->widen();
  }
  /// Changes when what is known of the current context is forgotten; no two contexts share one.
  uint64_t incarnation() const { return bank_->incarnation; }

  void drop_all();
  /// Forgets cached write rights to one page of RAM, in every bank.
  void drop_writes(uint64_t ram_page_offset);

 private:
  static constexpr size_t kBanks = 16;
  static constexpr uint64_t kNoTag = ~uint64_t{0};  ///< of fetches: tags are whole pages
  struct FetchEntry {
    uint64_t tag = kNoTag;
    Hpa page;
  };
  struct FetchTable {
    bool filled = false;
    std::array<FetchEntry, Translations::kEntries> entries{};
  };
  /// Where a page of device registers lies, for one class of rights and one kind of access.
  struct DevicePage {
    uint64_t key = kNoTag;
    Hpa page;
  };
  static constexpr size_t kDevicePages = 4;
  /// user, supervisor, supervisor with SMAP suspended; and a class that never holds anything.
  enum Class : uint8_t { user, supervisor, supervisor_ac, uncached, kClasses };
  struct Bank {
    PagingContext context;
    uint64_t incarnation = 0;
    bool valid = false;
    uint64_t last_used = 0;
    std::array<Translations, kClasses> data;
    std::array<FetchTable, 2> fetch;
    std::array<DevicePage, kDevicePages> devices;
    void clear();
  };

  /// The table of a bank that stands for these rights.
  static size_t class_of(AccessRequest r) {
    return r.user ? user : r.smap_suspended ? supervisor_ac : supervisor;
  }
  static std::byte* host(const Translations::Entry& e, Gva gva) {
    return reinterpret_cast<std::byte*>(e.addend + gva.value);
  }

  /// Where `size` bytes within a page lie if nothing but a cached translation for `request` is needed;
  /// else null.
  std::byte* known(Gva gva, size_t size, AccessRequest request) const {
    if (watch_ || request.fetch) return nullptr;
    const Translations::Entry& e = bank_->data[class_of(request)].entries[Translations::index(gva)];
    const uint64_t tag = request.write ? e.write_tag : e.read_tag;
    return (gva.value ^ tag) <= kPageSize - size ? host(e, gva) : nullptr;
  }
  Result<void, Fault> read_slow(Gva gva, void* out, size_t size, AccessRequest request);
  Result<void, Fault> write_slow(Gva gva, const void* in, size_t size, AccessRequest request);
  Result<void, Fault> begin_modify_slow(Gva gva, void* out, size_t size);
  void commit_slow(const void* in, size_t size);
  Result<Hpa, Fault> translate_fetch_slow(Gva gva);
  /// Walks, fills the bank when the page is plain RAM, and returns where the byte lies.
  Result<Hpa, Fault> translate(Gva gva, AccessRequest request);
  /// Where the byte lies when its page is RAM that was walked to for such an access.
  std::optional<Hpa> known_page(Gva gva, AccessRequest request);
  /// Fills in the write tag unless somebody has to hear of writes to the page.
  void allow_writes(Translations::Entry& e, uint64_t tag);
  Result<void, Fault> check_alignment(Gva gva, size_t size) const;
  void read_physical(Hpa hpa, std::byte* out, size_t size);
  void write_physical(Hpa hpa, const std::byte* in, size_t size);
  void select() {
    data_ = &bank_->data[alignment_check_ || watch_ ? size_t{uncached} : class_of(ordinary_)];
    fetch_ = &bank_->fetch[ordinary_.user ? 0 : 1];
  }
  void renew(Bank& bank);
  Gva next_page(Gva gva, size_t distance) const;
  Result<void, Fault> refuse_split(Hpa low, Hpa high, size_t size, ApicAccess::Use use);
  Result<void, Fault> write_apic(Hpa hpa, const void* in, size_t size);
  bool virtualised(Hpa hpa) const { return (hpa.value & ~kPageMask) == context_.apic_page; }
  void note(Gva gva, Hpa hpa, size_t size, bool write) {
    if (watch_) clock_.data_accessed(gva, hpa, size, write);
  }

  /// Keeps this processor's cached translations coherent with memory.
  class Sink final : public WriteSink {
   public:
    explicit Sink(Mmu& mmu) : mmu_(mmu) {}
    void code_written(uint64_t, uint64_t) override {}
    void translation_written() override { mmu_.drop_all(); }
    void page_marked(uint64_t page_offset) override { mmu_.drop_writes(page_offset); }

   private:
    Mmu& mmu_;
  };

  Bus& bus_;
  AccessClock& clock_;
  uint32_t processor_;
  PagingContext context_;
  AccessRequest ordinary_{};
  bool alignment_check_ = false;
  bool watch_ = false;
  Translations* data_ = nullptr;
  FetchTable* fetch_ = nullptr;
  std::vector<std::unique_ptr<Bank>> banks_;
  Bank* bank_ = nullptr;
  uint64_t use_counter_ = 0;
  uint64_t incarnations_ = 0;
  Sink sink_;

  std::byte* modify_host_ = nullptr;
  struct ModifyPart {
    Hpa hpa;
    size_t size = 0;
  };
  std::array<ModifyPart, 2> modify_parts_{};

  EptFault ept_fault_{};
  Gva fault_address_{};
};

}  // namespace vitrine::emu
