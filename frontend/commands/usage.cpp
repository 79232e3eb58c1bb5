// Sentences for what the command-line library found wrong.
#include "frontend/commands/usage.h"

#include <CLI/CLI.hpp>

#include <charconv>
#include <string_view>
#include <vector>

#include "frontend/expression/expression.h"

namespace vitrine::ui {

namespace {

/// The command that was named last, and its words.
struct Named {
  CLI::App* app;
  std::string words;
};
Named named_last(CLI::App& app) {
  Named named{&app, ""};
  while (!named.app->get_subcommands().empty()) {
    named.app = named.app->get_subcommands().front();
    named.words += (named.words.empty() ? "" : " ") + named.app->get_name();
  }
  return named;
}

std::vector<std::string> commands_of(CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; })) {
    names.push_back(sub->get_name());
  }
  return names;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known,
                       const std::string& otherwise) {
  const std::string near = nearest(word, known);
  return near.empty() ? "; " + otherwise : "; did you mean '" + near + "'?";
}

std::string see_help(const Named& named) {
  const std::string command = named.words.substr(0, named.words.find(' '));
  return "see 'vitrine help" + (command.empty() ? "" : " " + command) + "'";
}

/// A word that nobody takes.
std::string unexpected(const Named& named, const std::string& word) {
  const std::string of = named.words.empty() ? "" : " of '" + named.words + "'";
  if (word.starts_with('-')) {
    return "there is no option '" + word + "'" + of +
           suggestion(word.substr(0, word.find('=')), options_of(*named.app), see_help(named));
  }
  const auto commands = commands_of(*named.app);
  if (!commands.empty()) {
    return "there is no command '" + word + "'" + of +
           suggestion(word, commands, "there are " + joined(commands));
  }
  return "'" + named.words + "' takes no further word '" + word + "'; " + see_help(named);
}

/// The library's "NAME: what is wrong" as "NAME what is wrong".
std::string without_colon(std::string text) {
  const size_t colon = text.find(": ");
  if (colon != std::string::npos) text.erase(colon, 1);
  return text;
}

}  // namespace

std::string usage_sentence(CLI::App& app, const CLI::ParseError& error) {
  const Named named = named_last(app);
  const auto left = app.remaining(true);
  if (!left.empty()) return unexpected(named, left.front());
  const auto commands = commands_of(*named.app);
  if (!commands.empty()) {
    const std::string who = named.words.empty() ? "vitrine" : "'" + named.words + "'";
    return who + " needs one of " + joined(commands) + "; " + see_help(named);
  }
  if (error.get_name() == "RequiredError") {
    const std::string text = error.what();
    return "'" + named.words + "' needs its " + text.substr(0, text.find(' ')) + "; " +
           see_help(named);
  }
  if (error.get_name() == "ArgumentMismatch") {
    const std::string text = error.what();
    return text.substr(0, text.find(':')) + " needs a value; " + see_help(named);
  }
  return without_colon(error.what());
}

std::string count_error(const std::string& text) {
  uint64_t value = 0;
  const bool hex = text.starts_with("0x");
  const char* const first = text.data() + (hex ? 2 : 0);
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, value, hex ? 16 : 10);
  const bool fine = error == std::errc{} && end == last;
  return fine ? "" : "takes a whole number of 64 bits at most, not '" + text + "'";
}

}  // namespace vitrine::ui
