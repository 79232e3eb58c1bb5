// Expression: the one grammar for --until, breakpoints, filters and assertions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/expression/terms.h"

namespace vitrine::ui {

/// A text that is not an expression: `what()` is the sentence, the text and a caret under the place.
class ExpressionError : public std::runtime_error {
 public:
  ExpressionError(std::string_view text, size_t at, const std::string& why);
};

/// Arguments of a term: numbers, or text for `text` and `name` arguments.
struct TermArguments {
  std::array<uint64_t, 2> numbers{};
  std::array<std::string, 2> texts;

  friend bool operator==(const TermArguments&, const TermArguments&) = default;
};

/// Answers what terms are worth now. Events answer 1 at the moment they happen.
class TermSource {
 public:
  virtual ~TermSource() = default;
  virtual uint64_t value(Term term, const TermArguments& arguments) = 0;
};

/// Names that only the running session knows: exit reasons, symbols. Returns none if unknown;
/// `known` lists candidates for the error message.
class NameSource {
 public:
  virtual ~NameSource() = default;
  virtual bool knows(Term term, const TermArguments& arguments) = 0;
  virtual std::vector<std::string> names(Term term, const TermArguments& arguments) = 0;
};

struct ExpressionNode;

class Expression {
 public:
  /// Throws ExpressionError. `names` may be null: then names are not checked.
  static Expression parse(std::string_view text, NameSource* names = nullptr);
  ~Expression();
  Expression(Expression&&) noexcept;
  Expression& operator=(Expression&&) noexcept;

  /// True when it holds now. `->` is true when the left side has just become equal to the right.
  bool holds(TermSource& source);
  /// What must be watched so that no moment at which it could become true is missed.
  const std::set<Watch>& watches() const { return watches_; }
  /// Every term it mentions with its arguments.
  const std::vector<std::pair<Term, TermArguments>>& terms() const { return terms_; }
  /// Set when the whole expression is `cycle >= N`: the run limit that is exactly it.
  std::optional<uint64_t> cycle_limit() const;

 private:
  Expression();
  std::unique_ptr<ExpressionNode> root_;
  std::set<Watch> watches_;
  std::vector<std::pair<Term, TermArguments>> terms_;
};

/// The candidate nearest to `word` by edit distance; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// `vitrine help expressions`: grammar, operators and every term with a tried example.
std::string expression_reference();

}  // namespace vitrine::ui
