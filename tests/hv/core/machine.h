// A machine for the hypervisor core made of host memory and maps: what the native tests run it on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "hv/core/call.h"
#include "hv/core/hypervisor.h"
#include "hv/tlfs/call_codes.h"
#include "hv/tlfs/msrs.h"
#include "hv/tlfs/vp_calls.h"

namespace vitrine::test {

using hv::Status;
using hv::tlfs::Call;

inline constexpr std::uint64_t kPageSize = hv::tlfs::kPageSize;

// The answer to a hypercall that has been executed until it was finished.
struct Answer {
  Status status{};
  std::uint32_t reps{};
  unsigned attempts{};
  bool undefined{};  // #UD
};

// A virtual processor that makes calls, with a page for each parameter block.
struct Guest {
  hv::VirtualProcessor* vp{};
  std::uint64_t input{};  // guest-physical
  std::uint64_t output{};
  std::uint64_t rip = 0x1000;
  bool long_mode = true;
};

struct Interrupt {
  std::uint64_t partition{};
  std::uint32_t vp{};
  std::uint8_t vector{};
  bool auto_eoi{};
};

class Machine {
 public:
  explicit Machine(std::uint32_t processors = 1, hv::Identity identity = hv::Identity::enlightened,
                   std::uint64_t pages = 8192);
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  hv::Hypervisor hv;

  // --- memory -----------------------------------------------------------------------------------
  // A root page nobody has asked for before.
  std::uint64_t fresh_page();
  std::uint64_t fresh_pages_left() const { return root_end_ - next_page_; }
  template <class T>
  T& at(std::uint64_t address) {
    return *reinterpret_cast<T*>(memory_.data() + address);
  }

  // --- calls -------------------------------------------------------------------------------------
  Guest& root(std::uint32_t vp = 0) { return roots_[vp]; }
  // Memory form unless `fast`. Between two attempts `between` is called, if set.
  Answer call(Guest& guest, Call code, std::span<const std::byte> input,
              std::span<std::byte> output, std::uint32_t reps = 0, bool fast = false);
  template <class In>
  Answer call(Call code, const In& in) {
    return call(root(), code, bytes(in), {});
  }
  template <class In, class Out>
  Answer call(Call code, const In& in, Out& out) {
    return call(root(), code, bytes(in), writable(out));
  }
  template <class In>
  Answer fast(Guest& guest, Call code, const In& in) {
    return call(guest, code, bytes(in), {}, 0, true);
  }
  template <class In>
  Answer fast(Call code, const In& in) {
    return fast(root(), code, in);
  }
  template <class Header, class Element>
  Answer rep(Guest& guest, Call code, const Header& header, const std::vector<Element>& list,
             std::span<std::byte> output = {}) {
    std::vector<std::byte> block(sizeof header + list.size() * sizeof(Element));
    std::memcpy(block.data(), &header, sizeof header);
    if (!list.empty()) {
      std::memcpy(block.data() + sizeof header, list.data(), list.size() * sizeof(Element));
    }
    return call(guest, code, block, output, static_cast<std::uint32_t>(list.size()));
  }
  // One VMCALL with registers of the caller's choice.
  hv::HypercallExit vmcall(Guest& guest, hv::HypercallFrame& frame);
  hv::HypercallFrame frame(const Guest& guest, hv::tlfs::HypercallControl control) const;

  std::function<void(unsigned attempt)> between;

  template <class T>
  static std::span<const std::byte> bytes(const T& value) {
    if constexpr (std::is_empty_v<T>) return {};
    return std::as_bytes(std::span<const T>(&value, 1));
  }
  template <class T>
  static std::span<std::byte> writable(T& value) {
    return std::as_writable_bytes(std::span<T>(&value, 1));
  }

  // --- partitions ---------------------------------------------------------------------------------
  // Helpers that must succeed.
  void deposit(hv::tlfs::PartitionId id, std::uint64_t pages);
  hv::tlfs::PartitionId create_child();
  // Initialized, with `pool` pages deposited and `vps` virtual processors.
  hv::tlfs::PartitionId active_child(std::uint64_t pool = 64, std::uint32_t vps = 0);
  // Maps `count` pages of the root, all the same one, from `gpa_page` on.
  void map_range(hv::tlfs::PartitionId id, std::uint64_t gpa_page, std::uint64_t count,
                 hv::Rights rights = hv::Rights::all);
  // Maps `count` fresh pages of the root, each another one.
  void map_fresh(hv::tlfs::PartitionId id, std::uint64_t gpa_page, std::uint64_t count);
  // A VP of the child that can make calls: memory mapped, hypercall page enabled.
  Guest guest_of(hv::tlfs::PartitionId id, std::uint32_t vp = 0);
  Answer finalize(hv::tlfs::PartitionId id);
  std::uint64_t withdraw_all(hv::tlfs::PartitionId id);
  hv::Partition& partition(hv::tlfs::PartitionId id);
  hv::VirtualProcessor& vp(hv::tlfs::PartitionId id, std::uint32_t index);
  // Switches the SynIC of a VP on, its pages at `simp` and `siefp`, all SINTs but 0 masked or not.
  void enable_synic(hv::VirtualProcessor& vp, std::uint64_t simp_page, std::uint64_t siefp_page,
                    bool unmask = true);
  hv::tlfs::Message& slot(hv::VirtualProcessor& vp, std::uint32_t sint);
  bool write_msr(hv::VirtualProcessor& vp, hv::tlfs::Msr msr, std::uint64_t value);
  std::uint64_t read_msr(hv::VirtualProcessor& vp, hv::tlfs::Msr msr);

  // --- what the machine did -----------------------------------------------------------------------
  struct Leaf {
    std::uint64_t page{};
    hv::Rights rights{};

    bool operator==(const Leaf&) const = default;
  };
  // The second-level translation of a page, as the processor would see it.
  Leaf translation(hv::tlfs::PartitionId id, std::uint64_t gpa_page) const;
  std::vector<Interrupt> interrupts;
  std::vector<hv::VirtualFlush> flushes;
  unsigned translation_flushes = 0;
  std::vector<std::pair<std::uint8_t, std::uint8_t>> power_offs;  // the two SLP_TYP values
  std::uint64_t tsc = 1'000'000;
  // How many questions for a waiting interrupt are answered "no" before one is "yes"; ~0: always no.
  std::uint64_t quiet_units = ~std::uint64_t{0};
  // VPs that do not leave their processor when asked, by index, and how often they refuse.
  unsigned refuse_park = 0;
  // Called while a lock is waited for; without it, waiting is an error.
  std::function<void()> on_pause;

  // Empty, or the first thing that does not add up: pools, free lists, page records, translations.
  std::string check() const;

 private:
  friend struct FakePlatform;
  struct Space {
    std::map<std::uint64_t, Leaf> leaves;
    std::map<std::uint64_t, std::uint64_t> tables;  // started 2 MiB: the pool page it costs
  };

  std::vector<std::byte> memory_;
  hv::Platform platform_;
  std::uint64_t next_page_{};
  std::uint64_t root_end_{};
  std::vector<Guest> roots_;
  std::map<std::uint64_t, Space> spaces_;  // by partition
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::map<std::uint32_t, hv::tlfs::U128>>
      registers_;
};

}  // namespace vitrine::test
