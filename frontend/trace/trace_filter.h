// TraceFilter: an expression, or plain text, asked of one event of a trace after the other.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "frontend/expression/expression.h"
#include "frontend/trace/trace_format.h"

namespace vitrine::ui {

/// A pattern that parses as an expression and mentions a term is one: states of partitions and buffers
/// are then followed from event to event. Any other pattern is text that the line must contain.
class TraceFilter final : public TermSource {
 public:
  explicit TraceFilter(const std::string& pattern);

  /// Ask in the order of the file.
  bool matches(const TraceEvent& event);
  uint64_t value(Term term, const TermArguments& arguments) override;

 private:
  void follow(const TraceEvent& event);
  bool is_call(std::string_view kind, uint64_t code) const;

  std::string text_;
  std::optional<Expression> expression_;
  const TraceEvent* event_ = nullptr;
  std::map<uint64_t, uint64_t> partitions_, pools_, buffers_, statuses_;
};

}  // namespace vitrine::ui
