// Hypercalls on the machine: registers that are no output survive, and attempts are as many and as short as promised.
#include <algorithm>

#include "hv/core/call.h"
#include "hv/tlfs/hypercall.h"
#include "tests/guest/guest.h"

using namespace vitrine;

namespace {

constexpr emu::Cycle kEnd{20'000'000'000};

ui::RunOptions on_hypervisor(const std::string& image, const std::string& timing = "count") {
  ui::RunOptions options = test::options_for(image);
  options.hypervisor = "builtin";
  options.machine.timing = timing;
  return options;
}

/// Attempts that a rep call of the root needs when nothing interrupts it.
uint64_t slices(uint64_t units) { return (units + hv::kSliceUnits - 1) / hv::kSliceUnits; }

const ui::HypercallEvent* find_call(const ui::Recorder& recorder, uint16_t code) {
  const auto& calls = recorder.hypercalls();
  const auto found =
      std::find_if(calls.begin(), calls.end(), [&](const auto& c) { return c.code() == code; });
  return found == calls.end() ? nullptr : &*found;
}

/// A payload that judges itself and says so at its end.
void run_to_pass(const std::string& image, const std::string& verdict,
                 const std::vector<std::string>& hypervisor_options = {}) {
  if (!test::have_image(image) || !test::have_image("vitrine-hv")) return;
  ui::RunOptions options = on_hypervisor(image);
  options.hypervisor_options = hypervisor_options;
  ui::Session session(options);
  const auto reason = session.machine().run({.until = kEnd});
  INFO(session.serial().text());
  CHECK(reason == emu::StopReason::guest_exit);
  CHECK(session.machine().exit_code() == 1);
  CHECK(session.serial().text().find("FAIL") == std::string::npos);
  CHECK(session.serial().text().find(verdict) != std::string::npos);
}

}  // namespace

TEST_CASE("a hypercall of any kind changes no register that is not its output", "[guest][calls]") {
  run_to_pass("preserve", "PRESERVE PASS");
}

TEST_CASE("a parent is told all about its child's string I/O, unmapped accesses and exceptions",
          "[guest][calls]") {
  run_to_pass("ports", "PORTS PASS");
}

TEST_CASE("the test device connects a bare-metal test to its own SynIC", "[guest][calls]") {
  run_to_pass("testdev", "TESTDEV PASS", {"testdev"});
}

TEST_CASE("without the word for it there is no test device", "[guest][calls]") {
  if (!test::have_image("testdev") || !test::have_image("vitrine-hv")) return;
  ui::Session session(on_hypervisor("testdev"));
  CHECK(session.machine().run({.until = kEnd}) == emu::StopReason::guest_exit);
  CHECK(session.serial().text().find("FAIL: a message is posted") != std::string::npos);
}

TEST_CASE("attempts are slices of units, and none is longer than 50 microseconds",
          "[guest][calls]") {
  if (!test::have_image("slices") || !test::have_image("vitrine-hv")) return;
  const std::string timing = GENERATE(as<std::string>(), "count", "core", "memory");
  CAPTURE(timing);
  ui::Session session(on_hypervisor("slices", timing));
  ui::Recorder recorder(session.machine(), session.plan());
  const auto reason = session.run(kEnd);
  INFO(session.serial().text());
  REQUIRE(reason == emu::StopReason::guest_exit);
  REQUIRE(session.serial().text().find("SLICES PASS") != std::string::npos);

  constexpr uint64_t kLongest = 50 * 2000;  // 50 microseconds of 2 GHz
  uint64_t longest = 0;
  for (const ui::HypercallEvent& call : recorder.hypercalls()) {
    const uint32_t reps = hv::tlfs::HypercallControl{call.control}.rep_count();
    CAPTURE(call.code(), reps);
    REQUIRE(call.finished);
    CHECK(call.status() == 0);
    CHECK(call.interrupts.empty());
    if (reps != 0) CHECK(call.attempts.size() == slices(reps));
    for (const ui::Attempt& attempt : call.attempts) {
      CHECK(attempt.end - attempt.begin <= kLongest);
      longest = std::max(longest, attempt.end - attempt.begin);
    }
  }
  // The bound means something: at the plainest level attempts are not far below it either.
  if (timing == "count") CHECK(longest > kLongest / 4);

  // Every kind of call that works in units was there.
  for (const int code : {0x03, 0x42, 0x48, 0x49, 0x4B, 0x4C, 0x50, 0x51}) {
    CAPTURE(code);
    CHECK(find_call(recorder, static_cast<uint16_t>(code)) != nullptr);
  }
  const ui::HypercallEvent* const finalize = find_call(recorder, 0x42);
  REQUIRE(finalize != nullptr);
  const ui::HypervisorView view = recorder.view();
  REQUIRE(view.partitions.size() == 2);
  const uint64_t units = view.partitions[1].units_at_start;
  CHECK(units > 1000);
  CHECK(finalize->attempts.size() == slices(units));
}
