// The hypercall engine: control word, parameter blocks, the fixed order of refusals, continuation.
#include <span>

#include "hv/core/call.h"
#include "hv/core/gpa_space.h"
#include "hv/core/require.h"

namespace vitrine::hv {
namespace {

using tlfs::HypercallControl;
using tlfs::HypercallResult;

// TLFS "Hypercall Inputs": where 64-bit callers and all others have the control word and parameters.
struct Registers {
  HypercallControl control;
  std::uint64_t first;
  std::uint64_t second;
};

Registers read_registers(const HypercallFrame& frame) {
  if (frame.long_mode) return {{frame.rcx}, frame.rdx, frame.r8};
  const auto pair = [](std::uint64_t high, std::uint64_t low) {
    return (high << 32) | (low & 0xFFFFFFFF);
  };
  return {{pair(frame.rdx, frame.rax)}, pair(frame.rbx, frame.rcx), pair(frame.rdi, frame.rsi)};
}

void write_pair(HypercallFrame& frame, std::uint64_t value) {
  frame.rdx = value >> 32;
  frame.rax = value & 0xFFFFFFFF;
}

void write_result(HypercallFrame& frame, HypercallResult result) {
  if (frame.long_mode) {
    frame.rax = result.word;
  } else {
    write_pair(frame, result.word);
  }
}

void write_control(HypercallFrame& frame, HypercallControl control) {
  if (frame.long_mode) {
    frame.rcx = control.word;
  } else {
    write_pair(frame, control.word);
  }
}

// Sizes of this call's blocks.
struct Blocks {
  std::uint32_t input;
  std::uint32_t output;
};

Blocks blocks_of(const CallRow& row, HypercallControl control) {
  const std::uint32_t count = row.is_rep ? control.rep_count() : 0;
  return {row.input_size + row.input_element * count, row.output_size + row.output_element * count};
}

constexpr std::uint32_t round_up(std::uint32_t value, std::uint32_t unit) {
  return (value + unit - 1) / unit * unit;
}

bool fits_registers(const Blocks& blocks, bool long_mode) {
  if (blocks.output == 0) return blocks.input <= tlfs::kFastBytes;
  return long_mode && round_up(blocks.input, 16) + blocks.output <= tlfs::kFastBytes;
}

// Refusals that need the control word only: its reserved bits, the code, then the class.
Status check_control(HypercallControl control, const CallRow* row, bool long_mode) {
  if (!control.reserved_clear()) return Status::invalid_hypercall_input;
  if (row == nullptr) return Status::invalid_hypercall_code;
  if (control.variable_header() != 0) return Status::invalid_hypercall_input;
  const std::uint32_t count = control.rep_count();
  const std::uint32_t start = control.rep_start();
  const bool reps_right = row->is_rep ? start < count : count == 0 && start == 0;
  if (!reps_right) return Status::invalid_hypercall_input;
  // Differs: TLFS 2.0 forbids fast rep calls and names the calls that may be fast; later editions, and
  // guests, use the fast form of any call whose parameters fit in the registers.
  if (control.fast() && !fits_registers(blocks_of(*row, control), long_mode)) {
    return Status::invalid_hypercall_input;
  }
  return Status::success;
}

constexpr std::uint64_t page_offset(std::uint64_t gpa) { return gpa & (tlfs::kPageSize - 1); }

// A memory block: aligned, within its page, within the GPA space, and accessible.
// Decided: a parameter page that the caller may not access is refused like one outside its space, with
// invalid_alignment; TLFS describes a memory intercept message to the parent, which the root has not.
Status check_block(const Hypervisor& hv, const Partition& partition, std::uint64_t gpa,
                   std::uint32_t size, Rights rights, std::uint64_t& address) {
  address = 0;
  if (size == 0) return Status::success;
  const bool placed =
      gpa % tlfs::kParameterAlignment == 0 && page_offset(gpa) + size <= tlfs::kPageSize;
  if (!placed) return Status::invalid_alignment;
  address = reach(hv, partition, gpa, rights);
  return address != 0 ? Status::success : Status::invalid_alignment;
}

bool overlap(std::uint64_t a, std::uint32_t a_size, std::uint64_t b, std::uint32_t b_size) {
  return a_size != 0 && b_size != 0 && a < b + b_size && b < a + a_size;
}

void gather_fast(const HypercallFrame& frame, const Registers& registers, std::uint32_t size,
                 std::byte* input) {
  std::byte block[tlfs::kFastBytes];
  __builtin_memcpy(block, &registers.first, 8);
  __builtin_memcpy(block + 8, &registers.second, 8);
  if (size > tlfs::kFastRegisterBytes) {
    __builtin_memcpy(block + tlfs::kFastRegisterBytes, frame.xmm.data(),
                     tlfs::kFastBytes - tlfs::kFastRegisterBytes);
  }
  __builtin_memcpy(input, block, size);
}

// Output starts in the first register pair after the input.
void scatter_fast(HypercallFrame& frame, const std::byte* output, std::uint32_t offset,
                  std::uint32_t size) {
  std::byte block[tlfs::kFastBytes];
  __builtin_memcpy(block, &frame.rdx, 8);
  __builtin_memcpy(block + 8, &frame.r8, 8);
  __builtin_memcpy(block + 16, frame.xmm.data(), tlfs::kFastBytes - 16);
  __builtin_memcpy(block + offset, output, size);
  __builtin_memcpy(&frame.rdx, block, 8);
  __builtin_memcpy(&frame.r8, block + 8, 8);
  __builtin_memcpy(frame.xmm.data(), block + 16, tlfs::kFastBytes - 16);
  frame.xmm_written = true;
}

// TLFS "Legal Hypercall Environments", and the interface that GUEST_OS_ID and HYPERCALL enable.
// Decided: a VMCALL while the interface is off raises #UD. Where VMCALL stands is not looked at: Linux
// copies the hypercall page and calls its copy.
bool may_call(const Partition& partition, const HypercallFrame& frame) {
  const bool enabled =
      partition.guest_os_id != 0 && tlfs::PageRegister{partition.hypercall}.enabled();
  return enabled && frame.protected_mode && frame.cpl == 0;
}

bool same_call(const Continuation& record, const HypercallFrame& frame,
               const Registers& registers) {
  return record.active != 0 && record.rip == frame.rip &&
         record.control == registers.control.word && record.first == registers.first &&
         record.second == registers.second;
}

// Everything after the control word, with the tree locked.
CallResult attempt(Caller& caller, const CallRow& row, HypercallFrame& frame,
                   const Registers& registers) {
  Hypervisor& hv = caller.hv;
  LogicalProcessor& lp = hv.processor(caller.processor);
  const HypercallControl control = registers.control;
  const Blocks blocks = blocks_of(row, control);
  const bool fast = control.fast();
  std::uint64_t input = 0;
  std::uint64_t output = 0;
  if (!fast) {
    const Status in =
        check_block(hv, caller.partition, registers.first, blocks.input, Rights::read, input);
    if (in != Status::success) return {.status = in};
    const Status out =
        check_block(hv, caller.partition, registers.second, blocks.output, Rights::write, output);
    if (out != Status::success) return {.status = out};
    // Decided: blocks that overlap are refused as badly placed.
    if (overlap(input, blocks.input, output, blocks.output))
      return {.status = Status::invalid_alignment};
  }
  if (!has_privilege(caller.partition, row.privilege)) return {.status = Status::access_denied};
  if (fast) {
    gather_fast(frame, registers, blocks.input, lp.input.data());
  } else if (blocks.input != 0) {
    __builtin_memcpy(lp.input.data(), hv.at<void>(input), blocks.input);
  }
  caller.output = lp.output.data();
  caller.output_room =
      fast ? blocks.output
           : static_cast<std::uint32_t>(tlfs::kPageSize - page_offset(registers.second));
  const CallResult result = row.is_rep ? row.rep(caller, lp.input.data(), lp.output.data(),
                                                 control.rep_start(), control.rep_count())
                                       : row.simple(caller, lp.input.data(), lp.output.data());
  // Elements done are written even when a later one failed: their effects stand (withdrawn pages).
  const std::uint32_t first = row.output_element * control.rep_start();
  const std::uint32_t elements = row.output_element * result.reps;
  std::uint32_t written = elements > first ? elements - first : 0;
  if (!row.is_rep && result.status == Status::success && !result.again) {
    written = caller.output_written > blocks.output ? caller.output_written : blocks.output;
  }
  if (written == 0) return result;
  if (fast) {
    scatter_fast(frame, lp.output.data() + first, round_up(blocks.input, 16) + first, written);
  } else {
    __builtin_memcpy(hv.at<std::byte>(output) + first, lp.output.data() + first, written);
  }
  return result;
}

HypercallExit finish_simple(Caller& caller, const CallResult& result, HypercallFrame& frame,
                            const Registers& registers, std::uint64_t object) {
  Continuation& record = caller.vp.continuation;
  if (!result.again) {
    record = {};
    write_result(frame, HypercallResult::make(result.status));
    return HypercallExit::completed;
  }
  const std::uint32_t attempts = caller.continuing ? record.attempts + 1 : 1;
  record = {.rip = frame.rip,
            .control = registers.control.word,
            .first = registers.first,
            .second = registers.second,
            .object = object,
            .attempts = attempts,
            .active = 1};
  return HypercallExit::again;
}

HypercallExit finish_rep(const CallResult& result, HypercallFrame& frame,
                         HypercallControl control) {
  if (result.again) {
    write_control(frame, control.with_rep_start(result.reps));
    return HypercallExit::again;
  }
  if (frame.long_mode) write_control(frame, control.with_rep_start(result.reps));
  write_result(frame, HypercallResult::make(result.status, result.reps));
  return HypercallExit::completed;
}

}  // namespace

bool slice_over(const Caller& caller, std::uint32_t units_done) {
  if (units_done == 0) return false;
  if (units_done >= kSliceUnits) return true;
  const Platform& platform = *caller.hv.platform;
  return platform.interrupt_pending(platform.context, caller.processor);
}

bool hypercall_uses_xmm(const HypercallFrame& frame) {
  const HypercallControl control = read_registers(frame).control;
  const CallRow* const row = find_call_row(control.call_code());
  if (!control.fast() || row == nullptr) return false;
  const Blocks blocks = blocks_of(*row, control);
  return blocks.output != 0 || blocks.input > tlfs::kFastRegisterBytes;
}

HypercallExit dispatch(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                       HypercallFrame& frame) {
  Partition& partition = partition_of(hv, vp);
  if (!may_call(partition, frame)) return HypercallExit::undefined_opcode;
  const Registers registers = read_registers(frame);
  const HypercallControl control = registers.control;
  LogicalProcessor& lp = hv.processor(processor);
  ++lp.attempts;
  if (logs(hv, tlfs::EventSource::hypercall)) {
    const std::uint64_t parameters[] = {frame.rip, control.word};
    log_event(hv, processor, tlfs::EventSource::hypercall, tlfs::EventType::hypercall, parameters);
  }
  const Guard guard(hv, processor, hv.tree_lock);
  // Its parent has begun to finalize it: the VP makes no call any more, and soon no instruction.
  if (partition.state != PartitionState::active) return HypercallExit::again;
  lp.current = hv.address_of(&vp);
  Caller caller{.hv = hv, .processor = processor, .vp = vp, .partition = partition};
  caller.continuing = same_call(vp.continuation, frame, registers);
  if (!caller.continuing) vp.continuation = {};
  const CallRow* const row = find_call_row(control.call_code());
  if (row == nullptr) ++lp.unimplemented;
  const Status refused = check_control(control, row, frame.long_mode);
  if (refused != Status::success) {
    vp.continuation = {};
    write_result(frame, HypercallResult::make(refused));
    return HypercallExit::completed;
  }
  const CallResult result = attempt(caller, *row, frame, registers);
  flush_stale(hv);
  if (row->is_rep) return finish_rep(result, frame, control);
  const std::uint64_t object = result.again ? read_wire<std::uint64_t>(lp.input.data()) : 0;
  return finish_simple(caller, result, frame, registers, object);
}

}  // namespace vitrine::hv
