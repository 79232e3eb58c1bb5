// Expression: a recursive-descent parser over the term table, and evaluation of its tree.
#include "frontend/expression/expression.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace vitrine::ui {

enum class Operator : uint8_t {
  number, term, not_, and_, or_, equal, not_equal, less, less_equal, greater, greater_equal, becomes
};

struct ExpressionNode {
  Operator op = Operator::number;
  uint64_t number = 0;
  Term term{};
  TermArguments arguments;
  std::unique_ptr<ExpressionNode> left, right;
  std::optional<uint64_t> previous;  ///< left side of `->` when last looked at
};

namespace {

using Node = std::unique_ptr<ExpressionNode>;

/// One column for each character that would print none, or something else.
std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7F') c = '?';
  }
  return out;
}

std::string render_error(std::string_view text, size_t at, const std::string& why) {
  std::string out = printable(why) + "\n  " + printable(text) + "\n  ";
  out.append(at, ' ');
  out += '^';
  return out;
}

struct OperatorRow {
  std::string_view text;
  Operator op;
};
// Longer spellings first.
constexpr std::array<OperatorRow, 7> kComparisons = {{
    {"==", Operator::equal},
    {"!=", Operator::not_equal},
    {"<=", Operator::less_equal},
    {">=", Operator::greater_equal},
    {"->", Operator::becomes},
    {"<", Operator::less},
    {">", Operator::greater},
}};

/// The parts of a pattern: "eventlog(type).buffer(index).state" is {eventlog, buffer, state}.
std::vector<std::string> path_of(std::string_view pattern) {
  std::vector<std::string> path{""};
  bool inside = false;
  for (const char c : pattern) {
    if (c == '(') inside = true;
    if (!inside && c == '.') {
      path.emplace_back();
    } else if (!inside) {
      path.back() += c;
    }
    if (c == ')') inside = false;
  }
  return path;
}

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

class Parser {
 public:
  Parser(std::string_view text, NameSource* names, std::set<Watch>& watches,
         std::vector<std::pair<Term, TermArguments>>& terms)
      : text_(text), names_(names), watches_(watches), terms_(terms) {}

  Node parse_all() {
    if (text_.size() > kLongest) {
      throw ExpressionError("", 0, "an expression has at most 4096 characters");
    }
    Node node = parse_or();
    skip_spaces();
    if (at_ != text_.size()) fail(at_, "expected an operator or the end here");
    return node;
  }

 private:
  [[noreturn]] void fail(size_t at, const std::string& why) const {
    throw ExpressionError(text_, at, why);
  }
  void skip_spaces() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool accept(std::string_view token) {
    skip_spaces();
    if (text_.substr(at_, token.size()) != token) return false;
    const bool word = is_name(token.front());
    if (word && at_ + token.size() < text_.size() && is_name(text_[at_ + token.size()])) {
      return false;
    }
    at_ += token.size();
    return true;
  }

  /// Parentheses and negations inside each other; the parser's own stack is not without end.
  static constexpr unsigned kDeepest = 100;
  static constexpr size_t kLongest = 4096;
  class Deeper {
   public:
    explicit Deeper(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kDeepest) parser_.fail(parser_.at_, "this is nested too deeply");
    }
    ~Deeper() { --parser_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Parser& parser_;
  };

  Node parse_or() {
    Node left = parse_and();
    while (accept("||") || accept("or")) left = join(Operator::or_, std::move(left), parse_and());
    return left;
  }
  Node parse_and() {
    Node left = parse_not();
    while (accept("&&") || accept("and")) {
      left = join(Operator::and_, std::move(left), parse_not());
    }
    return left;
  }
  Node parse_not() {
    if (accept("not") || (peek_not() && accept("!"))) {
      const Deeper deeper(*this);
      return join(Operator::not_, parse_not(), nullptr);
    }
    return parse_comparison();
  }
  bool peek_not() {
    skip_spaces();
    return text_.substr(at_, 1) == "!" && text_.substr(at_, 2) != "!=";
  }
  Node parse_comparison() {
    skip_spaces();
    const size_t start = at_;
    Node left = parse_value();
    for (const OperatorRow& row : kComparisons) {
      if (!accept(row.text)) continue;
      if (left->op == Operator::term && kTerms[static_cast<size_t>(left->term)].event) {
        fail(start, "an event cannot be compared; it is true when it happens");
      }
      return join(row.op, std::move(left), parse_value());
    }
    return left;
  }

  Node parse_value() {
    skip_spaces();
    if (accept("(")) {
      const Deeper deeper(*this);
      Node inner = parse_or();
      if (!accept(")")) fail(at_, "expected ')' here");
      return inner;
    }
    if (at_ == text_.size()) fail(at_, "expected a value here");
    const char c = text_[at_];
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) return number_node(parse_number());
    if (!is_name(c)) fail(at_, "expected a value here");
    return parse_term();
  }

  uint64_t parse_number() {
    skip_spaces();
    const size_t start = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    std::string_view digits = text_.substr(start, at_ - start);
    int base = 10;
    if (digits.starts_with("0x") || digits.starts_with("0X")) {
      digits.remove_prefix(2);
      base = 16;
    }
    uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
      fail(start, "this is not a number of 64 bits");
    }
    return value;
  }

  std::string parse_word() {
    skip_spaces();
    const size_t start = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }

  std::string parse_text() {
    skip_spaces();
    const size_t start = at_;
    if (at_ == text_.size() || text_[at_] != '"') fail(at_, "expected a text in quotes here");
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      const bool escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
      if (escaped) ++at_;
      out += escaped && text_[at_] == 'n' ? '\n' : text_[at_];
    }
    if (at_ == text_.size()) fail(start, "this text has no closing quote");
    ++at_;
    if (out.empty()) fail(start, "an empty text would always match");
    return out;
  }

  /// A path of names, each with an optional argument list, matched against the table part by part.
  Node parse_term() {
    const size_t start = at_;
    std::vector<size_t> fitting;
    for (size_t i = 0; i < kTerms.size(); ++i) fitting.push_back(i);
    std::vector<std::pair<size_t, size_t>> argument_spans;
    for (size_t part = 0;; ++part) {
      skip_spaces();
      const size_t word_at = at_;
      const std::string word = parse_word();
      if (part == 0) {
        if (const auto value = named_value(word)) return number_node(*value);
      }
      std::vector<std::string> candidates;
      std::vector<size_t> rest;
      for (const size_t i : fitting) {
        const auto path = path_of(kTerms[i].pattern);
        if (path.size() <= part) continue;
        candidates.push_back(path[part]);
        if (path[part] == word) rest.push_back(i);
      }
      if (rest.empty()) unknown_name(word_at, word, candidates, part == 0);
      fitting = rest;
      if (accept("(")) {
        // Remember where the arguments stand; they are read once the row is known.
        const size_t from = at_;
        const size_t to = skip_arguments();
        argument_spans.emplace_back(from, to);
      }
      if (!accept(".")) {
        for (const size_t i : fitting) {
          if (path_of(kTerms[i].pattern).size() == part + 1) {
            return finish_term(kTerms[i], argument_spans, start);
          }
        }
        fail(at_, "'" + word + "' needs a field: " + list_next(fitting, part + 1));
      }
    }
  }

  size_t skip_arguments() {
    bool quoted = false;
    while (at_ < text_.size() && (quoted || text_[at_] != ')')) {
      if (text_[at_] == '\\') ++at_;
      else if (text_[at_] == '"') quoted = !quoted;
      ++at_;
    }
    if (at_ >= text_.size()) fail(text_.size(), "expected ')' here");
    return at_++;
  }

  Node finish_term(const TermRow& row, const std::vector<std::pair<size_t, size_t>>& spans,
                   size_t start) {
    const size_t after = at_;
    TermArguments arguments;
    size_t next = 0;
    for (const auto& [from, to] : spans) {
      at_ = from;
      do {
        if (next == 2 || row.arguments[next] == ArgumentKind::none) {
          fail(at_, "'" + std::string(row.pattern) + "' takes fewer arguments");
        }
        read_argument(row.arguments[next], arguments, next);
        ++next;
      } while (accept(","));
      skip_spaces();
      if (at_ != to) fail(at_, "expected ',' or ')' here");
    }
    if (next < 2 && row.arguments[next] != ArgumentKind::none) {
      fail(after, "'" + std::string(row.pattern) + "' needs its argument");
    }
    at_ = after;
    if (names_ != nullptr && !names_->knows(row.term, arguments)) {
      const std::string word = arguments.texts[1].empty() ? arguments.texts[0] : arguments.texts[1];
      unknown_name(start, word, names_->names(row.term, arguments), false);
    }
    watches_.insert(row.watch);
    terms_.emplace_back(row.term, arguments);
    Node node = std::make_unique<ExpressionNode>();
    node->op = Operator::term;
    node->term = row.term;
    node->arguments = arguments;
    return node;
  }

  void read_argument(ArgumentKind kind, TermArguments& arguments, size_t index) {
    skip_spaces();
    switch (kind) {
      case ArgumentKind::number: arguments.numbers[index] = parse_number(); return;
      case ArgumentKind::text: arguments.texts[index] = parse_text(); return;
      case ArgumentKind::name: {
        const size_t at = at_;
        arguments.texts[index] = parse_word();
        if (arguments.texts[index].empty()) fail(at, "expected a name here");
        return;
      }
      case ArgumentKind::none: return;
    }
  }

  [[noreturn]] void unknown_name(size_t at, const std::string& word,
                                 std::vector<std::string> candidates, bool with_values) const {
    if (with_values) {
      for (const NamedValue& v : kPartitionAndBufferStates) candidates.emplace_back(v.name);
    }
    const std::string near = nearest(word, candidates);
    std::string why = "'" + word + "' is not known here";
    if (!near.empty()) why += "; did you mean '" + near + "'?";
    fail(at, why);
  }

  std::string list_next(const std::vector<size_t>& rows, size_t part) const {
    std::set<std::string> names;
    for (const size_t i : rows) {
      const auto path = path_of(kTerms[i].pattern);
      if (path.size() > part) names.insert(path[part]);
    }
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
    return out;
  }

  static std::optional<uint64_t> named_value(std::string_view word) {
    for (const NamedValue& v : kPartitionAndBufferStates) {
      if (v.name == word) return v.value;
    }
    return std::nullopt;
  }
  static Node number_node(uint64_t value) {
    Node node = std::make_unique<ExpressionNode>();
    node->number = value;
    return node;
  }
  static Node join(Operator op, Node left, Node right) {
    Node node = std::make_unique<ExpressionNode>();
    node->op = op;
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
  }

  std::string_view text_;
  NameSource* names_;
  std::set<Watch>& watches_;
  std::vector<std::pair<Term, TermArguments>>& terms_;
  size_t at_ = 0;
  unsigned depth_ = 0;
};

uint64_t evaluate(ExpressionNode& node, TermSource& source) {
  const auto left = [&] { return evaluate(*node.left, source); };
  const auto right = [&] { return evaluate(*node.right, source); };
  switch (node.op) {
    case Operator::number: return node.number;
    case Operator::term: return source.value(node.term, node.arguments);
    case Operator::not_: return left() == 0;
    default: break;
  }
  // Both sides are always looked at: `->` must see every change.
  const uint64_t a = left();
  const uint64_t b = right();
  switch (node.op) {
    case Operator::and_: return a != 0 && b != 0;
    case Operator::or_: return a != 0 || b != 0;
    case Operator::equal: return a == b;
    case Operator::not_equal: return a != b;
    case Operator::less: return a < b;
    case Operator::less_equal: return a <= b;
    case Operator::greater: return a > b;
    case Operator::greater_equal: return a >= b;
    case Operator::becomes: {
      const bool was = node.previous.has_value() && *node.previous == b;
      const bool known = node.previous.has_value();
      node.previous = a;
      return known && !was && a == b;
    }
    default: return 0;
  }
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

}  // namespace

ExpressionError::ExpressionError(std::string_view text, size_t at, const std::string& why)
    : std::runtime_error(render_error(text, at, why)) {}

Expression::Expression() = default;
Expression::~Expression() = default;
Expression::Expression(Expression&&) noexcept = default;
Expression& Expression::operator=(Expression&&) noexcept = default;

Expression Expression::parse(std::string_view text, NameSource* names) {
  Expression expression;
  Parser parser(text, names, expression.watches_, expression.terms_);
  expression.root_ = parser.parse_all();
  return expression;
}

bool Expression::holds(TermSource& source) { return evaluate(*root_, source) != 0; }

std::optional<uint64_t> Expression::cycle_limit() const {
  const bool simple = root_->op == Operator::greater_equal &&
                      root_->left->op == Operator::term && root_->left->term == Term::cycle &&
                      root_->right->op == Operator::number;
  if (!simple) return std::nullopt;
  return root_->right->number;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string expression_reference() {
  std::string out =
      "An expression says when something is true: for --until, filters and conditions.\n\n"
      "  a && b, a || b, !a, (a)     also: and, or, not\n"
      "  a == b, !=, <, <=, >, >=    comparison of 64-bit values\n"
      "  a -> b                      a has just become equal to b\n"
      "  42, 0x2A, \"text\"            numbers and texts\n\nTerms:\n";
  for (const TermRow& row : kTerms) {
    out += "  " + std::string(row.pattern) + "\n      " + std::string(row.meaning) +
           "\n      example: " + std::string(row.example) + "\n";
  }
  out += "\nStates:";
  for (const NamedValue& v : kPartitionAndBufferStates) out += " " + std::string(v.name);
  return out + "\n";
}

}  // namespace vitrine::ui
