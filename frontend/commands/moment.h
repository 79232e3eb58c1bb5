// Moment: an image run silently to a condition, for commands that look at the machine there.
#pragma once

#include "frontend/record/conditions.h"
#include "frontend/record/recorder.h"
#include "frontend/session.h"

namespace vitrine::ui {

class Moment {
 public:
  /// Throws what Session throws. Nothing is read from the terminal, nothing printed.
  explicit Moment(RunOptions options);

  /// Runs to --until, --max-cycles or the end. When --until never held, says so on stderr and answers
  /// a code other than success: what is there is then the end of the run.
  ExitCode run();
  /// The same to another condition first.
  ExitCode run_to(const std::string& condition);

  Session& session() { return session_; }
  Recorder& recorder() { return recorder_; }

 private:
  Session session_;
  Recorder recorder_;
};

}  // namespace vitrine::ui
