// Comparing outcomes and printing cases.
#include <cinttypes>
#include <cstdarg>
#include <cstdio>

#include "emu/arch/registers.h"
#include "tests/silicon/harness.h"

namespace vitrine::test {

namespace {

namespace arch = emu::arch;

constexpr uint64_t kComparedFlags = arch::rflags::arithmetic | arch::rflags::df | arch::rflags::nt |
                                    arch::rflags::ac | arch::rflags::id | arch::rflags::iopl;

void line(std::string& text, const char* format, ...) __attribute__((format(printf, 2, 3)));
void line(std::string& text, const char* format, ...) {
  std::array<char, 200> buffer;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer.data(), buffer.size(), format, arguments);
  va_end(arguments);
  text.append(buffer.data()).append("\n");
}

void compare_ends(std::string& text, const Outcome& host, const Outcome& ours) {
  const auto name = [](const Outcome& o) {
    return o.faulted ? arch::kVectorNames[static_cast<size_t>(o.fault.vector) % 22].data() : "done";
  };
  const bool same_vector =
      host.faulted == ours.faulted && (!host.faulted || host.fault.vector == ours.fault.vector);
  if (!same_vector) {
    line(text, "  ends: host %s, ours %s", name(host), name(ours));
  } else if (host.faulted && host.fault.error_code != ours.fault.error_code) {
    line(text, "  error code: host %x, ours %x", host.fault.error_code, ours.fault.error_code);
  }
  if (same_vector && host.fault_address != ours.fault_address) {
    line(text, "  CR2: host %" PRIx64 ", ours %" PRIx64, host.fault_address, ours.fault_address);
  }
}

void compare_vectors(std::string& text, const Registers& host, const Registers& ours) {
  const auto differ = [&text](const char* what, uint64_t a, uint64_t b) {
    if (a != b) line(text, "  %s: host %" PRIx64 ", ours %" PRIx64, what, a, b);
  };
  differ("fcw", host.x87.fcw, ours.x87.fcw);
  differ("fsw", host.x87.fsw, ours.x87.fsw);
  differ("tags", host.x87.valid, ours.x87.valid);
  // AMD saves the pointers only while an unmasked exception is pending.
  constexpr uint16_t kErrorSummary = 0x0080;
  if ((host.x87.fsw & ours.x87.fsw & kErrorSummary) != 0) {
    differ("fip", host.x87.fip, ours.x87.fip);
    differ("fdp", host.x87.fdp, ours.x87.fdp);
    differ("fop", host.x87.fop, ours.x87.fop);
  }
  differ("mxcsr", host.vector.mxcsr, ours.vector.mxcsr);
  for (size_t i = 0; i < 8; ++i) {
    differ("significand", host.x87.significand[i], ours.x87.significand[i]);
    differ("sign and exponent", host.x87.sign_exponent[i], ours.x87.sign_exponent[i]);
  }
  for (size_t i = 0; i < 16; ++i) {
    for (size_t j = 0; j < 4; ++j) differ("ymm", host.vector.ymm[i][j], ours.vector.ymm[i][j]);
  }
}

}  // namespace

std::string difference(const Case& c, const Outcome& host, const Outcome& ours,
                       uint64_t ignored_flags) {
  std::string text;
  compare_ends(text, host, ours);
  // In compatibility mode the upper halves are not architectural.
  const bool wide = c.size == CodeSize::bits64;
  const uint64_t mask = wide ? ~uint64_t{0} : 0xFFFFFFFF;
  for (size_t i = 0; i < (wide ? 16u : 8u); ++i) {
    const uint64_t a = host.after.gpr[i] & mask;
    const uint64_t b = ours.after.gpr[i] & mask;
    if (a == b) continue;
    line(text, "  %s: host %" PRIx64 ", ours %" PRIx64, arch::kGprNames[i].data(), a, b);
  }
  if (((host.after.rip ^ ours.after.rip) & mask) != 0) {
    line(text, "  rip: host %" PRIx64 ", ours %" PRIx64, host.after.rip, ours.after.rip);
  }
  const uint64_t compared = kComparedFlags & ~ignored_flags;
  if (((host.after.rflags ^ ours.after.rflags) & compared) != 0) {
    line(text, "  flags: host %" PRIx64 ", ours %" PRIx64, host.after.rflags & compared,
         ours.after.rflags & compared);
  }
  if (c.with_vectors) compare_vectors(text, host.after, ours.after);
  return text;
}

std::string describe(const Case& c) {
  std::string text = std::to_string(static_cast<int>(c.size) * 8) + "-bit:";
  for (size_t i = 0; i < c.length; ++i) {
    std::array<char, 4> byte;
    std::snprintf(byte.data(), byte.size(), " %02x", c.bytes[i]);
    text.append(byte.data());
  }
  text.append(c.single_step ? " (one step)\n" : "\n");
  for (size_t i = 0; i < 16; ++i) {
    line(text, "  %s %016" PRIx64, arch::kGprNames[i].data(), c.before.gpr[i]);
  }
  line(text, "  flags %" PRIx64, c.before.rflags);
  if (!c.with_vectors) return text;
  const emu::X87State& x = c.before.x87;
  line(text, "  fcw %04x fsw %04x", x.fcw, x.fsw);
  for (unsigned i = 0; i < 8; ++i) {
    const unsigned number = ((x.fsw >> 11) + i) & 7;
    const bool empty = (x.valid >> number & 1) == 0;
    line(text, "  st%u %04x:%016" PRIx64 "%s", i, x.sign_exponent[number], x.significand[number],
         empty ? " empty" : "");
  }
  return text;
}

}  // namespace vitrine::test
