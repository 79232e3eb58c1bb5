// What tests of whole machines share: a session on one of our images, or the reason there is none.
#pragma once

#include <catch2/catch.hpp>

#include <filesystem>
#include <memory>
#include <string>

#include "frontend/record/recorder.h"
#include "frontend/session.h"
#include "tests/skip.h"

namespace vitrine::test {

inline ui::RunOptions options_for(const std::string& image) {
  ui::RunOptions options;
  options.image = image;
  options.serial = "null";
  ui::finish_options(options);
  return options;
}

/// True when the image is built; else the test case is skipped and must return.
inline bool have_image(const std::string& image) {
  const auto path = ui::image_folder() / (image + ".elf");
  if (std::filesystem::exists(path)) return true;
  skip(SkipReason::file_absent, image + ".elf is not built");
  return false;
}

}  // namespace vitrine::test
