// Start-up of the hypervisor: from what the loader told to the first instruction of the root.
#include <array>

#include "emu/arch/msr.h"
#include "emu/arch/require.h"
#include "hv/core/require.h"
#include "hv/image/boot_information.h"
#include "hv/image/console.h"
#include "hv/image/image_state.h"
#include "hv/image/instructions.h"
#include "hv/image/local_apic.h"
#include "hv/image/msr_view.h"
#include "hv/image/other_processors.h"
#include "hv/image/page_heap.h"
#include "hv/image/processor.h"
#include "hv/image/root_loader.h"
#include "hv/image/root_memory.h"
#include "hv/image/run.h"
#include "hv/image/tsc_frequency.h"

namespace vitrine::hv {

Hypervisor hypervisor;
ImageState image_state;

void require_failed(const char* why, const char* file, int line) {
  say("broken promise in ", std::string_view{file}, " line ", static_cast<std::uint64_t>(line));
  stop(why);
}

}  // namespace vitrine::hv

namespace vitrine::emu {

void require_failed(const char* why, const char* file, int line) noexcept {
  hv::require_failed(why, file, line);
}

}  // namespace vitrine::emu

namespace vitrine::hv {
namespace {

// The processor is to leave XSAVE usable: the swap of extended state needs it.
void enable_extended_state() {
  constexpr std::uint32_t kXsaveBit = 1U << 26;
  if ((cpuid(1).ecx & kXsaveBit) == 0) stop("this processor has no XSAVE");
  write_cr4(read_cr4() | arch::cr4::osxsave);
}

VpKind make_root_kind(const Controls& controls, bool test_device) {
  VpKind kind{.controls = controls,
              .msr_bitmap = allocate_page(),
              .io_bitmap_a = allocate_page(),
              .io_bitmap_b = allocate_page()};
  fill_root_msr_bitmap(kind.msr_bitmap);
  // SDM "I/O-Bitmap Addresses": a bit for each port.
  if (test_device) at<std::uint8_t>(kind.io_bitmap_a)[TestDevice::kPort / 8] = 0x0F;
  return kind;
}

// A child's accesses to ports all exit: it has no devices.
VpKind make_child_kind(const Controls& controls) {
  VpKind kind{.controls = controls,
              .msr_bitmap = allocate_page(),
              .io_bitmap_a = allocate_page(),
              .io_bitmap_b = allocate_page()};
  fill_child_msr_bitmap(kind.msr_bitmap);
  __builtin_memset(at<void>(kind.io_bitmap_a), 0xFF, kPageSize);
  __builtin_memset(at<void>(kind.io_bitmap_b), 0xFF, kPageSize);
  return kind;
}

struct RootMemory {
  std::array<MemoryRange, BootInformation::kMaximumRanges> ranges{};
  std::size_t count{};
};

RootMemory root_memory_of(const BootInformation& information) {
  RootMemory memory;
  for (const BootRange& range : information.memory()) {
    // Pages are the unit of deposits and mappings: what is less than one at either end is left out.
    const std::uint64_t base = (range.base + kPageSize - 1) & ~(kPageSize - 1);
    const std::uint64_t end = range.end() & ~(kPageSize - 1);
    if (range.type != MemoryType::ram || end <= base) continue;
    memory.ranges[memory.count++] = {base, end - base};
  }
  return memory;
}

std::uint32_t physical_address_bits() {
  constexpr std::uint32_t kAddressLeaf = 0x80000008;
  return cpuid(kAddressLeaf).eax & 0xFF;
}

// Takes the core's arena from the machine's RAM and makes the hypervisor's root object.
void start_core(BootInformation& information) {
  fill_platform(image_state.platform);
  Configuration configuration{
      .platform = &image_state.platform,
      .memory_bias = 0,
      .memory_end = end_of_ram(information),
      .root_memory = {},
      .arena = 0,
      .processors = image_state.processor_count,
      .identity = information.option("identity=root") ? Identity::root : Identity::enlightened,
      .tsc_frequency = tsc_frequency(),
      .apic_frequency = 0,
      .physical_bits = physical_address_bits(),
      .hardware_features = 0};
  configuration.apic_frequency = configuration.tsc_frequency / kApicBusDivider;
  configuration.arena = reserve_arena(arena_pages(configuration));
  hide_hypervisor(information);
  const RootMemory memory = root_memory_of(information);
  configuration.root_memory = {memory.ranges.data(), memory.count};
  initialize(hypervisor, configuration);
  hypervisor.test_device.enabled = information.option("testdev") ? 1 : 0;
}

}  // namespace

Processor& start_processor(std::uint32_t index) {
  const std::uint64_t pages = (sizeof(Processor) + kPageSize - 1) / kPageSize;
  Processor& processor = *at<Processor>(allocate_pages(pages));
  processor = Processor{};
  processor.self = &processor;
  processor.index = index;
  load_descriptors(processor.descriptors, reinterpret_cast<std::uint64_t>(&processor));
  image_state.processors[index] = &processor;
  return processor;
}

extern "C" [[noreturn]] void hypervisor_start_up(std::uint32_t magic, std::uint32_t address) {
  console_start();
  say("Vitrine hypervisor");
  BootInformation information = read_boot_information(magic, address);
  Processor& processor = start_processor(0);
  map_physical_memory(information);

  const Controls controls = check_vmx();
  enable_extended_state();
  start_local_apic();
  processor.apic_id = physical_apic_id();
  processor.vmx_region = allocate_page();
  vmx_on(processor.vmx_region);
  say("VMX root operation on processor ", std::uint64_t{processor.apic_id});

  image_state.controls = controls;
  image_state.root_kind = make_root_kind(controls, information.option("testdev"));
  image_state.child_kind = make_child_kind(controls);
  image_state.power = power_ports(information);
  const StagedModules staged = stage_modules(information);
  image_state.processor_count = start_other_processors(information);
  start_core(information);
  map_root(context_of(hypervisor.root()).memory, information);

  const RootEntry entry = load_root(information, staged);
  load_vmcs(processor.root->vmcs);
  if (entry.mode == RootEntry::Mode::long_mode) {
    set_long_mode(entry.rip, entry.rsi, entry.cr3, *processor.root);
  } else {
    set_flat_protected_mode(entry.rip, entry.rbx, *processor.root);
  }
  say("entering the root at ", Hex{entry.rip});
  __atomic_store_n(&image_state.open, 1U, __ATOMIC_RELEASE);
  run_processor();
}

}  // namespace vitrine::hv
