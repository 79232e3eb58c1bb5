// The functions that the core calls: interrupts, scheduling, translations, objects and registers.
#include "hv/core/platform.h"

#include "emu/arch/msr.h"
#include "hv/core/memory_pool.h"
#include "hv/image/console.h"
#include "hv/image/image_state.h"
#include "hv/image/instructions.h"
#include "hv/image/interrupts.h"
#include "hv/image/kick.h"
#include "hv/image/local_apic.h"
#include "hv/image/page_heap.h"
#include "hv/image/processor.h"
#include "hv/image/vp_registers.h"
#include "hv/tlfs/msrs.h"

namespace vitrine::hv {
namespace {

constexpr std::uint32_t kX2apicTpr = 0x08;
constexpr std::uint32_t kX2apicIcr = 0x30;

// --- time and interrupts -----------------------------------------------------------------------

std::uint64_t platform_tsc(void*) { return read_tsc(); }

// Asked for every unit of work, and eight reads of the local APIC would cost more than the unit:
// one word of its request register each time, in turn.
bool interrupt_waits(void*, std::uint32_t) {
  Processor& processor = this_processor();
  if (processor.armed != 0 && read_tsc() >= processor.armed) return true;
  if (processor.root->apic.deliverable() != 0) return true;
  processor.request_word = (processor.request_word + 1) % 8;
  return interrupt_requested(processor.request_word);
}

void platform_pause(void*, std::uint32_t) { pause(); }

void request(void*, VirtualProcessor& vp, std::uint8_t vector, bool auto_eoi) {
  context_of(vp).apic.request(vector, false, auto_eoi);
  kick(context_of(vp));
}

void set_external(void*, VirtualProcessor& vp, bool asserted, std::uint8_t vector) {
  VpContext& context = context_of(vp);
  context.asserted = asserted;
  context.asserted_vector = vector;
  kick(context);
}

bool deliver_virtual(void*, Partition& partition, std::uint32_t type, bool level, bool logical,
                     std::uint64_t destination, std::uint32_t vector) {
  return deliver(partition, nullptr,
                 {.delivery = static_cast<Delivery>(type & 7),
                  .vector = static_cast<std::uint8_t>(vector),
                  .level = level,
                  .logical = logical,
                  .shorthand = 0,
                  .destination = static_cast<std::uint32_t>(destination)});
}

// The synthetic MSRs EOI, ICR and TPR are other names of x2APIC registers.
std::uint32_t apic_msr_of(std::uint32_t msr) {
  switch (static_cast<tlfs::Msr>(msr)) {
    case tlfs::Msr::eoi: return arch::msr::ia32_x2apic_eoi;
    case tlfs::Msr::icr: return arch::msr::x2apic_first + kX2apicIcr;
    default: return arch::msr::x2apic_first + kX2apicTpr;
  }
}

std::uint64_t read_apic(void*, VirtualProcessor& vp, std::uint32_t msr) {
  std::uint64_t value = 0;
  return read_apic_msr(context_of(vp), apic_msr_of(msr), value) ? value : 0;
}

bool write_apic(void*, VirtualProcessor& vp, std::uint32_t msr, std::uint64_t value) {
  return write_apic_msr(context_of(vp), apic_msr_of(msr), value);
}

// --- scheduling --------------------------------------------------------------------------------

// The run loop looks at every virtual processor again before it enters one.
void reschedule(void*, VirtualProcessor& vp) { kick(context_of(vp)); }

// The caller's attempt holds the lock, so the other processor can only let go between two attempts.
// It does not take the VP up again before the caller has come back, but for one slice at most: the
// caller may have other things to do.
bool park(void*, VirtualProcessor& vp) {
  Processor& processor = this_processor();
  VpContext& context = context_of(vp);
  if (context.active_on == processor.index + 1) {
    if (processor.current == &context) save_swapped_state(context);
    return true;
  }
  if (context.active_on == 0) {
    if (context.held_until != 0) kick(context);
    context.held_until = 0;
    return true;
  }
  context.park_wanted = true;
  context.held_until = read_tsc() + hypervisor.tsc_frequency / kSlicesPerSecond;
  image_state.processors[vp.processor]->park_wanted = true;
  kick(context);
  return false;
}

// The root's reset is the machine's; a child's virtual processors start over as after INIT.
void reset_partition(void*, Partition& partition) {
  if (partition.parent == 0) {
    constexpr std::uint16_t kResetControl = 0xCF9;
    constexpr std::uint8_t kSystemReset = 6;
    out8(kResetControl, kSystemReset);
    stop("the machine has no reset port");
  }
  deliver(partition, nullptr,
          {.delivery = Delivery::init,
           .vector = 0,
           .level = false,
           .logical = false,
           .shorthand = 2,
           .destination = 0});
}

// ACPI "PM1 Control Registers": SLP_TYP in bits 12:10, SLP_EN is bit 13.
void sleep(std::uint16_t port, std::uint8_t type) {
  constexpr std::uint16_t kSleepBits = 0x3C00;
  constexpr std::uint16_t kSleepEnable = 0x2000;
  if (port == 0) return;
  const auto kept = static_cast<std::uint16_t>(in16(port) & ~kSleepBits);
  out16(port, static_cast<std::uint16_t>(kept | type << 10 | kSleepEnable));
}

void power_off(void*, std::uint8_t pm1a_type, std::uint8_t pm1b_type) {
  sleep(image_state.power.pm1a_control, pm1a_type);
  sleep(image_state.power.pm1b_control, pm1b_type);
}

void idle(void*, VirtualProcessor& vp) { context_of(vp).halted = context_of(vp).idle = true; }

// --- memory ------------------------------------------------------------------------------------

PageSource heap_source() {
  return {.allocate = [](void*) { return allocate_page(); },
          .release = [](void*, std::uint64_t page) { free_page(page); },
          .context = nullptr};
}

PageSource source_of(Partition& partition) {
  if (partition.parent == 0) return heap_source();
  return {.allocate =
              [](void* context) {
                return take_page(hypervisor, *static_cast<Partition*>(context),
                                 PageUse::translation);
              },
          .release =
              [](void* context, std::uint64_t page) {
                give_page(hypervisor, *static_cast<Partition*>(context), page);
              },
          .context = &partition};
}

bool map_one(void*, Partition& partition, std::uint64_t gpa_page, std::uint64_t page,
             Rights rights) {
  EptTables& memory = context_of(partition).memory;
  const std::uint64_t gpa = gpa_page * kPageSize;
  const bool is_child = partition.parent != 0;
  // The map asks for all its pages or for none.
  if (is_child && memory.missing_tables(gpa) > partition.pool.available) return false;
  const auto leaf = EptLeaf::make(static_cast<std::uint64_t>(rights), arch::MemoryType::wb);
  return memory.set_page(gpa, rights == Rights::none ? 0 : page * kPageSize | leaf.bits);
}

void unmap_one(void*, Partition& partition, std::uint64_t gpa_page) {
  EptTables& memory = context_of(partition).memory;
  if (partition.parent != 0 && memory.missing_tables(gpa_page * kPageSize) != 0) return;
  if (!memory.set_page(gpa_page * kPageSize, 0)) stop("no page for the root's EPT");
}

void restore_root_page(void*, std::uint64_t page, bool is_ram, Rights rights) {
  const auto type = is_ram ? arch::MemoryType::wb : arch::MemoryType::uc;
  const auto granted = is_ram ? static_cast<std::uint64_t>(rights) : arch::ept::rights;
  const std::uint64_t address = page * kPageSize;
  const std::uint64_t entry = granted == 0 ? 0 : address | EptLeaf::make(granted, type).bits;
  if (!context_of(hypervisor.root()).memory.set_page(address, entry)) {
    stop("no page for the root's EPT");
  }
}

// The last table to go is the one the EPTP names: after it nothing may be cached under that name,
// as the page can become another partition's.
bool release_table(void*, Partition& partition) {
  EptTables& memory = context_of(partition).memory;
  const std::uint64_t eptp = memory.eptp();
  const bool released = memory.release_one();
  if (released && !memory.exists()) {
    invalidate_ept(eptp);
    forget_elsewhere();
  }
  return released;
}

void flush_translations(void*, Partition& partition) {
  if (partition.platform_data == 0) return;
  const EptTables& memory = context_of(partition).memory;
  if (!memory.exists()) return;
  invalidate_ept(memory.eptp());
  forget_elsewhere();
}

void flush_virtual(void*, Partition& partition, const VirtualFlush& flush) {
  bool elsewhere = false;
  for (std::uint32_t index = 0; index < kMaximumVps; ++index) {
    if ((flush.vp_mask >> index & 1) == 0 || partition.vps[index] == 0) continue;
    const VpContext& vp = context_of(*hypervisor.at<VirtualProcessor>(partition.vps[index]));
    // More than what is asked for may go: TLFS lets a flush be wider.
    if (vp.vpid != 0) invalidate_vpid(vp.vpid);
    elsewhere = elsewhere || vp.core->processor != this_processor().index;
  }
  if (elsewhere) forget_elsewhere();
}

// --- objects -----------------------------------------------------------------------------------

bool create_partition(void*, Partition& partition) {
  partition.platform_data = hypervisor.address_of(at<void>(partition.platform_pages[0]));
  PartitionContext& context = context_of(partition);
  context = PartitionContext{};
  return context.memory.create(source_of(partition));
}

void destroy_partition(void*, Partition& partition) {
  EptTables& memory = context_of(partition).memory;
  if (memory.exists()) {
    const std::uint64_t eptp = memory.eptp();
    memory.destroy();
    invalidate_ept(eptp);
    forget_elsewhere();
  }
  partition.platform_data = 0;
}

std::uint64_t page_of(const VirtualProcessor& vp, VpPage page) {
  return vp.platform_pages[static_cast<std::uint32_t>(page)];
}

// VPIDs tag what the processor caches; one per virtual processor, by partition and index.
std::uint16_t vpid_of(const Partition& partition, const VirtualProcessor& vp) {
  constexpr std::uint64_t kPartitions = 0x3FF;
  return static_cast<std::uint16_t>(1 + (partition.id % kPartitions) * kMaximumVps + vp.index);
}

void create_vp(void*, Partition& partition, VirtualProcessor& vp) {
  const Processor& here = this_processor();
  Processor& processor = *image_state.processors[vp.processor];
  const bool is_root = partition.parent == 0;
  VpContext& context = *at<VpContext>(page_of(vp, VpPage::context));
  vp.platform_data = reinterpret_cast<std::uint64_t>(&context);
  const VpMaterial material{.vmcs = page_of(vp, VpPage::vmcs),
                            .extended_area = page_of(vp, VpPage::extended_state),
                            .vpid = vpid_of(partition, vp),
                            .apic_id = is_root ? processor.apic_id : vp.index,
                            .home = &processor};
  create_vp_context(context, is_root ? image_state.root_kind : image_state.child_kind,
                    context_of(partition).memory, material);
  context.core = &vp;
  context.is_root = is_root;
  if (vp.index != 0) context.startup = Startup::wait_for_sipi;
  context.next = processor.first;
  processor.first = &context;
  if (is_root) processor.root = &context;
  if (&processor == &here) {
    context.active_on = here.index + 1;
  } else {
    // Its VPID may have been another's there.
    clear_vmcs(context.vmcs);
    forget_elsewhere();
  }
  if (here.current != nullptr) load_vmcs(here.current->vmcs);
}

void destroy_vp(void*, Partition&, VirtualProcessor& vp) {
  Processor& processor = *image_state.processors[vp.processor];
  VpContext& context = context_of(vp);
  for (VpContext** link = &processor.first; *link != nullptr; link = &(*link)->next) {
    if (*link != &context) continue;
    *link = context.next;
    break;
  }
  if (processor.last_child == &context) processor.last_child = nullptr;
  clear_vmcs(context.vmcs);
  vp.platform_data = 0;
}

// --- registers ---------------------------------------------------------------------------------

// Makes the VP's VMCS current for a scope, and its swapped state valid in memory.
class Borrowed {
 public:
  explicit Borrowed(VpContext& vp) : vp_(vp), running_(this_processor().current) {
    if (running_ == &vp_) {
      save_swapped_state(vp_);
    } else {
      load_vmcs(vp_.vmcs);
    }
  }
  ~Borrowed() {
    if (vp_.active_on == 0) {
      // SDM "Software Use of Virtual-Machine Control Structures": not active on two processors.
      clear_vmcs(vp_.vmcs);
      vp_.launched = false;
    }
    if (running_ == &vp_) {
      load_swapped_state(vp_);
    } else if (running_ != nullptr) {
      load_vmcs(running_->vmcs);
    }
  }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

 private:
  VpContext& vp_;
  VpContext* running_;
};

RegisterResult get_register(void*, VirtualProcessor& vp, std::uint32_t name, tlfs::U128& value) {
  const Borrowed borrowed(context_of(vp));
  return get_vp_register(context_of(vp), name, value);
}

RegisterResult set_register(void*, VirtualProcessor& vp, std::uint32_t name,
                            const tlfs::U128& value) {
  const Borrowed borrowed(context_of(vp));
  return set_vp_register(context_of(vp), name, value);
}

}  // namespace

void fill_platform(Platform& platform) {
  platform = {.context = nullptr,
              .read_tsc = platform_tsc,
              .interrupt_pending = interrupt_waits,
              .pause = platform_pause,
              .request_interrupt = request,
              .set_external_interrupt = set_external,
              .deliver_interrupt = deliver_virtual,
              .read_apic = read_apic,
              .write_apic = write_apic,
              .reschedule = reschedule,
              .park = park,
              .power_off = power_off,
              .reset_partition = reset_partition,
              .idle = idle,
              .partition_pages = kPartitionPages,
              .vp_pages = kVpPages,
              .map_page = map_one,
              .unmap_page = unmap_one,
              .restore_root_page = restore_root_page,
              .release_table = release_table,
              .flush_translations = flush_translations,
              .flush_virtual = flush_virtual,
              .create_partition = create_partition,
              .destroy_partition = destroy_partition,
              .create_vp = create_vp,
              .destroy_vp = destroy_vp,
              .get_register = get_register,
              .set_register = set_register};
}

}  // namespace vitrine::hv
