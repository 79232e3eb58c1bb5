// The child's first virtual processor as its parent sees it.
#include "roms/tour/child_vp.h"

#include <array>
#include <span>

#include "hv/tlfs/vp_calls.h"
#include "hv/tlfs/vp_registers.h"
#include "roms/kit/hypercall.h"
#include "roms/tour/pages.h"
#include "roms/tour/synic.h"

extern "C" const char child_image[], child_image_end[];

namespace vitrine::tour {
namespace {

using tlfs::Call;

// Where things are in the child's memory, as roms/child/child.S has them.
constexpr std::uint64_t kPml4 = 0x1000;
constexpr std::uint64_t kPdpt = 0x2000;
constexpr std::uint64_t kDirectory = 0x3000;
constexpr std::uint64_t kStackTop = 0x5000;
constexpr std::uint64_t kCounter = 0x8000;
constexpr std::uint64_t kCode = 0x10000;
constexpr std::uint16_t kReportPort = 0x10;

// HV_REGISTER_NAME.
namespace reg {
constexpr std::uint32_t explicit_suspend = 0x00000000;
constexpr std::uint32_t intercept_suspend = 0x00000001;
constexpr std::uint32_t internal_activity = 0x00000004;
constexpr std::uint32_t rbx = 0x00020003;
constexpr std::uint32_t rsp = 0x00020004;
constexpr std::uint32_t r12 = 0x0002000C;
constexpr std::uint32_t r13 = 0x0002000D;
constexpr std::uint32_t r14 = 0x0002000E;
constexpr std::uint32_t rip = 0x00020010;
constexpr std::uint32_t rflags = 0x00020011;
constexpr std::uint32_t cr0 = 0x00040000;
constexpr std::uint32_t cr3 = 0x00040002;
constexpr std::uint32_t cr4 = 0x00040003;
constexpr std::uint32_t es = 0x00060000;
constexpr std::uint32_t cs = 0x00060001;
constexpr std::uint32_t ss = 0x00060002;
constexpr std::uint32_t ds = 0x00060003;
constexpr std::uint32_t efer = 0x00080001;
}  // namespace reg

struct Assignment {
  std::uint32_t name;
  tlfs::U128 value;
};

tlfs::HypercallResult set_registers(tlfs::PartitionId child, tlfs::VpIndex vp,
                                    std::span<const Assignment> list) {
  struct {
    tlfs::VpInput header;
    std::array<tlfs::RegisterAssignment, 24> list{};
  } input;
  input.header = {child, vp, 0};
  for (std::size_t i = 0; i < list.size(); ++i) {
    input.list[i].name = list[i].name;
    input.list[i].value = list[i].value;
  }
  const auto reps = static_cast<std::uint32_t>(list.size());
  return kit::memory_call(Call::set_vp_registers, &input, sizeof input, nullptr, 0, reps);
}

std::uint64_t get_register(tlfs::PartitionId child, std::uint32_t name) {
  struct {
    tlfs::VpInput header;
    tlfs::RegisterName name;
    std::uint32_t padding{};
  } input{{child, 0, 0}, {name}};
  tlfs::U128 value;
  const auto result =
      kit::memory_call(Call::get_vp_registers, &input, sizeof input, &value, sizeof value, 1);
  return result.status() == tlfs::Status::success ? value.low : 0;
}

tlfs::U128 segment(std::uint16_t selector, std::uint16_t attributes) {
  const tlfs::SegmentRegister value{0, 0xFFFFFFFF, selector, attributes};
  tlfs::U128 word;
  __builtin_memcpy(&word, &value, sizeof word);
  return word;
}

}  // namespace

void build_child_tables(std::uint64_t first_page) {
  constexpr std::uint64_t kTable = 3;         // present, writable
  constexpr std::uint64_t kLargePage = 0x83;  // and 2 MiB
  constexpr std::uint64_t kLargeSize = 0x200000;
  auto* const memory = at_page<char>(first_page);
  const auto word = [memory](std::uint64_t address) {
    return reinterpret_cast<std::uint64_t*>(memory + address);
  };
  *word(kPml4) = kPdpt | kTable;
  *word(kPdpt) = kDirectory | kTable;
  for (std::uint64_t i = 0; i < 512; ++i) word(kDirectory)[i] = (i * kLargeSize) | kLargePage;
}

void load_program(tlfs::PartitionId child, tlfs::VpIndex vp, std::uint64_t first_page,
                  const Program& program) {
  __builtin_memcpy(at_page<char>(first_page) + program.code, program.begin,
                   static_cast<std::size_t>(program.end - program.begin));
  constexpr std::uint64_t kCr0 = 0x80000033;  // PG, NE, ET, MP, PE
  constexpr std::uint64_t kCr4 = 0x620;       // OSXMMEXCPT, OSFXSR, PAE
  constexpr std::uint64_t kEfer = 0x500;      // LMA, LME
  constexpr std::uint16_t kCodeAttributes = 0xA09B;
  constexpr std::uint16_t kDataAttributes = 0xC093;
  const std::array<Assignment, 14> state{{{reg::cr3, {kPml4, 0}},
                                          {reg::cr4, {kCr4, 0}},
                                          {reg::efer, {kEfer, 0}},
                                          {reg::cr0, {kCr0, 0}},
                                          {reg::cs, segment(0x08, kCodeAttributes)},
                                          {reg::ds, segment(0x10, kDataAttributes)},
                                          {reg::es, segment(0x10, kDataAttributes)},
                                          {reg::ss, segment(0x10, kDataAttributes)},
                                          {reg::rsp, {program.stack_top, 0}},
                                          {reg::rflags, {2, 0}},
                                          {reg::r12, {program.r12, 0}},
                                          {reg::r13, {program.r13, 0}},
                                          {reg::r14, {program.r14, 0}},
                                          {reg::rip, {program.code, 0}}}};
  set_registers(child, vp, state);
}

void load_child(tlfs::PartitionId child, std::uint64_t first_page) {
  build_child_tables(first_page);
  load_program(child, 0, first_page,
               {.begin = child_image,
                .end = child_image_end,
                .code = kCode,
                .stack_top = kStackTop,
                .r12 = 0,
                .r13 = 0,
                .r14 = child});
}

void start_vp(tlfs::PartitionId child, tlfs::VpIndex vp) {
  const std::array<Assignment, 2> go{
      {{reg::internal_activity, {0, 0}}, {reg::explicit_suspend, {0, 0}}}};
  set_registers(child, vp, go);
}

tlfs::HypercallResult suspend_vp(tlfs::PartitionId child, tlfs::VpIndex vp) {
  const std::array<Assignment, 1> stop{{{reg::explicit_suspend, {1, 0}}}};
  return set_registers(child, vp, stop);
}

Report wait_for_report(tlfs::PartitionId child) {
  const tlfs::Message message = wait_for_message();
  Report report;
  __builtin_memcpy(&report.intercept, message.payload.data(), sizeof report.intercept);
  report.arrived =
      message.type == static_cast<std::uint32_t>(tlfs::MessageType::x64_io_port_intercept) &&
      message.sender == child && report.intercept.port == kReportPort &&
      report.intercept.header.vp_index == 0;
  if (!report.arrived) return report;
  report.step = static_cast<std::uint32_t>(report.intercept.rax & 0xFF);
  report.result = get_register(child, reg::rbx);
  return report;
}

void resume_child(tlfs::PartitionId child, const Report& report) {
  const tlfs::InterceptHeader& header = report.intercept.header;
  const std::array<Assignment, 2> on{
      {{reg::rip, {header.rip + header.instruction_length, 0}}, {reg::intercept_suspend, {0, 0}}}};
  set_registers(child, 0, on);
}

std::uint64_t child_counter(std::uint64_t first_page) {
  return *reinterpret_cast<volatile std::uint64_t*>(at_page<char>(first_page) + kCounter);
}

}  // namespace vitrine::tour
