// The timing levels by name, with the versions that cycle numbers are quoted with.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "emu/cpu/timing/count.h"

namespace vitrine::emu::timing {

struct Level {
  std::string_view name;
  uint32_t version;  ///< changes whenever the level's cycles do: goldens quote it
  std::string_view meaning;
};

inline constexpr std::array<Level, 3> kLevels = {{
    {"count", kCountVersion, "fixed cycles per class of instruction"},
    {"core", 1, "an out-of-order core: front end, ports, dependences, reorder buffer"},
    {"memory", 1, "the core, with caches, translations and branch prediction"},
}};

/// 0 for a name that no level has.
constexpr uint32_t level_version(std::string_view name) {
  for (const Level& level : kLevels) {
    if (level.name == name) return level.version;
  }
  return 0;
}

}  // namespace vitrine::emu::timing
