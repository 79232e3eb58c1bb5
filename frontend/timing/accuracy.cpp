// Accuracy: reading measured blocks, the statistics, and the scatter plot.
#include "frontend/timing/accuracy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "emu/cpu/timing/data_flow.h"
#include "frontend/options.h"

namespace vitrine::ui {

namespace {

constexpr std::array<std::string_view, static_cast<size_t>(BlockClass::kCount)> kNames = {
    "division", "vector and memory", "vector", "memory", "integer"};
constexpr std::array<std::string_view, static_cast<size_t>(BlockClass::kCount)> kColours = {
    "#c0392b", "#8e44ad", "#2980b9", "#27ae60", "#7f8c8d"};

/// A half that does not depend on the order of the rows.
bool in_second_half(std::string_view hex) {
  uint32_t hash = 2166136261u;
  for (const char c : hex) hash = (hash ^ static_cast<uint8_t>(c)) * 16777619u;
  return (hash >> 16 & 1) != 0;
}

std::string number(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

}  // namespace

std::string_view to_string(BlockClass block_class) {
  return kNames[static_cast<size_t>(block_class)];
}

std::vector<std::byte> parse_hex(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  };
  std::vector<std::byte> bytes;
  if (text.size() % 2 != 0) return bytes;
  for (size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return bytes;
}

BlockClass classify(std::span<const std::byte> block) {
  bool division = false, vector = false, memory = false;
  emu::timing::DataFlow flow;
  while (!block.empty() && emu::timing::analyse(block, 8, flow) && flow.length <= block.size()) {
    namespace resource = emu::timing::resource;
    const auto is_vector = [](uint8_t r) { return r >= resource::vector && r < resource::carry; };
    division = division || flow.divider_bits != 0;
    memory = memory || flow.loads || flow.stores;
    vector = vector || std::any_of(flow.sources.begin(), flow.sources.end(), is_vector) ||
             std::any_of(flow.results.begin(), flow.results.end(), is_vector);
    block = block.subspan(flow.length);
  }
  if (division) return BlockClass::division;
  if (vector) return memory ? BlockClass::vector_memory : BlockClass::vector;
  return memory ? BlockClass::memory : BlockClass::integer;
}

std::vector<BlockError> measure_blocks(const std::filesystem::path& path, const std::string& uarch,
                                       const BlockRunner& runner, size_t step,
                                       const std::function<void(size_t)>& progress) {
  std::ifstream file(path);
  if (!file) throw UsageError("cannot read '" + path.string() + "'");
  std::vector<BlockError> out;
  std::string line;
  std::getline(file, line);
  for (size_t row = 0; std::getline(file, line);) {
    const size_t hex = line.find(','), measured = line.find(',', hex + 1);
    if (measured == line.npos || line.substr(0, hex) != uarch || row++ % step != 0) continue;
    BlockError block;
    block.hex = line.substr(hex + 1, measured - hex - 1);
    block.measured = std::stod(line.substr(measured + 1));
    block.second_half = in_second_half(block.hex);
    const auto bytes = parse_hex(block.hex);
    block.block_class = classify(bytes);
    const BlockTime time = runner.run(bytes);
    block.predicted = time.cycles;
    block.refused = time.error;
    out.push_back(std::move(block));
    if (progress) progress(out.size());
  }
  return out;
}

Accuracy accuracy_of(std::span<const BlockError> blocks,
                     const std::function<bool(const BlockError&)>& wanted) {
  Accuracy out;
  std::vector<const BlockError*> chosen;
  std::vector<double> errors;
  for (const BlockError& block : blocks) {
    if (!wanted(block)) continue;
    if (!block.refused.empty()) {
      ++out.refused;
      continue;
    }
    chosen.push_back(&block);
    errors.push_back(std::abs(block.predicted - block.measured) / block.measured);
    out.mean += errors.back();
  }
  out.blocks = chosen.size();
  if (chosen.size() < 2) return out;
  out.mean /= static_cast<double>(chosen.size());
  std::sort(errors.begin(), errors.end());
  out.median = errors[errors.size() / 2];
  double order = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const double sign = (chosen[i]->predicted - chosen[j]->predicted) *
                          (chosen[i]->measured - chosen[j]->measured);
      order += sign > 0 ? 1 : sign < 0 ? -1 : 0;
    }
  }
  const auto n = static_cast<double>(chosen.size());
  out.tau = order / (n * (n - 1) / 2);
  return out;
}

std::string draw_accuracy(std::span<const BlockError> blocks, const std::string& caption) {
  constexpr double kSide = 640, kMargin = 60, kDecades = 4, kLowest = -1;
  const auto at = [](double cycles) {
    const double place = (std::log10(std::max(cycles, 0.1)) - kLowest) / kDecades;
    return std::clamp(place, 0.0, 1.0) * kSide;
  };
  const auto x = [&](double cycles) { return number(kMargin + at(cycles)); };
  const auto y = [&](double cycles) { return number(kMargin + kSide - at(cycles)); };
  const std::string whole = number(kSide + 2 * kMargin);
  std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + whole + "\" height=\"" +
                    whole + "\" font-family=\"sans-serif\" font-size=\"13\">\n" +
                    "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n<text x=\"60\" y=\"30\">" +
                    caption + "</text>\n";
  for (const double cycles : {0.1, 1.0, 10.0, 100.0, 1000.0}) {
    out += "<path d=\"M" + x(cycles) + " " + y(0.1) + "V" + y(1000) + "M" + x(0.1) + " " +
           y(cycles) + "H" + x(1000) + "\" stroke=\"#ddd\"/>\n<text x=\"" + x(cycles) +
           "\" y=\"" + number(kMargin + kSide + 18) + "\" text-anchor=\"middle\">" +
           number(cycles) + "</text>\n<text x=\"54\" y=\"" + y(cycles) +
           "\" text-anchor=\"end\">" + number(cycles) + "</text>\n";
  }
  out += "<path d=\"M" + x(0.1) + " " + y(0.1) + "L" + x(1000) + " " + y(1000) +
         "\" stroke=\"#444\"/>\n";
  for (const BlockError& block : blocks) {
    if (!block.refused.empty()) continue;
    out += "<circle r=\"2.2\" fill-opacity=\"0.6\" cx=\"" + x(block.measured) + "\" cy=\"" +
           y(block.predicted) + "\" fill=\"" +
           std::string(kColours[static_cast<size_t>(block.block_class)]) + "\"/>\n";
  }
  for (size_t i = 0; i < kNames.size(); ++i) {
    const std::string line = number(kMargin + 20 + 18 * static_cast<double>(i));
    out += "<circle r=\"5\" cx=\"80\" cy=\"" + line + "\" fill=\"" + std::string(kColours[i]) +
           "\"/><text x=\"92\" y=\"" + line + "\" dy=\"4\">" + std::string(kNames[i]) +
           "</text>\n";
  }
  out += "<text x=\"380\" y=\"" + number(kSide + 2 * kMargin - 20) +
         "\" text-anchor=\"middle\">measured cycles</text>\n<text x=\"20\" y=\"380\" "
         "transform=\"rotate(-90 20 380)\" text-anchor=\"middle\">predicted cycles</text>\n</svg>\n";
  return out;
}

}  // namespace vitrine::ui
