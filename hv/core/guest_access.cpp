// Looking into a child: walking its page tables, reading and writing its memory.
#include "hv/core/guest_access.h"

#include <array>

#include "hv/core/gpa_space.h"
#include "hv/core/handlers.h"
#include "hv/tlfs/vp_registers.h"

namespace vitrine::hv {
namespace {

using tlfs::AccessGpaCode;
using tlfs::Register;
using tlfs::TranslateCode;
using tlfs::TranslateInput;

constexpr std::uint64_t kCr0Paging = std::uint64_t{1} << 31;
constexpr std::uint64_t kCr0WriteProtect = 1 << 16;
constexpr std::uint64_t kCr4PageSize = 1 << 4;
constexpr std::uint64_t kCr4Pae = 1 << 5;
constexpr std::uint64_t kEferLongMode = 1 << 10;
constexpr std::uint64_t kEferNoExecute = 1 << 11;

// SDM "GuestPaging": bits that all entry formats share.
constexpr std::uint64_t kPresent = 1 << 0;
constexpr std::uint64_t kWritable = 1 << 1;
constexpr std::uint64_t kUser = 1 << 2;
constexpr std::uint64_t kAccessed = 1 << 5;
constexpr std::uint64_t kDirty = 1 << 6;
constexpr std::uint64_t kLarge = 1 << 7;
constexpr std::uint64_t kNoExecute = std::uint64_t{1} << 63;
constexpr std::uint64_t kAddress = 0x000FFFFFFFFFF000;

// The formats as rows: bytes of an entry, its index bits, levels, and which levels may hold large pages.
struct Format {
  unsigned entry_bytes;
  unsigned index_bits;
  unsigned levels;
  unsigned top_bits;       // index bits of the top level
  unsigned largest_large;  // highest level that may map a large page, 0 being the page table
};
constexpr Format kLegacy{4, 10, 2, 10, 1};
constexpr Format kPae{8, 9, 3, 2, 1};
constexpr Format kFourLevel{8, 9, 4, 9, 2};

Outcome<VirtualProcessor*> find_target(const Caller& caller, tlfs::PartitionId id,
                                       std::uint32_t index) {
  const auto child = child_of(caller, id);
  if (!child) return child.status();
  if ((*child)->state != PartitionState::active) return Status::invalid_partition_state;
  VirtualProcessor* const vp = find_vp(caller.hv, **child, index);
  if (vp == nullptr) return Status::invalid_vp_index;
  return vp;
}

std::uint64_t get(const Hypervisor& hv, VirtualProcessor& vp, Register name) {
  tlfs::U128 value;
  const Platform& platform = *hv.platform;
  const RegisterResult result =
      platform.get_register(platform.context, vp, static_cast<std::uint32_t>(name), value);
  return result == RegisterResult::done ? value.low : 0;
}

GuestPaging paging_of(const Hypervisor& hv, VirtualProcessor& vp) {
  tlfs::U128 ss;
  const Platform& platform = *hv.platform;
  const bool known =
      platform.get_register(platform.context, vp, static_cast<std::uint32_t>(Register::ss), ss) ==
      RegisterResult::done;
  // SS.DPL is the privilege level; attributes are the top 16 bits.
  constexpr unsigned kDplShift = 48 + 5;
  GuestPaging paging{};
  paging.cr0 = get(hv, vp, Register::cr0);
  paging.cr3 = get(hv, vp, Register::cr3);
  paging.cr4 = get(hv, vp, Register::cr4);
  paging.efer = get(hv, vp, Register::efer);
  paging.user = known && (ss.high >> kDplShift & 3) == 3;
  return paging;
}

const Format& format_of(const GuestPaging& paging) {
  if ((paging.efer & kEferLongMode) != 0) return kFourLevel;
  return (paging.cr4 & kCr4Pae) != 0 ? kPae : kLegacy;
}

struct Walked {
  TranslateCode code{};
  std::uint64_t gpa_page{};
};

struct EntryAt {
  std::uint64_t address{};  // physical, 0 when the guest's table is not mapped
  std::uint64_t value{};
};

EntryAt read_entry(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa,
                   unsigned bytes) {
  const std::uint64_t address = reach(hv, partition, gpa, Rights::read);
  if (address == 0) return {};
  if (bytes == 4) return {address, *hv.at<std::uint32_t>(address)};
  return {address, *hv.at<std::uint64_t>(address)};
}

void set_bits(const Hypervisor& hv, const EntryAt& entry, unsigned bytes, std::uint64_t bits) {
  if (bytes == 4) {
    *hv.at<std::uint32_t>(entry.address) |= static_cast<std::uint32_t>(bits);
  } else {
    *hv.at<std::uint64_t>(entry.address) |= bits;
  }
}

// SDM "Determination of Access Rights", without protection keys, SMEP and SMAP: what the flags ask for.
bool permitted(const GuestPaging& paging, std::uint64_t flags, std::uint64_t all_of,
               bool no_execute) {
  if ((flags & TranslateInput::kPrivilegeExempt) != 0) return true;
  if (paging.user && (all_of & kUser) == 0) return false;
  const bool write_checked = paging.user || (paging.cr0 & kCr0WriteProtect) != 0;
  if ((flags & TranslateInput::kWrite) != 0 && write_checked && (all_of & kWritable) == 0)
    return false;
  return (flags & TranslateInput::kExecute) == 0 || !no_execute;
}

Walked walk(const Hypervisor& hv, const Partition& partition, const GuestPaging& paging,
            std::uint64_t gva, std::uint64_t flags) {
  if ((paging.cr0 & kCr0Paging) == 0) return {TranslateCode::success, gva >> tlfs::kPageShift};
  const Format& format = format_of(paging);
  std::uint64_t table =
      format.levels == kPae.levels ? paging.cr3 & 0xFFFFFFE0 : paging.cr3 & kAddress;
  std::uint64_t all_of = kWritable | kUser;
  bool no_execute = false;
  for (unsigned level = format.levels; level-- > 0;) {
    const unsigned shift = tlfs::kPageShift + level * format.index_bits;
    const bool top = level + 1 == format.levels;
    const std::uint64_t index =
        gva >> shift & ((1U << (top ? format.top_bits : format.index_bits)) - 1);
    const EntryAt entry =
        read_entry(hv, partition, table + index * format.entry_bytes, format.entry_bytes);
    if (entry.address == 0) return {TranslateCode::gpa_unmapped, table >> tlfs::kPageShift};
    if ((entry.value & kPresent) == 0) return {TranslateCode::page_not_present, 0};
    const bool pointer = &format == &kPae && top;  // PAE's directory pointers have no rights
    if (!pointer) all_of &= entry.value;
    const bool checks_nx = (paging.efer & kEferNoExecute) != 0 && format.entry_bytes == 8;
    if (checks_nx && (entry.value & kNoExecute) != 0) no_execute = true;
    const bool may_be_large = level != 0 && level <= format.largest_large &&
                              (&format != &kLegacy || (paging.cr4 & kCr4PageSize) != 0);
    const bool leaf = level == 0 || (may_be_large && (entry.value & kLarge) != 0);
    if (!leaf && (entry.value & kLarge) != 0 && format.entry_bytes == 8 && !pointer) {
      return {TranslateCode::invalid_page_table_flags, 0};
    }
    if (leaf && !permitted(paging, flags, all_of, no_execute)) {
      return {TranslateCode::privilege_violation, 0};
    }
    if ((flags & TranslateInput::kSetPageTableBits) != 0 && !pointer) {
      const bool dirty = leaf && (flags & TranslateInput::kWrite) != 0;
      set_bits(hv, entry, format.entry_bytes, kAccessed | (dirty ? kDirty : 0));
    }
    if (!leaf) {
      table = entry.value & kAddress;
      continue;
    }
    const std::uint64_t span = std::uint64_t{1} << shift;
    const std::uint64_t frame = entry.value & kAddress & ~(span - 1);
    return {TranslateCode::success, (frame | (gva & (span - 1))) >> tlfs::kPageShift};
  }
  return {TranslateCode::page_not_present, 0};
}

// TLFS "GPA access rules": then the GPA space has its say.
TranslateCode check_gpa(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa_page,
                        std::uint64_t flags) {
  const GpaEntry entry = lookup(hv, partition, gpa_page);
  if (!entry.mapped()) return TranslateCode::gpa_unmapped;
  const Rights rights = entry.deposited() ? Rights::none : entry.rights();
  if (!includes(rights, Rights::read)) return TranslateCode::gpa_no_read;
  const bool writes = (flags & TranslateInput::kWrite) != 0;
  if (writes && !includes(rights, Rights::write)) return TranslateCode::gpa_no_write;
  return TranslateCode::success;
}

// Reads or writes as the VP would: the overlay first, then the mapping and its rights.
struct GpaAccess {
  AccessGpaCode code{};
  std::uint64_t address{};
};
GpaAccess access(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa,
                 Rights rights) {
  const std::uint64_t gpa_page = gpa >> tlfs::kPageShift;
  const std::uint64_t offset = gpa & (tlfs::kPageSize - 1);
  if (const std::uint64_t page = overlay_at(hv, partition, gpa_page); page != 0) {
    return {AccessGpaCode::success, (page << tlfs::kPageShift) | offset};
  }
  if (!lookup(hv, partition, gpa_page).mapped()) return {AccessGpaCode::unmapped, 0};
  const std::uint64_t address = reach(hv, partition, gpa, rights);
  if (address != 0) return {AccessGpaCode::success, address};
  return {rights == Rights::read ? AccessGpaCode::read_intercept : AccessGpaCode::write_intercept,
          0};
}

// Bytes 1 to 16, within a page. Cache type 0 to 7 is the only control.
bool legal_access(std::uint64_t gpa, std::uint32_t count, std::uint64_t flags) {
  const std::uint64_t offset = gpa & (tlfs::kPageSize - 1);
  return count >= 1 && count <= tlfs::kMaximumGpaAccess && offset + count <= tlfs::kPageSize &&
         flags <= 7 && gpa >> tlfs::kPageShift < kGpaPages;
}

}  // namespace

std::uint8_t fetch_instruction(const Hypervisor& hv, const Partition& partition,
                               const GuestPaging& paging, std::uint64_t linear,
                               std::span<std::uint8_t> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::uint64_t at = linear + done;
    const Walked walked = walk(hv, partition, paging, at, TranslateInput::kExecute);
    if (walked.code != TranslateCode::success) break;
    const std::uint64_t offset = at & (tlfs::kPageSize - 1);
    const GpaAccess found =
        access(hv, partition, (walked.gpa_page << tlfs::kPageShift) | offset, Rights::read);
    if (found.address == 0) break;
    const std::uint64_t in_page = tlfs::kPageSize - offset;
    const std::uint64_t wanted = bytes.size() - done;
    const std::uint64_t now = wanted < in_page ? wanted : in_page;
    __builtin_memcpy(bytes.data() + done, hv.at<void>(found.address), now);
    done += now;
  }
  return static_cast<std::uint8_t>(done);
}

// A VP that runs elsewhere leaves its processor first: its tables are walked with the registers it has then.
Outcome<tlfs::TranslateOutput> translate_virtual_address(Caller& caller, const TranslateInput& in) {
  Hypervisor& hv = caller.hv;
  const auto target = find_target(caller, in.partition, in.vp);
  if (!target) return target.status();
  VirtualProcessor& vp = **target;
  const bool legal = in.padding == 0 && (in.flags & ~TranslateInput::kDefined) == 0 &&
                     in.gva_page >> (64 - tlfs::kPageShift) == 0;
  if (!legal) return Status::invalid_parameter;
  if (!parked(caller, vp)) return Outcome<tlfs::TranslateOutput>::again();
  const Partition& partition = partition_of(hv, vp);
  if ((in.flags & TranslateInput::kFlushInhibit) != 0) vp.tlb_locked = 1;
  const GuestPaging paging = paging_of(hv, vp);
  Walked walked = walk(hv, partition, paging, in.gva_page << tlfs::kPageShift, in.flags);
  std::uint64_t extra = tlfs::TranslateOutput::kWriteBack;
  if (walked.code == TranslateCode::success) {
    if (overlay_at(hv, partition, walked.gpa_page) != 0) {
      extra |= tlfs::TranslateOutput::kOverlay;
    } else {
      walked.code = check_gpa(hv, partition, walked.gpa_page, in.flags);
    }
  }
  return tlfs::TranslateOutput{static_cast<std::uint64_t>(walked.code) | extra, walked.gpa_page};
}

Outcome<tlfs::ReadGpaOutput> read_gpa(Caller& caller, const tlfs::ReadGpaInput& in) {
  Hypervisor& hv = caller.hv;
  const auto target = find_target(caller, in.partition, in.vp);
  if (!target) return target.status();
  if (!legal_access(in.gpa, in.byte_count, in.flags)) return Status::invalid_parameter;
  const GpaAccess found = access(hv, partition_of(hv, **target), in.gpa, Rights::read);
  tlfs::ReadGpaOutput out{.result = static_cast<std::uint64_t>(found.code)};
  if (found.address != 0)
    __builtin_memcpy(out.data.data(), hv.at<void>(found.address), in.byte_count);
  return out;
}

Outcome<tlfs::WriteGpaOutput> write_gpa(Caller& caller, const tlfs::WriteGpaInput& in) {
  Hypervisor& hv = caller.hv;
  const auto target = find_target(caller, in.partition, in.vp);
  if (!target) return target.status();
  if (!legal_access(in.gpa, in.byte_count, in.flags)) return Status::invalid_parameter;
  const GpaAccess found = access(hv, partition_of(hv, **target), in.gpa, Rights::write);
  if (found.address != 0)
    __builtin_memcpy(hv.at<void>(found.address), in.data.data(), in.byte_count);
  return tlfs::WriteGpaOutput{static_cast<std::uint64_t>(found.code)};
}

}  // namespace vitrine::hv
