// Exits whose answer is the hypervisor core's: every hypercall code is unknown until the core is
// linked in.
#include "hv/image/tlfs_exits.h"
#include "hv/image/console.h"
#include "hv/image/processor.h"
namespace vitrine::hv {
void on_vmcall(VpContext& vp) {
  vp.registers.gpr[arch::rax] = 2;
  skip_instruction();
}
void on_io_instruction(VpContext&) { stop("I/O exit"); }
void on_ept_violation(VpContext&) {
  say("rip ", Hex{read_vmcs(Field::guest_rip)}, " qualification ",
      Hex{read_vmcs(Field::exit_qualification)}, " gpa ",
      Hex{read_vmcs(Field::guest_physical_address)});
  stop("EPT violation");
}
CpuidResult hypervisor_cpuid(const VpContext&, std::uint32_t leaf) {
  return leaf == 0x40000000 ? CpuidResult{0x40000005, 0x7263694D, 0x666F736F, 0x76482074}
                            : CpuidResult{};
}
bool hypervisor_read_msr(VpContext&, std::uint32_t, std::uint64_t&) { return false; }
bool hypervisor_write_msr(VpContext&, std::uint32_t, std::uint64_t) { return false; }
bool other_read_msr(VpContext&, std::uint32_t, std::uint64_t&) { return false; }
bool other_write_msr(VpContext&, std::uint32_t, std::uint64_t) { return false; }
void unrecoverable_exception(VpContext&) { stop("unrecoverable"); }
}  // namespace vitrine::hv
