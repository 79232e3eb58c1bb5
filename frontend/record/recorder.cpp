// Recorder: turning exits, entries and writes to the hypervisor's objects into events.
#include "frontend/record/recorder.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "emu/arch/exit_reasons.h"

namespace vitrine::ui {

namespace {

constexpr std::string_view kRootSymbol = "hypervisor";
constexpr uint64_t kVmcallBytes = 3;

std::string state_text(const PartitionView* p) {
  return p == nullptr ? "absent" : std::string(state_name(p->state));
}

std::string state_text(const BufferView* b) {
  return b == nullptr ? "absent" : std::string(state_name(b->state));
}

}  // namespace

Recorder::Recorder(emu::Machine& machine, const BootPlan& plan)
    : machine_(machine),
      plan_(plan),
      root_vmcs_(machine.processors()),
      running_(machine.processors()) {
  for (uint32_t i = 0; i < machine.processors(); ++i) machine.cpu(i).set_observer(this, false);
  machine.memory().set_watch_sink(this);
  if (const LoadedImage* hv = plan.image("hv")) {
    const auto* const symbol = hv->symbols.named(kRootSymbol);
    if (symbol != nullptr && symbol->size == sizeof(hv::Hypervisor)) {
      root_object_ = emu::Hpa{symbol->address};
      watch(symbol->address, kRootFields);
    }
  }
}

Recorder::~Recorder() {
  for (uint32_t i = 0; i < machine_.processors(); ++i) machine_.cpu(i).set_observer(nullptr, false);
  machine_.memory().set_watch_sink(nullptr);
}

HypervisorView Recorder::view() const {
  return root_object_ ? read_hypervisor(machine_.bus(), *root_object_) : HypervisorView{};
}

std::string Recorder::why_unknown() const {
  const LoadedImage* const hv = plan_.image("hv");
  if (hv == nullptr || root_object_) return "";
  return "'" + hv->name + "' has no object '" + std::string(kRootSymbol) +
         "' of the layout known here: its partitions and event log cannot be shown";
}

std::string Recorder::describe(bool root_mode, uint64_t rip) const {
  const LoadedImage* const hv = plan_.image("hv");
  const LoadedImage* const root = plan_.image("root");
  if (root_mode && hv != nullptr) return "hv: " + hv->symbols.describe(rip);
  if (root != nullptr) return "root: " + root->symbols.describe(rip);
  return "";
}

Place Recorder::place(const emu::Cpu& cpu) const {
  const uint64_t rip = cpu.executing_rip();
  return {cpu.now(), cpu.index(), rip, describe(!cpu.vmx.nonroot, rip)};
}

void Recorder::watch_every_instruction() {
  every_instruction_ = true;
  for (uint32_t i = 0; i < machine_.processors(); ++i) machine_.cpu(i).set_observer(this, true);
}

bool Recorder::stop_before(const emu::Cpu& cpu, const emu::Insn&) {
  return stop_in_front && stop_in_front(cpu);
}

void Recorder::exception(const emu::Cpu&, const emu::Fault& fault) {
  if (on_exception) on_exception(static_cast<uint8_t>(fault.vector));
}

// --- Modes ---

Lane Recorder::lane_of(const emu::Cpu& cpu) const {
  if (!cpu.vmx.nonroot) return cpu.vmx.on ? Lane::hypervisor : Lane::root;
  return cpu.vmx.current_vmcs == root_vmcs_[cpu.index()] ? Lane::root : Lane::child;
}

void Recorder::note_lane(const emu::Cpu& cpu, Lane lane) {
  if (keeps_events) lanes_.push_back({cpu.now(), cpu.index(), lane});
}

// --- Hypercalls ---

std::optional<size_t> Recorder::pending_call(uint64_t vmcs) const {
  const auto found = std::find_if(unfinished_.rbegin(), unfinished_.rend(),
                                  [&](size_t i) { return hypercalls_[i].vmcs == vmcs; });
  return found == unfinished_.rend() ? std::nullopt : std::optional(*found);
}

Phase& Recorder::phase(Attempt& attempt, const std::string& name) {
  for (Phase& p : attempt.phases) {
    if (p.name == name) return p;
  }
  return attempt.phases.emplace_back(Phase{name, 0, 0});
}

void Recorder::vm_exit(const emu::Cpu& cpu, uint32_t reason, uint64_t) {
  ++exits_[reason];
  note_lane(cpu, Lane::hypervisor);
  const bool vmcall = reason == static_cast<uint32_t>(emu::arch::ExitReason::vmcall);
  if (vmcall && follows_calls()) begin_attempt(cpu);
  if (on_exit) on_exit(reason);
}

/// Of a call that is pending, or of a new one.
void Recorder::begin_attempt(const emu::Cpu& cpu) {
  const uint64_t vmcs = cpu.vmx.current_vmcs;
  const uint64_t rip = cpu.vmx.vmcs[emu::arch::Field::guest_rip];
  auto index = pending_call(vmcs);
  const auto& regs = cpu.state.regs;
  const bool same =
      index && hypercalls_[*index].code() == static_cast<uint16_t>(regs[emu::arch::rcx]);
  if (!same) {
    HypercallEvent call;
    call.place = {cpu.now(), cpu.index(), rip, describe(false, rip)};
    call.vmcs = vmcs;
    call.caller = vmcs == root_vmcs_[cpu.index()] ? "root" : "child";
    if (root_object_) {
      const auto vp = find_vp(machine_.bus(), *root_object_, vmcs);
      if (vp) call.partition = vp->partition;
      if (vp) call.vp = vp->index;
    }
    call.control = regs[emu::arch::rcx];
    call.first = regs[emu::arch::rdx];
    call.second = regs[emu::arch::r8];
    hypercalls_.push_back(std::move(call));
    index = hypercalls_.size() - 1;
    unfinished_.push_back(*index);
    if (on_hypercall_begin) on_hypercall_begin(hypercalls_.back());
  }
  HypercallEvent& call = hypercalls_[*index];
  Attempt attempt;
  attempt.begin = cpu.instruction_clock();
  phase(attempt, "VMCALL and VM exit").cycles = cpu.now() - attempt.begin;
  call.attempts.push_back(std::move(attempt));
  if (call.attempts.size() == 1) call.place.cycle = call.attempts.front().begin;
  running_[cpu.index()] = {index, cpu.now()};
  if (measures_phases) machine_.cpu(cpu.index()).set_observer(this, true);
}

void Recorder::retired(const emu::Cpu& cpu, const emu::Insn&, uint64_t rip) {
  Running& running = running_[cpu.index()];
  if (!running.hypercall) return;
  Attempt& attempt = hypercalls_[*running.hypercall].attempts.back();
  const LoadedImage* const hv = plan_.image("hv");
  const auto* const symbol = hv == nullptr ? nullptr : hv->symbols.find(rip);
  Phase& p = phase(attempt, symbol == nullptr ? "?" : std::string(short_name(symbol->name)));
  p.cycles += cpu.now() - running.mark;
  ++p.instructions;
  running.mark = cpu.now();
}

void Recorder::vm_entry(const emu::Cpu& cpu) {
  const uint64_t vmcs = cpu.vmx.current_vmcs;
  if (root_vmcs_[cpu.index()] == 0) root_vmcs_[cpu.index()] = vmcs;
  note_lane(cpu, lane_of(cpu));
  if (!unfinished_.empty()) end_attempt(cpu);
  if (on_entry) on_entry();
}

void Recorder::end_attempt(const emu::Cpu& cpu) {
  Running& running = running_[cpu.index()];
  if (running.hypercall) {
    HypercallEvent& call = hypercalls_[*running.hypercall];
    Attempt& attempt = call.attempts.back();
    const char* const rest = measures_phases ? "VM entry" : "hypervisor and VM entry";
    phase(attempt, rest).cycles += cpu.now() - running.mark;
    attempt.end = cpu.now();
    machine_.cpu(cpu.index()).set_observer(this, every_instruction_);
    running.hypercall.reset();
  }
  // The call is over when its virtual processor goes on behind the VMCALL.
  const auto pending = pending_call(cpu.vmx.current_vmcs);
  if (!pending || cpu.state.rip() != hypercalls_[*pending].place.rip + kVmcallBytes) return;
  HypercallEvent& call = hypercalls_[*pending];
  call.result = cpu.state.regs[emu::arch::rax];
  call.finished = true;
  unfinished_.erase(std::find(unfinished_.begin(), unfinished_.end(), *pending));
  if (on_hypercall) on_hypercall(call);
  if (!keeps_events && unfinished_.empty()) hypercalls_.clear();
}

void Recorder::interrupt(const emu::Cpu& cpu, uint8_t vector, bool software) {
  if (software) return;
  InterruptEvent event{cpu.now(), cpu.index(), vector, cpu.state.rip()};
  if (keeps_events) interrupts_.push_back(event);
  if (on_interrupt) on_interrupt(vector);
  if (!cpu.vmx.nonroot) return;
  if (const auto pending = pending_call(cpu.vmx.current_vmcs)) {
    hypercalls_[*pending].interrupts.push_back(event);
  }
}

// --- Objects ---

void Recorder::watch(uint64_t address, std::span<const Fields> fields) {
  for (const Fields& f : fields) {
    const emu::BusRange& range = machine_.bus().find(emu::Hpa{address + f.offset});
    if (range.kind != emu::BusRange::Kind::ram) continue;
    const uint64_t start = range.ram_offset + (emu::Hpa{address + f.offset} - range.start);
    if (!watched_.emplace(start, start + f.size).second) continue;
    for (uint64_t line = start & ~(emu::kLineSize - 1); line < start + f.size;
         line += emu::kLineSize) {
      machine_.memory().mark_lines(line, 1, emu::mark::watch);
    }
  }
}

void Recorder::follow_objects() {
  constexpr std::array<Fields, 1> kWholePage = {{{0, emu::kPageSize}}};
  for (const PartitionView& p : last_.partitions) watch(p.address, kPartitionFields);
  for (const GroupView& group : last_.groups) {
    for (const uint64_t table : group.tables) watch(table, kWholePage);
  }
}

/// Watched fields share their lines with others.
void Recorder::watched_write(uint64_t offset, std::span<const std::byte> before,
                             std::span<const std::byte>) {
  const auto behind = watched_.lower_bound(offset + before.size());
  if (behind == watched_.begin() || std::prev(behind)->second <= offset) return;
  compare(view());
}

void Recorder::compare(const HypervisorView& now) {
  const emu::Cpu& cpu = machine_.cpu(machine_.current_processor());
  std::vector<Transition> found;
  const auto partition_changed = [&](uint64_t id) {
    const PartitionView* const before = last_.partition(id);
    const PartitionView* const after = now.partition(id);
    const bool pool = after != nullptr && (before == nullptr ||
                                           before->pool_pages != after->pool_pages ||
                                           before->pool_available != after->pool_available);
    if (pool) pool_samples_.push_back({cpu.now(), id, after->pool_pages, after->pool_available});
    if (state_text(before) == state_text(after)) return;
    Transition t;
    t.object = Transition::Object::partition;
    t.id = id;
    t.from = state_text(before);
    t.to = state_text(after);
    const PartitionView* const pool_of = after != nullptr ? after : before;
    t.pool_pages = pool_of->pool_pages;
    t.pool_available = pool_of->pool_available;
    found.push_back(std::move(t));
  };
  std::set<uint64_t> ids;
  for (const auto& p : last_.partitions) ids.insert(p.id);
  for (const auto& p : now.partitions) ids.insert(p.id);
  for (const uint64_t id : ids) partition_changed(id);

  std::set<uint64_t> buffers;
  const auto key = [](const BufferView& b) { return uint64_t{b.type} << 32 | b.index; };
  for (const auto& g : last_.groups) {
    for (const auto& b : g.buffers) buffers.insert(key(b));
  }
  for (const auto& g : now.groups) {
    for (const auto& b : g.buffers) buffers.insert(key(b));
  }
  for (const uint64_t id : buffers) {
    const auto type = static_cast<uint32_t>(id >> 32);
    const auto index = static_cast<uint32_t>(id);
    const std::string from = state_text(last_.buffer(type, index));
    const std::string to = state_text(now.buffer(type, index));
    if (from == to) continue;
    Transition t;
    t.object = Transition::Object::buffer;
    t.id = id;
    t.from = from;
    t.to = to;
    found.push_back(std::move(t));
  }
  last_ = now;
  follow_objects();
  for (Transition& t : found) {
    t.place = place(cpu);
    transitions_.push_back(t);
    if (on_transition) on_transition(transitions_.back());
  }
  if (on_object_write) on_object_write();
}

}  // namespace vitrine::ui
