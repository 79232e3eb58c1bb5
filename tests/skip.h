// How a test case says that it cannot run here: with a reason from a short list, so that no gap
// hides as a skip.
#pragma once
#include <string_view>

namespace vitrine::test {

enum class SkipReason { no_x86_host, file_absent, no_network };

// Call it, then return from the test case: the case counts as skipped unless an assertion of it
// failed.
void skip(SkipReason reason, std::string_view detail = {});

}  // namespace vitrine::test
