// Whole images through both engines: the tour to its end, and Debian's kernel for a bounded time.
#include "emu/machine/lockstep.h"
#include "tests/guest/guest.h"

using namespace vitrine;

namespace {

constexpr uint64_t kStretch = 20'000'000;

/// Both engines on the same options; the reason to stop, once they have agreed on everything.
emu::StopReason agreed(ui::RunOptions options, emu::Cycle until) {
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
