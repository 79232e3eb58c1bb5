// The slow side of memory access: walks, fills, page crossings, devices, and the dropping of banks.
#include "emu/mmu/mmu.h"

#include <algorithm>

#include "emu/arch/registers.h"
#include "emu/arch/require.h"

namespace vitrine::emu {

namespace {

bool canonical(Gva gva) { return ((gva.value + (uint64_t{1} << 47)) >> 48) == 0; }

}  // namespace

Mmu::Mmu(Bus& bus, AccessClock& clock, uint32_t processor)
    : bus_(bus), clock_(clock), processor_(processor), sink_(*this) {
  bus.memory().add_sink(sink_);
  set_context(PagingContext{});
}

void Mmu::Bank::clear() {
  for (Translations& table : data) table.clear();
  for (FetchTable& table : fetch) {
    if (table.filled) table = FetchTable{};
  }
  devices.fill(DevicePage{});
}

void Mmu::set_context(const PagingContext& context) {
  context_ = context;
  Bank* oldest = nullptr;
  for (const auto& bank : banks_) {
    if (bank->valid && bank->context == context) {
      bank_ = bank.get();
      bank_->last_used = ++use_counter_;
      select();
      return;
    }
    const bool better = oldest == nullptr ||
                        (oldest->valid && (!bank->valid || bank->last_used < oldest->last_used));
    if (better) oldest = bank.get();
  }
  if (banks_.size() < kBanks && (oldest == nullptr || oldest->valid)) {
    oldest = banks_.emplace_back(std::make_unique<Bank>()).get();
  }
  bank_ = oldest;
  renew(*bank_);
  bank_->context = context;
  bank_->valid = true;
  bank_->last_used = ++use_counter_;
  select();
}

void Mmu::renew(Bank& bank) {
  bank.clear();
  bank.incarnation = ++incarnations_;
}

void Mmu::drop_all() {
  for (const auto& bank : banks_) {
    if (bank.get() == bank_) {
      renew(*bank);
    } else {
      bank->valid = false;
    }
  }
}

void Mmu::drop_writes(uint64_t ram_page_offset) {
  const auto page = reinterpret_cast<uint64_t>(bus_.memory().host(ram_page_offset));
  for (const auto& bank : banks_) {
    if (!bank->valid) continue;
    for (Translations& table : bank->data) table.drop_writes(page);
  }
}

Result<void, Fault> Mmu::check_alignment(Gva gva, size_t size) const {
  if (!alignment_check_ || size > 8 || (gva.value & (size - 1)) == 0) return {};
  return Err{fault(arch::Vector::alignment_check)};
}

Result<Hpa, Fault> Mmu::translate(Gva gva, AccessRequest request) {
  if (!canonical(gva)) return Err{Fault{Fault::Kind::non_canonical}};
  if (const auto hpa = known_page(gva, request)) return *hpa;
  const uint64_t key = (gva.value & ~kPageMask) | class_of(request) | (request.write ? 4u : 0u);
  DevicePage& device = bank_->devices[(gva.value >> 12) % kDevicePages];
  if (device.key == key && !request.fetch) return device.page + (gva.value & kPageMask);
  const auto t = walk(bus_, context_, gva, request, &ept_fault_);
  if (!t) {
    fault_address_ = gva;
    return Err{t.error()};
  }
  if (virtualised(t->hpa)) [[unlikely]] {
    if (!request.fetch) return t->hpa;
    const auto refused = clock_.apic_access(
        {t->hpa.value & kPageMask, 1, ApicAccess::Use::fetch}, nullptr);
    return Err{refused.error()};
  }
  const BusRange& range = bus_.find(t->hpa);
  const bool readable = range.kind == BusRange::Kind::ram || range.kind == BusRange::Kind::rom;
  if (request.fetch) return t->hpa;
  if (!readable) {
    device = {key, t->hpa & ~kPageMask};
    return t->hpa;
  }

  const uint64_t page_offset = (range.ram_offset + (t->hpa - range.start)) & ~kPageMask;
  Memory& memory = bus_.memory();
  const size_t slot = Translations::index(gva);
  Translations::Entry& e = bank_->data[class_of(request)].fill(gva);
  const uint64_t tag = gva.value & ~kPageMask;
  const uint64_t addend = reinterpret_cast<uint64_t>(memory.host(page_offset)) - tag;
  if (e.addend != addend || (e.read_tag != tag && e.write_tag != tag)) {
    e = {0, Translations::empty_tag(slot), 0, 0};
  }
  e.addend = addend;
  e.read_tag = tag;
  e.physical = (t->hpa.value & ~kPageMask) | (e.physical & Translations::Entry::kMayWrite);
  if (request.write && range.kind == BusRange::Kind::ram && t->dirty) {
    e.physical |= Translations::Entry::kMayWrite;
    allow_writes(e, tag);
  }
  return t->hpa;
}

void Mmu::allow_writes(Translations::Entry& e, uint64_t tag) {
  Memory& memory = bus_.memory();
  const uint64_t page = memory.offset_of(host(e, Gva{tag}));
  if (!memory.may_write_directly(page)) return;
  memory.note_dirty(page);
  e.write_tag = tag;
}

std::optional<Hpa> Mmu::known_page(Gva gva, AccessRequest request) {
  const uint64_t tag = gva.value & ~kPageMask;
  Translations::Entry& e = bank_->data[class_of(request)].entries[Translations::index(gva)];
  if (request.fetch || e.read_tag != tag) return std::nullopt;
  if (request.write) {
    if ((e.physical & Translations::Entry::kMayWrite) == 0) return std::nullopt;
    if (e.write_tag != tag) allow_writes(e, tag);
  }
  return Hpa{(e.physical & ~kPageMask) | (gva.value & kPageMask)};
}

Result<Hpa, Fault> Mmu::translate_fetch_slow(Gva gva) {
  const AccessRequest request{.fetch = true, .user = ordinary_.user};
  const auto hpa = translate(gva, request);
  if (!hpa) return hpa;
  fetch_->filled = true;
  FetchEntry& e = fetch_->entries[Translations::index(gva)];
  e.tag = gva.value & ~kPageMask;
  e.page = *hpa & ~kPageMask;
  return hpa;
}

Result<Translation, Fault> Mmu::peek(Gva gva, AccessRequest request, WalkTrace* trace) const {
  request.peek = true;
  return walk(bus_, context_, gva, request, nullptr, trace);
}

void Mmu::read_physical(Hpa hpa, std::byte* out, size_t size) {
  const BusRange& range = bus_.find(hpa);
  if (range.kind == BusRange::Kind::ram || range.kind == BusRange::Kind::rom) {
    bus_.memory().read(range.ram_offset + (hpa - range.start), {out, size});
    return;
  }
  clock_.device_accessed();
  const BusAccess access{clock_.now(), processor_};
  while (size != 0) {
    const unsigned step = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
    const uint64_t value = bus_.read(hpa, step, access);
    std::memcpy(out, &value, step);
    hpa += step;
    out += step;
    size -= step;
  }
}

void Mmu::write_physical(Hpa hpa, const std::byte* in, size_t size) {
  const BusRange& range = bus_.find(hpa);
  if (range.kind == BusRange::Kind::ram) {
    bus_.memory().write(range.ram_offset + (hpa - range.start), {in, size});
    return;
  }
  clock_.device_accessed();
  const BusAccess access{clock_.now(), processor_};
  while (size != 0) {
    const unsigned step = size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
    uint64_t value = 0;
    std::memcpy(&value, in, step);
    bus_.write(hpa, step, value, access);
    hpa += step;
    in += step;
    size -= step;
  }
}

Result<void, Fault> Mmu::read_slow(Gva gva, void* out, size_t size, AccessRequest request) {
  if (const auto aligned = check_alignment(gva, size); !aligned) return aligned;
  return read_bytes(gva, out, size, request);
}

Result<void, Fault> Mmu::write_slow(Gva gva, const void* in, size_t size, AccessRequest request) {
  if (const auto aligned = check_alignment(gva, size); !aligned) return aligned;
  request.write = true;
  return write_bytes(gva, in, size, request);
}

Result<void, Fault> Mmu::read_bytes(Gva gva, void* out, size_t size, AccessRequest request) {
  require(size <= kPageSize, "an access spans at most two pages");
  if (const std::byte* const from = known(gva, size, request); from != nullptr) {
    std::memcpy(out, from, size);
    return {};
  }
  const size_t first = std::min<size_t>(size, kPageSize - (gva.value & kPageMask));
  const auto low = translate(gva, request);
  if (!low) return Err{low.error()};
  auto* const at = static_cast<std::byte*>(out);
  note(gva, *low, size, false);
  if (first == size) {
    if (virtualised(*low)) [[unlikely]] {
      return clock_.apic_access({low->value & kPageMask, size, ApicAccess::Use::read}, out);
    }
    read_physical(*low, at, size);
    return {};
  }
  const auto high = translate(next_page(gva, first), request);
  if (!high) return Err{high.error()};
  if (const auto r = refuse_split(*low, *high, size, ApicAccess::Use::read); !r) return r;
  read_physical(*low, at, first);
  read_physical(*high, at + first, size - first);
  return {};
}

Result<void, Fault> Mmu::write_bytes(Gva gva, const void* in, size_t size,
                                     AccessRequest request) {
  require(size <= kPageSize, "an access spans at most two pages");
  request.write = true;
  if (std::byte* const to = known(gva, size, request); to != nullptr) {
    std::memcpy(to, in, size);
    return {};
  }
  const size_t first = std::min<size_t>(size, kPageSize - (gva.value & kPageMask));
  const auto low = translate(gva, request);
  if (!low) return Err{low.error()};
  const auto* const at = static_cast<const std::byte*>(in);
  note(gva, *low, size, true);
  if (first == size) {
    if (virtualised(*low)) [[unlikely]] return write_apic(*low, in, size);
    write_physical(*low, at, size);
    return {};
  }
  const auto high = translate(next_page(gva, first), request);
  if (!high) return Err{high.error()};
  if (const auto r = refuse_split(*low, *high, size, ApicAccess::Use::write); !r) return r;
  write_physical(*low, at, first);
  write_physical(*high, at + first, size - first);
  return {};
}

Result<void, Fault> Mmu::probe_write(Gva gva, size_t size, AccessRequest request) {
  require(size <= kPageSize, "an access spans at most two pages");
  request.write = true;
  if (known(gva, size, request) != nullptr) return {};
  const size_t first = std::min<size_t>(size, kPageSize - (gva.value & kPageMask));
  if (const auto low = translate(gva, request); !low) return Err{low.error()};
  if (first == size) return {};
  if (const auto high = translate(next_page(gva, first), request); !high) {
    return Err{high.error()};
  }
  return {};
}

Result<void, Fault> Mmu::begin_modify_slow(Gva gva, void* out, size_t size) {
  if (const auto aligned = check_alignment(gva, size); !aligned) return aligned;
  AccessRequest request = ordinary_;
  request.write = true;
  const size_t first = std::min<size_t>(size, kPageSize - (gva.value & kPageMask));
  const auto low = translate(gva, request);
  if (!low) return Err{low.error()};
  note(gva, *low, size, true);
  modify_host_ = nullptr;
  modify_parts_ = {ModifyPart{*low, first}, ModifyPart{}};
  if (first != size) {
    const auto high = translate(next_page(gva, first), request);
    if (!high) return Err{high.error()};
    if (const auto r = refuse_split(*low, *high, size, ApicAccess::Use::modify); !r) return r;
    modify_parts_[1] = ModifyPart{*high, size - first};
  } else if (virtualised(*low)) [[unlikely]] {
    return clock_.apic_access({low->value & kPageMask, size, ApicAccess::Use::modify}, out);
  }
  auto* at = static_cast<std::byte*>(out);
  for (const ModifyPart& part : modify_parts_) {
    if (part.size == 0) continue;
    read_physical(part.hpa, at, part.size);
    at += part.size;
  }
  return {};
}

/// An access that reaches the APIC-access page with one half only is never virtualised.
Result<void, Fault> Mmu::refuse_split(Hpa low, Hpa high, size_t size, ApicAccess::Use use) {
  for (const Hpa half : {low, high}) {
    if (virtualised(half)) return clock_.apic_access({half.value & kPageMask, size + 8, use}, nullptr);
  }
  return {};
}

Result<void, Fault> Mmu::write_apic(Hpa hpa, const void* in, size_t size) {
  std::array<std::byte, 64> copy{};
  std::memcpy(copy.data(), in, std::min(size, copy.size()));
  return clock_.apic_access({hpa.value & kPageMask, size, ApicAccess::Use::write}, copy.data());
}

void Mmu::commit_slow(const void* in, size_t size) {
  const auto* at = static_cast<const std::byte*>(in);
  size_t done = 0;
  for (const ModifyPart& part : modify_parts_) {
    if (part.size == 0) continue;
    if (virtualised(part.hpa)) [[unlikely]] {
      const auto written = write_apic(part.hpa, at, part.size);
      require(static_cast<bool>(written), "begin_modify() asked whether the write is virtualised");
    } else {
      write_physical(part.hpa, at, part.size);
    }
    at += part.size;
    done += part.size;
  }
  require(done == size, "commit() has the size of begin_modify()");
}

Gva Mmu::next_page(Gva gva, size_t distance) const {
  const Gva next = gva + distance;
  // Outside long mode linear addresses wrap at 4 GiB.
  return (context_.efer & arch::efer::lma) != 0 ? next : next & 0xFFFFFFFF;
}

}  // namespace vitrine::emu
