// Conditions: connecting the recorder's callbacks to one expression.
#include "frontend/record/conditions.h"

#include <algorithm>

#include "emu/arch/exit_reasons.h"
#include "frontend/text.h"

namespace vitrine::ui {

namespace {

const emu::arch::ExitReasonRow* find_exit(const std::string& name) {
  for (const auto& row : emu::arch::kExitReasons) {
    if (expression_name(row.name) == name) return &row;
  }
  return nullptr;
}

/// Names that only this session can judge: exit reasons, symbols, registers.
class SessionNames final : public NameSource {
 public:
  explicit SessionNames(const BootPlan& plan) : plan_(plan) {}

  bool knows(Term term, const TermArguments& a) override {
    switch (term) {
      case Term::exit: return find_exit(a.texts[0]) != nullptr;
      case Term::symbol: {
        const LoadedImage* const image = plan_.image(a.texts[0]);
        return image != nullptr && image->symbols.named(a.texts[1]) != nullptr;
      }
      case Term::reg:
        return std::find(emu::arch::kGprNames.begin(), emu::arch::kGprNames.end(), a.texts[0]) !=
               emu::arch::kGprNames.end();
      default: return true;
    }
  }
  std::vector<std::string> names(Term term, const TermArguments& a) override {
    std::vector<std::string> out;
    if (term == Term::exit) {
      for (const auto& row : emu::arch::kExitReasons) out.push_back(expression_name(row.name));
    } else if (term == Term::reg) {
      for (const auto name : emu::arch::kGprNames) out.emplace_back(name);
    } else if (term == Term::symbol) {
      const LoadedImage* const image = plan_.image(a.texts[0]);
      if (image != nullptr) return image->symbols.short_names();
      for (const LoadedImage& i : plan_.images) out.push_back(i.role);
    }
    return out;
  }

 private:
  const BootPlan& plan_;
};

Expression parse(const std::string& text, const BootPlan& plan) {
  SessionNames names(plan);
  return Expression::parse(text, &names);
}

}  // namespace

StopCondition::StopCondition(const std::string& text, Session& session, Recorder& recorder)
    : session_(session), recorder_(recorder), expression_(parse(text, session.plan())) {
  const auto& watches = expression_.watches();
  const std::string why = recorder_.why_unknown();
  if (watches.contains(Watch::hypervisor_objects) && !why.empty()) throw UsageError(why);
  if (watches.contains(Watch::every_instruction) || watches == std::set{Watch::nothing}) {
    recorder_.stop_in_front = [this](const emu::Cpu&) {
      reached_ = reached_ || expression_.holds(*this);
      return reached_;
    };
    if (!expression_.cycle_limit()) recorder_.watch_every_instruction();
  }
  const auto begun = recorder_.on_hypercall_begin;
  recorder_.on_hypercall_begin = [this, begun](const HypercallEvent& call) {
    if (begun) begun(call);
    entered_call_ = call.code();
    look();
    entered_call_ = -1;
  };
  const auto shown = recorder_.on_hypercall;
  recorder_.on_hypercall = [this, shown](const HypercallEvent& call) {
    if (shown) shown(call);
    last_status_[call.code()] = call.status();
    left_call_ = call.code();
    look();
    left_call_ = -1;
  };
  const auto exited = recorder_.on_exit;
  recorder_.on_exit = [this, exited](uint32_t reason) {
    if (exited) exited(reason);
    exit_reason_ = reason;
    look();
    exit_reason_ = -1;
  };
  recorder_.on_entry = [this] {
    entry_ = true;
    look();
    entry_ = false;
  };
  const auto interrupted = recorder_.on_interrupt;
  recorder_.on_interrupt = [this, interrupted](uint8_t vector) {
    if (interrupted) interrupted(vector);
    vector_ = vector;
    look();
    vector_ = -1;
  };
  const auto excepted = recorder_.on_exception;
  recorder_.on_exception = [this, excepted](uint8_t vector) {
    if (excepted) excepted(vector);
    exception_ = vector;
    look();
    exception_ = -1;
  };
  recorder_.on_object_write = [this] { look(); };
  const auto printed = session_.serial().on_text;
  session_.serial().on_text = [this, printed](std::string_view bytes, emu::Cycle now) {
    if (printed) printed(bytes, now);
    for (const char c : bytes) {
      serial_tail_ += c;
      look();
    }
  };
}

StopCondition::~StopCondition() {
  session_.serial().on_text = nullptr;
  recorder_.on_hypercall_begin = nullptr;
  recorder_.on_hypercall = nullptr;
  recorder_.on_exit = nullptr;
  recorder_.on_entry = nullptr;
  recorder_.on_interrupt = nullptr;
  recorder_.on_exception = nullptr;
  recorder_.on_object_write = nullptr;
  recorder_.stop_in_front = nullptr;
}

void StopCondition::look() {
  if (reached_ || !expression_.holds(*this)) return;
  reached_ = true;
  session_.machine().stop();
}

emu::StopReason StopCondition::run(emu::Cycle until) {
  const auto limit = expression_.cycle_limit();
  const emu::Cycle end = limit ? std::min(until, emu::Cycle{*limit}) : until;
  const emu::StopReason reason = session_.run(end);
  if (limit && reason == emu::StopReason::cycle_limit && session_.machine().now().value >= *limit) {
    reached_ = true;
  }
  return reason;
}

uint64_t StopCondition::value(Term term, const TermArguments& a) {
  emu::Machine& machine = session_.machine();
  emu::Cpu& cpu = machine.cpu(machine.current_processor());
  const auto is = [&](int64_t happened) {
    return happened >= 0 && static_cast<uint64_t>(happened) == a.numbers[0];
  };
  switch (term) {
    case Term::cycle: return machine.now().value;
    case Term::instructions: return machine.instructions();
    case Term::processor: return cpu.index();
    case Term::rip: return cpu.executing_rip();
    case Term::symbol: return session_.plan().image(a.texts[0])->symbols.named(a.texts[1])->address;
    case Term::reg: {
      const auto& names = emu::arch::kGprNames;
      const auto at = std::find(names.begin(), names.end(), a.texts[0]) - names.begin();
      return cpu.state.regs[static_cast<size_t>(at)];
    }
    case Term::serial: return serial_tail_.ends_with(a.texts[0]);
    case Term::hypercall_enter: return is(entered_call_);
    case Term::hypercall_leave: return is(left_call_);
    case Term::hypercall_status: {
      const auto found = last_status_.find(static_cast<uint16_t>(a.numbers[0]));
      return found == last_status_.end() ? 0xFFFF : found->second;
    }
    case Term::partition_state: {
      const HypervisorView view = recorder_.view();
      const PartitionView* const p = view.partition(a.numbers[0]);
      return p == nullptr ? kAbsentState : static_cast<uint64_t>(p->state);
    }
    case Term::partition_pool: {
      const HypervisorView view = recorder_.view();
      const PartitionView* const p = view.partition(a.numbers[0]);
      return p == nullptr ? 0 : p->pool_pages;
    }
    case Term::eventlog_buffer_state: {
      const HypervisorView view = recorder_.view();
      const BufferView* const b = view.buffer(static_cast<uint32_t>(a.numbers[0]),
                                              static_cast<uint32_t>(a.numbers[1]));
      return b == nullptr ? kAbsentState : static_cast<uint64_t>(b->state);
    }
    case Term::exit: {
      const auto* const row = find_exit(a.texts[0]);
      return exit_reason_ == static_cast<int64_t>(row->reason);
    }
    case Term::entry: return entry_;
    case Term::interrupt: return is(vector_);
    case Term::exception: return is(exception_);
    case Term::memory: {
      uint64_t value = 0;
      const auto at = cpu.mmu.peek(emu::Gva{a.numbers[0]}, emu::AccessRequest{});
      if (at) machine.bus().read_block(at->hpa, std::as_writable_bytes(std::span{&value, 1}));
      return value;
    }
  }
  return 0;
}

}  // namespace vitrine::ui
