// Cpu: one logical processor: its state, its view of memory, and the interpreter that runs its blocks.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <utility>

#include "emu/arch/cpuid_profile.h"
#include "emu/arch/exceptions.h"
#include "emu/cpu/block.h"
#include "emu/cpu/insn.h"
#include "emu/cpu/insn_builder.h"
#include "emu/cpu/jit/code.h"
#include "emu/cpu/observer.h"
#include "emu/cpu/ports.h"
#include "emu/cpu/state.h"
#include "emu/cpu/timing/core_clock.h"
#include "emu/cpu/vmx/state.h"
#include "emu/mmu/mmu.h"

namespace vitrine::emu::jit {
class Engine;
}

namespace vitrine::emu {

/// How far Cpu::run() may go.
struct RunLimits {
  Cycle deadline = kNever;                     ///< stop at the first boundary at or after it
  uint64_t max_retired = ~uint64_t{0};         ///< stop when state.retired reaches it
  bool shared = false;                         ///< other processors wait: stop behind a PAUSE
};

enum class RunStop : uint8_t {
  deadline,   ///< the clock reached the deadline
  budget,     ///< max_retired was reached
  observer,   ///< stop_before() said so, or request_stop()
  idle,       ///< HLT, shutdown or wait-for-SIPI with nothing to wake it
};

class Cpu final : public AccessClock, private PageLog {
 public:
  Cpu(uint32_t index, Bus& bus, BlockCache& blocks, CpuPorts& ports,
      const arch::CpuProfile& profile);

  /// RESET or INIT (SDM "Processor State After Reset"). INIT keeps x87, SSE, most MSRs and the clock.
  void reset(bool init);
  /// Runs until a limit. Position inside a block is kept when the stop is not architectural.
  RunStop run(const RunLimits& limits);
  /// Leaves run() at the next instruction boundary.
  void request_stop() { stop_requested_ = true; }
  /// The running deadline; the event queue lowers it when something becomes due earlier.
  Cycle& deadline() { return deadline_; }
  /// HLT, shutdown or wait-for-SIPI, with nothing to look at.
  bool idle() const { return state.activity != Activity::active && !attention_; }
  /// When an idle processor has something to look at by itself (the VMX-preemption timer).
  Cycle wake_time() const;

  /// Seeds RDRAND and RDSEED; not changed by resets.
  void seed_random(uint64_t seed) { state.random = seed; }

  uint32_t index() const { return index_; }
  const arch::CpuProfile& profile() const { return profile_; }
  CpuPorts& ports() { return ports_; }
  Bus& bus() { return mmu.bus(); }

  // --- Registers, by the offsets and numbers that Insn uses ---

  template <class T>
  T reg(uint8_t offset) const {
    T value;
    std::memcpy(&value, reinterpret_cast<const std::byte*>(state.regs.data()) + offset, sizeof(T));
    return value;
  }
  /// 32-bit writes clear the upper half, 8- and 16-bit writes keep the rest (SDM "General-Purpose
  /// Registers in 64-Bit Mode").
  template <class T>
  void set_reg(uint8_t offset, T value) {
    auto* const at = reinterpret_cast<std::byte*>(state.regs.data()) + offset;
    if constexpr (sizeof(T) == 4) {
      const uint64_t wide = value;
      std::memcpy(at, &wide, sizeof(wide));
    } else {
      std::memcpy(at, &value, sizeof(T));
    }
  }

  // --- Memory operands ---

  /// Offset of the memory operand in its segment, wrapped to the address size.
  uint64_t effective_address(const Insn& insn) const {
    const uint64_t ea = state.regs[insn.base] + (state.regs[insn.index] << insn.scale) +
                        static_cast<uint64_t>(int64_t{insn.disp});
    return ea & kAddressMask[insn.address_size];
  }
  template <class T>
  Result<T, Fault> load(const Insn& insn) {
    return load_at<T>(insn.segment, effective_address(insn), insn.flags & insn_flag::checked);
  }
  template <class T>
  Result<void, Fault> store(const Insn& insn, const T& value) {
    return store_at<T>(insn.segment, effective_address(insn), value,
                       insn.flags & insn_flag::checked);
  }
  /// Read-modify-write: checks write rights, returns the old value; commit() then cannot fail.
  template <class T>
  Result<T, Fault> begin_modify(const Insn& insn) {
    return begin_modify_at<T>(insn.segment, effective_address(insn),
                              insn.flags & insn_flag::checked);
  }
  template <class T>
  void commit(const T& value) {
    mmu.commit<T>(value);
  }

  /// Access at an explicit segment and offset (already wrapped). `checked` false promises 64-bit mode
  /// or a flat segment.
  template <class T>
  Result<T, Fault> load_at(uint8_t segment, uint64_t offset, bool checked) {
    T value;
    if (!checked && mmu.read_cached(flat(segment, offset), value)) [[likely]] return value;
    return load_slow<T>(segment, offset, checked);
  }
  template <class T>
  Result<void, Fault> store_at(uint8_t segment, uint64_t offset, const T& value, bool checked) {
    if (!checked && mmu.write_cached(flat(segment, offset), value)) [[likely]] return {};
    return store_slow<T>(segment, offset, value, checked);
  }
  template <class T>
  Result<T, Fault> begin_modify_at(uint8_t segment, uint64_t offset, bool checked) {
    T old;
    if (!checked && mmu.modify_cached(flat(segment, offset), old)) [[likely]] return old;
    return begin_modify_slow<T>(segment, offset, checked);
  }
  /// Linear address after segmentation: limit, type and canonical checks (SDM "Limit Checking",
  /// "Type Checking", "Canonical Addressing"). #SS for SS, else #GP.
  Result<Gva, Fault> checked_linear(uint8_t segment, uint64_t offset, uint64_t size, bool write);
  /// #SS(0) or #GP(0) for a non-canonical address, by segment; other faults as they are.
  static Fault locate_fault(const Fault& fault, uint8_t segment);
  /// True when data accesses need checked_linear() in the current mode.
  bool segments_checked() const { return !mode_.flat; }
  uint64_t segment_base(uint8_t segment) const { return linear_base_[segment]; }

  // --- Stack: T is the width pushed; the pointer's width is the stack-address size ---

  template <class T>
  Result<void, Fault> push(T value);
  /// Reads the top and moves the pointer.
  template <class T>
  Result<T, Fault> pop();
  /// Mask of the stack pointer: 16, 32 or 64 bits.
  uint64_t stack_mask() const { return stack_mask_; }
  void set_stack_pointer(uint64_t value) {
    auto& rsp = state.regs[arch::rsp];
    rsp = stack_mask_ == 0xFFFF ? (rsp & ~uint64_t{0xFFFF}) | (value & 0xFFFF) : value & stack_mask_;
  }

  // --- Ends of instructions ---

  /// Records the fault for delivery after the handler returns.
  Flow raise(const Fault& fault) {
    pending_fault_ = fault;
    return Flow::fault;
  }
  Flow raise(arch::Vector vector, uint32_t error_code = 0) {
    return raise(emu::fault(vector, error_code));
  }
  /// A #DB fault with its DR6 bits.
  Flow raise_debug(uint64_t dr6_bits) {
    fault_debug_ = dr6_bits;
    return raise(emu::fault(arch::Vector::debug));
  }
  const Fault& pending_fault() const { return pending_fault_; }
  /// DR6 bits that go with a #DB raised as a fault; cleared by taking them.
  uint64_t take_fault_debug() { return std::exchange(fault_debug_, 0); }
  /// RIP where the current instruction starts.
  uint64_t current_rip(const Insn& insn) const { return state.rip() - insn.length; }
  /// For observers: RIP of the instruction being executed, or of the next one between instructions.
  uint64_t executing_rip() const {
    return running_ != nullptr ? current_rip(*current_) : state.rip();
  }
  /// Near transfer: masks to the operand size, checks canonicality or the CS limit (#GP(0)).
  Flow jump(uint64_t target, uint8_t operand_bytes);
  /// Whether `address` is canonical for the profile's linear width (48 bits).
  static bool canonical(uint64_t address) {
    return ((address + (uint64_t{1} << 47)) >> 48) == 0;
  }

  // --- What changes the mode ---

  /// After CR0, CR4, EFER, CR3 or VMX-mode changes: recomputes the translation context and what
  /// segments_changed() does. The instruction must end its block.
  void context_changed();
  /// After CPL, RFLAGS.AC/VM or segment changes: recomputes the mode key, bases and privileges. The
  /// instruction must end its block.
  void segments_changed();
  /// The light form for EFLAGS.AC alone (STAC, CLAC, POPF).
  void privilege_changed();
  /// After anything that may make an interrupt, trap or shadow matter at the next boundary:
  /// IF, TF, shadows, pending NMI/INIT/SIPI, activity, interrupt lines.
  void attention() { attention_ = true; }
  /// PAUSE: the processor waits for another one, whose turn it may be.
  void yield() {
    if (!shared_) return;
    yielded_ = true;
    deadline_ = Cycle{};
    end_block();
  }
  /// Whether the last run() came to a PAUSE in shared time.
  bool take_yield() { return std::exchange(yielded_, false); }
  /// Any breakpoint of DR7 is enabled: every instruction is looked at.
  bool breakpoints_armed() const { return (state.dr7 & 0xFF) != 0; }
  /// A port was read or written (I/O breakpoints).
  void port_accessed(uint16_t port, unsigned size);
  const DecodeMode& mode() const { return mode_; }
  ModeKey mode_key() const { return mode_key_; }

  // --- Time ---

  /// From now on the clock is that of a modelled core and not a count: level `core`, or `memory` with
  /// its caches, translations and branch prediction. Before any block is formed.
  void use_core_timing(const timing::CoreParameters& core, bool memory);
  /// The core's clock at an instruction boundary, finer than cycles; only with a core.
  timing::Ticks ticks() const;
  /// Told where the core's ticks go, until it is told otherwise; only with a core.
  void set_ledger(timing::CycleLedger* ledger);
  /// Tells a ledger what ticks() leaves out: the part of the current block that has been run.
  void account_position(timing::CycleLedger& ledger);
  /// Idle until `time`.
  void wait_until(Cycle time);
  /// Clock at the current instruction, its own cost not included.
  Cycle now() const override;
  /// Clock at the start of the current instruction: now() without what it has been charged so far.
  Cycle instruction_clock() const { return Cycle{now().value - extra_cycles_}; }
  /// Adds cycles of a serialising event; ends the block.
  void charge(uint64_t cycles, timing::Cause cause = timing::Cause::serialising);
  /// The same for an access of the processor itself, as long as it takes at level `memory`.
  void charge_own_access(Hpa address, uint32_t bytes, timing::Cause cause);
  /// Level `memory`: what the modelled TLBs must forget, and lines that leave the caches.
  void invalidate_translations(timing::Invalidation::Scope scope, Gva address = {});
  void invalidate_translations(const timing::Invalidation& what);
  void flush_line(Gva address);
  void flush_caches();
  /// The block ends after the current instruction.
  void device_accessed() override { end_block(); }
  /// Data breakpoints, and the APIC-access page of a VM.
  void data_accessed(Gva gva, Hpa hpa, size_t size, bool write) override;
  Result<void, Fault> apic_access(const ApicAccess& access, void* data) override;
  /// Time-stamp counter at now(), TSC_ADJUST applied, VMX offset and scaling not.
  uint64_t tsc() const;

  // --- Events (emu/cpu/interrupts.cpp) ---

  /// Delivers a fault or trap through the IDT or IVT, with double- and triple-fault rules, or as a VM
  /// exit. RIP must be what is to be pushed.
  void deliver_exception(const Fault& fault);
  enum class EventType : uint8_t { external = 0, nmi = 2, hardware_exception = 3, software = 4,
                                   privileged_software = 5, software_exception = 6 };
  /// Vectoring itself, also used by VM-entry event injection. `return_rip` is pushed.
  void deliver_event(uint8_t vector, EventType type, bool has_error_code, uint32_t error_code,
                     uint64_t return_rip);
  /// INT n, INT3, INTO, INT1 from a handler; RIP is already behind the instruction.
  Flow software_interrupt(const Insn& insn, uint8_t vector, EventType type);

  /// RDMSR or WRMSR of a register that this processor does not have; counted, not part of the state.
  void count_unknown_msr(uint32_t number) { ++unknown_msrs_[number]; }
  const std::map<uint32_t, uint64_t>& unknown_msrs() const { return unknown_msrs_; }

  void set_observer(CpuObserver* observer, bool every_instruction) {
    observer_ = observer;
    observe_all_ = every_instruction;
  }
  CpuObserver* observer() const { return observer_; }
  /// Runs blocks that are hot; none: the interpreter runs everything.
  void set_engine(jit::Engine* engine) { engine_ = engine; }

  void visit(StateVisitor& v);

  CpuState state;
  vmx::State vmx;
  Mmu mmu;

 private:
  friend class jit::Engine;

  static constexpr uint64_t kAddressMask[4] = {0xFF, 0xFFFF, 0xFFFFFFFF, ~uint64_t{0}};

  /// Translations are cached for canonical addresses only, so the common path needs no check here:
  /// the Mmu reports a non-canonical address when it misses, and locate_fault() names the exception.
  Gva flat(uint8_t segment, uint64_t offset) const {
    return Gva{(linear_base_[segment] + offset) & linear_mask_};
  }
  Result<Gva, Fault> linear(uint8_t segment, uint64_t offset, size_t size, bool write,
                            bool checked) {
    if (checked) [[unlikely]] return checked_linear(segment, offset, size, write);
    return flat(segment, offset);
  }
  template <class T>
  [[gnu::noinline]] Result<T, Fault> load_slow(uint8_t segment, uint64_t offset, bool checked) {
    const auto gva = linear(segment, offset, sizeof(T), false, checked);
    if (!gva) return Err{gva.error()};
    const auto value = mmu.read<T>(*gva);
    if (!value) return Err{locate_fault(value.error(), segment)};
    return value;
  }
  template <class T>
  [[gnu::noinline]] Result<void, Fault> store_slow(uint8_t segment, uint64_t offset, const T& value,
                                                   bool checked) {
    const auto gva = linear(segment, offset, sizeof(T), true, checked);
    if (!gva) return Err{gva.error()};
    const auto stored = mmu.write<T>(*gva, value);
    if (!stored) return Err{locate_fault(stored.error(), segment)};
    return stored;
  }
  template <class T>
  [[gnu::noinline]] Result<T, Fault> begin_modify_slow(uint8_t segment, uint64_t offset,
                                                       bool checked) {
    const auto gva = linear(segment, offset, sizeof(T), true, checked);
    if (!gva) return Err{gva.error()};
    const auto old = mmu.begin_modify<T>(*gva);
    if (!old) return Err{locate_fault(old.error(), segment)};
    return old;
  }
  /// Ends the running block, or forgets the position in a stopped one, when its bytes are written.
  class CodeSink final : public WriteSink {
   public:
    explicit CodeSink(Cpu& cpu) : cpu_(cpu) {}
    void code_written(uint64_t offset, uint64_t size) override { cpu_.code_written(offset, size); }
    void translation_written() override {}
    void page_marked(uint64_t) override {}

   private:
    Cpu& cpu_;
  };

  void code_written(uint64_t offset, uint64_t size);
  Block* next_block();
  Block* block_at(Gva gva, Hpa hpa);
  std::unique_ptr<Block> form_block(Gva gva, Hpa hpa);
  bool form_crossing(Block& block, std::span<const std::byte> head);
  Flow execute(Block& block, uint32_t index, uint32_t last, bool repeat);
  /// The same at level `core`: what each instruction waited for goes into the core's clock.
  Flow execute_timed(Block& block, uint32_t index, uint32_t last, bool repeat);
  bool iterate(Block& block);
  void run_chained(Flow flow, uint64_t max_retired);
  bool run_compiled(Block& block, Cycle deadline, uint64_t max_retired);
  Flow repeat_string(const Insn& insn);
  void finish(Block& block, uint32_t index, uint32_t done, Flow flow);
  /// One instruction with everything that is checked between instructions; false: observer stopped.
  bool step(Block& block, uint32_t index);
  bool breakpoint_hit(uint64_t rip);
  bool watches_data() const;
  void watch_hit(uint64_t hits);
  /// Traps of a completed instruction or iteration; `stepped`: RFLAGS.TF was 1 when it began.
  void trap_after(const Insn& insn, uint64_t rip, bool stepped);
  bool page_log_full() const override;
  void log_page(Gpa page) override;
  void take_fault(uint8_t instruction_length = 0);
  /// A fault while delivering a double fault: shutdown, or a VM exit.
  void shut_down();
  void advance_core(Block& block, uint32_t charged, bool inside, Flow flow);
  static timing::CodePlace place_of(const Block& block);
  /// Level `memory`: what translations belong to from now on.
  void name_address_space();
  bool wants_steps() const;
  Cycle end_of(const Block& block, uint32_t index) const;
  void time_block(Block& block, std::span<const std::byte> bytes) const;
  void charge_event(uint64_t cycles, timing::Cause cause) {
    extra_cycles_ += cycles;
    if (core_ != nullptr) core_->note_event(cause, cycles);
  }
  /// Adds what an event charged to the clock and leaves the block for good.
  void settle();
  void end_block() {
    if (running_ == nullptr) return;
    stop_at_ = current_ + 1;
    cut_ = true;
  }
  /// At a boundary with attention_ set (emu/cpu/boundary.cpp): takes what is due, in the SDM's order
  /// ("Prioritization of Concurrent Events"). False when the processor idles.
  bool service_attention();
  bool take_init_or_sipi();
  bool take_pending_debug();
  bool take_nmi();
  bool take_interrupt();
  void enter_sipi(uint8_t vector);

  uint32_t index_;
  BlockCache& blocks_;
  InsnBuilder builder_;
  CpuPorts& ports_;
  const arch::CpuProfile& profile_;
  CodeSink code_sink_;

  // Derived from state by context_changed() and segments_changed(); not part of snapshots.
  DecodeMode mode_;
  ModeKey mode_key_;
  std::array<uint64_t, 8> linear_base_{};
  uint64_t linear_mask_ = ~uint64_t{0};
  uint64_t stack_mask_ = 0xFFFF;
  uint64_t code_base_ = 0;
  bool code_limited_ = false;

  // Live only while a block runs.
  const Block* running_ = nullptr;
  const Insn* current_ = nullptr;
  const Insn* stop_at_ = nullptr;
  uint32_t start_index_ = 0;
  bool cut_ = false;  ///< end_block() was called
  uint64_t extra_cycles_ = 0;
  Fault pending_fault_;
  uint64_t fault_debug_ = 0;  ///< DR6 bits of a #DB fault being delivered
  uint64_t watch_hits_ = 0;   ///< data and I/O breakpoints that the running instruction has met

  const timing::CoreParameters* core_parameters_ = nullptr;
  std::unique_ptr<timing::CoreClock> core_;  ///< levels `core` and `memory`
  timing::Access load_, store_;              ///< of the running instruction

  Cycle deadline_ = kNever;
  bool attention_ = true;
  bool stop_requested_ = false;
  bool shared_ = false;   ///< RunLimits::shared of the running run()
  bool yielded_ = false;
  uint64_t bus_version_ = 0;
  CpuObserver* observer_ = nullptr;
  bool observe_all_ = false;
  jit::Engine* engine_ = nullptr;
  jit::Frame jit_frame_;
  std::map<uint32_t, uint64_t> unknown_msrs_;
};

template <class T>
Result<void, Fault> Cpu::push(T value) {
  const uint64_t top = (state.regs[arch::rsp] - sizeof(T)) & stack_mask_;
  const auto stored = store_at<T>(arch::ss, top, value, segments_checked());
  if (!stored) return stored;
  set_stack_pointer(top);
  return {};
}

template <class T>
Result<T, Fault> Cpu::pop() {
  const uint64_t top = state.regs[arch::rsp] & stack_mask_;
  const auto value = load_at<T>(arch::ss, top, segments_checked());
  if (value) set_stack_pointer(top + sizeof(T));
  return value;
}

}  // namespace vitrine::emu
