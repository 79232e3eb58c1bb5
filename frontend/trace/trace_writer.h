// TraceWriter: writes the events of a run as they happen.
#pragma once

#include <fstream>
#include <string>

#include "frontend/images.h"
#include "frontend/record/recorder.h"
#include "frontend/trace/trace_format.h"

namespace vitrine::ui {

class TraceWriter {
 public:
  /// Throws UsageError when the file cannot be written.
  TraceWriter(const std::string& path, const emu::MachineConfig& config, const BootPlan& plan);

  void write(const TraceEvent& event) { out_ << trace_line(event) << '\n'; }
  /// Every callback of the recorder also writes an event; what was connected before is still called.
  void follow(Recorder& recorder, emu::Machine& machine);
  /// The last line: how the run ended.
  void end(emu::Machine& machine, std::string_view reason, uint64_t state_hash);

 private:
  std::ofstream out_;
};

}  // namespace vitrine::ui
