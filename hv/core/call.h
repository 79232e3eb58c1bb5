// A hypercall as the table knows it: sizes, class, privilege, and a handler behind one calling convention.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "hv/core/hypervisor.h"
#include "hv/core/outcome.h"
#include "hv/tlfs/call_codes.h"
#include "hv/tlfs/privileges.h"

namespace vitrine::hv {

// Who makes the call, and what the attempt may still do.
struct Caller {
  Hypervisor& hv;
  std::uint32_t processor;
  VirtualProcessor& vp;
  Partition& partition;
  // The VP executes again a call that answered "again" before.
  bool continuing{};
  // Bytes from the output block to the end of its page, for calls whose output has no fixed size.
  std::uint32_t output_room{};
  std::byte* output{};
  std::uint32_t output_written{};
};

// Units of work that one attempt of a continuable call may do. One unit moves, maps or frees one page or
// one object. TLFS "Hypercall Continuation": a call lets its caller go after 50 microseconds. The dearest
// unit, a page withdrawn and so cleared, takes 2,650 cycles of 2 GHz at the timing level `core`, and 32 of
// them 43 microseconds; at `count` it is a range to flush, 1,460 cycles.
inline constexpr std::uint32_t kSliceUnits = 32;

// Whether the attempt is to end here: its units are used up or an interrupt waits. The first unit is
// always granted, so that every attempt makes progress.
bool slice_over(const Caller& caller, std::uint32_t units_done);

// A handler is `Outcome<Out> name(Caller&, const In&)`. A rep call has two: `begin` checks the header and
// answers what the elements need, `element` does one element.
struct CallResult {
  Status status{};
  bool again{};
  std::uint32_t reps{};
};
using SimpleCall = CallResult (*)(Caller&, const std::byte* input, std::byte* output);
using RepCall = CallResult (*)(Caller&, const std::byte* input, std::byte* output,
                               std::uint32_t start, std::uint32_t count);

struct CallRow {
  tlfs::Call code;
  tlfs::Privilege privilege;
  bool is_rep;
  std::uint16_t input_size;  // of the header, for rep calls
  std::uint16_t input_element;
  std::uint16_t output_size;
  std::uint16_t output_element;
  SimpleCall simple;
  RepCall rep;
};

template <class T>
inline constexpr std::uint16_t kWireSize = std::is_same_v<T, tlfs::Nothing> ? 0 : sizeof(T);

// Copy in, copy out: parameter blocks are never used in place.
template <class T>
T read_wire(const std::byte* from) {
  T value{};
  if constexpr (kWireSize<T> != 0) __builtin_memcpy(&value, from, sizeof(T));
  return value;
}
template <class T>
void write_wire(std::byte* to, const T& value) {
  if constexpr (kWireSize<T> != 0) __builtin_memcpy(to, &value, sizeof(T));
}

template <class F>
struct SimpleSignature;
template <class Out, class In>
struct SimpleSignature<Outcome<Out> (*)(Caller&, const In&)> {
  using Output = Out;
  using Input = In;
};

template <auto handler>
CallResult run_simple(Caller& caller, const std::byte* input, std::byte* output) {
  using Signature = SimpleSignature<decltype(handler)>;
  const auto in = read_wire<typename Signature::Input>(input);
  const auto outcome = handler(caller, in);
  if (outcome.is_again()) return {.status = Status::success, .again = true};
  if (!outcome) return {.status = outcome.status()};
  write_wire(output, *outcome);
  return {};
}

template <class F>
struct BeginSignature;
template <class T, class H>
struct BeginSignature<Outcome<T> (*)(Caller&, const H&)> {
  using Target = T;
  using Header = H;
};
template <class F>
struct ElementSignature;
template <class Out, class T, class In>
struct ElementSignature<Outcome<Out> (*)(Caller&, T&, const In&, std::uint32_t)> {
  using Output = Out;
  using Input = In;
};

template <auto begin, auto element>
CallResult run_rep(Caller& caller, const std::byte* input, std::byte* output, std::uint32_t start,
                   std::uint32_t count) {
  using Header = typename BeginSignature<decltype(begin)>::Header;
  using Input = typename ElementSignature<decltype(element)>::Input;
  using Output = typename ElementSignature<decltype(element)>::Output;
  const auto header = read_wire<Header>(input);
  const auto checked = begin(caller, header);
  if (checked.is_again()) return {.again = true, .reps = start};
  if (!checked) return {.status = checked.status(), .reps = start};
  auto target = *checked;
  for (std::uint32_t i = start; i < count; ++i) {
    if (slice_over(caller, i - start)) return {.again = true, .reps = i};
    const auto in = read_wire<Input>(input + kWireSize<Header> + std::size_t{i} * kWireSize<Input>);
    const auto outcome = element(caller, target, in, i);
    if (!outcome) return {.status = outcome.status(), .reps = i};
    write_wire(output + std::size_t{i} * kWireSize<Output>, *outcome);
  }
  return {.reps = count};
}

template <auto handler>
constexpr CallRow simple_call(tlfs::Call code, tlfs::Privilege privilege) {
  using Signature = SimpleSignature<decltype(handler)>;
  return {code,   privilege,
          false,  kWireSize<typename Signature::Input>,
          0,      kWireSize<typename Signature::Output>,
          0,      run_simple<handler>,
          nullptr};
}

template <auto begin, auto element>
constexpr CallRow rep_call(tlfs::Call code, tlfs::Privilege privilege) {
  using Element = ElementSignature<decltype(element)>;
  return {code,
          privilege,
          true,
          kWireSize<typename BeginSignature<decltype(begin)>::Header>,
          kWireSize<typename Element::Input>,
          0,
          kWireSize<typename Element::Output>,
          nullptr,
          run_rep<begin, element>};
}

// The row of an implemented call, null for any other code.
const CallRow* find_call_row(std::uint16_t code);
std::span<const CallRow> call_table();

// --- what several handlers ask -----------------------------------------------------------------------

Partition* find_partition(const Hypervisor& hv, tlfs::PartitionId id);
// The partition a parameter names, kSelf being the caller's own; null if there is none.
Partition* named_partition(const Caller& caller, tlfs::PartitionId id);
bool is_child(const Caller& caller, const Partition& partition);

// invalid_partition_id for an unknown partition, then access_denied for one that is not the caller's child.
Outcome<Partition*> child_of(const Caller& caller, tlfs::PartitionId id);
// The same, and the root may name itself.
Outcome<Partition*> child_or_root(const Caller& caller, tlfs::PartitionId id);
// The same, and every partition may name itself.
Outcome<Partition*> child_or_self(const Caller& caller, tlfs::PartitionId id);

// The VP is off its processor, so that its registers can be reached; the caller's own always is.
bool parked(const Caller& caller, VirtualProcessor& vp);

}  // namespace vitrine::hv
