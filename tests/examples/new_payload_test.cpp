// `vitrine new payload`: what it writes builds with CMake alone and makes its hypercall.
#include <catch2/catch.hpp>

#include "tests/frontend/program.h"
#include "tests/guest/guest.h"

using namespace vitrine;

TEST_CASE("a new payload builds, runs on our hypervisor and prints a status", "[examples]") {
  for (const char* program : {"clang++-14", "ld.lld-14", "cmake"}) {
    if (!emu::host::find_program(program)) {
      return test::skip(test::SkipReason::file_absent, std::string(program) + " is not here");
    }
  }
  if (!test::have_image("vitrine-hv")) return;
  const test::TemporaryFolder folder("new_payload");
  const auto payload = (folder / "mine").string();
  REQUIRE(test::run_vitrine({"new", "payload", payload}).exit_code == 0);
  CHECK(test::run_vitrine({"new", "payload", payload}).exit_code == 2);

  const auto build = (folder / "build").string();
  const auto configured = emu::host::run_process({"cmake", "-S", payload, "-B", build});
  INFO(configured.errors);
  REQUIRE(configured.exit_code == 0);
  const auto built = emu::host::run_process({"cmake", "--build", build});
  INFO(built.output << built.errors);
  REQUIRE(built.exit_code == 0);

  const auto image = build + "/images/mine.elf";
  const auto ran = test::run_vitrine({"run", image, "--hv", "builtin", "-q"});
  CHECK(ran.exit_code == 0);
  CHECK(ran.output.find("HvGetPartitionId: status 0x0") != std::string::npos);
  CHECK(ran.output.find("partition 1") != std::string::npos);
  const auto alone = test::run_vitrine({"run", image, "-q"});
  CHECK(alone.exit_code == 1);
  CHECK(alone.output.find("no hypervisor here") != std::string::npos);
}
