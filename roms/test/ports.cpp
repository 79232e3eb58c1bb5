// What a parent is told of a child's string I/O, unmapped accesses and exceptions: every field of the messages.
#include <array>
#include <string_view>

#include "hv/tlfs/partition_calls.h"
#include "hv/tlfs/vp_calls.h"
#include "roms/kit/boot.h"
#include "roms/kit/hypercall.h"
#include "roms/kit/serial.h"
#include "roms/tour/child_vp.h"
#include "roms/tour/pages.h"
#include "roms/tour/synic.h"

extern "C" {
extern const char ports_image[], ports_image_end[], step_outsb[], step_insl[], step_outsw[],
    step_in[], step_apic[], step_far[], step_undefined[], step_end[];
}

namespace {

using namespace vitrine;
namespace tlfs = hv::tlfs;
using tlfs::Call;
using tlfs::IoPortIntercept;
using tlfs::MessageAccess;
using tlfs::MessageType;

constexpr std::uint64_t kPoolPages = 96;
constexpr std::uint64_t kChildPages = 32;
constexpr std::uint64_t kCode = 0x10000;
constexpr std::uint64_t kApicRegister = 0xFEE00020;
constexpr std::uint64_t kPage = 4096;
constexpr std::uint16_t kPort = 0x20;
constexpr std::uint32_t kUndefined = 6;

std::uint32_t failures;

void expect(std::string_view what, std::uint64_t is, std::uint64_t wanted) {
  if (is == wanted) return;
  ++failures;
  kit::print_line("FAIL: ", what, " is ", kit::Hex{is}, ", not ", kit::Hex{wanted});
}

void must(tlfs::HypercallResult result) {
  expect("status", static_cast<std::uint64_t>(result.status()), 0);
}

std::uint64_t address_of(const char* step) {
  return kCode + static_cast<std::uint64_t>(step - ports_image);
}

// The four gibibytes that an APIC page needs, where the child's tables map one.
void map_apic_page(std::uint64_t first_page) {
  constexpr std::uint64_t kPdpt = 2;       // pages of the child
  constexpr std::uint64_t kDirectory = 4;  // below its stack, which is not used
  constexpr std::uint64_t kTable = 3;
  constexpr std::uint64_t kLargePage = 0x83;
  tour::at_page<std::uint64_t>(first_page + kPdpt)[3] = kDirectory * kPage | kTable;
  tour::at_page<std::uint64_t>(first_page + kDirectory)[(kApicRegister >> 21) & 511] =
      (kApicRegister & ~std::uint64_t{0x1FFFFF}) | kLargePage;
}

void intercept(tlfs::PartitionId child, tlfs::InterceptType type, std::uint32_t access,
               std::uint64_t parameter) {
  const tlfs::InstallInterceptInput in{.partition = child,
                                       .access = access,
                                       .type = static_cast<std::uint32_t>(type),
                                       .parameter = parameter};
  must(kit::memory_call(Call::install_intercept, in));
}

tlfs::PartitionId make_child(std::uint64_t first_page) {
  tour::deposit(tlfs::kSelf, 1);
  tlfs::PartitionOutput output;
  must(kit::memory_call(Call::create_partition, tlfs::CreatePartitionInput{}, output));
  const tlfs::PartitionId child = output.partition;
  tour::deposit(child, kPoolPages);
  must(kit::fast_call(Call::initialize_partition, child));
  struct {
    tlfs::MapGpaInput header;
    std::array<std::uint64_t, kChildPages> pages{};
  } map;
  map.header = {child, 0, tlfs::MapGpaInput::kRights, 0};
  for (std::uint64_t i = 0; i < kChildPages; ++i) map.pages[i] = first_page + i;
  expect("mapped",
         kit::memory_call(Call::map_gpa_pages, &map, sizeof map, nullptr, 0, kChildPages).reps(),
         kChildPages);
  const tlfs::CreateVpInput vp{
      .partition = child, .vp = 0, .padding = 0, .proximity = {}, .flags = 0};
  must(kit::memory_call(Call::create_vp, vp));
  intercept(child, tlfs::InterceptType::io_port, 3, kPort);
  intercept(child, tlfs::InterceptType::exception, 4, kUndefined);
  tour::build_child_tables(first_page);
  map_apic_page(first_page);
  tour::load_program(child, 0, first_page,
                     {.begin = ports_image,
                      .end = ports_image_end,
                      .code = kCode,
                      .stack_top = kPage,
                      .r12 = 0,
                      .r13 = 0,
                      .r14 = 0});
  return child;
}

template <typename Payload>
Payload receive(MessageType type) {
  const tlfs::Message message = tour::wait_for_message();
  expect("message type", message.type, static_cast<std::uint64_t>(type));
  expect("payload size", message.payload_size, sizeof(Payload));
  Payload payload;
  __builtin_memcpy(&payload, message.payload.data(), sizeof payload);
  return payload;
}

// The bytes are those of the step; `length` of them, or 16 where the message does not know the length.
void check_bytes(const char* step, std::uint8_t count, const std::array<std::uint8_t, 16>& bytes,
                 std::uint8_t length) {
  expect("instruction bytes", count, length != 0 ? length : bytes.size());
  for (std::size_t i = 0; i < count && i < bytes.size(); ++i) {
    expect("instruction byte", bytes[i], static_cast<std::uint8_t>(step[i]));
  }
}

void check_header(const tlfs::InterceptHeader& header, const char* step, MessageAccess access,
                  std::uint8_t length) {
  constexpr std::uint16_t kLongModeKernel = 4 | 16;  // CR0.PE, EFER.LMA
  constexpr std::uint64_t kInterruptFlag = 0x200;
  expect("vp", header.vp_index, 0);
  expect("length", header.instruction_length, length);
  expect("access", static_cast<std::uint64_t>(header.access), static_cast<std::uint64_t>(access));
  expect("execution state", header.execution_state, kLongModeKernel);
  expect("cs", header.cs.selector, 8);
  expect("rip", header.rip, address_of(step));
  expect("interrupt flag", header.rflags & kInterruptFlag, 0);
}

void go_on(tlfs::PartitionId child, tlfs::InterceptHeader header, std::uint8_t length) {
  tour::Report report;
  report.intercept.header = header;
  report.intercept.header.instruction_length = length;
  tour::resume_child(child, report);
}

struct PortStep {
  std::string_view name;
  const char* step;
  MessageAccess access;
  std::uint8_t length;
  std::uint8_t information;
  std::uint64_t rcx;
  std::uint64_t rax;
};

void check_port(tlfs::PartitionId child, const PortStep& wanted) {
  const auto message = receive<IoPortIntercept>(MessageType::x64_io_port_intercept);
  check_header(message.header, wanted.step, wanted.access, wanted.length);
  check_bytes(wanted.step, message.instruction_bytes, message.bytes, wanted.length);
  expect("port", message.port, kPort);
  expect("information", message.information, wanted.information);
  expect("rcx", message.rcx, wanted.rcx);
  expect("rsi", message.rsi, 0x8000);
  expect("rdi", message.rdi, 0x9000);
  expect("rax", message.rax, wanted.rax);
  expect("ds", message.ds.selector, 0x10);
  expect("es", message.es.selector, 0x10);
  kit::print_line("seen: ", wanted.name);
  go_on(child, message.header, wanted.length);
}

void check_apic_page(tlfs::PartitionId child) {
  constexpr std::uint8_t kLoad = 3;  // its length, which the message does not know
  const auto message = receive<tlfs::MemoryIntercept>(MessageType::unmapped_gpa);
  check_header(message.header, step_apic, MessageAccess::read, 0);
  check_bytes(step_apic, message.instruction_bytes, message.bytes, 0);
  expect("gpa", message.gpa, kApicRegister);
  expect("gva", message.gva, kApicRegister);
  expect("information", message.information, tlfs::MemoryIntercept::kGvaValid);
  kit::print_line("seen: a load from the APIC page");
  go_on(child, message.header, kLoad);
}

void check_far(tlfs::PartitionId child) {
  constexpr std::uint64_t kX2apicEnabledBoot = 0xFEE00D00;
  constexpr std::uint8_t kLength = 2;
  const auto message = receive<IoPortIntercept>(MessageType::x64_io_port_intercept);
  check_header(message.header, step_far, MessageAccess::write, kLength);
  check_bytes(step_far, message.instruction_bytes, message.bytes, kLength);
  expect("information", message.information, IoPortIntercept::information_of(1, false, false));
  expect("APIC base", message.rax, kX2apicEnabledBoot);
  kit::print_line("seen: an instruction on two pages");
  go_on(child, message.header, kLength);
}

void check_exception(tlfs::PartitionId child) {
  constexpr std::uint8_t kLength = 2;
  const auto message = receive<tlfs::ExceptionIntercept>(MessageType::x64_exception_intercept);
  check_header(message.header, step_undefined, MessageAccess::execute, 0);
  check_bytes(step_undefined, message.instruction_bytes, message.bytes, 0);
  expect("vector", message.vector, kUndefined);
  expect("information", message.information, 0);
  expect("rdi", message.registers.rdi, 0x9000);
  kit::print_line("seen: an exception");
  go_on(child, message.header, kLength);
}

}  // namespace

std::uint32_t payload_main() {
  if (!kit::enable_hypercalls()) {
    kit::print_line("no hypervisor here");
    return 1;
  }
  tour::start_synic();
  const std::uint64_t first_page = tour::take_pages(kChildPages);
  const tlfs::PartitionId child = make_child(first_page);
  tour::start_vp(child, 0);
  const auto out = MessageAccess::write;
  const auto in = MessageAccess::read;
  const std::array<PortStep, 4> steps{{
      {"rep outsb", step_outsb, out, 2, IoPortIntercept::information_of(1, true, true), 5,
       0x11223344},
      {"rep insl", step_insl, in, 2, IoPortIntercept::information_of(4, true, true), 3, 0x11223344},
      {"outsw", step_outsw, out, 2, IoPortIntercept::information_of(2, true, false), 7, 0x11223344},
      {"inl", step_in, in, 1, IoPortIntercept::information_of(4, false, false), 7, 0x11223344},
  }};
  for (const PortStep& step : steps) check_port(child, step);
  check_apic_page(child);
  check_far(child);
  check_exception(child);
  kit::print_line(failures == 0 ? "PORTS PASS" : "PORTS FAIL");
  return failures == 0 ? 0 : 1;
}
