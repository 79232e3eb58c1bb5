// `vitrine time-blocks`: known blocks, bad rows, and the error against measured blocks.
#include <catch2/catch.hpp>

#include <fstream>
#include <string>

#include "frontend/timing/accuracy.h"
#include "tests/frontend/program.h"
#include "tests/skip.h"

using namespace vitrine;

namespace {

double cycles(const std::string& hex) {
  const auto time = ui::BlockRunner(emu::timing::skylake_core(), false).run(ui::parse_hex(hex));
  CHECK(time.error.empty());
  return time.cycles;
}

std::string error(const std::string& hex) {
  return ui::BlockRunner(emu::timing::skylake_core(), false).run(ui::parse_hex(hex)).error;
}

ui::Accuracy accuracy(const std::string& file, const std::string& uarch, const std::string& core,
                      size_t step) {
  const ui::BlockRunner runner(*emu::timing::find_core(core), false);
  const auto blocks = ui::measure_blocks(file, uarch, runner, step);
  return ui::accuracy_of(blocks, [](const auto&) { return true; });
}

}  // namespace

TEST_CASE("blocks with known answers take their cycles", "[blocks]") {
  CHECK(cycles("4801d8") == Approx(1.0).epsilon(0.02));        // add rax, rbx
  CHECK(cycles("480fafc3") == Approx(3.0).epsilon(0.02));      // imul rax, rbx
  CHECK(cycles("488b00") == Approx(4.0).epsilon(0.02));        // mov rax, [rax]
  CHECK(cycles("90") == Approx(0.25).epsilon(0.02));           // nop
  CHECK(cycles("488903488b03") == Approx(4.0).epsilon(0.05));  // mov [rbx], rax; mov rax, [rbx]
}

TEST_CASE("a block that walks maps the pages it comes to", "[blocks]") {
  CHECK(cycles("488b034881c300100000") > 0);  // mov rax, [rbx]; add rbx, 4096
}

TEST_CASE("a block that cannot be measured says why", "[blocks]") {
  CHECK(error("0f").find("whole instructions") != std::string::npos);
  CHECK(error("31c9f7f1").find("exception 0") != std::string::npos);      // xor ecx, ecx; div ecx
  CHECK(error("f4").find("exception 13") != std::string::npos);           // hlt
  CHECK(error("48890500000000").find("may not") != std::string::npos);    // writes into its code
}

TEST_CASE("the command answers a row for a row", "[blocks]") {
  const test::TemporaryFolder folder("time_blocks");
  std::ofstream(folder / "blocks.csv") << "uarch,hex,measured\nskl,4801d8,1.0\nskl,zz,1\nskl,0f,1\n";
  const auto result = test::run_vitrine({"time-blocks", (folder / "blocks.csv").string()});
  CHECK(result.exit_code == 0);
  const std::string head = "hex,predicted_cycles_per_iteration\n4801d8,";
  REQUIRE(result.output.find(head) == 0);
  CHECK(std::stod(result.output.substr(head.size())) == Approx(1.0).margin(0.01));
  CHECK(result.output.find("zz,error: not hexadecimal") != std::string::npos);
  CHECK(result.output.find("0f,error: ") != std::string::npos);
  CHECK(test::run_vitrine({"time-blocks", "--profile", "z80", "x.csv"}).exit_code == 2);
  CHECK(test::run_vitrine({"time-blocks", "no-such-file.csv"}).exit_code == 2);
}

TEST_CASE("the error against measured Skylake blocks is within its bound", "[blocks][accuracy]") {
  const std::string file = VITRINE_TIMING_DATA "/bhive_sample.csv";
  if (!std::ifstream(file)) return test::skip(test::SkipReason::file_absent, "bhive_sample.csv");
  const ui::Accuracy found = accuracy(file, "skl", "skylake-sp", 1);
  CAPTURE(found.blocks, found.refused, found.mean, found.median, found.tau);
  CHECK(found.blocks + found.refused > 500);
  // They raise #GP on silicon too with these operands.
  CHECK(found.refused <= 2);
  CHECK(found.mean <= 0.09);
  CHECK(found.median <= 0.04);
  CHECK(found.tau >= 0.88);
}

TEST_CASE("the error against measured Zen 4 blocks is within its bound", "[blocks][accuracy]") {
  const std::string file = VITRINE_TIMING_DATA "/zen4_sample.csv";
  if (!std::ifstream(file)) return test::skip(test::SkipReason::file_absent, "zen4_sample.csv");
  // A quarter of them: all take a minute (bench: vitrine_accuracy).
  const ui::Accuracy found = accuracy(file, "zen4", "zen4-core", 4);
  CAPTURE(found.blocks, found.refused, found.mean, found.median, found.tau);
  CHECK(found.refused <= 1);
  CHECK(found.mean <= 0.14);
}
