// What the tests of whole kernels share: where the images are, and a run to its end with all that must repeat.
#pragma once

#include "tests/guest/guest.h"

namespace vitrine::test {

inline constexpr emu::Cycle kEnd{40'000'000'000};
inline const std::filesystem::path kLinuxImages = VITRINE_LINUX_IMAGES;

inline bool have_linux() {
  if (std::filesystem::exists(kLinuxImages / "bzImage")) return true;
  skip(SkipReason::file_absent, "the Linux test kernel");
  return false;
}

struct Outcome {
  emu::StopReason reason{};
  uint64_t hash = 0, cycles = 0, instructions = 0;
  std::string text;

  bool says(const std::string& words) const { return text.find(words) != std::string::npos; }
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// Runs in slices of so many cycles, which must not matter.
inline Outcome run_to_end(ui::Session& session, uint64_t slice) {
  emu::Machine& m = session.machine();
  Outcome out;
  do {
    out.reason = m.run({.until = m.now() + slice});
  } while (out.reason == emu::StopReason::cycle_limit && m.now() < kEnd);
  out.hash = m.state_hash();
  out.cycles = m.now().value;
  out.instructions = m.instructions();
  out.text = session.serial().text();
  return out;
}

inline Outcome boot(const ui::RunOptions& options, uint64_t slice) {
  ui::Session session(options);
  return run_to_end(session, slice);
}

}  // namespace vitrine::test
