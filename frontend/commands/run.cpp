// `vitrine run`: boots an image, shows what it does, and ends with the result.
#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <optional>

#include "emu/host/files.h"
#include "emu/cpu/timing/level.h"
#include "frontend/commands/commands.h"
#include "frontend/inspect/event_json.h"
#include "frontend/record/conditions.h"
#include "frontend/record/picture.h"
#include "frontend/record/timeline.h"
#include "frontend/session.h"
#include "frontend/text.h"
#include "frontend/trace/trace_writer.h"

namespace vitrine::ui {

namespace {

constexpr unsigned kWordDigits = 16;

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options), session_(options), recorder_(session_.machine(), session_.plan()) {
    if (options.serial != "stdio" && options.serial != "null") open(serial_, options.serial);
    const std::string& console = options.console;
    if (!console.empty() && console != "stdio" && console != "null") open(console_, console);
    timeline_ = !options.json && !options.quiet && recorder_.knows_hypervisor();
    recorder_.measures_phases = timeline_;
    const bool draws = !options.picture.empty() || options.image == "tour";
    recorder_.keeps_events = timeline_ || options.json || draws;
    const std::string why = recorder_.why_unknown();
    if (!why.empty() && !options.quiet) std::fprintf(stderr, "vitrine: %s\n", why.c_str());
    connect();
    if (!options.trace.empty()) {
      trace_.emplace(options.trace, session_.machine().config(), session_.plan());
      trace_->follow(recorder_, session_.machine());
    }
  }

  ExitCode run() {
    const emu::Cycle end = options_.max_cycles ? emu::Cycle{*options_.max_cycles} : emu::kNever;
    bool reached = false;
    if (options_.until.empty()) {
      reason_ = session_.run(end);
    } else {
      StopCondition condition(options_.until, session_, recorder_);
      reason_ = condition.run(end);
      reached = condition.reached();
    }
    flush_serial();
    finish_files();
    report(reached);
    return reached ? ExitCode::success : exit_code_of(reason_, session_.machine().exit_code());
  }

 private:
  static void open(std::ofstream& file, const std::string& path) {
    file.open(path, std::ios::binary | std::ios::trunc);
    if (!file) throw UsageError("cannot write '" + path + "'");
  }

  void connect() {
    session_.serial().on_text = [this](std::string_view text, emu::Cycle now) {
      if (serial_.is_open()) {
        serial_ << text << std::flush;
      } else if (options_.serial == "stdio" && !options_.json) {
        print_serial(text, now);
      }
    };
    session_.serial().on_console_text = [this](std::string_view text) {
      if (console_.is_open()) {
        console_ << text << std::flush;
      } else if (options_.console == "stdio" && !options_.json) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
      }
    };
    recorder_.on_transition = [this](const Transition& t) { event(transition_line(t)); };
  }

  void event(const std::string& line) {
    if (!timeline_) return;
    flush_serial();
    std::printf("%s\n", line.c_str());
  }

  /// Plain when there is no timeline; else each line under its cycle, and as it comes, so that a shell's
  /// prompt can be answered.
  void print_serial(std::string_view text, emu::Cycle now) {
    for (const char c : text) {
      if (!timeline_) {
        std::fputc(c, stdout);
      } else if (c == '\n') {
        flush_serial();
      } else if (c != '\r') {
        if (!line_open_) std::printf("%*s  serial | ", 15, grouped(now.value).c_str());
        line_open_ = true;
        std::fputc(c, stdout);
      }
    }
    std::fflush(stdout);
  }
  void flush_serial() {
    if (line_open_) std::fputc('\n', stdout);
    line_open_ = false;
  }

  void finish_files() {
    session_.commit_disks();
    if (!options_.record.empty()) {
      emu::host::write_file(options_.record, session_.machine().input_log().text());
    }
    std::string picture = options_.picture;
    const bool tour = options_.image == "tour";
    if (picture.empty() && tour) {
      picture = (emu::host::program_folder() / "tour.svg").string();
    }
    if (picture.empty()) return;
    emu::host::write_file(
        picture, draw_run(recorder_, session_.machine().now(), "vitrine run " + options_.image));
    if (timeline_) picture_note_ = "picture: " + std::filesystem::path(picture).filename().string();
  }

  void report(bool reached) {
    emu::Machine& machine = session_.machine();
    const uint64_t hash = machine.state_hash();
    if (trace_) trace_->end(machine, stop_reason_name(reason_), hash);
    if (options_.json) {
      std::printf("%s\n", result(hash).dump(2).c_str());
      return;
    }
    if (options_.quiet) return;
    if (timeline_) print_waterfalls();
    const std::string why =
        reached ? "the condition holds" : std::string(stop_reason_name(reason_));
    std::fprintf(timeline_ ? stdout : stderr, "%s at cycle %s, %s instructions\nstate_hash %s\n",
                 why.c_str(), grouped(machine.now().value).c_str(),
                 grouped(machine.instructions()).c_str(), hex(hash, kWordDigits).c_str());
    if (options_.image == "tour" && reason_ == emu::StopReason::guest_exit) {
      std::fprintf(timeline_ ? stdout : stderr, "%s\n",
                   compared_with_readme(hex(hash, kWordDigits)).c_str());
    }
    if (const std::string note = dma_note(); !note.empty()) {
      std::fprintf(timeline_ ? stdout : stderr, "%s\n", note.c_str());
    }
    if (!picture_note_.empty()) std::printf("%s\n", picture_note_.c_str());
    if (options_.image == "tour") {
      std::printf(
          "next: vitrine run tour --until 'partition(2).state -> finalizing'\n"
          "      vitrine show eventlog tour --until 'hypercall(0x68).enter'\n"
          "      vitrine explain call 0x42\n");
    }
  }

  /// The build leaves the state hash that README.md quotes beside the program.
  static std::string compared_with_readme(const std::string& hash) {
    std::ifstream file(emu::host::program_folder() / "tour.state_hash");
    std::string readme;
    if (!(file >> readme)) return "the README's state_hash is not known here";
    if (hash == readme) return "this is the README's state_hash";
    return "the README's state_hash is " + readme +
           ": it belongs to a run without options of the reference images (vitrine doctor)";
  }

  /// Transfers of devices behind a hypervisor's back; empty when there were none.
  std::string dma_note() {
    const emu::DmaLint::Report& dma = session_.machine().dma_report();
    if (dma.reads + dma.writes == 0) return "";
    return "dma: devices read " + grouped(dma.reads) + " and wrote " + grouped(dma.writes) +
           " pages that the hypervisor keeps from their driver, first " +
           hex(dma.first.value, kWordDigits) + " at cycle " + grouped(dma.first_cycle.value);
  }

  void print_waterfalls() {
    for (const HypercallEvent& call : recorder_.hypercalls()) {
      if (call.attempts.size() > 1) std::printf("\n%s", waterfall(call).c_str());
    }
    std::printf("\n");
  }

  nlohmann::ordered_json result(uint64_t hash) {
    emu::Machine& machine = session_.machine();
    nlohmann::ordered_json out;
    out["schema"] = kSchema;
    out["image"] = nlohmann::ordered_json::array();
    for (const LoadedImage& image : session_.plan().images) {
      out["image"].push_back(
          {{"role", image.role}, {"name", image.name}, {"sha256", image.sha256}});
    }
    out["engine"] = machine.engine() != nullptr ? "jit" : "interpreter";
    out["timing"] = options_.machine.timing;
    out["timing_version"] = emu::timing::level_version(options_.machine.timing);
    out["instructions"] = machine.instructions();
    out["cycles"] = machine.now().value;
    out["state_hash"] = hex(hash, kWordDigits);
    out["exit"] = {{"reason", std::string(stop_reason_name(reason_))},
                   {"guest_code", machine.exit_code()}};
    out["unknown_msrs"] = nlohmann::ordered_json::array();
    for (uint32_t i = 0; i < machine.processors(); ++i) {
      for (const auto& [number, count] : machine.cpu(i).unknown_msrs()) {
        out["unknown_msrs"].push_back({{"processor", i}, {"msr", hex(number, 8)}, {"count", count}});
      }
    }
    const emu::DmaLint::Report& dma = machine.dma_report();
    out["dma_behind_hypervisor"] = {{"reads", dma.reads},
                                    {"writes", dma.writes},
                                    {"first", hex(dma.first.value, kWordDigits)},
                                    {"first_cycle", dma.first_cycle.value}};
    out["hypercalls"] = nlohmann::ordered_json::array();
    for (const HypercallEvent& call : recorder_.hypercalls()) {
      out["hypercalls"].push_back(json(call));
    }
    out["transitions"] = nlohmann::ordered_json::array();
    for (const Transition& t : recorder_.transitions()) {
      out["transitions"].push_back(json(t));
    }
    return out;
  }

  const RunOptions& options_;
  Session session_;
  Recorder recorder_;
  std::optional<TraceWriter> trace_;
  std::ofstream serial_;
  std::ofstream console_;
  bool timeline_ = false;
  bool line_open_ = false;
  std::string picture_note_;
  emu::StopReason reason_{};
};

}  // namespace

ExitCode run_command(const RunOptions& options) { return Run(options).run(); }

}  // namespace vitrine::ui
