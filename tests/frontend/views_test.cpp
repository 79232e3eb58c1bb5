// Panels against the machine itself: the walk equals the processor's, and looking changes nothing.
#include <catch2/catch.hpp>

#include "frontend/inspect/disassembly.h"
#include "frontend/inspect/eventlog_view.h"
#include "frontend/inspect/partitions_view.h"
#include "frontend/inspect/registers_view.h"
#include "frontend/inspect/translation_view.h"
#include "frontend/inspect/vmcs_view.h"
#include "frontend/record/conditions.h"
#include "tests/guest/guest.h"

using namespace vitrine;

namespace {

/// A run that stops at a condition.
struct Stopped {
  Stopped(const std::string& image, const std::string& until)
      : session(test::options_for(image)), recorder(session.machine(), session.plan()) {
    ui::StopCondition condition(until, session, recorder);
    condition.run(emu::kNever);
    reached = condition.reached();
  }
  emu::Cpu& cpu() { return session.machine().cpu(0); }

  ui::Session session;
  ui::Recorder recorder;
  bool reached = false;
};

}  // namespace

TEST_CASE("the translation panel ends where the processor's own walk ends", "[views]") {
  if (!test::have_image("tour")) return;
  // In the root partition: guest tables over EPT.
  Stopped at("tour", "serial(\"PASS\")");
  REQUIRE(at.reached);
  emu::Cpu& cpu = at.cpu();
  for (const uint64_t gva : {cpu.executing_rip(), cpu.state.regs[emu::arch::rsp], uint64_t{0x1000},
                             uint64_t{0x7FFFFFFFF000}}) {
    const auto view = ui::view_translation(cpu, at.session.machine().bus(), gva);
    const auto walked = cpu.mmu.peek(emu::Gva{gva}, emu::AccessRequest{});
    INFO(ui::text(view));
    REQUIRE(view.hpa.has_value() == static_cast<bool>(walked));
    if (walked) {
      CHECK(*view.hpa == walked->hpa.value);
      CHECK(*view.gpa == walked->gpa.value);
    }
  }
}

TEST_CASE("looking at every panel changes no byte of the machine's state", "[views]") {
  if (!test::have_image("tour")) return;
  Stopped at("tour", "hypercall(0x68).enter");
  REQUIRE(at.reached);
  const uint64_t before = at.session.machine().state_hash();
  emu::Cpu& cpu = at.cpu();
  const emu::Bus& bus = at.session.machine().bus();
  const ui::CodeNames names{[](uint64_t) { return std::string(); },
                            [](uint64_t) { return uint64_t{0}; }};
  ui::text(ui::view_registers(cpu));
  ui::text(ui::view_vmcs(cpu));
  ui::text(ui::view_translation(cpu, bus, cpu.executing_rip()));
  ui::text(ui::view_disassembly(cpu, bus, cpu.executing_rip(), names, false));
  ui::text(ui::view_event_log(bus, at.recorder.view()));
  ui::text(at.recorder.view().partitions);
  CHECK(at.session.machine().state_hash() == before);
}

TEST_CASE("the VMCS panel names the exit that a hypercall is", "[views]") {
  if (!test::have_image("tour")) return;
  Stopped at("tour", "hypercall(0x68).enter");
  REQUIRE(at.reached);
  const auto view = ui::view_vmcs(at.cpu());
  REQUIRE(view.current);
  bool found = false;
  for (const auto& group : view.groups) {
    for (const auto& field : group.fields) found = found || field.meaning == "VMCALL";
  }
  CHECK(found);
  CHECK(ui::view_registers(at.cpu()).vmx_mode == "root");
}

TEST_CASE("event-log entries are decoded whole, as many as the buffer's record counts", "[views]") {
  if (!test::have_image("tour")) return;
  Stopped at("tour", "eventlog(1).buffer(0).state -> complete");
  REQUIRE(at.reached);
  const auto view = ui::view_event_log(at.session.machine().bus(), at.recorder.view());
  size_t entries = 0;
  for (const auto& group : view.groups) {
    for (const auto& buffer : group.buffers) {
      CHECK(buffer.entries.size() == buffer.record.entries);
      for (const auto& entry : buffer.entries) CHECK(!entry.name.empty());
      entries += buffer.entries.size();
    }
  }
  CHECK(entries != 0);
}
