// The fake machine of the native tests.
#include "tests/hv/core/machine.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "hv/core/gpa_space.h"
#include "hv/tlfs/msrs.h"
#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/vp_registers.h"

namespace vitrine::hv {

void require_failed(const char* why, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, why);
  std::abort();
}

}  // namespace vitrine::hv

namespace vitrine::test {

using namespace hv;  // a test's own file
namespace tl = hv::tlfs;

struct FakePlatform {
  static Machine& of(void* context) { return *static_cast<Machine*>(context); }

  static std::uint64_t read_tsc(void* context) { return of(context).tsc += 10; }
  static bool interrupt_pending(void* context, std::uint32_t) {
    std::uint64_t& quiet = of(context).quiet_units;
    if (quiet == ~std::uint64_t{0}) return false;
    if (quiet == 0) return true;
    --quiet;
    return false;
  }
  static void pause(void* context, std::uint32_t) {
    if (!of(context).on_pause) throw std::logic_error("a lock was never released");
    of(context).on_pause();
  }
  static void request_interrupt(void* context, VirtualProcessor& vp, std::uint8_t vector,
                                bool auto_eoi) {
    of(context).interrupts.push_back({vp.partition_id, vp.index, vector, auto_eoi});
  }
  static void set_external(void* context, VirtualProcessor& vp, bool asserted,
                           std::uint8_t vector) {
    if (asserted) of(context).interrupts.push_back({vp.partition_id, vp.index, vector, false});
  }
  static bool deliver(void* context, Partition& partition, std::uint32_t, bool, bool,
                      std::uint64_t destination, std::uint32_t vector) {
    if (destination >= partition.vp_count) return false;
    of(context).interrupts.push_back({partition.id, static_cast<std::uint32_t>(destination),
                                      static_cast<std::uint8_t>(vector), false});
    return true;
  }
  static std::uint64_t read_apic(void*, VirtualProcessor&, std::uint32_t msr) { return msr; }
  static bool write_apic(void* context, VirtualProcessor& vp, std::uint32_t msr, std::uint64_t) {
    Machine& machine = of(context);
    if (msr == static_cast<std::uint32_t>(tl::Msr::eoi))
      end_of_interrupt(machine.hv, vp.processor, vp);
    return true;
  }
  static void reschedule(void*, VirtualProcessor&) {}
  static bool park(void* context, VirtualProcessor&) {
    unsigned& refusals = of(context).refuse_park;
    if (refusals == 0) return true;
    --refusals;
    return false;
  }
  static void nothing(void*, Partition&) {}
  static void power_off(void* context, std::uint8_t pm1a_type, std::uint8_t pm1b_type) {
    of(context).power_offs.emplace_back(pm1a_type, pm1b_type);
  }
  static void idle(void*, VirtualProcessor&) {}

  static bool map_page(void* context, Partition& partition, std::uint64_t gpa_page,
                       std::uint64_t page, Rights rights) {
    Machine& machine = of(context);
    Machine::Space& space = machine.spaces_[partition.id];
    const std::uint64_t region = gpa_page >> 9;
    if (partition.parent != 0 && space.tables.count(region) == 0) {
      const std::uint64_t table = take_page(machine.hv, partition, PageUse::translation);
      if (table == 0) return false;
      space.tables[region] = table;
    }
    space.leaves[gpa_page] = {page, rights};
    return true;
  }
  static void unmap_page(void* context, Partition& partition, std::uint64_t gpa_page) {
    of(context).spaces_[partition.id].leaves.erase(gpa_page);
  }
  static void restore(void* context, std::uint64_t page, bool is_ram, Rights rights) {
    auto& leaves = of(context).spaces_[1].leaves;
    leaves.erase(page);
    if (is_ram && rights != Rights::all) leaves[page] = {page, rights};
  }
  static bool release_table(void* context, Partition& partition) {
    Machine& machine = of(context);
    auto& tables = machine.spaces_[partition.id].tables;
    if (tables.empty()) return false;
    give_page(machine.hv, partition, tables.begin()->second);
    tables.erase(tables.begin());
    return true;
  }
  static void flush_translations(void* context, Partition&) { ++of(context).translation_flushes; }
  static void flush_virtual(void* context, Partition&, const VirtualFlush& flush) {
    of(context).flushes.push_back(flush);
  }
  static bool create_partition(void* context, Partition& partition) {
    if (partition.parent == 0) return true;
    Machine& machine = of(context);
    const std::uint64_t table = take_page(machine.hv, partition, PageUse::translation);
    if (table == 0) return false;
    machine.spaces_[partition.id].tables[~std::uint64_t{0}] = table;
    return true;
  }
  static void destroy_partition(void* context, Partition& partition) {
    of(context).spaces_.erase(partition.id);
  }
  static void create_vp(void*, Partition&, VirtualProcessor&) {}
  static void destroy_vp(void* context, Partition& partition, VirtualProcessor& vp) {
    of(context).registers_.erase({partition.id, vp.index});
  }
  static bool known(std::uint32_t name) {
    const std::uint32_t group = name >> 16;
    return group >= 1 && group <= 8;
  }
  static RegisterResult get_register(void* context, VirtualProcessor& vp, std::uint32_t name,
                                     tl::U128& value) {
    if (!known(name)) return RegisterResult::unknown_name;
    value = of(context).registers_[{vp.partition_id, vp.index}][name];
    return RegisterResult::done;
  }
  static RegisterResult set_register(void* context, VirtualProcessor& vp, std::uint32_t name,
                                     const tl::U128& value) {
    if (!known(name)) return RegisterResult::unknown_name;
    constexpr std::uint64_t kReservedCr3 = std::uint64_t{1} << 62;
    const bool cr3 = name == static_cast<std::uint32_t>(tl::Register::cr3);
    if (cr3 && (value.low & kReservedCr3) != 0) return RegisterResult::invalid_value;
    of(context).registers_[{vp.partition_id, vp.index}][name] = value;
    return RegisterResult::done;
  }
};

Machine::Machine(std::uint32_t processors, Identity identity, std::uint64_t pages)
    : memory_(pages * kPageSize), next_page_(16) {
  using Fake = FakePlatform;
  platform_ = {.context = this,
               .read_tsc = Fake::read_tsc,
               .interrupt_pending = Fake::interrupt_pending,
               .pause = Fake::pause,
               .request_interrupt = Fake::request_interrupt,
               .set_external_interrupt = Fake::set_external,
               .deliver_interrupt = Fake::deliver,
               .read_apic = Fake::read_apic,
               .write_apic = Fake::write_apic,
               .reschedule = Fake::reschedule,
               .park = Fake::park,
               .power_off = Fake::power_off,
               .reset_partition = Fake::nothing,
               .idle = Fake::idle,
               .partition_pages = 1,
               .vp_pages = 2,
               .map_page = Fake::map_page,
               .unmap_page = Fake::unmap_page,
               .restore_root_page = Fake::restore,
               .release_table = Fake::release_table,
               .flush_translations = Fake::flush_translations,
               .flush_virtual = Fake::flush_virtual,
               .create_partition = Fake::create_partition,
               .destroy_partition = Fake::destroy_partition,
               .create_vp = Fake::create_vp,
               .destroy_vp = Fake::destroy_vp,
               .get_register = Fake::get_register,
               .set_register = Fake::set_register};
  Configuration configuration{.platform = &platform_,
                              .memory_bias = reinterpret_cast<std::uint64_t>(memory_.data()),
                              .memory_end = pages * kPageSize,
                              .processors = processors,
                              .identity = identity,
                              .tsc_frequency = 2'000'000'000,
                              .apic_frequency = 1'000'000'000,
                              .physical_bits = 40};
  root_end_ = pages - arena_pages(configuration);
  const MemoryRange ranges[] = {{0, root_end_ * kPageSize}};
  configuration.root_memory = ranges;
  configuration.arena = root_end_ * kPageSize;
  initialize(hv, configuration);
  for (std::uint32_t i = 0; i < processors; ++i) {
    VirtualProcessor& root_vp = *find_vp(hv, hv.root(), i);
    const std::uint64_t input = fresh_page() * kPageSize;
    const std::uint64_t output = fresh_page() * kPageSize;
    roots_.push_back({&root_vp, input, output});
  }
  write_msr(*root().vp, tl::Msr::guest_os_id, 0x8100'0000'0000'0001);
  write_msr(*root().vp, tl::Msr::hypercall, fresh_page() * kPageSize + 1);
}

std::uint64_t Machine::fresh_page() {
  if (next_page_ == root_end_) throw std::logic_error("the fake machine is out of pages");
  return next_page_++;
}

HypercallFrame Machine::frame(const Guest& guest, tl::HypercallControl control) const {
  HypercallFrame frame{.rip = guest.rip, .long_mode = guest.long_mode, .protected_mode = true};
  if (guest.long_mode) {
    frame.rcx = control.word;
    frame.rdx = guest.input;
    frame.r8 = guest.output;
  } else {
    frame.rdx = control.word >> 32;
    frame.rax = control.word & 0xFFFFFFFF;
    frame.rbx = guest.input >> 32;
    frame.rcx = guest.input & 0xFFFFFFFF;
    frame.rdi = guest.output >> 32;
    frame.rsi = guest.output & 0xFFFFFFFF;
  }
  return frame;
}

HypercallExit Machine::vmcall(Guest& guest, HypercallFrame& frame) {
  return dispatch(hv, guest.vp->processor, *guest.vp, frame);
}

Answer Machine::call(Guest& guest, Call code, std::span<const std::byte> input,
                     std::span<std::byte> output, std::uint32_t reps, bool fast) {
  const auto control = tl::HypercallControl::make(static_cast<std::uint16_t>(code), fast, reps);
  HypercallFrame registers = frame(guest, control);
  const Partition& caller = partition_of(hv, *guest.vp);
  const std::uint64_t from = reach(hv, caller, guest.output, Rights::read);
  if (fast) {
    std::byte block[tl::kFastBytes]{};
    if (!input.empty()) std::memcpy(block, input.data(), input.size());
    std::uint64_t first;
    std::uint64_t second;
    std::memcpy(&first, block, 8);
    std::memcpy(&second, block + 8, 8);
    Guest carrier = guest;
    carrier.input = first;
    carrier.output = second;
    registers = frame(carrier, control);
    std::memcpy(registers.xmm.data(), block + 16, sizeof block - 16);
  } else if (!input.empty()) {
    const std::uint64_t to = reach(hv, caller, guest.input, Rights::write);
    std::memcpy(&at<std::byte>(to), input.data(), input.size());
  }
  Answer answer;
  for (;;) {
    ++answer.attempts;
    const HypercallExit exit = vmcall(guest, registers);
    if (exit == HypercallExit::undefined_opcode) {
      answer.undefined = true;
      return answer;
    }
    if (exit == HypercallExit::completed) break;
    if (between) between(answer.attempts);
    if (answer.attempts > 100'000) throw std::logic_error("a call never ends");
  }
  const std::uint64_t word =
      guest.long_mode ? registers.rax : (registers.rdx << 32) | (registers.rax & 0xFFFFFFFF);
  const tl::HypercallResult result{word};
  answer.status = result.status();
  answer.reps = result.reps();
  if (output.empty()) return answer;
  if (fast) {
    std::byte block[tl::kFastBytes];
    std::memcpy(block, &registers.rdx, 8);
    std::memcpy(block + 8, &registers.r8, 8);
    std::memcpy(block + 16, registers.xmm.data(), sizeof block - 16);
    std::memcpy(output.data(), block + (input.size() + 15) / 16 * 16, output.size());
  } else {
    std::memcpy(output.data(), &at<std::byte>(from), output.size());
  }
  return answer;
}

namespace {

void must(bool ok, const char* what) {
  if (!ok) throw std::logic_error(what);
}

}  // namespace

void Machine::deposit(tl::PartitionId id, std::uint64_t pages) {
  while (pages != 0) {
    const std::uint64_t now = pages < 500 ? pages : 500;
    std::vector<tl::GpaPageElement> list(now);
    for (tl::GpaPageElement& element : list) element.page = fresh_page();
    const Answer answer = rep(root(), Call::deposit_memory, tl::PartitionInput{id}, list);
    must(answer.status == Status::success && answer.reps == now, "deposit");
    pages -= now;
  }
}

tl::PartitionId Machine::create_child() {
  if (hv.root().pool.available == 0) deposit(tl::kSelf, 1);
  tl::PartitionOutput out;
  const Answer answer = call(Call::create_partition, tl::CreatePartitionInput{}, out);
  must(answer.status == Status::success, "create_partition");
  return out.partition;
}

tl::PartitionId Machine::active_child(std::uint64_t pool, std::uint32_t vps) {
  const tl::PartitionId id = create_child();
  deposit(id, pool);
  must(fast(Call::initialize_partition, tl::PartitionInput{id}).status == Status::success,
       "initialize");
  for (std::uint32_t i = 0; i < vps; ++i) {
    const tl::CreateVpInput in{.partition = id, .vp = i};
    must(call(Call::create_vp, in).status == Status::success, "create_vp");
  }
  return id;
}

void Machine::map_range(tl::PartitionId id, std::uint64_t gpa_page, std::uint64_t count,
                        Rights rights) {
  const std::uint64_t source = fresh_page();
  while (count != 0) {
    const std::uint64_t now = count < 500 ? count : 500;
    const std::vector<tl::GpaPageElement> list(now, tl::GpaPageElement{source});
    const tl::MapGpaInput in{
        .partition = id, .gpa_base = gpa_page, .flags = static_cast<std::uint32_t>(rights)};
    const Answer answer = rep(root(), Call::map_gpa_pages, in, list);
    must(answer.status == Status::success && answer.reps == now, "map_gpa_pages");
    gpa_page += now;
    count -= now;
  }
}

void Machine::map_fresh(tl::PartitionId id, std::uint64_t gpa_page, std::uint64_t count) {
  std::vector<tl::GpaPageElement> list(count);
  for (tl::GpaPageElement& element : list) element.page = fresh_page();
  const tl::MapGpaInput in{.partition = id, .gpa_base = gpa_page, .flags = 7};
  must(rep(root(), Call::map_gpa_pages, in, list).reps == count, "map_gpa_pages");
}

Guest Machine::guest_of(tl::PartitionId id, std::uint32_t index) {
  Guest guest{.vp = &vp(id, index), .input = 0x100000 + index * 0x10000};
  guest.output = guest.input + kPageSize;
  map_range(id, guest.input / kPageSize, 1);
  map_range(id, guest.output / kPageSize, 1);
  map_range(id, guest.output / kPageSize + 1, 1);
  must(write_msr(*guest.vp, tl::Msr::guest_os_id, 1), "guest_os_id");
  must(write_msr(*guest.vp, tl::Msr::hypercall, guest.output + kPageSize + 1), "hypercall");
  return guest;
}

Answer Machine::finalize(tl::PartitionId id) {
  return fast(Call::finalize_partition, tl::PartitionInput{id});
}

std::uint64_t Machine::withdraw_all(tl::PartitionId id) {
  std::uint64_t total = 0;
  for (;;) {
    std::vector<std::byte> input(sizeof(tl::PoolInput));
    const tl::PoolInput in{.partition = id};
    std::memcpy(input.data(), &in, sizeof in);
    const Answer answer = call(root(), Call::withdraw_memory, input, {}, 512);
    total += answer.reps;
    if (answer.status != Status::success) return total;
  }
}

Partition& Machine::partition(tl::PartitionId id) {
  Partition* const found = find_partition(hv, id);
  must(found != nullptr, "no such partition");
  return *found;
}

VirtualProcessor& Machine::vp(tl::PartitionId id, std::uint32_t index) {
  VirtualProcessor* const found = find_vp(hv, partition(id), index);
  must(found != nullptr, "no such virtual processor");
  return *found;
}

bool Machine::write_msr(VirtualProcessor& vp, tl::Msr msr, std::uint64_t value) {
  return write_synthetic_msr(hv, vp.processor, vp, static_cast<std::uint32_t>(msr), value) ==
         MsrResult::done;
}

std::uint64_t Machine::read_msr(VirtualProcessor& vp, tl::Msr msr) {
  std::uint64_t value = 0;
  const MsrResult result =
      read_synthetic_msr(hv, vp.processor, vp, static_cast<std::uint32_t>(msr), value);
  must(result == MsrResult::done, "read_msr");
  return value;
}

void Machine::enable_synic(VirtualProcessor& vp, std::uint64_t simp_page, std::uint64_t siefp_page,
                           bool unmask) {
  must(write_msr(vp, tl::Msr::simp, simp_page * kPageSize + 1), "simp");
  must(write_msr(vp, tl::Msr::siefp, siefp_page * kPageSize + 1), "siefp");
  if (unmask) {
    for (std::uint32_t sint = 0; sint < tl::kSints; ++sint) {
      const auto msr = static_cast<tl::Msr>(static_cast<std::uint32_t>(tl::Msr::sint0) + sint);
      must(write_msr(vp, msr, 0x40 + sint), "sint");
    }
  }
  must(write_msr(vp, tl::Msr::scontrol, 1), "scontrol");
}

tl::Message& Machine::slot(VirtualProcessor& vp, std::uint32_t sint) {
  return at<tl::Message>(vp.overlay[0] + sint * sizeof(tl::Message));
}

Machine::Leaf Machine::translation(tl::PartitionId id, std::uint64_t gpa_page) const {
  const auto space = spaces_.find(id);
  if (space != spaces_.end()) {
    const auto leaf = space->second.leaves.find(gpa_page);
    if (leaf != space->second.leaves.end()) return leaf->second;
  }
  if (id == 1 && gpa_page < root_end_) return {gpa_page, Rights::all};
  return {};
}

std::string Machine::check() const {
  std::map<std::uint64_t, std::vector<std::uint64_t>> owned;  // partition: pages by use
  for (std::uint64_t page = 0; page < hv.page_count; ++page) {
    const PageRecord& record = hv.record(page);
    if (record.use <= PageUse::ram) {
      if (record.owner != 0)
        return "page " + std::to_string(page) + " has an owner and is in no pool";
      continue;
    }
    auto& uses = owned[record.owner];
    uses.resize(kPageUses);
    ++uses[static_cast<std::size_t>(record.use)];
    const Leaf leaf = translation(1, page);
    const bool shown =
        leaf.page == page && leaf.rights == Rights::read && record.use == PageUse::event_log_buffer;
    const bool overlaid = leaf.page != page;
    if (!shown && !overlaid && leaf.rights != Rights::none) {
      return "the root reaches page " + std::to_string(page) + " of a pool";
    }
  }
  std::uint64_t count = 0;
  for (std::uint64_t p = hv.first_partition; p != 0; p = hv.at<Partition>(p)->next) {
    const Partition& partition = *hv.at<Partition>(p);
    const std::string name = "partition " + std::to_string(partition.id);
    ++count;
    auto& uses = owned[partition.id];
    uses.resize(kPageUses);
    std::uint64_t free = 0;
    for (std::uint64_t page = partition.pool.first_free; page != 0; page = hv.record(page).next)
      ++free;
    if (free != partition.pool.available) return name + ": free list";
    if (uses[static_cast<std::size_t>(PageUse::pool_free)] != free) return name + ": free pages";
    std::uint64_t used = 0;
    for (std::uint32_t use = 3; use < kPageUses; ++use) {
      if (uses[use] != partition.pool.used_for[use]) return name + ": use " + std::to_string(use);
      used += uses[use];
    }
    if (used + free != partition.pool.deposited) return name + ": deposited";
    if (partition.state == PartitionState::finalized && used != 0) return name + ": finalized";
    uses.clear();
  }
  for (const auto& [id, uses] : owned) {
    if (!uses.empty()) return "pages of partition " + std::to_string(id) + ", which is gone";
  }
  if (count != hv.partition_count) return "partition count";
  return {};
}

}  // namespace vitrine::test
