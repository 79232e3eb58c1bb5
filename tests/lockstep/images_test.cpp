// Whole images through both engines: the tour to its end, and Debian's kernel for a bounded time.
#include "emu/machine/lockstep.h"
#include "tests/guest/guest.h"

using namespace vitrine;

namespace {

constexpr uint64_t kStretch = 20'000'000;

/// Both engines on the same options; the reason to stop, once they have agreed on everything and both have
/// said the words on the serial line.
emu::StopReason agreed(ui::RunOptions options, emu::Cycle until, const std::string& words = "") {
  options.machine.engine = emu::EngineKind::jit;
  ui::Session jit(options);
  options.machine.engine = emu::EngineKind::interpreter;
  ui::Session reference(options);
  emu::Lockstep lockstep(jit.machine(), reference.machine());
  const auto difference = lockstep.run(until, kStretch);
  if (difference) {
    for (const std::string& line : difference->lines) UNSCOPED_INFO(line);
    UNSCOPED_INFO("at cycle " << difference->cycle.value);
  }
  REQUIRE_FALSE(difference);
  CHECK(jit.serial().text() == reference.serial().text());
  CHECK(jit.serial().text().find(words) != std::string::npos);
  if (jit.machine().engine() != nullptr) CHECK(jit.machine().engine()->blocks_compiled() > 100);
  return lockstep.reason();
}

}  // namespace

TEST_CASE("both engines agree on the tour from its first cycle to its last", "[lockstep][tour]") {
  if (!test::have_image("tour") || !test::have_image("vitrine-hv")) return;
  const auto reason = agreed(test::options_for("tour"), emu::Cycle{20'000'000'000});
  CHECK(reason == emu::StopReason::guest_exit);
}

TEST_CASE("both engines agree on a kernel until it panics for want of a root",
          "[lockstep][linux]") {
  const std::filesystem::path images = VITRINE_LINUX_IMAGES;
  if (!std::filesystem::exists(images / "bzImage")) {
    test::skip(test::SkipReason::file_absent, "the Linux test kernel");
    return;
  }
  ui::RunOptions options;
  options.kernel = (images / "bzImage").string();
  options.append = "console=ttyS0 panic=-1";
  options.serial = "null";
  ui::finish_options(options);
  const auto reason = agreed(options, emu::Cycle{600'000'000});
  CHECK(reason == emu::StopReason::reset);
}

TEST_CASE("both engines agree on the works that are measured", "[lockstep]") {
  if (!test::have_image("works")) return;
  ui::RunOptions options = test::options_for("works");
  options.hypervisor = "none";
  options.append = "percent=0";
  ui::finish_options(options);
  CHECK(agreed(options, emu::Cycle{2'000'000'000}, "BENCH PASS") == emu::StopReason::guest_exit);
}

TEST_CASE("both engines agree on Debian's kernel up to the shell's prompt", "[lockstep][linux]") {
  ui::RunOptions options;
  options.image = "linux";
  options.serial = "null";
  try {
    ui::finish_options(options);
    ui::Session fetched(options);
  } catch (const ui::UsageError&) {
    test::skip(test::SkipReason::no_network, "Debian's kernel is not in the cache");
    return;
  }
  CHECK(agreed(options, emu::Cycle{1'800'000'000}, "vitrine:/root#") ==
        emu::StopReason::cycle_limit);
}
