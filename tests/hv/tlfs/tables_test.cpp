// The tables of the TLFS: complete, in order, and spelled as the manual spells them.
#include <catch2/catch.hpp>

#include "hv/tlfs/call_codes.h"
#include "hv/tlfs/cpuid.h"
#include "hv/tlfs/event_log.h"
#include "hv/tlfs/hypercall.h"
#include "hv/tlfs/message_types.h"
#include "hv/tlfs/msrs.h"
#include "hv/tlfs/partition_properties.h"
#include "hv/tlfs/privileges.h"
#include "hv/tlfs/status.h"
#include "hv/tlfs/vp_registers.h"

namespace vitrine::test {
namespace {

namespace tl = hv::tlfs;

TEST_CASE("all 288 call codes are there, each found by its number", "[hv]") {
  CHECK(tl::kCallCodes.size() == 288);
  for (const tl::CallCode& row : tl::kCallCodes) CHECK(tl::find_call(row.code) == &row);
  CHECK(tl::find_call(0) == nullptr);
  CHECK(tl::find_call(0xFFFF) == nullptr);
  const tl::CallCode* const finalize = tl::find_call(0x0042);
  REQUIRE(finalize != nullptr);
  CHECK(finalize->name == "HvCallFinalizePartition");
  CHECK(finalize->fast);
  CHECK(finalize->kind == tl::CallClass::simple);
  CHECK(tl::find_call(0x0068)->name == "HvCallFlushEventLogBuffer");
  CHECK(tl::find_call(0x0048)->kind == tl::CallClass::rep);
  CHECK(tl::find_call(0x0048)->privilege == tl::Privilege::access_memory_pool);
}

TEST_CASE("statuses have the manual's names", "[hv]") {
  CHECK(tl::status_name(tl::Status::invalid_partition_state) ==
        "HV_STATUS_INVALID_PARTITION_STATE");
  CHECK(tl::status_name(static_cast<tl::Status>(0x7777)).empty());
  CHECK(static_cast<int>(tl::Status::no_resources) == 0x1D);
}

TEST_CASE("the control word's fields are where the TLFS draws them", "[hv]") {
  const tl::HypercallControl word{0x0005'000A'0003'0048};
  CHECK(word.call_code() == 0x48);
  CHECK(word.fast());
  CHECK(word.variable_header() == 1);
  CHECK(word.rep_count() == 10);
  CHECK(word.rep_start() == 5);
  CHECK(word.reserved_clear());
  CHECK(word.with_rep_start(7).word == 0x0007'000A'0003'0048);
  const auto result = tl::HypercallResult::make(tl::Status::no_resources, 298);
  CHECK(result.word == 0x0000'012A'0000'001D);
}

TEST_CASE("the vendor leaf spells its name", "[hv]") {
  const auto text = [](std::uint32_t word) {
    return std::string{static_cast<char>(word), static_cast<char>(word >> 8),
                       static_cast<char>(word >> 16), static_cast<char>(word >> 24)};
  };
  CHECK(text(tl::kVendorEbx) + text(tl::kVendorEcx) + text(tl::kVendorEdx) == "Microsoft Hv");
  CHECK(text(tl::kInterface) == "Hv#1");
}

TEST_CASE("a child starts with the privileges of TLFS 2.0, the root has them all", "[hv]") {
  CHECK(tl::kChildPrivileges == 0x5FF);
  CHECK((tl::kDefinedPrivileges & tl::mask_of(tl::Privilege::cpu_management)) != 0);
  CHECK(tl::mask_of(tl::Privilege::none) == 0);
}

TEST_CASE("registers and messages number as many as are named", "[hv]") {
  CHECK(tl::kRegisterNames.size() == 424);
  CHECK(tl::kMessageTypes.front().type == 0);
  CHECK(static_cast<std::uint32_t>(tl::MessageType::event_log_buffer_complete) == 0x80000040);
  CHECK(tl::find_msr(0x4000009F)->first == 0x40000090);
  CHECK(tl::find_msr(0x40000106) == nullptr);
}

}  // namespace
}  // namespace vitrine::test
