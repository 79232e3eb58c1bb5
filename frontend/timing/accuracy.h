// Accuracy: predicted against measured cycles of blocks, summed up per class and split.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/timing/block_runner.h"

namespace vitrine::ui {

/// What is characteristic of a block, the first that holds.
enum class BlockClass : uint8_t { division, vector_memory, vector, memory, integer, kCount };
std::string_view to_string(BlockClass block_class);
BlockClass classify(std::span<const std::byte> block);

struct BlockError {
  std::string hex;
  BlockClass block_class = BlockClass::integer;
  double measured = 0, predicted = 0;  ///< cycles per repetition
  std::string refused;                 ///< why there is no prediction; empty when there is
  bool second_half = false;            ///< of the two that a cross-validation tunes and judges on
};

struct Accuracy {
  size_t blocks = 0, refused = 0;
  double mean = 0, median = 0, tau = 0;  ///< relative errors; Kendall's tau-a
};

/// Hexadecimal text as bytes; empty when it is none.
std::vector<std::byte> parse_hex(std::string_view text);
/// Runs the blocks of one microarchitecture, every `step`th, of a file of rows `uarch,hex,measured,…`.
/// `progress` hears of every block. Throws UsageError when there is no such file.
std::vector<BlockError> measure_blocks(const std::filesystem::path& file, const std::string& uarch,
                                       const BlockRunner& runner, size_t step,
                                       const std::function<void(size_t)>& progress = {});
/// Of the blocks that `wanted` selects.
Accuracy accuracy_of(std::span<const BlockError> blocks,
                     const std::function<bool(const BlockError&)>& wanted);
/// Predicted over measured cycles on logarithmic axes, as SVG.
std::string draw_accuracy(std::span<const BlockError> blocks, const std::string& caption);

}  // namespace vitrine::ui
