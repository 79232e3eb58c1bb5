// Start-up of the hypervisor: from the loader's information to the root partition's first
// instruction.
#include "emu/arch/msr.h"
#include "emu/arch/require.h"
#include "hv/image/boot_information.h"
#include "hv/image/console.h"
#include "hv/image/instructions.h"
#include "hv/image/local_apic.h"
#include "hv/image/msr_view.h"
#include "hv/image/page_heap.h"
#include "hv/image/processor.h"
#include "hv/image/root_loader.h"
#include "hv/image/root_memory.h"
#include "hv/image/run.h"
#include "hv/image/vp_context.h"

namespace vitrine::emu {

void require_failed(const char* why, const char* file, int line) noexcept {
  hv::say("broken promise in ", std::string_view{file}, " line ", static_cast<std::uint64_t>(line));
  hv::stop(why);
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

VpKind make_root_kind(const Controls& controls) {
  VpKind kind{.controls = controls,
              .msr_bitmap = allocate_page(),
              .io_bitmap_a = allocate_page(),
              .io_bitmap_b = allocate_page()};
  fill_root_msr_bitmap(kind.msr_bitmap);
  return kind;
}

}  // namespace

Processor& start_processor(std::uint32_t index) {
  const std::uint64_t pages = (sizeof(Processor) + kPageSize - 1) / kPageSize;
  Processor& processor = *at<Processor>(allocate_pages(pages));
  processor = Processor{};
  processor.self = &processor;
  processor.index = index;
  load_descriptors(processor.descriptors, reinterpret_cast<std::uint64_t>(&processor));
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

  hide_hypervisor(information);
  const RootEntry entry = load_root(information);
  static EptTables root_memory;
  if (!root_memory.create(heap_source())) stop("no page for the root's EPT");
  map_root(root_memory, information);

  static const VpKind root_kind = make_root_kind(controls);
  static VpContext root;
  create_vp_context(root, root_kind, root_memory, 1, processor.apic_id);
  set_flat_protected_mode(entry.rip, entry.start_information, root);
  processor.root = &root;
  say("entering the root at ", Hex{entry.rip});
  run_processor();
}

}  // namespace vitrine::hv
