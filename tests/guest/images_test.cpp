// Our small test images run to their end and print what they should.
#include "tests/guest/guest.h"

using namespace vitrine;

TEST_CASE("hello reaches long mode, prints on the UART and leaves by the exit port", "[guest]") {
  if (!test::have_image("hello")) return;
  ui::Session session(test::options_for("hello"));
  const auto reason = session.run(emu::Cycle{100'000'000});
  INFO(session.serial().text());
  CHECK(reason == emu::StopReason::guest_exit);
  CHECK(session.machine().exit_code() == 1);
  CHECK(session.serial().text().find("hello") != std::string::npos);
}
