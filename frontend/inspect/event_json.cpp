// Recorded events as JSON.
#include "frontend/inspect/event_json.h"

#include <nlohmann/json.hpp>

#include "frontend/record/timeline.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {
constexpr unsigned kWordDigits = 16;
}

nlohmann::ordered_json json(const Transition& t) {
  nlohmann::ordered_json out;
  out["cycle"] = t.place.cycle.value;
  out["processor"] = t.place.processor;
  const bool partition = t.object == Transition::Object::partition;
  out["object"] = partition ? "partition" : "eventlog_buffer";
  if (partition) {
    out["partition"] = t.id;
    out["pool_pages"] = t.pool_pages;
    out["pool_available"] = t.pool_available;
  } else {
    out["type"] = t.id >> 32;
    out["buffer"] = static_cast<uint32_t>(t.id);
  }
  out["from"] = t.from;
  out["to"] = t.to;
  out["rip"] = hex(t.place.rip, kWordDigits);
  out["symbol"] = t.place.symbol;
  return out;
}

nlohmann::ordered_json json(const HypercallEvent& call) {
  nlohmann::ordered_json out;
  out["cycle"] = call.place.cycle.value;
  out["cycles"] = call.cycles();
  out["processor"] = call.place.processor;
  out["caller"] = call.caller;
  out["partition"] = call.partition;
  out["vp"] = call.vp;
  out["code"] = call.code();
  out["name"] = std::string(hypercall_name(call.code()));
  out["status"] = call.status();
  out["reps"] = call.reps();
  out["attempts"] = call.attempts.size();
  out["interrupts_between"] = call.interrupts.size();
  out["finished"] = call.finished;
  return out;
}

}  // namespace vitrine::ui
