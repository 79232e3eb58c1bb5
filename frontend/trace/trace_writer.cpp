// TraceWriter: the recorder's events as lines.
#include "frontend/trace/trace_writer.h"

#include "emu/arch/exit_reasons.h"
#include "frontend/record/timeline.h"
#include "frontend/text.h"
#include "hv/tlfs/status.h"

namespace vitrine::ui {

namespace {

TraceEvent event_of(const Transition& t) {
  TraceEvent event{t.place.cycle.value, t.place.processor, "", {}};
  if (t.object == Transition::Object::partition) {
    event.kind = "partition";
    event.fields = {{"id", std::to_string(t.id)}};
  } else {
    event.kind = "buffer";
    event.fields = {{"type", std::to_string(t.id >> 32)},
                    {"index", std::to_string(static_cast<uint32_t>(t.id))}};
  }
  event.fields.emplace_back("from", t.from);
  event.fields.emplace_back("to", t.to);
  if (t.object == Transition::Object::partition) {
    event.fields.emplace_back("pool", std::to_string(t.pool_pages));
    event.fields.emplace_back("free", std::to_string(t.pool_available));
  }
  event.fields.emplace_back("rip", hex(t.place.rip));
  event.fields.emplace_back("symbol", t.place.symbol);
  return event;
}

TraceEvent enter_event(const HypercallEvent& call, uint64_t cycle) {
  return {cycle,
          call.place.processor,
          "hypercall.enter",
          {{"code", hex(call.code(), 4)},
           {"name", std::string(hypercall_name(call.code()))},
           {"caller", call.caller},
           {"partition", std::to_string(call.partition)},
           {"vp", std::to_string(call.vp)},
           {"control", hex(call.control)},
           {"first", hex(call.first)},
           {"second", hex(call.second)},
           {"rip", hex(call.place.rip)}}};
}

TraceEvent leave_event(const HypercallEvent& call) {
  return {
      call.attempts.back().end.value,
      call.place.processor,
      "hypercall.leave",
      {{"code", hex(call.code(), 4)},
       {"name", std::string(hypercall_name(call.code()))},
       {"caller", call.caller},
       {"partition", std::to_string(call.partition)},
       {"vp", std::to_string(call.vp)},
       {"status", std::string(hv::tlfs::status_name(static_cast<hv::tlfs::Status>(call.status())))},
       {"result", hex(call.result)},
       {"cycles", std::to_string(call.cycles())},
       {"attempts", std::to_string(call.attempts.size())}}};
}

/// Calls `first` and then `then`, either of which may be empty.
template <class... Arguments, class Then>
void chain(std::function<void(Arguments...)>& slot, Then then) {
  slot = [first = std::move(slot), then](Arguments... arguments) {
    if (first) first(arguments...);
    then(arguments...);
  };
}

}  // namespace

TraceWriter::TraceWriter(const std::string& path, const emu::MachineConfig& config,
                         const BootPlan& plan)
    : out_(path, std::ios::binary | std::ios::trunc) {
  if (!out_) throw UsageError("cannot write '" + path + "'");
  out_ << kTraceMagic << ' ' << kTraceVersion << "\nconfig"
       << trace_fields({{"memory", std::to_string(config.memory_bytes)},
                        {"processors", std::to_string(config.processors)},
                        {"cpu", config.cpu},
                        {"quantum", std::to_string(config.quantum)},
                        {"rtc", std::to_string(config.rtc_seconds)},
                        {"seed", std::to_string(config.seed)}})
       << '\n';
  for (const LoadedImage& image : plan.images) {
    out_ << "image"
         << trace_fields({{"role", image.role}, {"name", image.name}, {"sha256", image.sha256}})
         << '\n';
  }
}

void TraceWriter::follow(Recorder& recorder, emu::Machine& machine) {
  const auto at = [&machine](std::string kind, TraceFields fields) {
    const emu::Cpu& cpu = machine.cpu(machine.current_processor());
    return TraceEvent{cpu.now().value, cpu.index(), std::move(kind), std::move(fields)};
  };
  chain(recorder.on_transition, [this](const Transition& t) { write(event_of(t)); });
  chain(recorder.on_hypercall_begin, [this, &machine](const HypercallEvent& call) {
    write(enter_event(call, machine.cpu(call.place.processor).now().value));
  });
  chain(recorder.on_hypercall, [this](const HypercallEvent& call) { write(leave_event(call)); });
  chain(recorder.on_exit, [this, at](uint32_t reason) {
    const auto* const row = emu::arch::find_exit_reason(reason & 0xFFFF);
    write(at("exit",
             {{"reason", row == nullptr ? std::to_string(reason) : expression_name(row->name)}}));
  });
  chain(recorder.on_interrupt, [this, at](uint8_t vector) {
    write(at("interrupt", {{"vector", hex(vector)}}));
  });
  chain(recorder.on_exception, [this, at](uint8_t vector) {
    write(at("exception", {{"vector", hex(vector)}}));
  });
}

void TraceWriter::end(emu::Machine& machine, std::string_view reason, uint64_t state_hash) {
  write({machine.now().value,
         machine.current_processor(),
         "end",
         {{"reason", std::string(reason)},
          {"instructions", std::to_string(machine.instructions())},
          {"state_hash", hex(state_hash, 16)}}});
  out_.flush();
}

}  // namespace vitrine::ui
