// Session: construction from options, and the loop that serves the terminal between slices of time.
#include "frontend/session.h"

#include <algorithm>
#include <cstdio>

#include "emu/host/files.h"
#include "emu/host/terminal.h"

namespace vitrine::ui {

namespace {

/// What the exit port reports when the guest wrote 0: (value << 1) | 1.
constexpr uint32_t kGuestSuccess = 1;

/// Guest cycles between two looks at the terminal: 5 ms of guest time.
constexpr uint64_t kSlice = 10'000'000;

/// A guest that does less than this in a slice waits for somebody to type. The host then waits as long as
/// the slice lasts, so that an idle shell neither burns a processor nor ages by hours.
constexpr uint64_t kIdleInstructions = kSlice / 100;
constexpr int kIdleMs = 5;

}  // namespace

void SerialCapture::output(emu::OutputPort port, std::span<const uint8_t> bytes, emu::Cycle now) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (port == emu::OutputPort::console) {
    console_text_ += text;
    if (on_console_text) on_console_text(text);
  }
  if (port != emu::OutputPort::serial) return;
  text_ += text;
  if (on_text) on_text(text, now);
}

Session::Session(const RunOptions& options)
    : options_(options), plan_(plan_boot(options)), disks_(options.disks) {
  options_.machine.disks = disks_.configs();
  if (!options.firmware.empty()) options_.machine.firmware = plan_.request.image;
  if (const auto why = emu::config_error(options_.machine); !why.empty()) throw UsageError(why);
  machine_ = std::make_unique<emu::Machine>(options_.machine);
  const bool wanted = options_.machine.engine != emu::EngineKind::interpreter &&
                      options_.machine.timing == "count";
  if (wanted && machine_->engine() == nullptr) {
    if (options_.machine.engine == emu::EngineKind::jit) {
      throw UsageError("there is no JIT for this host; --engine interpreter runs everywhere");
    }
    std::fprintf(stderr, "vitrine: no JIT for this host; the interpreter runs\n");
  }
  machine_->set_output(&serial_);
  if (options.firmware.empty()) machine_->boot(plan_.request);
  if (!options.replay.empty()) {
    const auto bytes = emu::host::read_file(options.replay);
    std::string why;
    const auto log = emu::InputLog::parse(
        {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, why);
    if (!log) throw UsageError("'" + options.replay + "' is not a recording: " + why);
    machine_->schedule_input(*log);
  }
  const bool reads = options.serial == "stdio" || options.console == "stdio";
  interactive_ = reads && options.replay.empty();
}

emu::StopReason Session::run(emu::Cycle until) {
  if (!interactive_) return machine_->run({.until = until});
  emu::host::RawTerminal terminal;
  for (;;) {
    const bool idle_end = terminal.ended();
    const emu::Cycle slice_end = std::min(until, machine_->now() + kSlice);
    const uint64_t before = machine_->instructions();
    const emu::StopReason reason = machine_->run({.until = slice_end});
    const bool waiting = reason == emu::StopReason::deadlock;
    const bool idle = machine_->instructions() - before < kIdleInstructions;
    if (reason != emu::StopReason::cycle_limit && !waiting) return reason;
    if (waiting && idle_end) return reason;
    if (!waiting && machine_->now() >= until) return reason;
    const auto typed = terminal.poll(waiting ? 100 : idle ? kIdleMs : 0);
    const bool to_console = options_.console == "stdio";
    const auto port = to_console ? emu::InputPort::console : emu::InputPort::serial;
    if (!typed.empty()) machine_->input(port, typed);
  }
}

ExitCode exit_code_of(emu::StopReason reason, uint32_t guest_code) {
  switch (reason) {
    case emu::StopReason::power_off: return ExitCode::success;
    case emu::StopReason::guest_exit:
      return guest_code == kGuestSuccess ? ExitCode::success : ExitCode::assertion_failed;
    case emu::StopReason::observer: return ExitCode::success;
    case emu::StopReason::reset: return ExitCode::success;
    case emu::StopReason::cycle_limit:
    case emu::StopReason::instruction_limit: return ExitCode::budget_exceeded;
    case emu::StopReason::triple_fault:
    case emu::StopReason::deadlock: return ExitCode::guest_crash;
  }
  return ExitCode::guest_crash;
}

}  // namespace vitrine::ui
