// The native forms: each is spelled as the decoder would, and the row that knows it names its handler.
#include "emu/cpu/jit/forms.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "emu/cpu/decoded.h"
#include "emu/cpu/instruction_table.h"

namespace vitrine::emu::jit {

namespace {

struct Named {
  std::string_view mnemonic;
  Op op;
};

// clang-format off
constexpr std::array<Named, 9> kBinary = {{
    {"add", Op::add}, {"adc", Op::adc},  {"sub", Op::sub}, {"sbb", Op::sbb}, {"cmp", Op::cmp},
    {"and", Op::and_}, {"or", Op::or_}, {"xor", Op::xor_}, {"test", Op::test},
}};
constexpr std::array<Named, 4> kUnary = {{
    {"inc", Op::inc}, {"dec", Op::dec}, {"neg", Op::neg}, {"not", Op::not_},
}};
constexpr std::array<Named, 5> kShifts = {{
    {"shl", Op::shl}, {"shr", Op::shr}, {"sar", Op::sar}, {"rol", Op::rol}, {"ror", Op::ror},
}};
constexpr std::array<std::string_view, 16> kConditions = {
    "o", "no", "b", "nb", "z", "nz", "be", "nbe", "s", "ns", "p", "np", "l", "nl", "le", "nle"};
// clang-format on

constexpr std::array<uint8_t, 4> kWidths = {1, 2, 4, 8};

Operand operand(char kind, unsigned bytes) {
  Operand o;
  o.bits = static_cast<uint16_t>(bytes * 8);
  o.kind = kind == 'r'   ? OperandKind::gpr
           : kind == 'm' ? OperandKind::memory
           : kind == 'b' ? OperandKind::relative
                         : OperandKind::immediate;
  return o;
}

/// `kinds`: one letter per operand, as in Shape; b is a branch displacement.
Decoded spelled(std::string_view mnemonic, std::string_view kinds, uint8_t width,
                uint8_t source = 0) {
  Decoded d;
  d.mnemonic = mnemonic;
  d.operand_size = width;
  d.operand_count = static_cast<uint8_t>(kinds.size());
  for (size_t i = 0; i < kinds.size(); ++i) {
    d.operands[i] = operand(kinds[i], i == 1 && source != 0 ? source : width);
    if (kinds[i] == 'm') {
      d.memory.present = true;
      d.memory.bits = d.operands[i].bits;
    }
  }
  return d;
}

void add(std::unordered_map<Handler, Form>& forms, const Decoded& d, Form form) {
  const auto match = find_row(d);
  if (match && match->handler != nullptr) forms.emplace(match->handler, form);
}

void add_moves(std::unordered_map<Handler, Form>& forms) {
  for (const uint8_t w : kWidths) {
    add(forms, spelled("mov", "rr", w), {Op::mov, Shape::rr, w});
    add(forms, spelled("mov", "rm", w), {Op::mov, Shape::rm, w});
    add(forms, spelled("mov", "mr", w), {Op::mov, Shape::mr, w});
    add(forms, spelled("mov", "ri", w), {Op::mov, Shape::ri, w});
    add(forms, spelled("mov", "mi", w), {Op::mov, Shape::mi, w});
    if (w >= 4) {
      add(forms, spelled("lea", "rm", w), {Op::lea, Shape::rm, w});
      add(forms, spelled("bswap", "r", w), {Op::bswap, Shape::r, w});
    }
    for (const uint8_t s : {uint8_t{1}, uint8_t{2}, uint8_t{4}}) {
      if (s >= w) continue;
      if (s < 4) {
        add(forms, spelled("movzx", "rr", w, s), {Op::movzx, Shape::rr, w, s});
        add(forms, spelled("movzx", "rm", w, s), {Op::movzx, Shape::rm, w, s});
      }
      const std::string_view name = s == 4 ? "movsxd" : "movsx";
      add(forms, spelled(name, "rr", w, s), {Op::movsx, Shape::rr, w, s});
      add(forms, spelled(name, "rm", w, s), {Op::movsx, Shape::rm, w, s});
    }
  }
  add(forms, spelled("nop", "", 4), {Op::nop});
  add(forms, spelled("cwde", "", 4), {Op::cbw, Shape::none, 4});
  add(forms, spelled("cdqe", "", 8), {Op::cbw, Shape::none, 8});
  add(forms, spelled("cdq", "", 4), {Op::cwd, Shape::none, 4});
  add(forms, spelled("cqo", "", 8), {Op::cwd, Shape::none, 8});
}

void add_arithmetic(std::unordered_map<Handler, Form>& forms) {
  for (const uint8_t w : kWidths) {
    for (const Named& n : kBinary) {
      add(forms, spelled(n.mnemonic, "rr", w), {n.op, Shape::rr, w});
      add(forms, spelled(n.mnemonic, "rm", w), {n.op, Shape::rm, w});
      add(forms, spelled(n.mnemonic, "mr", w), {n.op, Shape::mr, w});
      add(forms, spelled(n.mnemonic, "ri", w), {n.op, Shape::ri, w});
      add(forms, spelled(n.mnemonic, "mi", w), {n.op, Shape::mi, w});
    }
    for (const Named& n : kUnary) {
      add(forms, spelled(n.mnemonic, "r", w), {n.op, Shape::r, w});
      add(forms, spelled(n.mnemonic, "m", w), {n.op, Shape::m, w});
    }
    for (const Named& n : kShifts) {
      add(forms, spelled(n.mnemonic, "ri", w), {n.op, Shape::ri, w});
      add(forms, spelled(n.mnemonic, "mi", w), {n.op, Shape::mi, w});
      add(forms, spelled(n.mnemonic, "rr", w), {n.op, Shape::rc, w});
    }
    if (w == 1) continue;
    add(forms, spelled("imul", "rr", w), {Op::imul, Shape::rr, w});
    add(forms, spelled("imul", "rm", w), {Op::imul, Shape::rm, w});
    add(forms, spelled("imul", "rri", w), {Op::imul, Shape::rri, w});
    add(forms, spelled("imul", "rmi", w), {Op::imul, Shape::rmi, w});
  }
}

void add_control(std::unordered_map<Handler, Form>& forms) {
  for (uint8_t cc = 0; cc < kConditions.size(); ++cc) {
    const std::string name(kConditions[cc]);
    add(forms, spelled("j" + name, "b", 8), {Op::jcc, Shape::i, 8, 0, cc});
    add(forms, spelled("set" + name, "r", 1), {Op::setcc, Shape::r, 1, 0, cc});
    add(forms, spelled("set" + name, "m", 1), {Op::setcc, Shape::m, 1, 0, cc});
    for (const uint8_t w : {uint8_t{2}, uint8_t{4}, uint8_t{8}}) {
      add(forms, spelled("cmov" + name, "rr", w), {Op::cmov, Shape::rr, w, 0, cc});
      add(forms, spelled("cmov" + name, "rm", w), {Op::cmov, Shape::rm, w, 0, cc});
    }
  }
  add(forms, spelled("jmp", "b", 8), {Op::jmp, Shape::i, 8});
  add(forms, spelled("jmp", "r", 8), {Op::jmp, Shape::r, 8});
  add(forms, spelled("jmp", "m", 8), {Op::jmp, Shape::m, 8});
  add(forms, spelled("call", "b", 8), {Op::call, Shape::i, 8});
  add(forms, spelled("call", "r", 8), {Op::call, Shape::r, 8});
  add(forms, spelled("call", "m", 8), {Op::call, Shape::m, 8});
  Decoded ret = spelled("ret", "", 8);
  ret.opcode = 0xC3;
  add(forms, ret, {Op::ret, Shape::none, 8});
  add(forms, spelled("push", "r", 8), {Op::push, Shape::r, 8});
  add(forms, spelled("push", "i", 8), {Op::push, Shape::i, 8});
  add(forms, spelled("pop", "r", 8), {Op::pop, Shape::r, 8});
}

}  // namespace

FormTable::FormTable(bool with_vectors) {
  add_moves(forms_);
  add_arithmetic(forms_);
  add_control(forms_);
  if (!with_vectors) return;
  for_vector_forms([this](Handler handler, VectorForm form) {
    if (forms_.contains(handler)) return;
    vectors_.push_back(std::move(form));
    forms_.emplace(handler, Form{.op = Op::vector, .vector = &vectors_.back()});
  });
}

Form FormTable::find(const Insn& insn) const {
  const auto found = forms_.find(insn.handler);
  if (found == forms_.end()) return {};
  Form form = found->second;
  if (form.op != Op::vector) return form;
  // One handler has the forms with and without memory.
  const bool memory = std::find(insn.op.begin(), insn.op.end(), kMemory) != insn.op.end();
  if (form.vector->pattern == Pattern::half && !memory) return {};
  form.shape = !memory ? Shape::none : insn.op[0] == kMemory ? Shape::mr : Shape::rm;
  return form;
}

}  // namespace vitrine::emu::jit
