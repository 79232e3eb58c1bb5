// Timeline: events as text.
#include "frontend/record/timeline.h"

#include <algorithm>
#include <cstdio>

#include "hv/tlfs/call_codes.h"
#include "hv/tlfs/status.h"

namespace vitrine::ui {

namespace {

constexpr size_t kCycleWidth = 15;
constexpr size_t kShownPhases = 8;
/// Of a long series of attempts the first few and the last are shown in full.
constexpr size_t kFirstAttempts = 3;

std::string pad_left(const std::string& text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string pad_right(const std::string& text, size_t width) {
  return text.size() < width ? text + std::string(width - text.size(), ' ') : text;
}

std::string hex(uint64_t value) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

std::string status_text(uint16_t status) {
  return std::string(hv::tlfs::status_name(static_cast<hv::tlfs::Status>(status)));
}

std::string line_head(const Place& place) {
  return pad_left(grouped(place.cycle.value), kCycleWidth) + "  cpu" +
         std::to_string(place.processor) + "  ";
}

/// The largest phases, the rest added up so that the sum stays exact.
std::vector<Phase> largest(const std::vector<Phase>& phases) {
  if (phases.size() <= kShownPhases) return phases;
  std::vector<size_t> order(phases.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return phases[a].cycles > phases[b].cycles; });
  order.resize(kShownPhases - 1);
  std::sort(order.begin(), order.end());
  std::vector<Phase> shown;
  Phase rest{"other functions", 0, 0};
  size_t next = 0;
  for (size_t i = 0; i < phases.size(); ++i) {
    if (next < order.size() && order[next] == i) {
      shown.push_back(phases[i]);
      ++next;
    } else {
      rest.cycles += phases[i].cycles;
      rest.instructions += phases[i].instructions;
    }
  }
  shown.insert(shown.end() - 1, rest);
  return shown;
}

}  // namespace

std::string grouped(uint64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string_view hypercall_name(uint16_t code) {
  const auto* const row = hv::tlfs::find_call(code);
  return row == nullptr ? "unknown call" : row->name;
}

std::string transition_line(const Transition& t) {
  std::string what;
  std::string pool;
  if (t.object == Transition::Object::partition) {
    what = "partition " + std::to_string(t.id);
    pool = "pool " + std::to_string(t.pool_pages) + " (" + std::to_string(t.pool_available) +
           " free)";
  } else {
    what = "eventlog " + std::to_string(t.id >> 32) + " buffer " +
           std::to_string(static_cast<uint32_t>(t.id));
  }
  return line_head(t.place) + pad_right(what, 20) + pad_right(t.from + " -> " + t.to, 28) +
         pad_right(pool, 22) + t.place.symbol;
}

std::string hypercall_line(const HypercallEvent& call) {
  std::string out = line_head(call.place) + pad_right(call.caller, 6) + hex(call.code()) + " " +
                    pad_right(std::string(hypercall_name(call.code())), 32) + "(" +
                    hex(call.first) + ", " + hex(call.second) + ") ";
  out += call.finished ? status_text(call.status()) : "unfinished";
  if (call.reps() != 0) out += ", " + std::to_string(call.reps()) + " reps";
  if (call.attempts.size() > 1) out += ", " + std::to_string(call.attempts.size()) + " attempts";
  return out + ", " + grouped(call.cycles()) + " cycles";
}

namespace {

std::string attempt_text(const Attempt& attempt, size_t number) {
  std::string out = "  attempt " + std::to_string(number) + " at cycle " +
                    grouped(attempt.begin.value) + ": " + grouped(attempt.end - attempt.begin) +
                    " cycles\n";
  for (const Phase& phase : largest(attempt.phases)) {
    out += "    " + pad_right(phase.name, 30) + pad_left(grouped(phase.cycles), 10) + " cycles";
    if (phase.instructions != 0) out += ", " + grouped(phase.instructions) + " instructions";
    out += "\n";
  }
  return out;
}

/// What happened between two attempts: the cycles, and the interrupts the caller took.
std::string between_text(const HypercallEvent& call, const Attempt& before, const Attempt& after) {
  std::string out = "  between" + pad_left(grouped(after.begin - before.end), 36) + " cycles";
  for (const InterruptEvent& event : call.interrupts) {
    if (event.cycle < before.end || event.cycle > after.begin) continue;
    out += "; interrupt " + hex(event.vector) + " at cycle " + grouped(event.cycle.value) +
           " with RIP " + hex(event.interrupted_rip) +
           (event.interrupted_rip == call.place.rip ? ", on the VMCALL" : "");
  }
  return out + "\n";
}

}  // namespace

std::string waterfall(const HypercallEvent& call) {
  std::string out = std::string(hypercall_name(call.code())) + ": " +
                    std::to_string(call.attempts.size()) + " attempts, " +
                    grouped(call.cycles()) + " cycles, " +
                    (call.finished ? status_text(call.status()) : "unfinished") + "\n";
  uint64_t sum = 0;
  uint64_t hidden = 0;
  const size_t count = call.attempts.size();
  for (size_t i = 0; i < count; ++i) {
    const Attempt& attempt = call.attempts[i];
    uint64_t cycles = attempt.end - attempt.begin;
    const bool shown = i < kFirstAttempts || i + 1 == count || count <= kFirstAttempts + 2;
    if (i != 0) {
      const uint64_t gap = attempt.begin - call.attempts[i - 1].end;
      if (shown && hidden == 0) out += between_text(call, call.attempts[i - 1], attempt);
      cycles += gap;
    }
    sum += cycles;
    if (!shown) {
      hidden += cycles;
      continue;
    }
    if (hidden != 0) {
      const uint64_t gap = attempt.begin - call.attempts[i - 1].end;
      out += "  attempts " + std::to_string(kFirstAttempts + 1) + " to " + std::to_string(i) +
             " and what lies between" + pad_left(grouped(hidden + gap), 12) + " cycles, " +
             std::to_string(call.interrupts.size()) + " interrupts in all\n";
      hidden = 0;
    }
    out += attempt_text(attempt, i + 1);
  }
  out += "  sum" + pad_left(grouped(sum), 40) + " cycles";
  out += sum == call.cycles() ? ", exact\n" : ", NOT the call's cycles\n";
  return out;
}

}  // namespace vitrine::ui
