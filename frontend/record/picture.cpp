// Picture: SVG written by hand, because it is a dozen rectangles and has to be reproducible.
#include "frontend/record/picture.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#include "frontend/record/timeline.h"

namespace vitrine::ui {

namespace {

constexpr uint64_t kWidth = 1200, kLeft = 130, kRight = 20;
constexpr uint64_t kLaneHeight = 20, kLaneGap = 6;
constexpr uint64_t kPlot = kWidth - kLeft - kRight;
constexpr uint64_t kLabelWidth = 200;  ///< between two labels of interrupts

constexpr std::array<std::string_view, 3> kLaneNames = {"root", "hypervisor", "child"};
constexpr std::array<std::string_view, 3> kLaneColours = {"#4c78a8", "#e4572e", "#54a24b"};

std::string_view state_colour(const std::string& state) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kColours = {{
      {"standby", "#dddddd"},     {"free", "#b7d7f0"},       {"in_use", "#f4d35e"},
      {"complete", "#ee964b"},    {"ready", "#8bc34a"},      {"uninitialized", "#dddddd"},
      {"active", "#8bc34a"},      {"finalizing", "#ee964b"}, {"finalized", "#9e9e9e"},
  }};
  for (const auto& [name, colour] : kColours) {
    if (name == state) return colour;
  }
  return "#ffffff";
}

/// A stretch of the run drawn across the plot's width. Integer arithmetic: the same on every host.
struct Window {
  uint64_t begin = 0, end = 1;

  uint64_t x(uint64_t cycle) const {
    const uint64_t clamped = std::clamp(cycle, begin, end);
    return kLeft + (clamped - begin) * kPlot / (end - begin);
  }
  bool overlaps(uint64_t from, uint64_t to) const { return from < end && to > begin; }
};

class Drawing {
 public:
  void rectangle(uint64_t x, uint64_t y, uint64_t width, uint64_t height, std::string_view fill,
                 const std::string& title) {
    body_ += "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" width=\"" +
             std::to_string(std::max<uint64_t>(width, 1)) + "\" height=\"" +
             std::to_string(height) + "\" fill=\"" + std::string(fill) + "\">";
    if (!title.empty()) body_ += "<title>" + escape(title) + "</title>";
    body_ += "</rect>\n";
  }
  void text(uint64_t x, uint64_t y, const std::string& what, std::string_view extra = "") {
    body_ += "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" " +
             std::string(extra) + ">" + escape(what) + "</text>\n";
  }
  void line(uint64_t x1, uint64_t y1, uint64_t x2, uint64_t y2, std::string_view stroke) {
    body_ += "<line x1=\"" + std::to_string(x1) + "\" y1=\"" + std::to_string(y1) + "\" x2=\"" +
             std::to_string(x2) + "\" y2=\"" + std::to_string(y2) + "\" stroke=\"" +
             std::string(stroke) + "\"/>\n";
  }
  /// A shape of path commands, e.g. many rectangles of one colour.
  void shape(const std::string& commands, std::string_view fill) {
    if (commands.empty()) return;
    body_ += "<path d=\"" + commands + "\" fill=\"" + std::string(fill) + "\"/>\n";
  }
  void path(const std::string& points, std::string_view stroke) {
    body_ += "<polyline points=\"" + points + "\" fill=\"none\" stroke=\"" + std::string(stroke) +
             "\" stroke-width=\"1.5\"/>\n";
  }
  std::string finish(uint64_t height) const {
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + std::to_string(kWidth) +
           "\" height=\"" + std::to_string(height) + "\" viewBox=\"0 0 " +
           std::to_string(kWidth) + " " + std::to_string(height) +
           "\" font-family=\"sans-serif\" font-size=\"12\">\n"
           "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" +
           body_ + "</svg>\n";
  }

 private:
  static std::string escape(const std::string& text) {
    std::string out;
    for (const char c : text) {
      if (c == '<') out += "&lt;";
      else if (c == '&') out += "&amp;";
      else out += c;
    }
    return out;
  }
  std::string body_;
};

/// The stretches of one lane as one shape; those that touch or share pixels are one rectangle.
class LaneShape {
 public:
  explicit LaneShape(uint64_t top) : top_(top) {}

  void add(uint64_t from, uint64_t to) {
    if (to_ != 0 && from <= to_) {
      to_ = std::max(to_, to);
      return;
    }
    close();
    from_ = from;
    to_ = to;
  }
  std::string finish() {
    close();
    return commands_;
  }

 private:
  void close() {
    if (to_ == 0) return;
    commands_ += "M" + std::to_string(from_) + " " + std::to_string(top_) + "H" +
                 std::to_string(to_) + "v" + std::to_string(kLaneHeight) + "H" +
                 std::to_string(from_) + "z";
  }
  uint64_t top_, from_ = 0, to_ = 0;
  std::string commands_;
};

/// Mode lanes of one processor.
void draw_lanes(Drawing& d, const Recorder& recorder, uint32_t processor, const Window& w,
                uint64_t end, uint64_t y) {
  std::vector<LaneShape> shapes;
  for (size_t lane = 0; lane < kLaneNames.size(); ++lane) {
    const uint64_t top = y + lane * (kLaneHeight + kLaneGap);
    d.text(8, top + 14, "cpu" + std::to_string(processor) + " " + std::string(kLaneNames[lane]));
    shapes.emplace_back(top);
  }
  Lane current = Lane::root;
  uint64_t since = 0;
  const auto stretch = [&](uint64_t until) {
    if (until <= since || !w.overlaps(since, until)) return;
    const uint64_t from = w.x(since);
    shapes[static_cast<size_t>(current)].add(from, std::max(w.x(until), from + 1));
  };
  for (const LaneChange& change : recorder.lanes()) {
    if (change.processor != processor) continue;
    stretch(change.cycle.value);
    current = change.lane;
    since = change.cycle.value;
  }
  stretch(end);
  for (size_t lane = 0; lane < shapes.size(); ++lane) {
    d.shape(shapes[lane].finish(), kLaneColours[lane]);
  }
}

/// State bands: one row per object that there is in the window, coloured by state.
uint64_t draw_states(Drawing& d, const Recorder& recorder, Transition::Object object,
                     const Window& w, uint64_t end, uint64_t y) {
  std::map<uint64_t, std::vector<const Transition*>> rows;
  for (const Transition& t : recorder.transitions()) {
    if (t.object == object) rows[t.id].push_back(&t);
  }
  const auto ends = [&](const std::vector<const Transition*>& changes, size_t i) {
    return i + 1 < changes.size() ? changes[i + 1]->place.cycle.value : end;
  };
  const auto shows = [&](const std::vector<const Transition*>& changes, size_t i) {
    return changes[i]->to != "absent" && w.overlaps(changes[i]->place.cycle.value, ends(changes, i));
  };
  for (const auto& [id, changes] : rows) {
    bool any = false;
    for (size_t i = 0; i < changes.size(); ++i) any = any || shows(changes, i);
    if (!any) continue;
    const std::string label = object == Transition::Object::partition
                                  ? "partition " + std::to_string(id)
                                  : "log " + std::to_string(id >> 32) + " buffer " +
                                        std::to_string(static_cast<uint32_t>(id));
    d.text(8, y + 13, label);
    for (size_t i = 0; i < changes.size(); ++i) {
      const uint64_t from = changes[i]->place.cycle.value;
      const uint64_t to = ends(changes, i);
      if (!shows(changes, i)) continue;
      const uint64_t width = w.x(to) - w.x(from);
      d.rectangle(w.x(from), y, width, 16, state_colour(changes[i]->to),
                  label + " " + changes[i]->to + " at cycle " + grouped(from) + ", " +
                      changes[i]->place.symbol);
      if (width > 60) d.text(w.x(from) + 4, y + 12, changes[i]->to, "font-size=\"10\"");
    }
    y += 20;
  }
  return y;
}

/// Unused pages in each pool over time.
uint64_t draw_pools(Drawing& d, const Recorder& recorder, const Window& w, uint64_t end,
                    uint64_t y) {
  std::map<uint64_t, std::vector<const PoolSample*>> pools;
  uint64_t most = 1;
  for (const PoolSample& s : recorder.pool_samples()) {
    if (s.partition == 1) continue;  // the root's pool is the hypervisor's own
    pools[s.partition].push_back(&s);
    most = std::max(most, s.pages);
  }
  if (pools.empty()) return y;
  constexpr uint64_t kHeight = 90;
  d.text(8, y + 14, "pool pages");
  d.text(8, y + 28, "(free / all)", "font-size=\"10\" fill=\"#666666\"");
  d.line(kLeft, y + kHeight, kWidth - kRight, y + kHeight, "#999999");
  d.text(kLeft - 30, y + 10, std::to_string(most), "font-size=\"10\" fill=\"#666666\"");
  for (const auto& [id, samples] : pools) {
    std::string available, all;
    uint64_t last_x = ~uint64_t{0};
    uint64_t last_free = 0, last_all = 0;
    const auto point = [&](uint64_t cycle, uint64_t free, uint64_t pages) {
      const uint64_t x = w.x(cycle);
      if (x == last_x && free == last_free && pages == last_all) return;
      const auto height = [&](uint64_t v) { return std::to_string(y + kHeight - v * kHeight / most); };
      if (!available.empty()) {
        available += std::to_string(x) + "," + height(last_free) + " ";
        all += std::to_string(x) + "," + height(last_all) + " ";
      }
      available += std::to_string(x) + "," + height(free) + " ";
      all += std::to_string(x) + "," + height(pages) + " ";
      last_x = x;
      last_free = free;
      last_all = pages;
    };
    uint64_t drawn_x = ~uint64_t{0};
    for (size_t i = 0; i < samples.size(); ++i) {
      const uint64_t x = w.x(samples[i]->cycle.value);
      const bool last_of_pixel =
          i + 1 == samples.size() || w.x(samples[i + 1]->cycle.value) != x;
      if (x == drawn_x && !last_of_pixel) continue;
      point(samples[i]->cycle.value, samples[i]->available, samples[i]->pages);
      drawn_x = x;
    }
    point(end, last_free, last_all);
    d.path(all, "#bbbbbb");
    d.path(available, "#4c78a8");
  }
  return y + kHeight + 14;
}

void draw_marks(Drawing& d, const HypercallEvent& call, const Window& w, uint64_t top,
                uint64_t bottom) {
  uint64_t labelled_to = 0;
  for (const InterruptEvent& event : call.interrupts) {
    const uint64_t x = w.x(event.cycle.value);
    d.line(x, top, x, bottom, "#b000b0");
    if (x < labelled_to) continue;
    d.text(x + 3, top - 1, "interrupt", "font-size=\"10\" fill=\"#b000b0\"");
    labelled_to = x + kLabelWidth;
  }
  for (const Attempt& attempt : call.attempts) {
    const uint64_t x1 = w.x(attempt.begin.value);
    const uint64_t x2 = w.x(attempt.end.value);
    d.rectangle(x1, bottom + 2, x2 - x1, 5, "#e4572e",
                "attempt of " + grouped(attempt.end - attempt.begin) + " cycles");
  }
}

const HypercallEvent* longest_continued(const Recorder& recorder) {
  const HypercallEvent* best = nullptr;
  for (const HypercallEvent& call : recorder.hypercalls()) {
    const bool longer = best == nullptr || call.attempts.size() > best->attempts.size();
    if (call.attempts.size() > 1 && longer) best = &call;
  }
  return best;
}

uint64_t draw_window(Drawing& d, const Recorder& recorder, const Window& w, uint64_t end,
                     uint64_t y, const std::string& title, const HypercallEvent* marked) {
  d.text(8, y + 14, title, "font-weight=\"bold\"");
  d.text(kLeft, y + 32, "cycle " + grouped(w.begin), "font-size=\"10\" fill=\"#666666\"");
  d.text(kWidth - kRight, y + 32, "cycle " + grouped(w.end),
         "font-size=\"10\" fill=\"#666666\" text-anchor=\"end\"");
  y += 42;
  const uint64_t top = y;
  std::map<uint32_t, bool> processors;
  for (const LaneChange& change : recorder.lanes()) processors[change.processor] = true;
  for (const auto& [processor, used] : processors) {
    draw_lanes(d, recorder, processor, w, end, y);
    y += 3 * (kLaneHeight + kLaneGap) + 4;
  }
  if (marked != nullptr) {
    draw_marks(d, *marked, w, top, y);
    y += 12;
  }
  y = draw_states(d, recorder, Transition::Object::partition, w, end, y + 4);
  y = draw_states(d, recorder, Transition::Object::buffer, w, end, y);
  return draw_pools(d, recorder, w, end, y + 6) + 10;
}

}  // namespace

std::string draw_run(const Recorder& recorder, emu::Cycle end, const std::string& caption) {
  Drawing d;
  d.text(8, 20, caption, "font-size=\"15\" font-weight=\"bold\"");
  uint64_t first = 0;
  if (!recorder.lanes().empty()) first = recorder.lanes().front().cycle.value;
  const Window whole{first, std::max(end.value, first + 1)};
  uint64_t y = draw_window(d, recorder, whole, end.value, 32, "the whole run", nullptr);
  if (const HypercallEvent* call = longest_continued(recorder)) {
    const uint64_t begin = call->attempts.front().begin.value;
    const uint64_t length = std::max<uint64_t>(call->cycles(), 100);
    const Window close{begin - std::min(begin, length / 20), begin + length + length / 20};
    y = draw_window(d, recorder, close, end.value, y,
                    std::string(hypercall_name(call->code())) + ", " +
                        std::to_string(call->attempts.size()) + " attempts, " +
                        grouped(call->cycles()) + " cycles",
                    call);
  }
  return d.finish(y);
}

}  // namespace vitrine::ui
