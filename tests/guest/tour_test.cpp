// The tour on the hypervisor: every verdict passes, and the recorder saw what it says it did.
#include "frontend/record/timeline.h"
#include "tests/guest/guest.h"

#include <algorithm>

using namespace vitrine;

namespace {

const ui::Transition* find(const ui::Recorder& recorder, ui::Transition::Object object,
                           const std::string& from, const std::string& to) {
  for (const ui::Transition& t : recorder.transitions()) {
    if (t.object == object && t.from == from && t.to == to) return &t;
  }
  return nullptr;
}

}  // namespace

TEST_CASE("the tour passes, and its calls and transitions are seen at their instructions",
          "[guest][tour]") {
  if (!test::have_image("tour") || !test::have_image("vitrine-hv")) return;
  ui::Session session(test::options_for("tour"));
  ui::Recorder recorder(session.machine(), session.plan());
  const auto reason = session.run(emu::Cycle{20'000'000'000});
  INFO(session.serial().text());
  REQUIRE(reason == emu::StopReason::guest_exit);
  CHECK(session.machine().exit_code() == 1);
  CHECK(session.serial().text().find("FAIL") == std::string::npos);
  CHECK(session.serial().text().find("TOUR PASS") != std::string::npos);

  SECTION("a partition goes Active, Finalizing, Finalized, each at an hv symbol") {
    const auto object = ui::Transition::Object::partition;
    const auto* const begun = find(recorder, object, "active", "finalizing");
    const auto* const done = find(recorder, object, "finalizing", "finalized");
    REQUIRE(begun != nullptr);
    REQUIRE(done != nullptr);
    CHECK(begun->place.cycle < done->place.cycle);
    CHECK(begun->place.symbol.starts_with("hv: "));
    CHECK(done->pool_available > begun->pool_available);
  }
  SECTION("one finalization takes three attempts or more, an interrupt between two of them") {
    const auto& calls = recorder.hypercalls();
    const auto continued = std::find_if(calls.begin(), calls.end(), [](const auto& call) {
      return call.code() == 0x42 && call.attempts.size() >= 3 && !call.interrupts.empty();
    });
    REQUIRE(continued != calls.end());
    CHECK(continued->finished);
    CHECK(continued->status() == 0);
    CHECK(continued->interrupts.front().interrupted_rip == continued->place.rip);
  }
  SECTION("every call is of a virtual processor: the root's, or the child's") {
    for (const ui::HypercallEvent& call : recorder.hypercalls()) {
      CHECK((call.caller == "root") == (call.partition == 1));
      CHECK(call.partition != 0);
      CHECK(call.vp == 0);
    }
  }
  SECTION("every attempt's phases sum to its cycles") {
    for (const ui::HypercallEvent& call : recorder.hypercalls()) {
      for (const ui::Attempt& attempt : call.attempts) {
        uint64_t sum = 0;
        for (const ui::Phase& phase : attempt.phases) sum += phase.cycles;
        CHECK(sum == attempt.end - attempt.begin);
      }
      CHECK(ui::waterfall(call).find("NOT") == std::string::npos);
    }
  }
  SECTION("a buffer goes InUse, Complete, Ready, Free") {
    const auto object = ui::Transition::Object::buffer;
    CHECK(find(recorder, object, "in_use", "complete") != nullptr);
    CHECK(find(recorder, object, "complete", "ready") != nullptr);
    CHECK(find(recorder, object, "ready", "free") != nullptr);
  }
}

TEST_CASE("the tour passes on several processors, the same however it is cut",
          "[guest][tour][smp]") {
  if (!test::have_image("tour") || !test::have_image("vitrine-hv")) return;
  const auto run = [](uint32_t processors, uint64_t slice, uint64_t quantum = 2000) {
    ui::RunOptions options = test::options_for("tour");
    options.machine.processors = processors;
    options.machine.quantum = quantum;
    ui::Session session(options);
    emu::Machine& m = session.machine();
    auto reason = emu::StopReason::cycle_limit;
    while (reason == emu::StopReason::cycle_limit && m.now() < emu::Cycle{2'000'000'000}) {
      reason = m.run({.until = m.now() + slice});
    }
    const std::string text = session.serial().text();
    INFO(text);
    CHECK(reason == emu::StopReason::guest_exit);
    CHECK(m.exit_code() == 1);
    CHECK(text.find("FAIL") == std::string::npos);
    CHECK(text.find("TOUR PASS 79/79") != std::string::npos);
    CHECK(text.find("HvFinalizePartition on processor 0: status 0x0, on 1: 0x") !=
          std::string::npos);
    return m.state_hash();
  };
  CHECK(run(2, 1'000'000'000) == run(2, 1'234'567));
  run(4, 1'000'000'000);
  run(8, 1'000'000'000);
  // Whoever is ahead at a lock, a kick or an acknowledgement: other quanta, other interleavings.
  // A lock does not cost a quantum, or the children, who want it at each exit, would not come through
  // their pattern between two interrupts of the tour's timer, 30,000 cycles apart.
  for (const uint64_t quantum : {100u, 777u, 1999u, 5003u, 20'011u}) {
    INFO(quantum);
    run(2, 1'000'000'000, quantum);
    run(3, 1'000'000'000, quantum);
  }
}

TEST_CASE("the root starts its own processors under the hypervisor", "[guest][smp]") {
  if (!test::have_image("processors") || !test::have_image("vitrine-hv")) return;
  for (const uint32_t processors : {2u, 4u}) {
    ui::RunOptions options = test::options_for("processors");
    options.hypervisor = "builtin";
    options.machine.processors = processors;
    ui::finish_options(options);
    ui::Session session(options);
    const auto reason = session.machine().run({.until = emu::Cycle{1'000'000'000}});
    const std::string text = session.serial().text();
    INFO(text);
    CHECK(reason == emu::StopReason::guest_exit);
    CHECK(text.find("processors " + std::to_string(processors)) != std::string::npos);
    CHECK(text.find("PROCESSORS PASS") != std::string::npos);
  }
}
