// Exits from a guest and translations below it, with this program as the hypervisor (virtual.S).
#include <array>
#include <cstddef>
#include <initializer_list>

#include "emu/arch/ept.h"
#include "emu/arch/msr.h"
#include "emu/arch/vmcs_fields.h"
#include "emu/arch/vmx_controls.h"
#include "roms/bench/works.h"
#include "roms/kit/cpu.h"

extern "C" {
std::uint64_t bench_enter_guest();
void bench_guest_exited();
void bench_guest_start();
std::uint64_t (*bench_guest_function)(std::uint64_t);
std::uint64_t bench_guest_argument, bench_guest_answer;
}

namespace vitrine::bench {
namespace {

namespace arch = emu::arch;
namespace msr = arch::msr;
using arch::Field;
using kit::read_msr;

constexpr std::size_t kEntries = 512;
constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kSmallTables = 32;  // 64 MiB in 4 KiB pages
constexpr std::size_t kLinks = 512;

using Table = std::array<std::uint64_t, kEntries>;
alignas(kPage) Table ept_top, ept_second, ept_directory;
alignas(kPage) std::array<Table, kSmallTables> ept_tables;
alignas(kPage) std::array<std::uint32_t, kPage / 4> vmx_region, vmcs_region;
alignas(kPage) std::array<std::uint8_t, 4 * kPage> guest_stack;
alignas(kPage) std::array<std::array<std::uint64_t, kPage / 8>, kLinks> links;

template <typename T>
std::uint64_t address(const T& object) {
  return reinterpret_cast<std::uint64_t>(&object);
}

void write(Field field, std::uint64_t value) {
  asm volatile("vmwrite %0, %1" : : "r"(value), "r"(static_cast<std::uint64_t>(field)) : "cc");
}

/// What `capability` insists on, and the wanted bits that it allows.
std::uint64_t control_word(std::uint32_t capability, std::uint32_t wanted) {
  const std::uint64_t value = read_msr(capability);
  return (static_cast<std::uint32_t>(value) | wanted) & (value >> 32);
}

template <unsigned N>
std::uint64_t read_control() {
  std::uint64_t value = 0;
  if constexpr (N == 0) asm volatile("movq %%cr0, %0" : "=r"(value));
  if constexpr (N == 3) asm volatile("movq %%cr3, %0" : "=r"(value));
  if constexpr (N == 4) asm volatile("movq %%cr4, %0" : "=r"(value));
  return value;
}

void map_identity() {
  constexpr std::uint64_t kMemory = arch::ept::rights | arch::ept::type(arch::MemoryType::wb);
  ept_top[0] = address(ept_second) | arch::ept::rights;
  ept_second[0] = address(ept_directory) | arch::ept::rights;
  for (std::size_t i = 0; i < kSmallTables; ++i) {
    ept_directory[i] = address(ept_tables[i]) | arch::ept::rights;
    for (std::size_t page = 0; page < kEntries; ++page) {
      ept_tables[i][page] = (i * kEntries + page) * kPage | kMemory;
    }
  }
}

struct [[gnu::packed]] TableRegister {
  std::uint16_t limit;
  std::uint64_t base;
};

void write_controls() {
  write(Field::pin_controls, control_word(msr::ia32_vmx_true_pinbased_ctls, 0));
  write(Field::primary_controls,
        control_word(msr::ia32_vmx_true_procbased_ctls,
                     arch::primary::hlt_exiting | arch::primary::activate_secondary));
  write(Field::secondary_controls,
        control_word(msr::ia32_vmx_procbased_ctls2,
                     arch::secondary::enable_ept | arch::secondary::enable_vpid));
  write(Field::exit_controls, control_word(msr::ia32_vmx_true_exit_ctls,
                                           arch::exit_control::host_address_space_size |
                                               arch::exit_control::save_efer |
                                               arch::exit_control::load_efer));
  write(Field::entry_controls,
        control_word(msr::ia32_vmx_true_entry_ctls,
                     arch::entry_control::ia32e_mode_guest | arch::entry_control::load_efer));
  write(Field::eptp, arch::make_eptp(address(ept_top), false));
  write(Field::vpid, 1);
  write(Field::vmcs_link_pointer, ~std::uint64_t{0});
  for (const Field zero : {Field::exception_bitmap, Field::page_fault_mask, Field::page_fault_match,
                           Field::cr3_target_count, Field::exit_msr_store_count,
                           Field::exit_msr_load_count, Field::entry_msr_load_count,
                           Field::entry_interruption_information, Field::cr0_mask, Field::cr4_mask,
                           Field::tsc_offset}) {
    write(zero, 0);
  }
}

void write_host_state(const TableRegister& gdtr, const TableRegister& idtr) {
  write(Field::host_cr0, read_control<0>());
  write(Field::host_cr3, read_control<3>());
  write(Field::host_cr4, read_control<4>());
  write(Field::host_efer, read_msr(msr::ia32_efer));
  write(Field::host_cs_selector, 0x08);
  for (const Field data : {Field::host_ss_selector, Field::host_ds_selector, Field::host_es_selector,
                           Field::host_tr_selector}) {
    write(data, 0x10);  // of TR only that it is not null matters
  }
  for (const Field zero : {Field::host_fs_selector, Field::host_gs_selector, Field::host_fs_base,
                           Field::host_gs_base, Field::host_tr_base, Field::host_sysenter_cs,
                           Field::host_sysenter_esp, Field::host_sysenter_eip}) {
    write(zero, 0);
  }
  write(Field::host_gdtr_base, gdtr.base);
  write(Field::host_idtr_base, idtr.base);
  write(Field::host_rip, reinterpret_cast<std::uint64_t>(bench_guest_exited));
}

struct SegmentFields {
  Field selector, base, limit, rights;
  std::uint64_t selector_value, rights_value;
};
// clang-format off
constexpr auto kSegments = std::to_array<SegmentFields>({
    {Field::guest_cs_selector, Field::guest_cs_base, Field::guest_cs_limit, Field::guest_cs_rights, 0x08, 0xA09B},
    {Field::guest_ss_selector, Field::guest_ss_base, Field::guest_ss_limit, Field::guest_ss_rights, 0x10, 0xC093},
    {Field::guest_ds_selector, Field::guest_ds_base, Field::guest_ds_limit, Field::guest_ds_rights, 0x10, 0xC093},
    {Field::guest_es_selector, Field::guest_es_base, Field::guest_es_limit, Field::guest_es_rights, 0x10, 0xC093},
    {Field::guest_fs_selector, Field::guest_fs_base, Field::guest_fs_limit, Field::guest_fs_rights, 0, 0x10000},
    {Field::guest_gs_selector, Field::guest_gs_base, Field::guest_gs_limit, Field::guest_gs_rights, 0, 0x10000},
    {Field::guest_ldtr_selector, Field::guest_ldtr_base, Field::guest_ldtr_limit, Field::guest_ldtr_rights, 0, 0x10000},
    {Field::guest_tr_selector, Field::guest_tr_base, Field::guest_tr_limit, Field::guest_tr_rights, 0x10, 0x8B},
});
// clang-format on

void write_guest_state(const TableRegister& gdtr, const TableRegister& idtr) {
  for (const SegmentFields& segment : kSegments) {
    write(segment.selector, segment.selector_value);
    write(segment.base, 0);
    write(segment.limit, segment.rights == Field::guest_tr_rights ? 0x67 : 0xFFFFFFFF);
    write(segment.rights, segment.rights_value);
  }
  write(Field::guest_gdtr_base, gdtr.base);
  write(Field::guest_gdtr_limit, gdtr.limit);
  write(Field::guest_idtr_base, idtr.base);
  write(Field::guest_idtr_limit, idtr.limit);
  write(Field::guest_cr0, read_control<0>());
  write(Field::guest_cr3, read_control<3>());
  write(Field::guest_cr4, read_control<4>());
  write(Field::guest_efer, read_msr(msr::ia32_efer));
  write(Field::guest_dr7, 0x400);
  write(Field::guest_rflags, 2);
  for (const Field zero : {Field::guest_debugctl, Field::guest_interruptibility,
                           Field::guest_activity, Field::guest_pending_debug,
                           Field::guest_sysenter_cs, Field::guest_sysenter_esp,
                           Field::guest_sysenter_eip}) {
    write(zero, 0);
  }
}

/// Runs `function` in a guest whose physical memory is ours; its answer, or 0 if it was not entered.
std::uint64_t in_guest(std::uint64_t (*function)(std::uint64_t), std::uint64_t argument) {
  const std::uint64_t vmcs = address(vmcs_region);
  TableRegister gdtr{}, idtr{};
  asm volatile("sgdt %0; sidt %1" : "=m"(gdtr), "=m"(idtr));
  asm volatile("vmclear %0; vmptrld %0" : : "m"(vmcs) : "cc", "memory");
  write_controls();
  write_host_state(gdtr, idtr);
  write_guest_state(gdtr, idtr);
  write(Field::guest_rip, reinterpret_cast<std::uint64_t>(bench_guest_start));
  write(Field::guest_rsp, address(guest_stack) + sizeof(guest_stack));
  bench_guest_function = function;
  bench_guest_argument = argument;
  bench_guest_answer = 0;
  return bench_enter_guest() != 0 ? bench_guest_answer : 0;
}

std::uint64_t guest_vmcalls(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    asm volatile("vmcall" : : : "rax", "rcx", "rdx", "memory", "cc");
  }
  return count;
}

std::uint64_t guest_cpuids(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    asm volatile("cpuid" : : : "rax", "rbx", "rcx", "rdx", "memory", "cc");
  }
  return count;
}

std::uint64_t guest_chase(std::uint64_t count) {
  const std::uint64_t* at = links[0].data();
  for (std::uint64_t i = 0; i < count * kLinks; ++i) {
    at = reinterpret_cast<const std::uint64_t*>(*static_cast<const volatile std::uint64_t*>(at));
  }
  return address(*at) - address(links) + 1;
}

}  // namespace

bool start_virtual() {
  constexpr std::uint32_t kVmxBit = 1U << 5;
  constexpr std::uint64_t kVmxe = 1U << 13;
  constexpr std::uint64_t kEnabled =
      arch::feature_control::lock | arch::feature_control::vmx_outside_smx;
  if ((kit::cpuid(1).ecx & kVmxBit) == 0) return false;
  const std::uint64_t feature_control = read_msr(msr::ia32_feature_control);
  if ((feature_control & arch::feature_control::lock) == 0) {
    kit::write_msr(msr::ia32_feature_control, feature_control | kEnabled);
  } else if ((feature_control & kEnabled) != kEnabled) {
    return false;
  }
  const auto revision = static_cast<std::uint32_t>(read_msr(msr::ia32_vmx_basic));
  vmx_region[0] = vmcs_region[0] = revision;
  asm volatile("movq %0, %%cr4" : : "r"(read_control<4>() | kVmxe) : "memory");
  const std::uint64_t region = address(vmx_region);
  bool failed = false;
  asm volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region) : "memory");
  if (failed) return false;
  map_identity();
  // One ring through all pages, in an order that no stride describes, at another line in each.
  std::size_t at = 0;
  for (std::size_t i = 0; i < kLinks; ++i) {
    const std::size_t next = (at * 5 + 89) % kLinks;  // a full period: 89 odd, 5 - 1 divisible by 4
    links[at][at % 64 * 8] = address(links[next][next % 64 * 8]);
    at = next;
  }
  return true;
}

std::uint64_t vmcall_exit(std::uint64_t count) { return in_guest(guest_vmcalls, count); }
std::uint64_t cpuid_exit(std::uint64_t count) { return in_guest(guest_cpuids, count); }
std::uint64_t ept_chase(std::uint64_t count) { return in_guest(guest_chase, count); }

}  // namespace vitrine::bench
