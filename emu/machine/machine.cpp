// Machine: construction, the loop that shares time between processors and chips, and whole-state visits.
#include "emu/machine/machine.h"

#include <algorithm>
#include <array>

#include "emu/arch/require.h"
#include "emu/cpu/timing/level.h"
#include "emu/machine/memory_map.h"
#include "emu/machine/scheduler.h"
#include "emu/machine/snapshot.h"
#include "emu/machine/state_hash.h"

namespace vitrine::emu {

namespace {

void map_ram(Bus& bus, uint64_t bytes) {
  const uint64_t low = std::min(bytes, kLowRamLimit);
  bus.map({Hpa{0}, low, BusRange::Kind::ram, 0, nullptr});
  if (bytes > low) {
    bus.map({Hpa{kHighRamStart}, bytes - low, BusRange::Kind::ram, low, nullptr});
  }
}

/// What two machines must have in common for a snapshot of one to fit the other.
std::string description(const MachineConfig& config) {
  std::string text = config.cpu + ' ' + config.timing + ' ' + config.core;
  for (const uint64_t number :
       {config.memory_bytes, uint64_t{config.processors}, config.quantum,
        uint64_t{config.test_board}, uint64_t{config.console}, uint64_t{config.disks.size()},
        uint64_t{config.firmware.size()}}) {
    text += ' ' + std::to_string(number);
  }
  return text;
}

void visit_config(StateVisitor& v, const MachineConfig& config) {
  const std::string text = description(config);
  const auto bytes = std::as_bytes(std::span{text});
  const std::vector<std::byte> wanted(bytes.begin(), bytes.end());
  std::vector<std::byte> found = wanted;
  v.blob("config", found);
  if (v.loading() && found != wanted) v.reject();
}

}  // namespace

std::string config_error(const MachineConfig& config) {
  if (config.processors < 1 || config.processors > kMaxProcessors) {
    return "a machine has 1 to " + std::to_string(kMaxProcessors) + " processors";
  }
  if (config.memory_bytes < kMinMemory || config.memory_bytes > kMaxMemory ||
      config.memory_bytes % kPageSize != 0) {
    return "a machine has 4 MiB to 64 GiB of memory, in whole pages";
  }
  if (arch::find_profile(config.cpu) == nullptr) {
    return "there is no processor '" + config.cpu + "'; known are skylake-sp and max";
  }
  if (timing::level_version(config.timing) == 0) {
    return "there is no timing level '" + config.timing + "'; known are count, core and memory";
  }
  if (timing::find_core(config.core) == nullptr) {
    return "there is no core '" + config.core + "' to model; known are skylake-sp and zen4-core";
  }
  if (config.disks.size() > kMaxDisks) {
    return "a machine has at most " + std::to_string(kMaxDisks) + " disks";
  }
  if (config.firmware.size() > kMaxFirmware) return "a firmware image has at most 16 MiB";
  if (config.quantum == 0) return "the quantum is at least one cycle";
  return "";
}

std::string_view stop_reason_name(StopReason reason) {
  constexpr std::array<std::string_view, 8> kNames = {
      "cycle limit", "instruction limit", "stopped",      "guest exit",
      "power off",   "reset",             "triple fault", "deadlock"};
  return kNames[static_cast<size_t>(reason)];
}

Machine::Machine(const MachineConfig& config)
    : config_(config),
      memory_(config.memory_bytes + Board::storage(config)),
      bus_(memory_),
      blocks_(bus_),
      board_(config_, bus_, events_, *this),
      dma_lint_(bus_, cpus_) {
  require(config_error(config).empty(), "the configuration was checked");
  map_ram(bus_, config.memory_bytes);
  board_.map_devices();
  const arch::CpuProfile& profile = *arch::find_profile(config.cpu);
  for (uint32_t i = 0; i < config.processors; ++i) {
    CpuPorts& ports = *this;
    cpus_.push_back(std::make_unique<Cpu>(i, bus_, blocks_, ports, profile));
    cpus_.back()->seed_random(config.seed + i);
    if (config.timing != "count") {
      cpus_.back()->use_core_timing(*timing::find_core(config.core), config.timing == "memory");
    }
    if (i != 0) cpus_.back()->state.activity = Activity::wait_for_sipi;
  }
  if (config.engine != EngineKind::interpreter && config.timing == "count") {
    engine_ = jit::Engine::create(*cpus_.front(), config.jit_cache_bytes);
    for (const auto& cpu : cpus_) cpu->set_engine(engine_.get());
  }
  turn_.until = kNever;
  board_.reset(Cycle{0});
  for (const auto& cpu : cpus_) cpu->state.msr.apic_base = board_.apic_base(cpu->index());
}

Machine::~Machine() = default;

BootResult Machine::boot(const BootRequest& request) {
  const auto map = memory_map(config_.memory_bytes);
  const Hpa rsdp = board_.write_acpi_tables();
  return emu::boot(request, bus_, map, rsdp, *cpus_.front());
}

// --- Time ---

Cycle Machine::now() const {
  Cycle time = kNever;
  for (const auto& cpu : cpus_) {
    if (!cpu->idle()) time = std::min(time, cpu->now());
  }
  return time == kNever ? waited_until_ : time;
}

Cycle Machine::latest() const {
  Cycle time = waited_until_;
  for (const auto& cpu : cpus_) time = std::max(time, cpu->now());
  return time;
}

uint64_t Machine::instructions() const {
  uint64_t sum = 0;
  for (const auto& cpu : cpus_) sum += cpu->state.retired;
  return sum;
}

void Machine::stop() { cpus_[turn_.processor]->request_stop(); }

void Machine::end(StopReason reason) {
  if (ended_) return;
  ended_ = true;
  end_reason_ = reason;
  stop();
}

/// What is due at `now` happens: events first, then input from outside.
void Machine::happen(Cycle now) {
  waited_until_ = std::max(waited_until_, now);
  events_.run_until(now);
  while (next_input_ < inputs_.size() && inputs_[next_input_].when <= now) {
    const InputEvent& event = inputs_[next_input_++];
    board_.receive(event.port, event.bytes, now);
  }
  for (const auto& cpu : cpus_) {
    if (cpu->wake_time() <= now) cpu->attention();
  }
  // Processors that were woken take their part in time from now on.
  for (const auto& cpu : cpus_) {
    if (cpu->state.activity == Activity::active || cpu->idle()) continue;
    cpu->wait_until(now);
    turn_.until = std::min(turn_.until, cpu->state.clock + config_.quantum);
  }
}

Cycle Machine::next_happening() const {
  const Cycle input = next_input_ < inputs_.size() ? inputs_[next_input_].when : kNever;
  Cycle next = std::min(events_.next(), input);
  for (const auto& cpu : cpus_) next = std::min(next, cpu->wake_time());
  return next;
}

StopReason Machine::run(const RunRequest& request) {
  ended_ = false;
  for (;;) {
    std::array<ProcessorTime, kMaxProcessors> times;
    for (size_t i = 0; i < cpus_.size(); ++i) {
      times[i] = {cpus_[i]->state.clock, cpus_[i]->idle()};
    }
    const auto processors = std::span{times}.first(cpus_.size());
    const Cycle next = next_happening();
    const Cycle time = machine_time(processors);
    if (time == kNever && next == kNever) return StopReason::deadlock;
    if (time == kNever && next > request.until) {
      waited_until_ = std::max(waited_until_, request.until);
      return StopReason::cycle_limit;
    }
    if (next <= time) {
      happen(next);
      if (ended_) return end_reason_;
      continue;
    }
    if (time >= request.until) return StopReason::cycle_limit;
    if (instructions() >= request.max_instructions) return StopReason::instruction_limit;

    // A turn that was cut by a limit of ours goes on; only guest causes end it.
    const ProcessorTime& running = processors[turn_.processor];
    const bool goes_on = turn_.any && !running.idle && running.clock < turn_.until &&
                         running.clock < next;
    if (!goes_on) turn_ = next_turn(processors, config_.quantum);
    Cpu& cpu = *cpus_[turn_.processor];
    if (cpu.state.clock >= request.until) return StopReason::cycle_limit;
    RunLimits limits;
    limits.deadline = std::min({turn_.until, next, request.until});
    limits.max_retired = cpu.state.retired + (request.max_instructions - instructions());
    limits.shared = turn_.until != kNever;
    events_.set_horizon(&cpu.deadline());
    const RunStop stop = cpu.run(limits);
    events_.set_horizon(nullptr);
    if (cpu.take_yield()) turn_.until = cpu.state.clock;
    if (ended_) return end_reason_;
    if (stop == RunStop::observer) return StopReason::observer;
  }
}

// --- Input ---

void Machine::input(InputPort port, std::span<const uint8_t> bytes) {
  // Stamped behind everything that has been executed, so that a replay, which knows of it earlier,
  // does the same.
  InputEvent event{latest(), port, {bytes.begin(), bytes.end()}};
  input_log_.add(event);
  inputs_.push_back(std::move(event));
}

void Machine::schedule_input(const InputLog& log) {
  for (const InputEvent& event : log.events()) {
    input_log_.add(event);
    inputs_.push_back(event);
  }
}

// --- What processors ask ---

bool Machine::interrupt_pending(uint32_t processor, Cycle) {
  return board_.interrupt_pending(processor);
}
std::optional<uint8_t> Machine::acknowledge_interrupt(uint32_t processor, Cycle now) {
  return board_.acknowledge_interrupt(processor, now);
}
void Machine::end_interrupt(uint32_t processor, Cycle now) {
  board_.end_interrupt(processor, now);
}
uint8_t Machine::task_priority(uint32_t processor) { return board_.task_priority(processor); }
void Machine::set_task_priority(uint32_t processor, uint8_t priority, Cycle now) {
  board_.set_task_priority(processor, priority, now);
}
Result<void, Fault> Machine::set_apic_base(uint32_t processor, uint64_t value) {
  return board_.set_apic_base(processor, value, cpus_[processor]->now());
}
Result<uint64_t, Fault> Machine::read_apic_msr(uint32_t processor, uint32_t msr, Cycle now) {
  return board_.read_apic_msr(processor, msr, now);
}
Result<void, Fault> Machine::write_apic_msr(uint32_t processor, uint32_t msr, uint64_t value,
                                            Cycle now) {
  return board_.write_apic_msr(processor, msr, value, now);
}
void Machine::tsc_changed(uint32_t processor, Cycle now) { board_.tsc_changed(processor, now); }
void Machine::triple_fault(uint32_t, Cycle) { end(StopReason::triple_fault); }
void Machine::set_ferr(uint32_t, bool level, Cycle now) { board_.set_ferr(level, now); }

// --- What the board tells ---

void Machine::processor_attention(uint32_t processor) { cpus_[processor]->attention(); }
void Machine::processor_nmi(uint32_t processor) {
  cpus_[processor]->state.nmi_pending = true;
  cpus_[processor]->attention();
}
void Machine::processor_init(uint32_t processor) {
  cpus_[processor]->state.init_pending = true;
  cpus_[processor]->attention();
}
void Machine::processor_sipi(uint32_t processor, uint8_t vector) {
  cpus_[processor]->state.sipi_pending = true;
  cpus_[processor]->state.sipi_vector = vector;
  cpus_[processor]->attention();
}
void Machine::guest_exit(uint32_t code) {
  exit_code_ = code;
  end(StopReason::guest_exit);
}
void Machine::power_off() { end(StopReason::power_off); }
void Machine::reset_requested() { end(StopReason::reset); }
uint64_t Machine::tsc_adjust(uint32_t processor) const {
  return cpus_[processor]->state.msr.tsc_adjust;
}

// --- Whole state ---

void Machine::visit(StateVisitor& v) {
  v.enter("machine");
  visit_config(v, config_);
  v.field("turn", turn_.any);
  v.field("turn_processor", turn_.processor);
  v.field("turn_until", turn_.until);
  v.field("exit_code", exit_code_);
  memory_.visit(v);
  for (const auto& cpu : cpus_) cpu->visit(v);
  board_.visit(v);
  events_.visit(v);
  dma_lint_.visit(v);
  v.leave();
}

uint64_t Machine::state_hash() {
  StateHash hash;
  visit(hash);
  return hash.value();
}

std::vector<std::byte> Machine::save() {
  SaveVisitor out;
  visit(out);
  return seal_snapshot(description(config_), out.take());
}

std::string Machine::snapshot_error(std::span<const std::byte> snapshot) const {
  return open_snapshot(snapshot, description(config_)).error;
}

bool Machine::load(std::span<const std::byte> snapshot) {
  const OpenedSnapshot opened = open_snapshot(snapshot, description(config_));
  if (!opened.error.empty()) return false;
  SaveVisitor kept;
  visit(kept);
  const std::vector<std::byte> before = kept.take();
  LoadVisitor in(opened.state);
  visit(in);
  if (!in.ok()) {
    LoadVisitor back(before);
    visit(back);
  }
  for (const auto& cpu : cpus_) {
    cpu->context_changed();
    cpu->mmu.drop_all();
  }
  blocks_.clear();
  return in.ok();
}

}  // namespace vitrine::emu
