// Session: a machine with its images loaded, its serial line connected and its input kept.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "emu/machine/machine.h"
#include "frontend/disks.h"
#include "frontend/exit_codes.h"
#include "frontend/images.h"
#include "frontend/options.h"

namespace vitrine::ui {

/// Serial text as it was printed; `on_text` sees it as it comes. The virtio console likewise.
class SerialCapture final : public emu::OutputReceiver {
 public:
  void output(emu::OutputPort port, std::span<const uint8_t> bytes, emu::Cycle now) override;
  const std::string& text() const { return text_; }
  const std::string& console_text() const { return console_text_; }

  std::function<void(std::string_view, emu::Cycle)> on_text;
  std::function<void(std::string_view)> on_console_text;

 private:
  std::string text_;
  std::string console_text_;
};

class Session {
 public:
  /// Throws UsageError, HostError or BootError.
  explicit Session(const RunOptions& options);

  emu::Machine& machine() { return *machine_; }
  const BootPlan& plan() const { return plan_; }
  SerialCapture& serial() { return serial_; }
  const RunOptions& options() const { return options_; }
  /// Writes what the guest wrote to disks that say `commit`; answers the bytes written.
  uint64_t commit_disks() { return disks_.commit(*machine_); }

  /// Runs to the end or to `until`, feeding standard input to the guest when a line is on it (the
  /// console before the serial line) and nothing is replayed.
  emu::StopReason run(emu::Cycle until);

 private:
  RunOptions options_;
  BootPlan plan_;
  DiskFiles disks_;
  std::unique_ptr<emu::Machine> machine_;
  SerialCapture serial_;
  bool interactive_ = false;
};

/// How a finished run ends the program: power-off and a 0 written to the exit port are success.
ExitCode exit_code_of(emu::StopReason reason, uint32_t guest_code);

}  // namespace vitrine::ui
