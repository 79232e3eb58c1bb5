// The VMX instructions (SDM "VMX Instruction Reference") and their rows in the instruction table.
#include <span>

#include "emu/arch/ept.h"
#include "emu/arch/vm_instruction_error.h"
#include "emu/cpu/cpu.h"
#include "emu/cpu/instruction_table.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/operand_info.h"
#include "emu/cpu/vmx/outcome.h"
#include "emu/cpu/vmx/transitions.h"
#include "emu/cpu/vmx/vmcs_region.h"
#include "emu/cpu/vmx/vmx.h"

namespace vitrine::emu::vmx {

namespace {

namespace cr0 = arch::cr0;
namespace cr4 = arch::cr4;
namespace rflags = arch::rflags;
using arch::ExitReason;
using Error = arch::VmInstructionError;
using Scope = timing::Invalidation::Scope;

/// Bit 31 of a region's first word: a shadow VMCS.
constexpr uint32_t kShadowIndicator = 1u << 31;

bool valid_region(const Cpu& cpu, uint64_t address) {
  return (address & 0xFFF) == 0 && (address >> cpu.profile().physical_bits) == 0;
}

/// Puts the current VMCS back into its region and forgets it.
void release_current(Cpu& cpu) {
  if (cpu.vmx.current_vmcs != kNoVmcs) {
    write_region(cpu.bus(), cpu.vmx.current_vmcs, cpu.vmx.vmcs);
  }
  cpu.vmx.current_vmcs = kNoVmcs;
  cpu.vmx.vmcs = {};
}

// VMXON m64
Flow vmxon(Cpu& cpu, const Insn& insn) {
  CpuState& s = cpu.state;
  if ((s.cr4 & cr4::vmxe) == 0 || !mode_allows(s)) return cpu.raise(kUndefinedOpcode);
  if (cpu.vmx.on) {
    const Gate gate = enter_gate(cpu, insn, ExitReason::vmxon);
    if (gate != Gate::open) return closed(gate);
    return fail(cpu, Error::vmxon_in_root);
  }
  const uint64_t allowed = arch::feature_control::lock | arch::feature_control::vmx_outside_smx;
  const bool fixed =
      (s.cr0 & arch::kVmxCr0Fixed0) == arch::kVmxCr0Fixed0 && (s.cr0 & ~arch::kVmxCr0Fixed1) == 0;
  const uint64_t control = arch::profile_msr(cpu.profile(), arch::msr::ia32_feature_control);
  if (s.cpl > 0 || !fixed || (control & allowed) != allowed) {
    return cpu.raise(kGeneralProtection0);
  }
  const auto region = cpu.load<uint64_t>(insn);
  if (!region) return cpu.raise(region.error());
  if (!valid_region(cpu, *region) || read_revision(cpu.bus(), *region) != arch::kVmcsRevision) {
    return fail_invalid(cpu);
  }
  cpu.vmx = {};
  cpu.vmx.on = true;
  cpu.vmx.vmxon_pointer = *region;
  cpu.context_changed();
  succeed(cpu);
  return Flow::branch;
}

// VMXOFF
Flow vmxoff(Cpu& cpu, const Insn& insn) {
  const Gate gate = enter_gate(cpu, insn, ExitReason::vmxoff);
  if (gate != Gate::open) return closed(gate);
  release_current(cpu);
  cpu.vmx = {};
  cpu.context_changed();
  cpu.attention();
  succeed(cpu);
  return Flow::branch;
}

// VMCLEAR m64
Flow vmclear(Cpu& cpu, const Insn& insn) {
  const Gate gate = enter_gate(cpu, insn, ExitReason::vmclear);
  if (gate != Gate::open) return closed(gate);
  const auto region = cpu.load<uint64_t>(insn);
  if (!region) return cpu.raise(region.error());
  if (!valid_region(cpu, *region)) return fail(cpu, Error::vmclear_invalid_address);
  if (*region == cpu.vmx.vmxon_pointer) return fail(cpu, Error::vmclear_vmxon_pointer);
  if (*region == cpu.vmx.current_vmcs) {
    cpu.vmx.vmcs.launched = false;
    release_current(cpu);
  } else {
    clear_launch_state(cpu.bus(), *region);
  }
  return succeed(cpu);
}

// VMPTRLD m64
Flow vmptrld(Cpu& cpu, const Insn& insn) {
  const Gate gate = enter_gate(cpu, insn, ExitReason::vmptrld);
  if (gate != Gate::open) return closed(gate);
  const auto region = cpu.load<uint64_t>(insn);
  if (!region) return cpu.raise(region.error());
  if (!valid_region(cpu, *region)) return fail(cpu, Error::vmptrld_invalid_address);
  if (*region == cpu.vmx.vmxon_pointer) return fail(cpu, Error::vmptrld_vmxon_pointer);
  const bool shadows = arch::allows(arch::ControlWord::secondary, secondary::vmcs_shadowing);
  const uint32_t revision = read_revision(cpu.bus(), *region);
  if ((revision & ~(shadows ? kShadowIndicator : 0)) != arch::kVmcsRevision) {
    return fail(cpu, Error::vmptrld_incorrect_revision);
  }
  if (*region != cpu.vmx.current_vmcs) {
    release_current(cpu);
    cpu.vmx.vmcs = read_region(cpu.bus(), *region);
    cpu.vmx.current_vmcs = *region;
  }
  return succeed(cpu);
}

// VMPTRST m64
Flow vmptrst(Cpu& cpu, const Insn& insn) {
  const Gate gate = enter_gate(cpu, insn, ExitReason::vmptrst);
  if (gate != Gate::open) return closed(gate);
  const auto stored = cpu.store<uint64_t>(insn, cpu.vmx.current_vmcs);
  if (!stored) return cpu.raise(stored.error());
  return succeed(cpu);
}

Flow enter(Cpu& cpu, const Insn& insn, ExitReason reason, bool launch) {
  const Gate gate = enter_gate(cpu, insn, reason);
  if (gate != Gate::open) return closed(gate);
  if (cpu.vmx.current_vmcs == kNoVmcs) return fail_invalid(cpu);
  // A shadow VMCS is data for VMREAD and VMWRITE only.
  if ((read_revision(cpu.bus(), cpu.vmx.current_vmcs) & kShadowIndicator) != 0) {
    return fail_invalid(cpu);
  }
  if (cpu.state.mov_ss_shadow) return fail(cpu, Error::entry_blocked_by_mov_ss);
  if (launch && cpu.vmx.vmcs.launched) return fail(cpu, Error::vmlaunch_not_clear);
  if (!launch && !cpu.vmx.vmcs.launched) return fail(cpu, Error::vmresume_not_launched);
  switch (vm_entry(cpu)) {
    case EntryResult::entered: return Flow::branch;
    case EntryResult::failed: return Flow::exit;
    case EntryResult::invalid_controls: return fail(cpu, Error::entry_invalid_controls);
    case EntryResult::invalid_host: return fail(cpu, Error::entry_invalid_host_state);
  }
  return Flow::next;
}

// VMLAUNCH
Flow vmlaunch(Cpu& cpu, const Insn& insn) { return enter(cpu, insn, ExitReason::vmlaunch, true); }

// VMRESUME
Flow vmresume(Cpu& cpu, const Insn& insn) { return enter(cpu, insn, ExitReason::vmresume, false); }

// VMCALL
Flow vmcall(Cpu& cpu, const Insn& insn) {
  if (!cpu.vmx.on) return cpu.raise(kUndefinedOpcode);
  if (cpu.vmx.nonroot) {
    exit_instruction(cpu, insn, Exit{ExitReason::vmcall});
    return Flow::exit;
  }
  if (!mode_allows(cpu.state)) return cpu.raise(kUndefinedOpcode);
  if (cpu.state.cpl > 0) return cpu.raise(kGeneralProtection0);
  return fail(cpu, Error::vmcall_in_root);
}

/// SDM "EPTP Switching": false when the index or the entry of the EPTP list is not valid.
constexpr uint32_t kEptpSwitching = 0;
bool switch_eptp(Cpu& cpu) {
  constexpr uint32_t kListEntries = 512;
  const auto index = static_cast<uint32_t>(cpu.state.regs[arch::rcx]);
  if (index >= kListEntries) return false;
  Vmcs& v = cpu.vmx.vmcs;
  uint64_t eptp = 0;
  cpu.bus().read_block(Hpa{v[Field::eptp_list_address] + 8 * uint64_t{index}},
                       std::as_writable_bytes(std::span{&eptp, 1}));
  if (!arch::Eptp{eptp}.valid(cpu.profile().physical_bits)) return false;
  v.set(Field::eptp, eptp);
  if (secondary_on(v, secondary::ept_violation_ve)) v.set(Field::eptp_index, index);
  cpu.context_changed();
  return true;
}

// VMFUNC
Flow vmfunc(Cpu& cpu, const Insn& insn) {
  if (!guest_secondary(cpu.vmx, secondary::enable_vm_functions)) {
    return cpu.raise(kUndefinedOpcode);
  }
  const auto function = static_cast<uint32_t>(cpu.state.regs[arch::rax]);
  if (function >= 64) return cpu.raise(kUndefinedOpcode);
  const bool enabled = (cpu.vmx.vmcs[Field::vm_function_controls] >> function & 1) != 0;
  if (enabled && function == kEptpSwitching && switch_eptp(cpu)) return Flow::branch;
  exit_instruction(cpu, insn, Exit{ExitReason::vmfunc});
  return Flow::exit;
}

/// The 128-bit descriptor of INVEPT and INVVPID.
struct Descriptor {
  uint64_t low;
  uint64_t high;
};
Result<Descriptor, Fault> load_descriptor(Cpu& cpu, const Insn& insn) {
  const uint64_t offset = cpu.effective_address(insn);
  const bool checked = (insn.flags & insn_flag::checked) != 0;
  const auto low = cpu.load_at<uint64_t>(insn.segment, offset, checked);
  if (!low) return Err{low.error()};
  const auto high = cpu.load_at<uint64_t>(insn.segment, offset + 8, checked);
  if (!high) return Err{high.error()};
  return Descriptor{*low, *high};
}
uint32_t type_register(const Insn& insn) {
  return gpr_number(insn.op[0]) << arch::InstructionInfo::kReg2Shift;
}

// INVEPT r, m128. Cached translations are always coherent, so that only the operand checks show.
Flow invept(Cpu& cpu, const Insn& insn) {
  const Gate gate = enter_gate(cpu, insn, ExitReason::invept, type_register(insn));
  if (gate != Gate::open) return closed(gate);
  const uint64_t type = cpu.reg<uint64_t>(insn.op[0]) & operand_mask(cpu.state);
  if (type != static_cast<uint64_t>(arch::InveptType::single_context) &&
      type != static_cast<uint64_t>(arch::InveptType::all_context)) {
    return fail(cpu, Error::invalid_operand_to_invept_invvpid);
  }
  const auto descriptor = load_descriptor(cpu, insn);
  if (!descriptor) return cpu.raise(descriptor.error());
  const bool single = type == static_cast<uint64_t>(arch::InveptType::single_context);
  if (single && !arch::Eptp{descriptor->low}.valid(cpu.profile().physical_bits)) {
    return fail(cpu, Error::invalid_operand_to_invept_invvpid);
  }
  cpu.invalidate_translations({.scope = single ? Scope::ept : Scope::all_ept,
                               .space = {.ept = descriptor->low & ~kPageMask},
                               .address = {}});
  return succeed(cpu);
}

// INVVPID r, m128
Flow invvpid(Cpu& cpu, const Insn& insn) {
  const Gate gate = enter_gate(cpu, insn, ExitReason::invvpid, type_register(insn));
  if (gate != Gate::open) return closed(gate);
  const uint64_t type = cpu.reg<uint64_t>(insn.op[0]) & operand_mask(cpu.state);
  if (type > static_cast<uint64_t>(arch::InvvpidType::single_context_keep_globals)) {
    return fail(cpu, Error::invalid_operand_to_invept_invvpid);
  }
  const auto descriptor = load_descriptor(cpu, insn);
  if (!descriptor) return cpu.raise(descriptor.error());
  const bool reserved = (descriptor->low >> 16) != 0;
  const bool zero_vpid = (descriptor->low & 0xFFFF) == 0 &&
                         type != static_cast<uint64_t>(arch::InvvpidType::all_context);
  const bool bad_address = type == static_cast<uint64_t>(arch::InvvpidType::individual_address) &&
                           !Cpu::canonical(descriptor->high);
  if (reserved || zero_vpid || bad_address) {
    return fail(cpu, Error::invalid_operand_to_invept_invvpid);
  }
  constexpr std::array kScopes = {Scope::vpid_address, Scope::everything, Scope::all_vpids,
                                  Scope::all_but_global};
  cpu.invalidate_translations({.scope = kScopes[type],
                               .space = {.vpid = static_cast<uint16_t>(descriptor->low)},
                               .address = Gva{descriptor->high}});
  return succeed(cpu);
}

template <Handler handler>
Handler always(const Decoded&) {
  return handler;
}

constexpr uint16_t kAllFlags = rflags::arithmetic;
constexpr FlagUse kSetsFlags{0, kAllFlags, 0};

// clang-format off
constexpr auto kRows = std::to_array<Row>({
    {"vmxon",    Feature::vmx, InsnClass::serialising, CostClass::vmx_heavy, kSetsFlags, always<vmxon>},
    {"vmxoff",   Feature::vmx, InsnClass::serialising, CostClass::vmx_heavy, kSetsFlags, always<vmxoff>},
    {"vmclear",  Feature::vmx, InsnClass::serialising, CostClass::vmx_heavy, kSetsFlags, always<vmclear>},
    {"vmptrld",  Feature::vmx, InsnClass::serialising, CostClass::vmx_heavy, kSetsFlags, always<vmptrld>},
    {"vmptrst",  Feature::vmx, InsnClass::plain,       CostClass::vmx_light, kSetsFlags, always<vmptrst>},
    {"vmread",   Feature::vmx, InsnClass::plain,       CostClass::vmx_light, kSetsFlags, always<vmread>},
    {"vmwrite",  Feature::vmx, InsnClass::plain,       CostClass::vmx_light, kSetsFlags, always<vmwrite>},
    {"vmlaunch", Feature::vmx, InsnClass::serialising, CostClass::vmx_heavy, kSetsFlags, always<vmlaunch>},
    {"vmresume", Feature::vmx, InsnClass::serialising, CostClass::vmx_heavy, kSetsFlags, always<vmresume>},
    {"vmcall",   Feature::vmx, InsnClass::serialising, CostClass::vmx_light, kSetsFlags, always<vmcall>},
    {"vmfunc",   Feature::vmx, InsnClass::serialising, CostClass::vmx_light, {},         always<vmfunc>},
    {"invept",   Feature::vmx, InsnClass::serialising, CostClass::vmx_heavy, kSetsFlags, always<invept>},
    {"invvpid",  Feature::vmx, InsnClass::serialising, CostClass::vmx_heavy, kSetsFlags, always<invvpid>},
});
// clang-format on

}  // namespace

}  // namespace vitrine::emu::vmx

namespace vitrine::emu {

std::span<const Row> vmx_rows() { return vmx::kRows; }

}  // namespace vitrine::emu
