// The event queue: an array kept in order of (due time, sequence), fired from the front.
#include "emu/devices/event_queue.h"

#include <algorithm>
#include <cstring>

namespace vitrine::emu {

namespace {

/// An event as it stands in a snapshot.
struct Record {
  uint64_t when;
  uint64_t sequence;
  uint64_t data;
  uint32_t target;
  uint32_t kind;
};
static_assert(sizeof(Record) == 32);

}  // namespace

EventTargetId EventQueue::add_target(EventTarget& target) {
  targets_.push_back(&target);
  return static_cast<EventTargetId>(targets_.size() - 1);
}

void EventQueue::schedule(Cycle when, EventTargetId target, uint32_t kind, uint64_t data) {
  if (when == kNever) return;
  if (horizon_ != nullptr && when < *horizon_) *horizon_ = when;
  const Event event{when, next_sequence_++, target, kind, data};
  const auto later = [&](const Event& other) { return other.when > when; };
  events_.insert(std::find_if(events_.begin(), events_.end(), later), event);
}

void EventQueue::cancel(EventTargetId target, uint32_t kind) {
  std::erase_if(events_,
                [&](const Event& event) { return event.target == target && event.kind == kind; });
}

void EventQueue::run_until(Cycle now) {
  seen_ = std::max(seen_, now);
  while (!events_.empty() && events_.front().when <= now) {
    const Event event = events_.front();
    events_.erase(events_.begin());
    targets_[event.target]->fire(event.kind, event.data, event.when);
  }
}

void EventQueue::visit(StateVisitor& v) {
  v.enter("events");
  v.field("next_sequence", next_sequence_);
  std::vector<std::byte> image(events_.size() * sizeof(Record));
  for (size_t i = 0; i < events_.size(); ++i) {
    const Event& e = events_[i];
    const Record record{e.when.value, e.sequence, e.data, e.target, e.kind};
    std::memcpy(image.data() + i * sizeof(Record), &record, sizeof(Record));
  }
  v.blob("pending", image);
  if (v.loading()) {
    events_.clear();
    for (size_t at = 0; at + sizeof(Record) <= image.size(); at += sizeof(Record)) {
      Record record{};
      std::memcpy(&record, image.data() + at, sizeof(Record));
      // A snapshot is input: an event for nobody is dropped, the order is made anew.
      if (record.target >= targets_.size()) continue;
      events_.push_back(
          {Cycle{record.when}, record.sequence, record.target, record.kind, record.data});
    }
    std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) {
      return a.when != b.when ? a.when < b.when : a.sequence < b.sequence;
    });
  }
  v.leave();
}

}  // namespace vitrine::emu
