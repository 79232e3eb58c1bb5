// vitrine_accuracy: the timing model's error against a file of measured blocks, as a table and a plot.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>

#include "emu/host/files.h"
#include "frontend/options.h"
#include "frontend/timing/accuracy.h"

namespace {

using namespace vitrine;

void print(const std::string& name, const ui::Accuracy& a) {
  std::printf("| %-18s | %6zu | %7zu | %7.2f | %7.2f | %6.3f |\n", name.c_str(), a.blocks,
              a.refused, 100 * a.mean, 100 * a.median, a.tau);
}

int measure(const std::string& file, const std::string& profile, const std::string& level,
            size_t step, const std::string& plot) {
  const auto* const core = emu::timing::find_core(profile);
  if (core == nullptr) throw ui::UsageError("there is no core '" + profile + "'");
  const ui::BlockRunner runner(*core, level == "memory");
  const std::string uarch = profile == "zen4-core" ? "zen4" : "skl";
  const auto blocks = ui::measure_blocks(file, uarch, runner, step, [](size_t done) {
    if (done % 100 == 0) std::fprintf(stderr, "%zu blocks\r", done);
  });
  std::printf("%s at --timing %s against %s\n\n", profile.c_str(), level.c_str(), file.c_str());
  std::printf("| blocks             | number | refused | MAPE %% | median%% |    tau |\n");
  std::printf("|---|---|---|---|---|---|\n");
  print("all", ui::accuracy_of(blocks, [](const auto&) { return true; }));
  print("first half", ui::accuracy_of(blocks, [](const auto& b) { return !b.second_half; }));
  print("second half", ui::accuracy_of(blocks, [](const auto& b) { return b.second_half; }));
  for (size_t i = 0; i < static_cast<size_t>(ui::BlockClass::kCount); ++i) {
    const auto wanted = static_cast<ui::BlockClass>(i);
    print(std::string(to_string(wanted)),
          ui::accuracy_of(blocks, [&](const auto& b) { return b.block_class == wanted; }));
  }
  if (!plot.empty()) {
    emu::host::write_file(plot, ui::draw_accuracy(blocks, profile + " at --timing " + level));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The timing model's error against measured blocks", "vitrine_accuracy"};
  std::string file, profile = "skylake-sp", level = "core", plot;
  size_t step = 1;
  app.add_option("file", file, "CSV with the columns uarch,hex,measured cycles")->required();
  app.add_option("--profile", profile, "skylake-sp or zen4-core");
  app.add_option("--timing", level, "core or memory");
  app.add_option("--every", step, "every so many blocks")->check(CLI::PositiveNumber);
  app.add_option("--svg", plot, "write the scatter plot to this file");
  CLI11_PARSE(app, argc, argv);
  try {
    return measure(file, profile, level, step, plot);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "vitrine_accuracy: %s\n", error.what());
    return 2;
  }
}
