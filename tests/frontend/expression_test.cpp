// The expression grammar: what it accepts, what it answers, and how it points at a mistake.
#include "frontend/expression/expression.h"

#include <catch2/catch.hpp>

#include <map>

using namespace vitrine::ui;

namespace {

struct Values final : TermSource {
  uint64_t value(Term term, const TermArguments& arguments) override {
    if (term == Term::partition_state) return partition_state[arguments.numbers[0]];
    const auto found = values.find(term);
    return found == values.end() ? 0 : found->second;
  }
  std::map<Term, uint64_t> values;
  std::map<uint64_t, uint64_t> partition_state;
};

std::string error_of(std::string_view text) {
  try {
    Expression::parse(text);
  } catch (const ExpressionError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every example in the term table parses", "[expression]") {
  for (const TermRow& row : kTerms) {
    INFO(row.example);
    CHECK_NOTHROW(Expression::parse(row.example));
  }
}

TEST_CASE("comparisons, and, or, not and parentheses", "[expression]") {
  Values v;
  v.values[Term::cycle] = 100;
  CHECK(Expression::parse("cycle >= 100").holds(v));
  CHECK_FALSE(Expression::parse("cycle > 100").holds(v));
  CHECK(Expression::parse("cycle > 5 && !(cycle > 200)").holds(v));
  CHECK(Expression::parse("cycle == 0x64 or cycle == 1").holds(v));
  CHECK(Expression::parse("not cycle == 1 and cycle != 2").holds(v));
}

TEST_CASE("-> is true once, when the left side becomes the right", "[expression]") {
  Values v;
  auto e = Expression::parse("partition(2).state -> finalizing");
  v.partition_state[2] = 2;
  CHECK_FALSE(e.holds(v));  // it was so from the start
  v.partition_state[2] = 1;
  CHECK_FALSE(e.holds(v));
  v.partition_state[2] = 2;
  CHECK(e.holds(v));
  CHECK_FALSE(e.holds(v));
}

TEST_CASE("an expression knows what must be watched for it", "[expression]") {
  CHECK(Expression::parse("exit(hlt)").watches() == std::set<Watch>{Watch::vm_exits});
  CHECK(Expression::parse("rip == 5").watches() == std::set<Watch>{Watch::every_instruction});
  CHECK(Expression::parse("cycle >= 77").cycle_limit() == 77u);
  CHECK_FALSE(Expression::parse("cycle >= 77 || exit(hlt)").cycle_limit());
}

TEST_CASE("a mistake is shown with a caret and the nearest name", "[expression]") {
  CHECK(error_of("partition(2).stat == 1") ==
        "'stat' is not known here; did you mean 'state'?\n"
        "  partition(2).stat == 1\n"
        "               ^");
  CHECK(error_of(std::string_view("cycle \0 > 5", 11)) ==
        "expected an operator or the end here\n  cycle ? > 5\n        ^");
  CHECK(error_of("cycel >= 5").find("did you mean 'cycle'?") != std::string::npos);
  CHECK(error_of("cycle >=").find("expected a value") != std::string::npos);
  CHECK(error_of("serial(\"x\") == 1").find("cannot be compared") != std::string::npos);
  CHECK(error_of("partition.state == 1").find("needs its argument") != std::string::npos);
  CHECK(error_of("hypercall(1, 2).enter").find("fewer arguments") != std::string::npos);
  CHECK(error_of("hypercall(0x42)").find("needs a field") != std::string::npos);
  CHECK(error_of("cycle >= 99999999999999999999").find("64 bits") != std::string::npos);
  CHECK(error_of("cycle >= 5 5").find("operator or the end") != std::string::npos);
  CHECK(error_of("serial(\"x").find("')'") != std::string::npos);
}

TEST_CASE("an expression is neither too long nor too deep to be read", "[expression]") {
  const auto nested = [](size_t depth) {
    return std::string(depth, '(') + "cycle > 1" + std::string(depth, ')');
  };
  CHECK(error_of(nested(100)).empty());
  CHECK(error_of(nested(101)).find("nested too deeply") != std::string::npos);
  CHECK(error_of(std::string(1000, '!') + "1").find("nested too deeply") != std::string::npos);
  CHECK(error_of(std::string(100'000, '(')).find("at most 4096") != std::string::npos);
}
