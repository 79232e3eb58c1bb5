// `vitrine explain cycles`: the parts of a stretch add up to what the clock has advanced by.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <cmath>
#include <string>

#include "tests/frontend/program.h"
#include "tests/guest/guest.h"

using namespace vitrine;

namespace {

double number(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c != ',') digits += c;
  }
  return std::stod(digits);
}

double sum(const nlohmann::json& causes) {
  double total = 0;
  for (const auto& [cause, cycles] : causes.items()) total += number(cycles);
  return total;
}

}  // namespace

TEST_CASE("where a hypercall's cycles went adds up to the clock", "[explain]") {
  if (!test::have_image("tour") || !test::have_image("vitrine-hv")) return;
  const std::string level = GENERATE("core", "memory");
  const std::string by = GENERATE("symbol", "instruction");
  const auto result =
      test::run_vitrine({"explain", "cycles", "tour", "--timing", level, "--by", by, "--json",
                         "--from", "hypercall(0x40).enter", "--until", "hypercall(0x40).leave"});
  INFO(result.output << result.errors);
  REQUIRE(result.exit_code == 0);
  const auto json = nlohmann::json::parse(result.output);
  const double cycles = number(json["cycles"]);
  const double clock = json["until"].get<double>() - json["from"].get<double>();
  CHECK(clock > 1000);
  CHECK(std::abs(cycles - clock) < 1);
  CHECK(sum(json["causes"]) == cycles);
  double places = 0;
  for (const auto& place : json["places"]) {
    CHECK(sum(place["causes"]) == number(place["cycles"]));
    places += number(place["cycles"]);
  }
  CHECK(places == cycles);
  CHECK(json["causes"].contains("issue"));
  CHECK(json["causes"].contains("fetch") == (level == "memory"));
}

TEST_CASE("explain cycles says what it cannot do", "[explain]") {
  CHECK(test::run_vitrine({"explain", "cycles", "hello", "--by", "colour"}).exit_code == 2);
  CHECK(test::run_vitrine({"explain", "cycles", "hello", "--from", "nonsense("}).exit_code == 2);
  CHECK(test::run_vitrine({"explain", "cycles"}).exit_code == 2);
}
