// Hypercalls from a payload: the page to call, and one wrapper per way of passing parameters.
#pragma once

#include <cstdint>

#include "hv/tlfs/call_codes.h"
#include "hv/tlfs/hypercall.h"

namespace vitrine::kit {

namespace tlfs = hv::tlfs;

// Announces the guest to the hypervisor and turns the hypercall page on. False if there is no
// hypervisor that speaks TLFS.
bool enable_hypercalls();

// The address of the VMCALL in the hypercall page.
std::uint64_t hypercall_rip();

// Every call of the payload: control word, and two registers that carry parameters or addresses.
tlfs::HypercallResult call_hypervisor(tlfs::HypercallControl control, std::uint64_t rdx = 0,
                                      std::uint64_t r8 = 0);

// A fast call: up to 16 bytes of input in the registers.
tlfs::HypercallResult fast_call(tlfs::Call code, std::uint64_t first = 0, std::uint64_t second = 0);

// A call through memory: the input and output blocks are pages that nothing else uses meanwhile.
tlfs::HypercallResult memory_call(tlfs::Call code, const void* input, std::uint64_t input_size,
                                  void* output = nullptr, std::uint64_t output_size = 0,
                                  std::uint32_t reps = 0);

template <typename Input>
tlfs::HypercallResult memory_call(tlfs::Call code, const Input& input) {
  return memory_call(code, &input, sizeof(Input));
}
template <typename Input, typename Output>
tlfs::HypercallResult memory_call(tlfs::Call code, const Input& input, Output& output) {
  return memory_call(code, &input, sizeof(Input), &output, sizeof(Output));
}

}  // namespace vitrine::kit
