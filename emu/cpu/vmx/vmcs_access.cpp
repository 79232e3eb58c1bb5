// VMREAD and VMWRITE: the current VMCS, or in non-root operation the shadow VMCS.
#include <span>

#include "emu/cpu/cpu.h"
#include "emu/cpu/vmx/controls.h"
#include "emu/cpu/vmx/operand_info.h"
#include "emu/cpu/vmx/outcome.h"
#include "emu/cpu/vmx/vmcs_region.h"

namespace vitrine::emu::vmx {

namespace {

using Error = arch::VmInstructionError;

/// Register fields of VMREAD and VMWRITE: reg2 names the field; reg1 is the other operand, if register.
uint32_t access_registers(uint8_t other, uint8_t field) {
  using Info = arch::InstructionInfo;
  const uint32_t reg2 = gpr_number(field) << Info::kReg2Shift;
  if (other == kMemory) return reg2;
  return reg2 | Info::kRegister | gpr_number(other) << Info::kReg1Shift;
}

/// SDM "VMCS Shadowing Bitmap Addresses": whether a guest's access goes to the shadow VMCS.
bool reaches_shadow(Cpu& cpu, Field bitmap, uint64_t encoding) {
  if (!guest_secondary(cpu.vmx, secondary::vmcs_shadowing) || (encoding >> 15) != 0) return false;
  std::array<std::byte, 1> byte{};
  cpu.bus().read_block(Hpa{cpu.vmx.vmcs[bitmap] + encoding / 8}, byte);
  return (static_cast<uint8_t>(byte[0]) >> (encoding % 8) & 1) == 0;
}

/// The VMCS that the instruction works on.
class Target {
 public:
  explicit Target(Cpu& cpu) : cpu_(cpu) {}

  bool exists() const { return region() != kNoVmcs; }
  uint64_t read(uint8_t slot) const {
    if (!shadow()) return cpu_.vmx.vmcs.values[slot];
    return read_region_field(cpu_.bus(), region(), slot);
  }
  void write(uint8_t slot, uint64_t value) {
    if (!shadow()) {
      cpu_.vmx.vmcs.set(arch::kFields[slot].field, value);
    } else {
      write_region_field(cpu_.bus(), region(), slot, value);
    }
  }
  /// VMfailValid, with the error number in this VMCS.
  Flow fail_with(Error error) {
    write(arch::field_slot(Field::vm_instruction_error), static_cast<uint64_t>(error));
    cpu_.state.flags.set_arithmetic(arch::rflags::zf);
    return Flow::next;
  }

 private:
  bool shadow() const { return cpu_.vmx.nonroot; }
  uint64_t region() const {
    return shadow() ? cpu_.vmx.vmcs[Field::vmcs_link_pointer] : cpu_.vmx.current_vmcs;
  }

  Cpu& cpu_;
};

/// The gate of VMREAD and VMWRITE, which a guest passes for fields that are shadowed.
Gate access_gate(Cpu& cpu, const Insn& insn, arch::ExitReason reason, Field bitmap,
                 uint64_t encoding, uint32_t registers) {
  const bool defined = cpu.vmx.on && mode_allows(cpu.state);
  if (!defined || !reaches_shadow(cpu, bitmap, encoding)) {
    return enter_gate(cpu, insn, reason, registers);
  }
  if (cpu.state.cpl == 0) return Gate::open;
  cpu.raise(kGeneralProtection0);
  return Gate::raised;
}

uint8_t existing_slot(uint64_t encoding) {
  const uint8_t slot = arch::field_slot(encoding);
  return slot == arch::kNoSlot || !arch::kFieldExists[slot] ? arch::kNoSlot : slot;
}

Result<uint64_t, Fault> write_source(Cpu& cpu, const Insn& insn) {
  const uint8_t source = insn.op[1];
  if (source != kMemory) return cpu.reg<uint64_t>(source) & operand_mask(cpu.state);
  if (cpu.state.code64()) return cpu.load<uint64_t>(insn);
  const auto narrow = cpu.load<uint32_t>(insn);
  if (!narrow) return Err{narrow.error()};
  return uint64_t{*narrow};
}

}  // namespace

Flow vmread(Cpu& cpu, const Insn& insn) {
  const uint64_t encoding = cpu.reg<uint64_t>(insn.op[1]) & operand_mask(cpu.state);
  const Gate gate = access_gate(cpu, insn, arch::ExitReason::vmread, Field::vmread_bitmap, encoding,
                                access_registers(insn.op[0], insn.op[1]));
  if (gate != Gate::open) return closed(gate);
  Target target{cpu};
  if (!target.exists()) return fail_invalid(cpu);
  const uint8_t slot = existing_slot(encoding);
  if (slot == arch::kNoSlot) return target.fail_with(Error::unsupported_field);
  uint64_t value = target.read(slot);
  if (arch::FieldEncoding{static_cast<uint32_t>(encoding)}.high()) value >>= 32;
  if (insn.op[0] != kMemory) {
    cpu.set_reg<uint64_t>(insn.op[0], value & operand_mask(cpu.state));
    return succeed(cpu);
  }
  const auto stored = cpu.state.code64() ? cpu.store<uint64_t>(insn, value)
                                         : cpu.store<uint32_t>(insn, static_cast<uint32_t>(value));
  if (!stored) return cpu.raise(stored.error());
  return succeed(cpu);
}

Flow vmwrite(Cpu& cpu, const Insn& insn) {
  const uint64_t encoding = cpu.reg<uint64_t>(insn.op[0]) & operand_mask(cpu.state);
  const Gate gate = access_gate(cpu, insn, arch::ExitReason::vmwrite, Field::vmwrite_bitmap,
                                encoding, access_registers(insn.op[1], insn.op[0]));
  if (gate != Gate::open) return closed(gate);
  Target target{cpu};
  if (!target.exists()) return fail_invalid(cpu);
  const auto source = write_source(cpu, insn);
  if (!source) return cpu.raise(source.error());
  const uint8_t slot = existing_slot(encoding);
  if (slot == arch::kNoSlot) return target.fail_with(Error::unsupported_field);
  // IA32_VMX_MISC bit 29: read-only data fields may be written.
  const bool high = arch::FieldEncoding{static_cast<uint32_t>(encoding)}.high();
  const uint64_t value = high ? *source << 32 | (target.read(slot) & 0xFFFFFFFF) : *source;
  target.write(slot, value);
  return succeed(cpu);
}

}  // namespace vitrine::emu::vmx
