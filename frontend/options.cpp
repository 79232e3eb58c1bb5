// RunOptions: the options, their checks, and sizes with units.
#include "frontend/options.h"

#include <CLI/CLI.hpp>

#include <charconv>

#include "frontend/commands/usage.h"

namespace vitrine::ui {

namespace {

constexpr uint64_t kMinJitCache = uint64_t{1} << 20;
constexpr uint64_t kMaxJitCache = uint64_t{1} << 30;

/// Seconds since 1970 of "2026-01-31T12:00:00" (UTC), by the civil-calendar formula.
int64_t parse_instant(const std::string& text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  char tail = 0;
  const int fields = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%c", &year, &month, &day,
                                 &hour, &minute, &second, &tail);
  const bool date_only = fields == 3 && text.size() == 10;
  const bool in_range = year >= 1970 && year < 2200 && month >= 1 && month <= 12 && day >= 1 &&
                        day <= 31 && hour >= 0 && hour < 24 && minute >= 0 && minute < 60 &&
                        second >= 0 && second < 60;
  if ((fields != 6 && !date_only) || !in_range) {
    throw UsageError("--rtc takes an instant like 2026-01-31T12:00:00, not '" + text + "'");
  }
  const int64_t y = month <= 2 ? year - 1 : year;
  const int64_t era = y / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  const int64_t days = era * 146097 + day_of_era - 719468;
  return ((days * 24 + hour) * 60 + minute) * 60 + second;
}

}  // namespace

uint64_t parse_size(const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  unsigned shift = 0;
  if (unit == "K" || unit == "k")
    shift = 10;
  else if (unit == "M" || unit == "m")
    shift = 20;
  else if (unit == "G" || unit == "g")
    shift = 30;
  else if (!unit.empty())
    shift = 64;
  if (error != std::errc{} || shift == 64 || value > (~uint64_t{0} >> shift)) {
    throw UsageError("'" + text + "' is not a size; give bytes, or a number with K, M or G");
  }
  return value << shift;
}

void add_run_options(CLI::App& command, RunOptions& o) {
  command.add_option("image", o.image, "tour, hello, linux, or a file to boot");
  command.add_option("--kernel", o.kernel, "kernel or payload file");
  command.add_option("--firmware", o.firmware,
                     "ROM image to reset into, at most 16 MiB; boots in place of an image");
  command.add_option("--initrd", o.initrd, "initial RAM disk");
  command.add_option("--append", o.append, "kernel command line");
  command.add_option("--module", o.modules, "boot module: 'FILE command line'; may be repeated")
      ->allow_extra_args(false);
  command.add_option("--hv", o.hypervisor, "hypervisor below the kernel: builtin, none or a file");
  command
      .add_option("--hv-option", o.hypervisor_options,
                  "word for the hypervisor, e.g. identity=root; may be repeated")
      ->allow_extra_args(false);
  command.add_option("-m,--memory", o.memory, "guest memory, e.g. 512M or 4G");
  command.add_option("--smp", o.machine.processors, "processors, 1 to 8")->check(count_error);
  command
      .add_option("--quantum", o.machine.quantum,
                  "cycles by which one processor may run ahead of the others")
      ->check(count_error);
  command.add_option("--cpu", o.machine.cpu, "processor profile: skylake-sp or max");
  command.add_option("--engine", o.engine, "auto, jit or interpreter");
  command.add_option("--jit-cache", o.jit_cache, "memory for compiled code, e.g. 64M");
  command.add_option("--timing", o.machine.timing, "timing level: count, core or memory");
  command.add_option("--profile", o.machine.core,
                     "core that the level models: skylake-sp or zen4-core");
  command
      .add_option("--max-cycles", o.max_cycles, "stop with exit code 4 after so many cycles")
      ->check(count_error);
  command.add_option("--until", o.until, "stop when this expression holds (help expressions)");
  command.add_option("--serial", o.serial, "serial line: stdio, null or a file");
  command.add_option("--console", o.console,
                     "virtio console (hvc0): stdio, null or a file; absent without it");
  command
      .add_option("--disk", o.disks,
                  "raw disk (/dev/vda…): FILE, FILE,readonly or FILE,commit; what the guest writes is "
                  "forgotten at the end unless 'commit' is given; may be repeated")
      ->allow_extra_args(false);
  command.add_option_function<std::string>(
      "--rtc", [&o](const std::string& text) { o.machine.rtc_seconds = parse_instant(text); },
      "instant of the real-time clock at reset, UTC");
  command.add_option("--seed", o.machine.seed, "seed of RDRAND and RDSEED")->check(count_error);
  command.add_option("--record", o.record, "write all input with its cycles to this file");
  command.add_option("--replay", o.replay, "take the input from such a file");
  command.add_option("--trace", o.trace, "write the events of the run to this file");
  command.add_option("--svg", o.picture, "write the picture of the run to this file");
  command.add_flag("--verify", o.verify, "run both engines side by side and stop where they differ");
  command.add_flag("--json", o.json, "print the result as JSON");
  command.add_flag("-q,--quiet", o.quiet, "no timeline, only the guest's own output");
}

void finish_options(RunOptions& o) {
  o.machine.memory_bytes = parse_size(o.memory);
  o.machine.console = !o.console.empty();
  if (const std::string why = emu::config_error(o.machine); !why.empty()) throw UsageError(why);
  if (o.engine != "auto" && o.engine != "jit" && o.engine != "interpreter") {
    throw UsageError("--engine is auto, jit or interpreter, not '" + o.engine + "'");
  }
  o.machine.engine = o.engine == "interpreter" ? emu::EngineKind::interpreter
                     : o.engine == "jit"       ? emu::EngineKind::jit
                                               : emu::EngineKind::automatic;
  if (o.engine == "jit" && o.machine.timing != "count") {
    throw UsageError("--engine jit runs at --timing count only");
  }
  o.machine.jit_cache_bytes = parse_size(o.jit_cache);
  if (o.machine.jit_cache_bytes < kMinJitCache || o.machine.jit_cache_bytes > kMaxJitCache) {
    throw UsageError("--jit-cache is 1M to 1G, not '" + o.jit_cache + "'");
  }
  if (!o.record.empty() && !o.replay.empty()) {
    throw UsageError("--record and --replay exclude each other");
  }
  if (!o.image.empty() && !o.kernel.empty()) {
    throw UsageError("give the image either by itself or with --kernel, not both");
  }
  if (!o.firmware.empty()) {
    const bool more = !o.image.empty() || !o.kernel.empty() || !o.initrd.empty() ||
                      !o.append.empty() || !o.modules.empty() || o.hypervisor != "none";
    if (more) throw UsageError("--firmware boots by itself; give no image, kernel or hypervisor");
    return;
  }
  if (o.image.empty() && o.kernel.empty()) {
    throw UsageError("nothing to boot; name an image, e.g. 'vitrine run tour'");
  }
}

}  // namespace vitrine::ui
