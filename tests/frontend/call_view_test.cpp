// What `vitrine explain call` says: against the core's own sizes, and against the reference pages.
#include "frontend/inspect/call_view.h"

#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "hv/core/call.h"
#include "tests/skip.h"

using namespace vitrine;
using namespace vitrine::ui;

namespace {

/// A page of the reference beside the source tree; empty when it is not there.
std::string reference_page(const std::string& name) {
  std::ifstream in(std::filesystem::path("../shared/seeds") / name);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::set<std::string> status_names(const CallView& view) {
  std::set<std::string> names;
  for (const CallStatusView& row : view.statuses) names.emplace(row.name);
  return names;
}

}  // namespace

TEST_CASE("the fields of every implemented call fill its structures exactly", "[explain]") {
  for (const hv::CallRow& row : hv::call_table()) {
    const auto view = view_call(static_cast<uint16_t>(row.code));
    REQUIRE(view);
    INFO(view->name);
    CHECK(view->implemented);
    for (const CallPartView& part : view->parts) {
      // HvMapEventLogBuffer's output is as long as the buffer has pages.
      uint32_t end = 0;
      for (const CallFieldView& field : part.fields) {
        CHECK(field.offset == end);
        end += field.size;
      }
      INFO(part.name);
      const bool page_list = row.code == hv::tlfs::Call::map_event_log_buffer;
      CHECK((end == part.size || (page_list && part.name == "output")));
    }
  }
}

TEST_CASE("a call is found by code and by any of its names", "[explain]") {
  CHECK(find_call_code("0x42") == 0x42);
  CHECK(find_call_code("66") == 0x42);
  CHECK(find_call_code("HvFinalizePartition") == 0x42);
  CHECK(find_call_code("HvCallFinalizePartition") == 0x42);
  CHECK(find_call_code("finalize_partition") == 0x42);
  CHECK_FALSE(find_call_code("finalize"));
  CHECK_FALSE(find_call_code("0x10042"));
}

TEST_CASE("HvFlushEventLogBuffer has the statuses of its page, line by line", "[explain]") {
  const std::string page = reference_page("HvFlushEventLogBuffer.txt");
  if (page.empty()) return test::skip(test::SkipReason::file_absent, "the reference page of 0x68");
  std::set<std::string> named;
  const std::regex status("HV_STATUS_[A-Z_]+");
  for (std::sregex_iterator at(page.begin(), page.end(), status), end; at != end; ++at) {
    named.insert(at->str());
  }
  CHECK(status_names(*view_call(0x68)) == named);
}

TEST_CASE("HvFinalizePartition has a status for each line of its page", "[explain]") {
  const std::string page = reference_page("HvFinalizePartition.txt");
  if (page.empty()) return test::skip(test::SkipReason::file_absent, "the reference page of 0x42");
  // The page lost the names in front of its descriptions; TLFS 2.0 has them.
  const std::vector<std::pair<std::string, std::string>> lines = {
      {"HvFinalizePartition successfully finalized the partition.", "HV_STATUS_SUCCESS"},
      {"The specified partition is not a child of the caller.", "HV_STATUS_ACCESS_DENIED"},
      {"The specified partition identifier is invalid.", "HV_STATUS_INVALID_PARTITION_ID"},
      {"The specified partition has one or more children.", "HV_STATUS_OPERATION_DENIED"},
      {"The specified partition is not in the active state.", "HV_STATUS_INVALID_PARTITION_STATE"},
  };
  std::set<std::string> named;
  for (const auto& [line, name] : lines) {
    INFO(line);
    CHECK(page.find(line) != std::string::npos);
    named.insert(name);
  }
  CHECK(status_names(*view_call(0x42)) == named);
  // As many rows as the page's table, so that none is missing from the list above.
  const size_t table = page.find("Return code | Description");
  const size_t remarks = page.find("Remarks", table);
  REQUIRE(table != std::string::npos);
  size_t rows = 0;
  for (size_t at = page.find("\n|\n", table); at < remarks; at = page.find("\n|\n", at + 1)) ++rows;
  CHECK(rows == lines.size());
}

TEST_CASE("text and JSON of a call say the same", "[explain]") {
  const CallView view = *view_call(0x42);
  const auto parsed = json(view);
  const std::string words = text(view);
  CHECK(parsed["refusals"].size() == 4);
  for (const auto& row : parsed["statuses"]) {
    CHECK(words.find(row["name"].get<std::string>()) != std::string::npos);
    CHECK(words.find(row["when"].get<std::string>()) != std::string::npos);
  }
}
