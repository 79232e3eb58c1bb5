// A virtual processor as the hardware sees it: making its VMCS and swapping the rest.
#include "hv/image/vp_context.h"

#include "emu/arch/msr.h"
#include "hv/image/console.h"
#include "hv/image/descriptors.h"
#include "hv/image/instructions.h"
#include "hv/image/page_heap.h"
#include "hv/image/processor.h"

extern "C" void vm_exit();

namespace vitrine::hv {
namespace {

namespace msr = arch::msr;

constexpr std::uint32_t kCodeRights = 0x9B;    // present, code, readable, accessed
constexpr std::uint32_t kDataRights = 0x93;    // present, data, writable, accessed
constexpr std::uint32_t kFlatRights = 0xC000;  // 4 KiB granularity, 32-bit
constexpr std::uint32_t kLdtRights = 0x82;
constexpr std::uint32_t kTaskRights = 0x8B;  // busy TSS

void write_host_state(const Processor& processor) {
  const std::uint64_t task = reinterpret_cast<std::uint64_t>(&processor.descriptors.task);
  const std::uint64_t gdt = reinterpret_cast<std::uint64_t>(processor.descriptors.gdt.data());
  write_vmcs(Field::host_cr0, read_cr0());
  write_vmcs(Field::host_cr3, read_cr3());
  write_vmcs(Field::host_cr4, read_cr4());
  write_vmcs(Field::host_cs_selector, selector::code);
  write_vmcs(Field::host_ss_selector, selector::data);
  write_vmcs(Field::host_ds_selector, selector::data);
  write_vmcs(Field::host_es_selector, selector::data);
  write_vmcs(Field::host_fs_selector, 0);
  write_vmcs(Field::host_gs_selector, 0);
  write_vmcs(Field::host_tr_selector, selector::task);
  write_vmcs(Field::host_fs_base, 0);
  write_vmcs(Field::host_gs_base, reinterpret_cast<std::uint64_t>(&processor));
  write_vmcs(Field::host_tr_base, task);
  write_vmcs(Field::host_gdtr_base, gdt);
  write_vmcs(Field::host_idtr_base, idt_base());
  write_vmcs(Field::host_sysenter_cs, 0);
  write_vmcs(Field::host_sysenter_esp, 0);
  write_vmcs(Field::host_sysenter_eip, 0);
  write_vmcs(Field::host_pat, read_msr(msr::ia32_pat));
  write_vmcs(Field::host_efer, read_msr(msr::ia32_efer));
  write_vmcs(Field::host_rip, reinterpret_cast<std::uint64_t>(&vm_exit));
}

void write_controls(VpContext& vp, const VpKind& kind) {
  vp.pin = kind.controls.pin & ~arch::pin::preemption_timer;
  vp.primary = kind.controls.primary;
  write_vmcs(Field::pin_controls, vp.pin);
  write_vmcs(Field::primary_controls, vp.primary);
  write_vmcs(Field::secondary_controls, kind.controls.secondary);
  write_vmcs(Field::exit_controls, kind.controls.exit);
  write_vmcs(Field::entry_controls, kind.controls.entry & ~arch::entry_control::ia32e_mode_guest);
  write_vmcs(Field::exception_bitmap, 0);
  write_vmcs(Field::page_fault_mask, 0);
  write_vmcs(Field::page_fault_match, 0);
  write_vmcs(Field::cr3_target_count, 0);
  write_vmcs(Field::exit_msr_store_count, 0);
  write_vmcs(Field::exit_msr_load_count, 0);
  write_vmcs(Field::entry_msr_load_count, 0);
  write_vmcs(Field::entry_interruption_information, 0);
  write_vmcs(Field::tsc_offset, 0);
  write_vmcs(Field::io_bitmap_a, kind.io_bitmap_a);
  write_vmcs(Field::io_bitmap_b, kind.io_bitmap_b);
  write_vmcs(Field::msr_bitmaps, kind.msr_bitmap);
  write_vmcs(Field::eptp, vp.memory->eptp());
  if (vp.vpid != 0) {
    write_vmcs(Field::vpid, vp.vpid);
    invalidate_vpid(vp.vpid);
  }
  if ((kind.controls.secondary & arch::secondary::enable_xsaves) != 0) {
    write_vmcs(Field::xss_exiting_bitmap, 0);
  }
  write_vmcs(Field::cr0_mask, kOwnedCr0);
  write_vmcs(Field::cr4_mask, kOwnedCr4);
}

void write_reset_state() {
  constexpr std::uint64_t kResetCr0 = arch::cr0::et | arch::cr0::cd | arch::cr0::nw;
  for (unsigned segment = arch::es; segment <= arch::gs; ++segment) {
    write_segment(segment, {0, 0, 0xFFFF, kDataRights});
  }
  write_segment(arch::cs, {0xF000, 0xFFFF0000, 0xFFFF, kCodeRights});
  write_segment(arch::ldtr, {0, 0, 0xFFFF, kLdtRights});
  write_segment(arch::tr, {0, 0, 0xFFFF, kTaskRights});
  write_vmcs(Field::guest_gdtr_base, 0);
  write_vmcs(Field::guest_gdtr_limit, 0xFFFF);
  write_vmcs(Field::guest_idtr_base, 0);
  write_vmcs(Field::guest_idtr_limit, 0xFFFF);
  write_vmcs(Field::guest_cr0, kResetCr0 | kOwnedCr0);
  write_vmcs(Field::cr0_shadow, kResetCr0);
  write_vmcs(Field::guest_cr3, 0);
  write_vmcs(Field::guest_cr4, kOwnedCr4);
  write_vmcs(Field::cr4_shadow, 0);
  write_vmcs(Field::guest_dr7, 0x400);
  write_vmcs(Field::guest_rsp, 0);
  write_vmcs(Field::guest_rip, 0xFFF0);
  write_vmcs(Field::guest_rflags, arch::rflags::fixed1);
  write_vmcs(Field::guest_pending_debug, 0);
  write_vmcs(Field::guest_interruptibility, 0);
  write_vmcs(Field::guest_activity, static_cast<std::uint64_t>(arch::Activity::active));
  write_vmcs(Field::guest_sysenter_cs, 0);
  write_vmcs(Field::guest_sysenter_esp, 0);
  write_vmcs(Field::guest_sysenter_eip, 0);
  write_vmcs(Field::guest_debugctl, 0);
  write_vmcs(Field::guest_pat, arch::kPatReset);
  write_vmcs(Field::guest_efer, 0);
  write_vmcs(Field::vmcs_link_pointer, ~std::uint64_t{0});
}

// SDM "XSAVE Area", legacy region: FCW 037FH and MXCSR 1F80H, everything else in its initial state.
void write_initial_extended_state(std::uint64_t area) {
  *at<std::uint16_t>(area) = 0x037F;
  *at<std::uint32_t>(area + 24) = 0x1F80;
}

std::uint64_t supported_xcr0() {
  const CpuidResult r = cpuid(0xD, 0);
  return (std::uint64_t{r.edx} << 32) | r.eax;
}

bool has_xsaves() { return (cpuid(0xD, 1).eax & 8) != 0; }

}  // namespace

void create_vp_context(VpContext& vp, const VpKind& kind, EptTables& memory,
                       const VpMaterial& material) {
  vp = VpContext{};
  vp.memory = &memory;
  vp.vpid = (kind.controls.secondary & arch::secondary::enable_vpid) != 0 ? material.vpid : 0;
  vp.vmcs = material.vmcs;
  vp.swapped.extended_area = material.extended_area;
  vp.apic.reset(material.apic_id);
  write_initial_extended_state(vp.swapped.extended_area);
  initialize_vmcs(vp.vmcs);
  clear_vmcs(vp.vmcs);
  load_vmcs(vp.vmcs);
  write_host_state(*material.home);
  write_controls(vp, kind);
  write_reset_state();
}

void enter_init_state(VpContext& vp) {
  constexpr std::uint64_t kFamilyInEdx = 0x600;
  vp.registers = {};
  vp.registers.gpr[arch::rdx] = kFamilyInEdx;
  vp.halted = false;
  vp.idle = false;
  vp.nmi_pending = false;
  vp.exception = {};
  vp.apic.reset(vp.apic.id());
  const std::uint64_t entry = read_vmcs(Field::entry_controls);
  write_vmcs(Field::entry_controls, entry & ~std::uint64_t{arch::entry_control::ia32e_mode_guest});
  write_vmcs(Field::entry_interruption_information, 0);
  write_reset_state();
  // SDM "MP Initialization Protocol": the bootstrap processor starts over, the others wait.
  const bool bootstrap = (vp.apic.base_msr() & arch::apic_base::bootstrap) != 0;
  vp.startup = bootstrap ? Startup::running : Startup::wait_for_sipi;
}

void enter_startup_state(VpContext& vp) {
  const std::uint64_t base = std::uint64_t{vp.startup_vector} << 12;
  write_segment(arch::cs,
                {static_cast<std::uint16_t>(vp.startup_vector << 8), base, 0xFFFF, kCodeRights});
  write_vmcs(Field::guest_rip, 0);
  vp.startup = Startup::running;
}

void set_flat_protected_mode(std::uint64_t rip, std::uint64_t rbx, VpContext& vp) {
  constexpr std::uint64_t kCr0 = arch::cr0::pe | arch::cr0::et;
  for (unsigned segment = arch::es; segment <= arch::gs; ++segment) {
    write_segment(segment, {0x10, 0, 0xFFFFFFFF, kDataRights | kFlatRights});
  }
  write_segment(arch::cs, {0x08, 0, 0xFFFFFFFF, kCodeRights | kFlatRights});
  write_segment(arch::tr, {0x18, 0, 0x67, kTaskRights});
  write_vmcs(Field::guest_cr0, kCr0 | kOwnedCr0);
  write_vmcs(Field::cr0_shadow, kCr0);
  write_vmcs(Field::guest_rip, rip);
  vp.registers.gpr[arch::rbx] = rbx;
}

void set_long_mode(std::uint64_t rip, std::uint64_t rsi, std::uint64_t cr3, VpContext& vp) {
  // Linux "64-bit BOOT PROTOCOL": CS 10H and DS 18H, flat.
  constexpr std::uint32_t kLongRights = 0xA000;  // 4 KiB granularity, 64-bit
  constexpr std::uint64_t kCr0 = arch::cr0::pe | arch::cr0::et | arch::cr0::pg;
  for (unsigned segment = arch::es; segment <= arch::gs; ++segment) {
    write_segment(segment, {0x18, 0, 0xFFFFFFFF, kDataRights | kFlatRights});
  }
  write_segment(arch::cs, {0x10, 0, 0xFFFFFFFF, kCodeRights | kLongRights});
  write_segment(arch::tr, {0x20, 0, 0x67, kTaskRights});
  write_vmcs(Field::guest_cr3, cr3);
  write_vmcs(Field::guest_cr4, arch::cr4::pae | kOwnedCr4);
  write_vmcs(Field::cr4_shadow, arch::cr4::pae);
  write_vmcs(Field::guest_cr0, kCr0 | kOwnedCr0);
  write_vmcs(Field::cr0_shadow, kCr0);
  write_vmcs(Field::guest_efer, arch::efer::lme | arch::efer::lma);
  const std::uint64_t entry = read_vmcs(Field::entry_controls);
  write_vmcs(Field::entry_controls, entry | arch::entry_control::ia32e_mode_guest);
  write_vmcs(Field::guest_rip, rip);
  vp.registers.gpr[arch::rsi] = rsi;
}

void load_swapped_state(VpContext& vp) {
  const SwappedState& state = vp.swapped;
  write_xcr0(supported_xcr0());
  load_extended_state(at<const void>(state.extended_area));
  write_xcr0(state.xcr0);
  write_cr2(state.cr2);
  asm volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3; mov %4, %%dr6"
               :
               : "r"(state.dr0), "r"(state.dr1), "r"(state.dr2), "r"(state.dr3), "r"(state.dr6));
  write_msr(msr::ia32_star, state.star);
  write_msr(msr::ia32_lstar, state.lstar);
  write_msr(msr::ia32_cstar, state.cstar);
  write_msr(msr::ia32_fmask, state.fmask);
  write_msr(msr::ia32_kernel_gs_base, state.kernel_gs_base);
  write_msr(msr::ia32_tsc_aux, state.tsc_aux);
  if (has_xsaves()) write_msr(msr::ia32_xss, state.xss);
}

void save_swapped_state(VpContext& vp) {
  SwappedState& state = vp.swapped;
  state.xcr0 = read_xcr0();
  write_xcr0(supported_xcr0());
  save_extended_state(at<void>(state.extended_area));
  state.cr2 = read_cr2();
  asm volatile("mov %%dr0, %0; mov %%dr1, %1; mov %%dr2, %2; mov %%dr3, %3; mov %%dr6, %4"
               : "=r"(state.dr0), "=r"(state.dr1), "=r"(state.dr2), "=r"(state.dr3),
                 "=r"(state.dr6));
  state.star = read_msr(msr::ia32_star);
  state.lstar = read_msr(msr::ia32_lstar);
  state.cstar = read_msr(msr::ia32_cstar);
  state.fmask = read_msr(msr::ia32_fmask);
  state.kernel_gs_base = read_msr(msr::ia32_kernel_gs_base);
  state.tsc_aux = read_msr(msr::ia32_tsc_aux);
  if (has_xsaves()) state.xss = read_msr(msr::ia32_xss);
  write_xcr0(state.xcr0);
}

SegmentState read_segment(unsigned segment) {
  return {
      static_cast<std::uint16_t>(read_vmcs(arch::segment_field(Field::guest_es_selector, segment))),
      read_vmcs(arch::segment_field(Field::guest_es_base, segment)),
      read_vmcs32(arch::segment_field(Field::guest_es_limit, segment)),
      read_vmcs32(arch::segment_field(Field::guest_es_rights, segment))};
}

void write_segment(unsigned segment, const SegmentState& state) {
  write_vmcs(arch::segment_field(Field::guest_es_selector, segment), state.selector);
  write_vmcs(arch::segment_field(Field::guest_es_base, segment), state.base);
  write_vmcs(arch::segment_field(Field::guest_es_limit, segment), state.limit);
  write_vmcs(arch::segment_field(Field::guest_es_rights, segment), state.rights);
}

void skip_instruction() {
  constexpr std::uint64_t kShadow =
      arch::interruptibility::blocking_by_sti | arch::interruptibility::blocking_by_mov_ss;
  const std::uint64_t length = read_vmcs(Field::exit_instruction_length);
  write_vmcs(Field::guest_rip, read_vmcs(Field::guest_rip) + length);
  const std::uint64_t shadow = read_vmcs(Field::guest_interruptibility);
  if ((shadow & kShadow) != 0) write_vmcs(Field::guest_interruptibility, shadow & ~kShadow);
  if ((read_vmcs(Field::guest_rflags) & arch::rflags::tf) != 0) {
    const std::uint64_t pending = read_vmcs(Field::guest_pending_debug);
    write_vmcs(Field::guest_pending_debug, pending | arch::pending_debug::single_step);
  }
}

void raise(VpContext& vp, arch::Vector vector, std::uint32_t error_code) {
  vp.exception = {.present = true,
                  .vector = static_cast<std::uint8_t>(vector),
                  .has_error_code = arch::pushes_error_code(vector),
                  .error_code = error_code};
}

}  // namespace vitrine::hv
