// A virtual processor as the hardware sees it: its VMCS, and all state that the VMCS does not
// switch.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "emu/arch/exceptions.h"
#include "emu/arch/registers.h"
#include "hv/image/ept_tables.h"
#include "hv/image/virtual_apic.h"
#include "hv/image/vmx.h"

namespace vitrine::hv {

// General registers in encoding order; entry.S knows the offsets. RSP is in the VMCS.
struct GuestRegisters {
  std::array<std::uint64_t, 16> gpr{};
};
static_assert(offsetof(GuestRegisters, gpr) == 0 && sizeof(GuestRegisters) == 128);

// What a VM exit leaves in the processor and the hypervisor itself never uses: swapped only when
// another virtual processor is to run. x87, SSE and AVX state go with it, in an XSAVE area.
struct SwappedState {
  std::uint64_t cr2{};
  std::uint64_t dr0{}, dr1{}, dr2{}, dr3{};
  std::uint64_t dr6 = 0xFFFF0FF0;
  std::uint64_t xcr0 = 1;
  std::uint64_t star{}, lstar{}, cstar{}, fmask{};
  std::uint64_t kernel_gs_base{};
  std::uint64_t tsc_aux{};
  std::uint64_t xss{};
  std::uint64_t extended_area{};  // a page with the XSAVE image
};

struct SegmentState {
  std::uint16_t selector{};
  std::uint64_t base{};
  std::uint32_t limit{};
  std::uint32_t rights{};
};

// An exception to deliver at the next VM entry.
struct PendingException {
  bool present{};
  std::uint8_t vector{};
  bool has_error_code{};
  std::uint32_t error_code{};
};

struct VirtualProcessor;

// Where a virtual processor is on its way from INIT to running (SDM "MP Initialization Protocol").
enum class Startup : std::uint8_t { running, init_pending, wait_for_sipi, sipi_pending };

struct VpContext {
  GuestRegisters registers;
  SwappedState swapped;
  VirtualApic apic;
  VirtualProcessor* core{};  // the core's object for it
  EptTables* memory{};
  VpContext* next{};  // the next one on this processor
  std::uint64_t vmcs{};
  std::uint16_t vpid{};
  bool launched{};
  bool halted{};
  bool idle{};  // halted by GUEST_IDLE: any interrupt ends it, RFLAGS.IF or not
  bool nmi_pending{};
  bool is_root{};
  bool park_wanted{};           // another processor wants its state in memory
  std::uint32_t active_on{};    // the processor that holds its VMCS, index + 1; 0: all in memory
  std::uint64_t held_until{};   // while the TSC is below, it is not entered
  Startup startup{};
  std::uint8_t startup_vector{};
  std::uint8_t external_vector{};  // acknowledged from the 8259 and not yet delivered, 0 for none
  bool asserted{};                 // the ExtINT line of HvAssertVirtualInterrupt
  std::uint8_t asserted_vector{};
  std::uint32_t intercepts_seen{};  // for which number of intercepts the exception bitmap was made
  PendingException exception;
  std::uint64_t tsc_adjust{};
  std::uint32_t primary{};  // the primary control word as last written
  std::uint32_t pin{};

  std::uint64_t gpr(unsigned number) const {
    return number == arch::rsp ? read_vmcs(Field::guest_rsp) : registers.gpr[number];
  }
  void set_gpr(unsigned number, std::uint64_t value) {
    if (number == arch::rsp) {
      write_vmcs(Field::guest_rsp, value);
    } else {
      registers.gpr[number] = value;
    }
  }
  std::uint32_t low(unsigned number) const { return static_cast<std::uint32_t>(gpr(number)); }
};

// Bitmaps and the control words that all VPs of one kind share.
struct VpKind {
  Controls controls;
  std::uint64_t msr_bitmap{};
  std::uint64_t io_bitmap_a{};
  std::uint64_t io_bitmap_b{};
};

struct Processor;

// The zeroed pages of a virtual processor, who it is, and the processor that runs it.
struct VpMaterial {
  std::uint64_t vmcs{};
  std::uint64_t extended_area{};
  std::uint16_t vpid{};
  std::uint32_t apic_id{};
  const Processor* home{};
};

// Gives `vp` a VMCS in the state after INIT (SDM "Processor State After Reset"), current on return.
void create_vp_context(VpContext& vp, const VpKind& kind, EptTables& memory,
                       const VpMaterial& material);

// INIT, and the start at `vector` pages after a SIPI; the VMCS is current.
void enter_init_state(VpContext& vp);
void enter_startup_state(VpContext& vp);

// Flat 32-bit protected mode with paging off, as PVH starts a kernel.
void set_flat_protected_mode(std::uint64_t rip, std::uint64_t rbx, VpContext& vp);
// 64-bit mode under the page tables at `cr3`, as Linux is started.
void set_long_mode(std::uint64_t rip, std::uint64_t rsi, std::uint64_t cr3, VpContext& vp);

// Puts the state outside the VMCS into the processor, and takes it out again.
void load_swapped_state(VpContext& vp);
void save_swapped_state(VpContext& vp);

SegmentState read_segment(unsigned segment);
void write_segment(unsigned segment, const SegmentState& state);

// Past the instruction that caused the exit (SDM "Interrupt shadow" ends with it).
void skip_instruction();

void raise(VpContext& vp, arch::Vector vector, std::uint32_t error_code = 0);

// The hypervisor owns these bits: the guest reads what it wrote, the processor has them set.
constexpr std::uint64_t kOwnedCr0 = arch::cr0::ne;
constexpr std::uint64_t kOwnedCr4 = arch::cr4::vmxe;

// Sets CR0 without the consequences that MOV has.
void set_cr0(std::uint64_t value);
// Writes CR0 and CR4 as the guest's own MOV would: false is #GP.
bool write_guest_cr0(std::uint64_t value);
bool write_guest_cr4(std::uint64_t value);
std::uint64_t read_guest_cr0();
std::uint64_t read_guest_cr4();

}  // namespace vitrine::hv
