// The VMX instructions: their faults, failures by number, and what they do to regions and fields.
#include <catch2/catch.hpp>

#include "emu/arch/ept.h"
#include "emu/arch/vm_instruction_error.h"
#include "tests/emu/cpu/vmx/rig.h"

using namespace vitrine::emu;
using namespace vitrine::emu::vmx;
using Error = arch::VmInstructionError;

namespace {

Insn two_registers(uint8_t first, uint8_t second) {
  Insn insn;
  insn.op[0] = static_cast<uint8_t>(first * 8);
  insn.op[1] = static_cast<uint8_t>(second * 8);
  return insn;
}

/// VMREAD rax, rcx with the encoding in RCX.
Flow read_field(Rig& rig, uint64_t encoding) {
  rig.cpu.state.regs[arch::rcx] = encoding;
  return rig.run("vmread", two_registers(arch::rax, arch::rcx));
}
/// VMWRITE rcx, rax.
Flow write_field(Rig& rig, uint64_t encoding, uint64_t value) {
  rig.cpu.state.regs[arch::rcx] = encoding;
  rig.cpu.state.regs[arch::rax] = value;
  return rig.run("vmwrite", two_registers(arch::rcx, arch::rax));
}
/// Without VMX the feature control is locked with VMX off.
constexpr arch::CpuProfile without_vmx(arch::CpuProfile profile) {
  profile.features[static_cast<size_t>(arch::CpuFeature::vmx)] = false;
  return profile;
}
constexpr arch::CpuProfile kLockedProfile = without_vmx(arch::kSkylakeSp);

/// Operands of the right kind for any of the instructions.
Insn operands_of(std::string_view mnemonic) {
  if (mnemonic == "vmread" || mnemonic == "vmwrite") return two_registers(arch::rax, arch::rcx);
  Insn insn = Rig::memory_insn();
  if (mnemonic == "invept" || mnemonic == "invvpid") insn.op = {0, kMemory, kNoOperand};
  return insn;
}
uint64_t encoding(Field field) { return static_cast<uint64_t>(field); }

void use_32_bit_code(Rig& rig) {
  rig.cpu.state.efer = 0;
  rig.cpu.state.cr0 &= ~arch::cr0::pg;
  rig.cpu.state.segments[arch::cs].rights = {0xC09B};
  rig.cpu.context_changed();
}

}  // namespace

TEST_CASE("VMXON is #UD without CR4.VMXE and outside protected or 64-bit mode", "[vmx]") {
  Rig rig;
  rig.cpu.state.cr4 &= ~arch::cr4::vmxe;
  REQUIRE(rig.run_on("vmxon", kVmxon) == Flow::fault);
  REQUIRE(rig.cpu.pending_fault() == kUndefinedOpcode);

  Rig compatibility;
  compatibility.cpu.state.segments[arch::cs].rights = {0xC09B};
  compatibility.cpu.context_changed();
  REQUIRE(compatibility.run_on("vmxon", kVmxon) == Flow::fault);
  REQUIRE(compatibility.cpu.pending_fault() == kUndefinedOpcode);
}

TEST_CASE("VMXON is #GP with unsupported CR0, at CPL 3, and without the feature control", "[vmx]") {
  Rig no_ne;
  no_ne.cpu.state.cr0 &= ~arch::cr0::ne;
  REQUIRE(no_ne.run_on("vmxon", kVmxon) == Flow::fault);
  REQUIRE(no_ne.cpu.pending_fault() == kGeneralProtection0);

  Rig user;
  user.cpu.state.cpl = 3;
  user.cpu.context_changed();
  REQUIRE(user.run_on("vmxon", kVmxon) == Flow::fault);
  REQUIRE(user.cpu.pending_fault() == kGeneralProtection0);

  Rig locked{kLockedProfile};
  REQUIRE(locked.run_on("vmxon", kVmxon) == Flow::fault);
  REQUIRE(locked.cpu.pending_fault() == kGeneralProtection0);
}

TEST_CASE("VMXON fails for a bad pointer or revision and enters root operation once", "[vmx]") {
  Rig rig;
  rig.run_on("vmxon", kVmxon + 8);
  REQUIRE(rig.failed_invalid());
  rig.run_on("vmxon", uint64_t{1} << 46);
  REQUIRE(rig.failed_invalid());
  rig.poke<uint32_t>(kVmcsB, 1);
  rig.run_on("vmxon", kVmcsB);
  REQUIRE(rig.failed_invalid());
  rig.run_on("vmxon", kVmxon);
  REQUIRE(rig.succeeded());
  REQUIRE(rig.cpu.vmx.on);
  REQUIRE(rig.cpu.vmx.current_vmcs == kNoVmcs);
  rig.run_on("vmxon", kVmxon);
  REQUIRE(rig.failed_invalid());  // no current VMCS to take the error number
  rig.run_on("vmptrld", kVmcsA);
  rig.run_on("vmxon", kVmxon);
  REQUIRE(rig.failed_with(Error::vmxon_in_root));
}

TEST_CASE("Outside VMX operation every other VMX instruction is #UD", "[vmx]") {
  for (const char* mnemonic : {"vmxoff", "vmclear", "vmptrld", "vmptrst", "vmread", "vmwrite",
                               "vmlaunch", "vmresume", "vmcall", "vmfunc", "invept", "invvpid"}) {
    Rig rig;
    CAPTURE(mnemonic);
    REQUIRE(rig.run(mnemonic, operands_of(mnemonic)) == Flow::fault);
    REQUIRE(rig.cpu.pending_fault() == kUndefinedOpcode);
  }
}

TEST_CASE("In root operation at CPL 3 VMX instructions are #GP", "[vmx]") {
  for (const char* mnemonic : {"vmxoff", "vmclear", "vmptrld", "vmptrst", "vmread", "vmwrite",
                               "vmlaunch", "vmresume", "vmcall", "invept", "invvpid"}) {
    Rig rig;
    rig.become_root();
    rig.cpu.state.cpl = 3;
    CAPTURE(mnemonic);
    REQUIRE(rig.run(mnemonic, operands_of(mnemonic)) == Flow::fault);
    REQUIRE(rig.cpu.pending_fault() == kGeneralProtection0);
  }
}

TEST_CASE("VMCLEAR and VMPTRLD fail by number", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.run_on("vmclear", kVmcsB + 1);
  REQUIRE(rig.failed_with(Error::vmclear_invalid_address));
  rig.run_on("vmclear", kVmxon);
  REQUIRE(rig.failed_with(Error::vmclear_vmxon_pointer));
  rig.run_on("vmptrld", uint64_t{1} << 46);
  REQUIRE(rig.failed_with(Error::vmptrld_invalid_address));
  rig.run_on("vmptrld", kVmxon);
  REQUIRE(rig.failed_with(Error::vmptrld_vmxon_pointer));
  rig.poke<uint32_t>(kVmcsB, arch::kVmcsRevision ^ 1);
  rig.run_on("vmptrld", kVmcsB);
  REQUIRE(rig.failed_with(Error::vmptrld_incorrect_revision));
  REQUIRE(rig.cpu.vmx.current_vmcs == kVmcsA);
}

TEST_CASE("VMCS data lives in its region after VMCLEAR and comes back by VMPTRLD", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::guest_rip, 0x123456);
  rig.vmcs().launched = true;
  rig.run_on("vmptrld", kVmcsB);
  REQUIRE(rig.vmcs()[Field::guest_rip] == 0);
  rig.run_on("vmptrld", kVmcsA);
  REQUIRE(rig.vmcs()[Field::guest_rip] == 0x123456);
  REQUIRE(rig.vmcs().launched);  // only VMCLEAR changes the launch state
  rig.run_on("vmclear", kVmcsA);
  REQUIRE(rig.succeeded());
  REQUIRE(rig.cpu.vmx.current_vmcs == kNoVmcs);
  rig.run_on("vmptrld", kVmcsA);
  REQUIRE(rig.vmcs()[Field::guest_rip] == 0x123456);
  REQUIRE_FALSE(rig.vmcs().launched);
}

TEST_CASE("VMCLEAR of a VMCS that is not current clears its launch state", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.vmcs().launched = true;
  rig.run_on("vmptrld", kVmcsB);
  rig.run_on("vmclear", kVmcsA);
  REQUIRE(rig.cpu.vmx.current_vmcs == kVmcsB);
  rig.run_on("vmptrld", kVmcsA);
  REQUIRE_FALSE(rig.vmcs().launched);
}

TEST_CASE("VMPTRST stores the current pointer, all ones when there is none", "[vmx]") {
  Rig rig;
  rig.run_on("vmxon", kVmxon);
  rig.run("vmptrst", Rig::memory_insn());
  REQUIRE(rig.peek<uint64_t>(kOperand) == kNoVmcs);
  rig.run_on("vmptrld", kVmcsB);
  rig.run("vmptrst", Rig::memory_insn());
  REQUIRE(rig.peek<uint64_t>(kOperand) == kVmcsB);
}

TEST_CASE("VMREAD and VMWRITE know the width of each field", "[vmx]") {
  Rig rig;
  rig.become_root();
  for (size_t i = 0; i < arch::kFieldCount; ++i) {
    const arch::FieldEncoding e{arch::kFields[i].field};
    CAPTURE(e.value);
    if (!arch::kFieldExists[i]) {
      write_field(rig, e.value, 1);
      CHECK(rig.failed_with(Error::unsupported_field));
      read_field(rig, e.value);
      CHECK(rig.failed_with(Error::unsupported_field));
      continue;
    }
    write_field(rig, e.value, 0xFEDCBA9876543210);
    CHECK(rig.succeeded());
    read_field(rig, e.value);
    CHECK(rig.succeeded());
    CHECK(rig.cpu.state.regs[arch::rax] == (0xFEDCBA9876543210 & e.mask()));
  }
}

TEST_CASE("The high encoding reaches bits 63:32 of 64-bit fields", "[vmx]") {
  Rig rig;
  rig.become_root();
  const uint64_t high = encoding(Field::tsc_offset) | 1;
  write_field(rig, encoding(Field::tsc_offset), 0x1111111122222222);
  read_field(rig, high);
  REQUIRE(rig.cpu.state.regs[arch::rax] == 0x11111111);
  write_field(rig, high, 0xFFFFFFFF33333333);
  read_field(rig, encoding(Field::tsc_offset));
  REQUIRE(rig.cpu.state.regs[arch::rax] == 0x3333333322222222);
  read_field(rig, encoding(Field::guest_rip) | 1);
  REQUIRE(rig.failed_with(Error::unsupported_field));
}

TEST_CASE("Outside 64-bit mode VMREAD and VMWRITE move 32 bits", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::tsc_offset, 0x1111111122222222);
  use_32_bit_code(rig);
  rig.cpu.state.regs[arch::rax] = 0;
  read_field(rig, encoding(Field::tsc_offset));
  REQUIRE(rig.cpu.state.regs[arch::rax] == 0x22222222);
  write_field(rig, encoding(Field::tsc_offset), 0x5555555544444444);
  REQUIRE(rig.vmcs()[Field::tsc_offset] == 0x44444444);
  // Memory operands are 4 bytes wide.
  rig.poke<uint64_t>(kOperand, kNoVmcs);
  Insn to_memory = Rig::memory_insn();
  to_memory.op[1] = arch::rcx * 8;
  rig.run("vmread", to_memory);
  REQUIRE(rig.peek<uint64_t>(kOperand) == 0xFFFFFFFF44444444);
}

TEST_CASE("VMREAD and VMWRITE take memory operands", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.cpu.state.regs[arch::rcx] = encoding(Field::guest_rsp);
  rig.poke<uint64_t>(kOperand, 0x1234567890);
  Insn from_memory;
  from_memory.op = {arch::rcx * 8, kMemory, kNoOperand};
  from_memory.disp = static_cast<int32_t>(kOperand);
  rig.run("vmwrite", from_memory);
  REQUIRE(rig.vmcs()[Field::guest_rsp] == 0x1234567890);
  rig.poke<uint64_t>(kOperand, 0);
  Insn to_memory = Rig::memory_insn();
  to_memory.op[1] = arch::rcx * 8;
  rig.run("vmread", to_memory);
  REQUIRE(rig.peek<uint64_t>(kOperand) == 0x1234567890);
}

TEST_CASE("Without a current VMCS accesses and entries fail invalid", "[vmx]") {
  Rig rig;
  rig.run_on("vmxon", kVmxon);
  read_field(rig, encoding(Field::guest_rip));
  REQUIRE(rig.failed_invalid());
  write_field(rig, encoding(Field::guest_rip), 1);
  REQUIRE(rig.failed_invalid());
  rig.run("vmlaunch");
  REQUIRE(rig.failed_invalid());
  rig.run("vmresume");
  REQUIRE(rig.failed_invalid());
}

TEST_CASE("VMLAUNCH and VMRESUME refuse the wrong launch state, MOV SS blocking, bad fields",
          "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.run("vmresume");
  REQUIRE(rig.failed_with(Error::vmresume_not_launched));
  rig.vmcs().launched = true;
  rig.run("vmlaunch");
  REQUIRE(rig.failed_with(Error::vmlaunch_not_clear));
  rig.vmcs().launched = false;
  rig.cpu.state.mov_ss_shadow = true;
  rig.run("vmlaunch");
  REQUIRE(rig.failed_with(Error::entry_blocked_by_mov_ss));
  rig.cpu.state.mov_ss_shadow = false;
  rig.set(Field::host_tr_selector, 0);
  rig.run("vmlaunch");
  REQUIRE(rig.failed_with(Error::entry_invalid_host_state));
  rig.set(Field::cr3_target_count, 5);
  rig.run("vmlaunch");
  REQUIRE(rig.failed_with(Error::entry_invalid_controls));
  REQUIRE_FALSE(rig.vmcs().launched);
}

TEST_CASE("VMCALL in root operation fails with error 1", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.run("vmcall");
  REQUIRE(rig.failed_with(Error::vmcall_in_root));
}

TEST_CASE("A shadow VMCS can be current but not entered", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.poke<uint32_t>(kVmcsB, arch::kVmcsRevision | 0x80000000);
  rig.run_on("vmptrld", kVmcsB);
  REQUIRE(rig.succeeded());
  rig.run("vmlaunch");
  REQUIRE(rig.failed_invalid());
}

TEST_CASE("VMCS shadowing lets a guest reach the linked VMCS by bitmap", "[vmx]") {
  const auto field = encoding(Field::guest_rip);
  for (const bool intercepted : {false, true}) {
    Rig rig;
    rig.become_root();
    rig.poke<uint32_t>(kVmcsB, arch::kVmcsRevision | 0x80000000);
    rig.secondary_bits(secondary::vmcs_shadowing);
    rig.set(Field::vmcs_link_pointer, kVmcsB);
    rig.set(Field::vmread_bitmap, kBitmaps);
    rig.set(Field::vmwrite_bitmap, kBitmaps + 0x1000);
    if (intercepted) {
      rig.poke<uint8_t>(kBitmaps + field / 8, static_cast<uint8_t>(1u << (field % 8)));
      rig.poke<uint8_t>(kBitmaps + 0x1000 + field / 8, static_cast<uint8_t>(1u << (field % 8)));
    }
    rig.enter();
    REQUIRE(rig.cpu.vmx.nonroot);
    REQUIRE(write_field(rig, field, 0xABCD) == (intercepted ? Flow::exit : Flow::next));
    if (intercepted) {
      REQUIRE(rig.left_with(arch::ExitReason::vmwrite));
      rig.enter();
      REQUIRE(read_field(rig, field) == Flow::exit);
      REQUIRE(rig.left_with(arch::ExitReason::vmread));
      continue;
    }
    REQUIRE(rig.succeeded());
    read_field(rig, field);
    REQUIRE(rig.cpu.state.regs[arch::rax] == 0xABCD);
    REQUIRE(rig.vmcs()[Field::guest_rip] != 0xABCD);
    read_field(rig, 0x7FFE);  // no such field: the error goes to the shadow VMCS
    REQUIRE(rig.cpu.state.flags.arithmetic() == arch::rflags::zf);
    read_field(rig, encoding(Field::vm_instruction_error));
    REQUIRE(rig.cpu.state.regs[arch::rax] == static_cast<uint64_t>(Error::unsupported_field));
    REQUIRE(read_field(rig, 0x8000) == Flow::exit);  // beyond the bitmap
  }
}

TEST_CASE("VMFUNC 0 switches the EPTP to a valid entry of the list, else exits", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.secondary_bits(secondary::enable_ept | secondary::enable_vm_functions);
  rig.set(Field::eptp, arch::make_eptp(0x3000, false));
  rig.set(Field::vm_function_controls, 1);
  rig.set(Field::eptp_list_address, kBitmaps);
  rig.poke(kBitmaps + 8, arch::make_eptp(0x4000, false));
  rig.enter();
  REQUIRE(rig.cpu.vmx.nonroot);
  rig.cpu.state.regs[arch::rax] = 0;
  rig.cpu.state.regs[arch::rcx] = 1;
  REQUIRE(rig.run("vmfunc") == Flow::branch);
  REQUIRE(paging_eptp(rig.cpu) == arch::make_eptp(0x4000, false));
  for (const auto& [function, index] :
       {std::pair{0u, 2u}, std::pair{0u, 512u}, std::pair{1u, 1u}}) {
    rig.cpu.state.regs[arch::rax] = function;
    rig.cpu.state.regs[arch::rcx] = index;
    REQUIRE(rig.run("vmfunc") == Flow::exit);
    REQUIRE(rig.left_with(arch::ExitReason::vmfunc));
    rig.enter();
  }
  rig.cpu.state.regs[arch::rax] = 64;
  REQUIRE(rig.run("vmfunc") == Flow::fault);
}

TEST_CASE("VMFUNC is #UD in root operation and while VM functions are off", "[vmx]") {
  Rig root;
  root.become_root();
  REQUIRE(root.run("vmfunc") == Flow::fault);
  Rig guest;
  guest.become_guest();
  REQUIRE(guest.run("vmfunc") == Flow::fault);
  REQUIRE(guest.cpu.pending_fault() == kUndefinedOpcode);
}

TEST_CASE("INVEPT and INVVPID check type and descriptor", "[vmx]") {
  Rig rig;
  rig.become_root();
  Insn insn;
  insn.op = {arch::rax * 8, kMemory, kNoOperand};
  insn.disp = static_cast<int32_t>(kOperand);
  const auto run = [&](const char* mnemonic, uint64_t type, uint64_t low, uint64_t high) {
    rig.cpu.state.regs[arch::rax] = type;
    rig.poke(kOperand, low);
    rig.poke(kOperand + 8, high);
    rig.run(mnemonic, insn);
    return rig.succeeded();
  };
  const uint64_t eptp = arch::make_eptp(0x3000, false);
  REQUIRE(run("invept", 1, eptp, 0));
  REQUIRE(run("invept", 2, 0, 0));
  REQUIRE_FALSE(run("invept", 0, eptp, 0));
  REQUIRE_FALSE(run("invept", 3, eptp, 0));
  REQUIRE_FALSE(run("invept", 1, 0, 0));
  REQUIRE(rig.failed_with(Error::invalid_operand_to_invept_invvpid));
  REQUIRE(run("invvpid", 0, 5, 0x1000));
  REQUIRE(run("invvpid", 1, 5, 0));
  REQUIRE(run("invvpid", 2, 0, 0));
  REQUIRE(run("invvpid", 3, 5, 0));
  REQUIRE_FALSE(run("invvpid", 4, 5, 0));
  REQUIRE_FALSE(run("invvpid", 0, 0, 0x1000));
  REQUIRE_FALSE(run("invvpid", 0, 5, 0x0000800000000000));
  REQUIRE_FALSE(run("invvpid", 1, 0x10005, 0));
}

TEST_CASE("VMXOFF leaves VMX operation with the VMCS in memory", "[vmx]") {
  Rig rig;
  rig.become_root();
  rig.set(Field::guest_rip, 0x777);
  rig.run("vmxoff");
  REQUIRE(rig.succeeded());
  REQUIRE_FALSE(rig.cpu.vmx.on);
  rig.run_on("vmxon", kVmxon);
  rig.run_on("vmptrld", kVmcsA);
  REQUIRE(rig.vmcs()[Field::guest_rip] == 0x777);
}

TEST_CASE("In non-root operation VMX instructions exit with their operands", "[vmx]") {
  using arch::ExitReason;
  using arch::InstructionInfo;
  Rig rig;
  rig.become_guest();
  Insn insn = Rig::memory_insn();
  insn.base = arch::r10;
  insn.index = arch::rsi;
  insn.scale = 2;
  insn.segment = arch::gs;
  const uint64_t rip = rig.cpu.state.rip();
  REQUIRE(rig.run("vmptrld", insn) == Flow::exit);
  REQUIRE(rig.left_with(ExitReason::vmptrld));
  REQUIRE(rig.qualification() == kOperand);
  REQUIRE(rig.vmcs()[Field::guest_rip] == rip);
  REQUIRE(rig.vmcs()[Field::exit_instruction_length] == 3);
  const InstructionInfo info{rig.vmcs().word(Field::exit_instruction_information)};
  REQUIRE(info.base() == arch::r10);
  REQUIRE(info.index() == arch::rsi);
  REQUIRE(info.scaling() == 2);
  REQUIRE(info.segment() == arch::gs);
  REQUIRE(info.address_size() == 2);
  REQUIRE_FALSE(info.base_invalid());

  rig.enter();
  rig.run("vmread", two_registers(arch::rdx, arch::r9));
  REQUIRE(rig.left_with(ExitReason::vmread));
  const InstructionInfo registers{rig.vmcs().word(Field::exit_instruction_information)};
  REQUIRE(registers.is_register());
  REQUIRE(registers.reg1() == arch::rdx);
  REQUIRE(registers.reg2() == arch::r9);

  rig.enter();
  Insn relative = Rig::memory_insn();
  relative.base = kRipRegister;
  const uint64_t next = rig.cpu.state.rip() + 3;
  rig.run("vmclear", relative);
  REQUIRE(rig.qualification() == next + kOperand);

  for (const auto& [mnemonic, reason] :
       {std::pair{"vmcall", ExitReason::vmcall}, std::pair{"vmlaunch", ExitReason::vmlaunch},
        std::pair{"vmresume", ExitReason::vmresume}, std::pair{"vmxoff", ExitReason::vmxoff}}) {
    rig.enter();
    CAPTURE(mnemonic);
    REQUIRE(rig.run(mnemonic) == Flow::exit);
    REQUIRE(rig.left_with(reason));
  }
}
