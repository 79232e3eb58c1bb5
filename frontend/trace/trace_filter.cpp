// TraceFilter: answering the terms of an expression from the fields of events.
#include "frontend/trace/trace_filter.h"

#include "frontend/text.h"

namespace vitrine::ui {

namespace {

uint64_t number_of(const TraceEvent& event, std::string_view name) {
  return parse_number(event.field(name)).value_or(0);
}

uint64_t state_of(std::string_view name) {
  for (const NamedValue& row : kPartitionAndBufferStates) {
    if (row.name == name) return row.value;
  }
  return kAbsentState;
}

uint64_t buffer_key(uint64_t type, uint64_t index) { return type << 32 | index; }

uint64_t lookup(const std::map<uint64_t, uint64_t>& map, uint64_t key, uint64_t absent) {
  const auto found = map.find(key);
  return found == map.end() ? absent : found->second;
}

}  // namespace

TraceFilter::TraceFilter(const std::string& pattern) : text_(pattern) {
  try {
    Expression expression = Expression::parse(pattern);
    if (!expression.terms().empty()) expression_ = std::move(expression);
  } catch (const ExpressionError&) {
    // Then it is text.
  }
}

bool TraceFilter::matches(const TraceEvent& event) {
  if (!expression_) return trace_line(event).find(text_) != std::string::npos;
  event_ = &event;
  follow(event);
  const bool holds = expression_->holds(*this);
  event_ = nullptr;
  return holds;
}

void TraceFilter::follow(const TraceEvent& event) {
  if (event.kind == "partition") {
    partitions_[number_of(event, "id")] = state_of(event.field("to"));
    pools_[number_of(event, "id")] = number_of(event, "pool");
  } else if (event.kind == "buffer") {
    const uint64_t key = buffer_key(number_of(event, "type"), number_of(event, "index"));
    buffers_[key] = state_of(event.field("to"));
  } else if (event.kind == "hypercall.leave") {
    statuses_[number_of(event, "code")] = number_of(event, "result") & 0xFFFF;
  }
}

bool TraceFilter::is_call(std::string_view kind, uint64_t code) const {
  return event_->kind == kind && number_of(*event_, "code") == code;
}

uint64_t TraceFilter::value(Term term, const TermArguments& a) {
  const bool vector = number_of(*event_, "vector") == a.numbers[0];
  switch (term) {
    case Term::cycle: return event_->cycle;
    case Term::instructions: return number_of(*event_, "instructions");
    case Term::processor: return event_->processor;
    case Term::rip: return number_of(*event_, "rip");
    case Term::hypercall_enter: return is_call("hypercall.enter", a.numbers[0]);
    case Term::hypercall_leave: return is_call("hypercall.leave", a.numbers[0]);
    case Term::hypercall_status: return lookup(statuses_, a.numbers[0], 0xFFFF);
    case Term::partition_state: return lookup(partitions_, a.numbers[0], kAbsentState);
    case Term::partition_pool: return lookup(pools_, a.numbers[0], 0);
    case Term::eventlog_buffer_state:
      return lookup(buffers_, buffer_key(a.numbers[0], a.numbers[1]), kAbsentState);
    case Term::exit: return event_->kind == "exit" && event_->field("reason") == a.texts[0];
    case Term::interrupt: return event_->kind == "interrupt" && vector;
    case Term::exception: return event_->kind == "exception" && vector;
    // What a trace does not hold.
    case Term::symbol:
    case Term::reg:
    case Term::serial:
    case Term::entry:
    case Term::memory: return 0;
  }
  return 0;
}

}  // namespace vitrine::ui
