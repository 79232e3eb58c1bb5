// The messages that tell a parent what its child was about to do.
#include "hv/image/intercept_messages.h"

#include <array>
#include <span>

#include "hv/core/guest_access.h"
#include "hv/core/intercepts.h"
#include "hv/image/image_state.h"
#include "hv/image/processor.h"
#include "hv/image/vp_registers.h"
#include "hv/tlfs/intercepts.h"

namespace vitrine::hv {
namespace {

using tlfs::MessageAccess;

tlfs::InterceptHeader make_header(const VpContext& vp, MessageAccess access, bool has_length) {
  const arch::SegmentRights stack{read_segment(arch::ss).rights};
  const std::uint64_t cr0 = read_guest_cr0();
  constexpr std::uint64_t kBreakpointsEnabled = 0xFF;
  const bool lma = (read_vmcs(Field::guest_efer) & arch::efer::lma) != 0;
  const bool debug = (read_vmcs(Field::guest_dr7) & kBreakpointsEnabled) != 0;
  const bool pending =
      arch::InterruptionInfo{read_vmcs32(Field::entry_interruption_information)}.valid();
  const auto length = has_length ? read_vmcs(Field::exit_instruction_length) : 0;
  return {
      .vp_index = vp.core->index,
      .instruction_length = static_cast<std::uint8_t>(length),
      .access = access,
      .execution_state = tlfs::ExecutionState::make(stack.dpl(), (cr0 & arch::cr0::pe) != 0,
                                                    (cr0 & arch::cr0::am) != 0, lma, debug, pending)
                             .word,
      .cs = tlfs_segment(arch::cs),
      .rip = read_vmcs(Field::guest_rip),
      .rflags = read_vmcs(Field::guest_rflags)};
}

// TLFS "Intercept Message Fields": the instruction as the guest's memory has it; as many bytes as it is
// long where the processor says so, else up to 16 from its beginning.
struct InstructionBytes {
  std::array<std::uint8_t, 16> bytes{};
  std::uint8_t count{};
};

InstructionBytes read_instruction(const VpContext& vp, std::uint64_t length) {
  InstructionBytes instruction;
  const std::size_t most = instruction.bytes.size();
  const bool code64 = (read_vmcs(Field::guest_efer) & arch::efer::lma) != 0 &&
                      arch::SegmentRights{read_segment(arch::cs).rights}.long_mode();
  const GuestPaging paging{.cr0 = read_guest_cr0(),
                           .cr3 = read_vmcs(Field::guest_cr3),
                           .cr4 = read_guest_cr4(),
                           .efer = read_vmcs(Field::guest_efer),
                           .user = arch::SegmentRights{read_segment(arch::ss).rights}.dpl() == 3};
  const std::uint64_t rip = read_vmcs(Field::guest_rip);
  const std::uint64_t linear = code64 ? rip : (read_segment(arch::cs).base + rip) & 0xFFFFFFFF;
  const std::size_t wanted = length != 0 && length < most ? length : most;
  instruction.count = fetch_instruction(hypervisor, partition_of(hypervisor, *vp.core), paging,
                                        linear, std::span(instruction.bytes).first(wanted));
  return instruction;
}

tlfs::InterceptRegisters make_registers(const VpContext& vp) {
  const auto& gpr = vp.registers.gpr;
  tlfs::InterceptRegisters r{.rax = gpr[arch::rax],
                             .rcx = gpr[arch::rcx],
                             .rdx = gpr[arch::rdx],
                             .rbx = gpr[arch::rbx],
                             .rsp = read_vmcs(Field::guest_rsp),
                             .rbp = gpr[arch::rbp],
                             .rsi = gpr[arch::rsi],
                             .rdi = gpr[arch::rdi],
                             .r8_to_r15 = {}};
  for (unsigned i = 0; i < 8; ++i) r.r8_to_r15[i] = gpr[arch::r8 + i];
  return r;
}

template <typename Payload>
void send(const VpContext& vp, tlfs::MessageType type, const Payload& payload) {
  raise_intercept(hypervisor, this_processor().index, *vp.core, type,
                  std::as_bytes(std::span{&payload, 1}));
}

}  // namespace

void send_io_intercept(VpContext& vp, const arch::IoAccess& access) {
  const auto direction = access.in() ? MessageAccess::read : MessageAccess::write;
  const InstructionBytes instruction =
      read_instruction(vp, read_vmcs(Field::exit_instruction_length));
  const tlfs::IoPortIntercept payload{.header = make_header(vp, direction, true),
                                      .port = access.port(),
                                      .information = tlfs::IoPortIntercept::information_of(
                                          access.size(), access.string(), access.rep()),
                                      .instruction_bytes = instruction.count,
                                      .reserved = 0,
                                      .rax = vp.gpr(arch::rax),
                                      .bytes = instruction.bytes,
                                      .ds = tlfs_segment(arch::ds),
                                      .es = tlfs_segment(arch::es),
                                      .rcx = vp.gpr(arch::rcx),
                                      .rsi = vp.gpr(arch::rsi),
                                      .rdi = vp.gpr(arch::rdi)};
  send(vp, tlfs::MessageType::x64_io_port_intercept, payload);
}

void send_msr_intercept(VpContext& vp, std::uint32_t index, bool write) {
  const tlfs::MsrIntercept payload{
      .header = make_header(vp, write ? MessageAccess::write : MessageAccess::read, true),
      .number = index,
      .reserved = 0,
      .rdx = vp.gpr(arch::rdx),
      .rax = vp.gpr(arch::rax)};
  send(vp, tlfs::MessageType::x64_msr_intercept, payload);
}

void send_cpuid_intercept(VpContext& vp, const CpuidResult& standard) {
  const tlfs::CpuidIntercept payload{.header = make_header(vp, MessageAccess::execute, true),
                                     .rax = vp.gpr(arch::rax),
                                     .rcx = vp.gpr(arch::rcx),
                                     .rdx = vp.gpr(arch::rdx),
                                     .rbx = vp.gpr(arch::rbx),
                                     .default_rax = standard.eax,
                                     .default_rcx = standard.ecx,
                                     .default_rdx = standard.edx,
                                     .default_rbx = standard.ebx};
  send(vp, tlfs::MessageType::x64_cpuid_intercept, payload);
}

void send_exception_intercept(VpContext& vp) {
  const arch::InterruptionInfo event{read_vmcs32(Field::exit_interruption_information)};
  constexpr auto kPageFault = static_cast<std::uint8_t>(arch::Vector::page_fault);
  const bool page_fault = event.vector() == kPageFault;
  const InstructionBytes instruction = read_instruction(vp, 0);
  const tlfs::ExceptionIntercept payload{
      .header = make_header(vp, MessageAccess::execute, false),
      .vector = event.vector(),
      .information =
          event.error_code_valid() ? tlfs::ExceptionIntercept::kErrorCodeValid : std::uint8_t{0},
      .instruction_bytes = instruction.count,
      .error_code = read_vmcs32(Field::exit_interruption_error_code),
      .parameter = page_fault ? read_vmcs(Field::exit_qualification) : 0,
      .reserved = 0,
      .bytes = instruction.bytes,
      .ds = tlfs_segment(arch::ds),
      .ss = tlfs_segment(arch::ss),
      .registers = make_registers(vp)};
  send(vp, tlfs::MessageType::x64_exception_intercept, payload);
}

void send_memory_intercept(VpContext& vp, tlfs::MessageType type) {
  const std::uint64_t qualification = read_vmcs(Field::exit_qualification);
  const bool fetch = (qualification & arch::ept_violation::fetch) != 0;
  const bool write = (qualification & arch::ept_violation::write) != 0;
  const bool linear = (qualification & arch::ept_violation::linear_valid) != 0;
  const auto access = fetch   ? MessageAccess::execute
                      : write ? MessageAccess::write
                              : MessageAccess::read;
  // There is nothing to read where the instruction itself could not be fetched.
  const InstructionBytes instruction = fetch ? InstructionBytes{} : read_instruction(vp, 0);
  constexpr std::uint32_t kWriteBack = 6;
  const tlfs::MemoryIntercept payload{
      .header = make_header(vp, access, false),
      .cache_type = kWriteBack,
      .instruction_bytes = instruction.count,
      .information = linear ? tlfs::MemoryIntercept::kGvaValid : std::uint8_t{0},
      .reserved = 0,
      .gva = linear ? read_vmcs(Field::guest_linear_address) : 0,
      .gpa = read_vmcs(Field::guest_physical_address),
      .bytes = instruction.bytes,
      .ds = tlfs_segment(arch::ds),
      .ss = tlfs_segment(arch::ss),
      .registers = make_registers(vp)};
  send(vp, type, payload);
}

void send_header_only(VpContext& vp, tlfs::MessageType type) {
  send(vp, type, make_header(vp, MessageAccess::execute, false));
}

void send_invalid_register_value(VpContext& vp) {
  send(vp, tlfs::MessageType::invalid_vp_register_value,
       tlfs::VpIntercept{.vp_index = vp.core->index, .reserved = 0});
}

}  // namespace vitrine::hv
