// Linux to an interactive shell: a person types at random moments, and the recorded run repeats to the last cycle.
#include <catch2/catch.hpp>

#include "emu/host/files.h"
#include "frontend/linux/debian.h"
#include "tests/frontend/program.h"
#include "tests/linux/boot.h"
#include "tests/linux/pty.h"

using namespace vitrine;

namespace {

constexpr int kBootSeconds = 300, kAnswerSeconds = 60;

struct Kernel {
  std::vector<std::string> arguments;
  std::string prompt;
};

Kernel test_kernel() {
  return {{"--kernel", (test::kLinuxImages / "bzImage").string(), "--initrd",
           (test::kLinuxImages / "initramfs.cpio.gz").string(), "--append",
           "console=ttyS0 vt.run=shell"},
          "/ # "};
}
Kernel debian() { return {{"linux"}, "vitrine:/root# "}; }

/// Fetches Debian's kernel once; the test case is skipped where that cannot be done.
bool have_debian() {
  try {
    ui::linux_files();
    return true;
  } catch (const ui::UsageError& error) {
    test::skip(test::SkipReason::no_network, error.what());
    return false;
  }
}

/// The two lines of a run's end: reason, cycle, instructions; state hash.
std::string end_of(const std::string& text) {
  const size_t at = text.find("power off at cycle ");
  return at == std::string::npos ? "" : text.substr(at, text.find("state_hash", at) + 29 - at);
}

std::string plain(std::string text) {
  std::erase(text, '\r');
  return text;
}

/// A person boots, types a sum in random pieces, and powers off; then the recording is played.
void shell_session(const Kernel& kernel, const std::vector<std::string>& more, uint64_t seed) {
  CAPTURE(seed);
  const test::TemporaryFolder folder("shell_" + std::to_string(seed));
  std::vector<std::string> run = {test::vitrine_program().string(), "run"};
  run.insert(run.end(), kernel.arguments.begin(), kernel.arguments.end());
  run.insert(run.end(), more.begin(), more.end());
  const auto with = [&](const char* option, const char* recording, const char* trace) {
    std::vector<std::string> all = run;
    const std::vector<std::string> files = {option, (folder / recording).string(), "--trace",
                                            (folder / trace).string()};
    all.insert(all.end(), files.begin(), files.end());
    return all;
  };

  test::Terminal person(with("--record", "recording", "first.trace"), seed);
  person.type("\n");  // too early for anybody to hear it
  const bool prompt = person.wait_for(kernel.prompt, kBootSeconds);
  INFO(person.text());
  REQUIRE(prompt);
  person.type("echo sum$((6*7))\n");
  REQUIRE(person.wait_for("sum42", kAnswerSeconds));
  person.type("poweroff -f\n");
  REQUIRE(person.exit_code(kAnswerSeconds) == 0);
  const std::string end = end_of(plain(person.text()));
  REQUIRE(end.starts_with("power off at cycle "));

  const auto replayed = emu::host::run_process(with("--replay", "recording", "second.trace"));
  CHECK(replayed.exit_code == 0);
  CHECK(end_of(replayed.output + replayed.errors) == end);
  CHECK(replayed.output.find("sum42") != std::string::npos);
  CHECK(emu::host::read_file(folder / "first.trace") ==
        emu::host::read_file(folder / "second.trace"));
}

}  // namespace

TEST_CASE("what is typed at a shell is recorded, and the replay is the same run",
          "[linux][shell]") {
  if (!test::have_linux()) return;
  shell_session(test_kernel(), {}, 1);
  if (test::have_image("vitrine-hv")) shell_session(test_kernel(), {"--hv", "builtin"}, 2);
}

TEST_CASE("a replay may be cut, continued and single-stepped", "[linux][shell]") {
  if (!test::have_linux()) return;
  const test::TemporaryFolder folder("cut_replay");
  emu::InputLog log;
  const std::string keys = "echo sum$((6*7))\rpoweroff -f\r";
  std::mt19937_64 random(3);
  uint64_t cycle = 900'000'000;
  for (const char key : keys) {
    cycle += random() % 20'000'000;
    log.add({emu::Cycle{cycle}, emu::InputPort::serial, {static_cast<uint8_t>(key)}});
  }
  emu::host::write_file(folder / "keys", log.text());
  ui::RunOptions options;
  options.image = (test::kLinuxImages / "bzImage").string();
  options.initrd = (test::kLinuxImages / "initramfs.cpio.gz").string();
  options.append = "console=ttyS0 quiet vt.run=shell";
  options.serial = "null";
  options.replay = (folder / "keys").string();
  ui::finish_options(options);
  const test::Outcome whole = test::boot(options, 1'000'000'000);
  INFO(whole.text);
  CHECK(whole.reason == emu::StopReason::power_off);
  CHECK(whole.says("sum42"));

  ui::Session session(options);
  emu::Machine& m = session.machine();
  m.run({.until = emu::Cycle{cycle - 100'000'000}});
  for (int i = 0; i < 20'000; ++i) m.run({.max_instructions = m.instructions() + 1});
  m.run({.until = m.now() + 12'345'678});
  CHECK(m.run({}) == emu::StopReason::power_off);
  CHECK(m.state_hash() == whole.hash);
  CHECK(m.now().value == whole.cycles);
  CHECK(m.instructions() == whole.instructions);
}

TEST_CASE("Debian's kernel boots to a shell, bare", "[linux][debian]") {
  if (!have_debian()) return;
  shell_session(debian(), {}, 4);
}

TEST_CASE("Debian's kernel as the hypervisor's root takes its clock and timer from it",
          "[linux][debian]") {
  if (!test::have_image("vitrine-hv") || !have_debian()) return;
  shell_session(debian(), {"--hv", "builtin"}, 5);
  ui::RunOptions options;
  options.image = "linux";
  options.hypervisor = "builtin";
  options.serial = "null";
  ui::finish_options(options);
  ui::Session session(options);
  session.machine().run({.until = emu::Cycle{3'000'000'000}});
  const std::string& text = session.serial().text();
  INFO(text);
  for (const char* words :
       {"Hypervisor detected: Microsoft Hyper-V", "Booting paravirtualized kernel on Hyper-V",
        "Switched to clocksource hyperv_clocksource_tsc_page", "vitrine:/root# "}) {
    CAPTURE(words);
    CHECK(text.find(words) != std::string::npos);
  }
}
