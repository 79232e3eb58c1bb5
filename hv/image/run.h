// The run loop of a processor: enter a guest, handle its exit, choose who runs next.
#pragma once

namespace vitrine::hv {

[[noreturn]] void run_processor();

}  // namespace vitrine::hv
