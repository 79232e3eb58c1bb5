// What a command line that cannot be parsed is told: one sentence, with the nearest word there is.
#pragma once

#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace vitrine::ui {

std::string usage_sentence(CLI::App& app, const CLI::ParseError& error);

/// For options that take a count: empty, or what is wrong with the text.
std::string count_error(const std::string& text);

}  // namespace vitrine::ui
