// Conditions: answers the terms of expressions from a running machine and its recorder.
#pragma once

#include <map>
#include <string>

#include "frontend/expression/expression.h"
#include "frontend/record/recorder.h"
#include "frontend/session.h"

namespace vitrine::ui {

/// Evaluates one expression whenever something it watches has happened, and stops the machine in
/// front of the next instruction when it holds.
class StopCondition final : public TermSource {
 public:
  /// Throws ExpressionError. `recorder` outlives this.
  StopCondition(const std::string& text, Session& session, Recorder& recorder);
  ~StopCondition() override;

  bool reached() const { return reached_; }
  /// Runs to the end of the machine, to `until`, or until the condition holds.
  emu::StopReason run(emu::Cycle until);

  uint64_t value(Term term, const TermArguments& arguments) override;

 private:
  class EveryInstruction;
  void look();

  Session& session_;
  Recorder& recorder_;
  Expression expression_;
  std::string serial_tail_;
  std::map<uint16_t, uint16_t> last_status_;
  // True only while the moment they name is being looked at.
  int64_t entered_call_ = -1, left_call_ = -1, exit_reason_ = -1, vector_ = -1, exception_ = -1;
  bool entry_ = false;
  bool reached_ = false;
};

}  // namespace vitrine::ui
