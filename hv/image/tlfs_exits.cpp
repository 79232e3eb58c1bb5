// Exits that the hypervisor core answers: hypercalls, synthetic MSRs, CPUID leaves, intercepts.
#include "hv/image/tlfs_exits.h"

#include "hv/core/gpa_space.h"
#include "hv/core/intercepts.h"
#include "hv/image/console.h"
#include "hv/image/image_state.h"
#include "hv/image/intercept_messages.h"
#include "hv/image/processor.h"
#include "hv/tlfs/msrs.h"

namespace vitrine::hv {
namespace {

using tlfs::InterceptAccess;
using tlfs::InterceptType;

std::uint32_t processor_index() { return this_processor().index; }

// The hypervisor uses no vector register, so a guest's XMM0-5 are where the guest left them.
void read_xmm(HypercallFrame& frame) {
  asm volatile(
      "movups %%xmm0, 0(%0); movups %%xmm1, 16(%0); movups %%xmm2, 32(%0);"
      "movups %%xmm3, 48(%0); movups %%xmm4, 64(%0); movups %%xmm5, 80(%0)"
      :
      : "r"(frame.xmm.data())
      : "memory");
}
void write_xmm(const HypercallFrame& frame) {
  asm volatile(
      "movups 0(%0), %%xmm0; movups 16(%0), %%xmm1; movups 32(%0), %%xmm2;"
      "movups 48(%0), %%xmm3; movups 64(%0), %%xmm4; movups 80(%0), %%xmm5"
      :
      : "r"(frame.xmm.data())
      : "memory");
}

HypercallFrame make_frame(const VpContext& vp) {
  const auto& gpr = vp.registers.gpr;
  const arch::SegmentRights code{read_segment(arch::cs).rights};
  const arch::SegmentRights stack{read_segment(arch::ss).rights};
  const bool long_mode_active = (read_vmcs(Field::guest_efer) & arch::efer::lma) != 0;
  const bool v8086 = (read_vmcs(Field::guest_rflags) & arch::rflags::vm) != 0;
  return {.rax = gpr[arch::rax],
          .rbx = gpr[arch::rbx],
          .rcx = gpr[arch::rcx],
          .rdx = gpr[arch::rdx],
          .rsi = gpr[arch::rsi],
          .rdi = gpr[arch::rdi],
          .r8 = gpr[arch::r8],
          .xmm = {},
          .rip = read_vmcs(Field::guest_rip),
          .long_mode = long_mode_active && code.long_mode(),
          .protected_mode = (read_guest_cr0() & arch::cr0::pe) != 0 && !v8086,
          .cpl = static_cast<std::uint8_t>(stack.dpl()),
          .xmm_written = false};
}

void take_result(VpContext& vp, const HypercallFrame& frame) {
  vp.registers.gpr[arch::rax] = frame.rax;
  vp.registers.gpr[arch::rcx] = frame.rcx;
  vp.registers.gpr[arch::rdx] = frame.rdx;
  if (frame.xmm_written) write_xmm(frame);
}

// TLFS "I/O port accesses" of a partition without an intercept: writes go nowhere, reads see all
// ones.
void answer_open_port(VpContext& vp, const arch::IoAccess& access) {
  if (access.string()) {
    // Differs: nothing is stored for INS, as there is no device behind any port of a child.
    const std::uint64_t count = access.rep() ? vp.gpr(arch::rcx) : 1;
    const unsigned pointer = access.in() ? arch::rdi : arch::rsi;
    const bool down = (read_vmcs(Field::guest_rflags) & arch::rflags::df) != 0;
    const std::uint64_t distance = count * access.size();
    vp.set_gpr(pointer, down ? vp.gpr(pointer) - distance : vp.gpr(pointer) + distance);
    if (access.rep()) vp.set_gpr(arch::rcx, 0);
  } else if (access.in()) {
    const std::uint64_t mask = access.size() == 4 ? 0xFFFFFFFF : (1ULL << (8 * access.size())) - 1;
    const std::uint64_t old = access.size() == 4 ? 0 : vp.gpr(arch::rax) & ~mask;
    vp.set_gpr(arch::rax, old | mask);
  }
  skip_instruction();
}

bool msr_intercepted(VpContext& vp, std::uint32_t index, InterceptAccess access) {
  if (vp.is_root) return false;
  const Partition& partition = partition_of(hypervisor, *vp.core);
  if (!wants_intercept(hypervisor, partition, InterceptType::msr, 0, access)) return false;
  send_msr_intercept(vp, index, access == InterceptAccess::write);
  return true;
}

}  // namespace

void on_vmcall(VpContext& vp) {
  HypercallFrame frame = make_frame(vp);
  if (hypercall_uses_xmm(frame)) read_xmm(frame);
  switch (dispatch(hypervisor, processor_index(), *vp.core, frame)) {
    case HypercallExit::completed:
      take_result(vp, frame);
      skip_instruction();
      return;
    case HypercallExit::again: take_result(vp, frame); return;
    case HypercallExit::undefined_opcode: raise(vp, arch::Vector::invalid_opcode); return;
  }
}

void on_io_instruction(VpContext& vp) {
  const arch::IoAccess access{read_vmcs(Field::exit_qualification)};
  // The one port of the root that exits; any other use of it than a 32-bit write meets an open bus.
  if (vp.is_root && !access.in() && !access.string() && access.port() == TestDevice::kPort &&
      access.size() == 4) {
    write_test_device(hypervisor, processor_index(), vp.low(arch::rax));
    return skip_instruction();
  }
  const Partition& partition = partition_of(hypervisor, *vp.core);
  const auto wanted = access.in() ? InterceptAccess::read : InterceptAccess::write;
  if (wants_intercept(hypervisor, partition, InterceptType::io_port, access.port(), wanted)) {
    return send_io_intercept(vp, access);
  }
  answer_open_port(vp, access);
}

void on_ept_violation(VpContext& vp) {
  const std::uint64_t gpa = read_vmcs(Field::guest_physical_address);
  if (vp.is_root) {
    // TLFS "Access rule on a guest access": the root has no parent to ask, it gets #MC.
    say("the root touched ", Hex{gpa}, " at rip ", Hex{read_vmcs(Field::guest_rip)});
    return raise(vp, arch::Vector::machine_check);
  }
  const Partition& partition = partition_of(hypervisor, *vp.core);
  const bool mapped = lookup(hypervisor, partition, gpa / tlfs::kPageSize).mapped();
  send_memory_intercept(
      vp, mapped ? tlfs::MessageType::gpa_intercept : tlfs::MessageType::unmapped_gpa);
}

bool cpuid_intercepted(VpContext& vp, const CpuidResult& standard) {
  if (vp.is_root) return false;
  const Partition& partition = partition_of(hypervisor, *vp.core);
  const std::uint32_t leaf = vp.low(arch::rax);
  if (!wants_intercept(hypervisor, partition, InterceptType::cpuid, leaf,
                       InterceptAccess::execute)) {
    return false;
  }
  send_cpuid_intercept(vp, standard);
  return true;
}

bool exception_intercepted(VpContext& vp) {
  if (vp.is_root) return false;
  send_exception_intercept(vp);
  return true;
}

CpuidResult hypervisor_cpuid(const VpContext& vp, std::uint32_t leaf) {
  const tlfs::CpuidLeaf r = hypervisor_leaf(hypervisor, *vp.core, leaf);
  return {r.eax, r.ebx, r.ecx, r.edx};
}

bool hypervisor_read_msr(VpContext& vp, std::uint32_t index, std::uint64_t& value) {
  const bool known = index <= tlfs::kLastMsr;
  return known && read_synthetic_msr(hypervisor, processor_index(), *vp.core, index, value) ==
                      MsrResult::done;
}

bool hypervisor_write_msr(VpContext& vp, std::uint32_t index, std::uint64_t value) {
  const bool known = index <= tlfs::kLastMsr;
  return known && write_synthetic_msr(hypervisor, processor_index(), *vp.core, index, value) ==
                      MsrResult::done;
}

bool msr_read_intercepted(VpContext& vp, std::uint32_t index) {
  return msr_intercepted(vp, index, InterceptAccess::read);
}

bool msr_write_intercepted(VpContext& vp, std::uint32_t index) {
  return msr_intercepted(vp, index, InterceptAccess::write);
}

void unrecoverable_exception(VpContext& vp) {
  send_header_only(vp, tlfs::MessageType::unrecoverable_exception);
}

void invalid_register_value(VpContext& vp) { send_invalid_register_value(vp); }

}  // namespace vitrine::hv
