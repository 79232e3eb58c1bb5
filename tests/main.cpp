// The entry point of every test program: Catch2's runner, plus one line of counts that ./check adds
// up.
#define CATCH_CONFIG_RUNNER
#include <array>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/skip.h"

namespace vitrine::test {
namespace {

// In the order of SkipReason.
constexpr std::array<const char*, 3> kReasons = {"no x86-64 host", "file absent", "no network"};

struct Counts {
  unsigned passed = 0;
  unsigned failed = 0;
  std::string reason_of_running_case;
  std::vector<std::string> skips;
};

Counts& counts() {
  static Counts all;
  return all;
}

struct Counter : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;

  void testCaseStarting(const Catch::TestCaseInfo&) override {
    counts().reason_of_running_case.clear();
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    Counts& all = counts();
    if (!stats.totals.assertions.allOk())
      ++all.failed;
    else if (!all.reason_of_running_case.empty())
      all.skips.push_back(stats.testInfo.name + ": " + all.reason_of_running_case);
    else
      ++all.passed;
  }
};

void print(std::FILE* out) {
  const Counts& all = counts();
  for (const std::string& skip : all.skips) std::fprintf(out, "vitrine-skip: %s\n", skip.c_str());
  std::fprintf(out, "vitrine-cases: %u passed, %u failed, %zu skipped\n", all.passed, all.failed,
               all.skips.size());
}

}  // namespace

void skip(SkipReason reason, std::string_view detail) {
  std::string& text = counts().reason_of_running_case;
  text = kReasons.at(static_cast<std::size_t>(reason));
  if (!detail.empty()) text.append(" (").append(detail).append(")");
}

CATCH_REGISTER_LISTENER(Counter)

}  // namespace vitrine::test

int main(int argc, char** argv) {
  Catch::Session session;
  const int status = session.run(argc, argv);
  vitrine::test::print(stdout);
  return status == 0 ? 0 : 1;
}
