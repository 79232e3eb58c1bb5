// The rows of each suite, from the order of the groups in the table.
#include "tests/silicon/coverage.h"

#include <array>

#include "emu/cpu/instruction_table.h"

namespace vitrine::test {

namespace {

struct Range {
  size_t first, count;
};

constexpr std::string_view kPrivileged = "#GP or an exit outside ring 0: unit tests and images";
constexpr std::string_view kVmx = "no VMX in a host program: unit tests, KVM and images";
constexpr std::string_view kKernel = "enters the host's kernel or needs its permission to do I/O";
constexpr std::string_view kTables = "its result depends on the host's descriptor tables";
constexpr std::string_view kTransfer = "loads CS from the host's descriptor tables";
constexpr std::string_view kIdentity = "tells of the processor, its time or chance";
constexpr std::string_view kImages =
    "its image differs between manufacturers: unit tests of the layout";

// clang-format off
constexpr auto kUntested = std::to_array<Untested>({
    {"clts", kPrivileged}, {"hlt", kPrivileged}, {"invd", kPrivileged}, {"invlpg", kPrivileged},
    {"invpcid", kPrivileged}, {"lgdt", kPrivileged}, {"lidt", kPrivileged}, {"lldt", kPrivileged},
    {"lmsw", kPrivileged}, {"ltr", kPrivileged}, {"rdmsr", kPrivileged}, {"rsm", kPrivileged},
    {"swapgs", kPrivileged}, {"sysexit", kPrivileged}, {"sysret", kPrivileged}, {"wbinvd", kPrivileged},
    {"wrmsr", kPrivileged}, {"xrstors", kPrivileged}, {"xrstors64", kPrivileged}, {"xsaves", kPrivileged},
    {"xsaves64", kPrivileged}, {"xsetbv", kPrivileged}, {"getsec", kPrivileged}, {"clac", kPrivileged},
    {"stac", kPrivileged}, {"rdpmc", kPrivileged},
    {"invept", kVmx}, {"invvpid", kVmx}, {"vmcall", kVmx}, {"vmclear", kVmx}, {"vmfunc", kVmx}, {"vmlaunch", kVmx},
    {"vmptrld", kVmx}, {"vmptrst", kVmx}, {"vmread", kVmx}, {"vmresume", kVmx}, {"vmwrite", kVmx}, {"vmxoff", kVmx},
    {"vmxon", kVmx},
    {"cli", kKernel}, {"sti", kKernel}, {"in", kKernel}, {"out", kKernel}, {"insb", kKernel}, {"insw", kKernel},
    {"insd", kKernel}, {"outsb", kKernel}, {"outsw", kKernel}, {"outsd", kKernel}, {"int", kKernel},
    {"int1", kKernel}, {"int3", kKernel}, {"into", kKernel}, {"syscall", kKernel}, {"sysenter", kKernel},
    {"arpl", kTables}, {"lar", kTables}, {"lsl", kTables}, {"verr", kTables}, {"verw", kTables}, {"sgdt", kTables},
    {"sidt", kTables}, {"sldt", kTables}, {"smsw", kTables}, {"str", kTables}, {"lds", kTables}, {"les", kTables},
    {"lfs", kTables}, {"lgs", kTables}, {"lss", kTables}, {"mov", kTables}, {"pop", kTables}, {"push", kTables},
    {"rdfsbase", kTables}, {"rdgsbase", kTables}, {"wrfsbase", kTables}, {"wrgsbase", kTables},
    {"call", kTransfer}, {"jmp", kTransfer}, {"ret", kTransfer}, {"iret", kTransfer}, {"iretd", kTransfer},
    {"iretq", kTransfer},
    {"cpuid", kIdentity}, {"rdtsc", kIdentity}, {"rdtscp", kIdentity}, {"rdpid", kIdentity}, {"rdrand", kIdentity},
    {"rdseed", kIdentity},
    {"fxrstor", kImages}, {"fxrstor64", kImages}, {"fxsave", kImages}, {"fxsave64", kImages}, {"xgetbv", kImages}, {"xrstor", kImages},
    {"xrstor64", kImages}, {"xsave", kImages}, {"xsave64", kImages}, {"xsavec", kImages}, {"xsavec64", kImages},
    {"xsaveopt", kImages}, {"xsaveopt64", kImages},
});
// clang-format on

/// Rows of the system group that the suite of AVX judges.
constexpr std::array<std::string_view, 4> kMxcsr = {"ldmxcsr", "stmxcsr", "vldmxcsr", "vstmxcsr"};

Range range_of(Suite suite) {
  const size_t integer =
      emu::integer_rows().size() + emu::control_flow_rows().size() + emu::string_rows().size();
  const size_t x87 = integer + emu::segment_rows().size() + emu::system_rows().size();
  const size_t vector = x87 + emu::x87_rows().size();
  switch (suite) {
    case Suite::integer: return {0, integer};
    case Suite::x87: return {x87, emu::x87_rows().size()};
    case Suite::vector: return {vector, emu::mmx_rows().size() + emu::sse_rows().size()};
    case Suite::avx:
      return {emu::instruction_table().size() - emu::avx_rows().size(), emu::avx_rows().size()};
  }
  return {};
}

}  // namespace

std::vector<uint16_t> rows_of(Suite suite) {
  const Range range = range_of(suite);
  std::vector<uint16_t> rows;
  for (size_t i = 0; i < range.count; ++i) rows.push_back(static_cast<uint16_t>(range.first + i));
  if (suite != Suite::avx) return rows;
  const auto table = emu::instruction_table();
  for (size_t i = 0; i < table.size(); ++i) {
    for (const auto name : kMxcsr) {
      if (table[i].mnemonic == name) rows.push_back(static_cast<uint16_t>(i));
    }
  }
  return rows;
}

std::span<const Untested> untested_rows() { return kUntested; }

}  // namespace vitrine::test
