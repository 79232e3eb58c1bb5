// The case generator: encodes a form with random registers and prefixes and aims its addresses.
#include "tests/silicon/generator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "emu/arch/registers.h"
#include "emu/arch/require.h"

namespace vitrine::test {

namespace {

using emu::require;
namespace arch = emu::arch;

constexpr uint8_t kRsp = arch::rsp, kRbp = arch::rbp;

/// Writes the bytes of a case and keeps what is already decided about its registers.
class Builder {
 public:
  Builder(const Form& form, Random& random, bool with_16_bit, bool in_sequence = false)
      : form_(form), random_(random), in_sequence_(in_sequence) {
    case_.size = in_sequence ? CodeSize::bits64 : pick_size(with_16_bit);
    wide_ = case_.size == CodeSize::bits64;
    code16_ = case_.size == CodeSize::bits16;
    case_.before.rip = kEntry - code_base(case_.size);
  }

  Case build(std::span<uint8_t> ours, std::span<uint8_t> host);

 private:
  CodeSize pick_size(bool with_16_bit) {
    if (!form_.in32) return CodeSize::bits64;
    const CodeSize legacy = with_16_bit && random_.one_in(2) ? CodeSize::bits16 : CodeSize::bits32;
    return form_.in64 && !random_.one_in(3) ? CodeSize::bits64 : legacy;
  }
  void emit(uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
      case_.bytes[case_.length++] = static_cast<uint8_t>(value >> (8 * i));
    }
  }
  uint8_t any_register() { return static_cast<uint8_t>(random_.below(wide_ ? 16 : 8)); }
  uint64_t pick_target();
  void fill_registers();
  void emit_prefixes();
  void emit_vex(uint8_t reg, uint8_t index, uint8_t base);
  void emit_rex(uint8_t reg, uint8_t index, uint8_t base);
  void emit_form();
  void emit_memory(uint8_t reg);
  void emit_memory16(uint8_t reg);
  void emit_vsib(uint8_t reg);
  void emit_absolute(uint8_t reg);
  void emit_prefix_and_opcode(uint8_t reg, uint8_t index, uint8_t base);
  void emit_immediates();
  unsigned immediate_bytes(std::string_view kind) const;
  void aim(uint8_t number, uint64_t value) {
    addressing_ |= 1u << number;
    const uint64_t mask = address16_ ? 0xFFFF : wide_ && !address32_ ? ~uint64_t{0} : 0xFFFFFFFF;
    const uint64_t whole = wide_ ? ~uint64_t{0} : 0xFFFFFFFF;
    case_.before.gpr[number] = (value & mask) | (random_.next() & whole & ~mask);
  }
  /// What an address register holds for a linear address.
  uint64_t offset_of(uint64_t linear) const {
    return linear - (gs_ ? kWindow + kGsOffset : data_base(case_.size));
  }

  const Form& form_;
  Random& random_;
  bool in_sequence_;
  Case case_;
  bool wide_ = true;
  bool code16_ = false;
  bool address16_ = false;
  bool operand16_ = false;
  bool address32_ = false;
  bool gs_ = false;
  bool rex_w_ = false;
  bool memory_ = false;
  bool small_count_ = false;
  uint64_t target_ = 0;
  unsigned addressing_ = 0;  ///< registers, one bit each, that an address was made from
};

/// Most operands lie inside; some across the edges of pages, in the read-only page or nowhere.
uint64_t Builder::pick_target() {
  const uint64_t near = random_.below(form_.wide ? 33 : 17);
  switch (random_.below(24)) {
    case 0: return kWindow + 0x1000 - near;  // across two pages
    case 1: return kReadOnly - near;         // into the read-only page
    case 2: return kUnmapped - near;         // into nothing
    case 3: return kWindow - near;           // out of nothing
    case 4: return kReadOnly + 0x100 + near;
    case 5: return kUnmapped + 0x100 + near;
    case 6: return wide_ && random_.one_in(2) ? 0x8000'0000'0000 - near : kWindow + 0x800;
    case 7:
    case 8:
    case 9:
    case 10: return kWindow + 0x800 + near;
    default: return kWindow + 0x400 + random_.below(0xC0) * 16;
  }
}

void Builder::fill_registers() {
  for (auto& value : case_.before.gpr) {
    const uint64_t inside = kWindow + 0x400 + random_.below(0x800);
    value = random_.one_in(8) ? inside - data_base(case_.size) : random_.edge();
    if (!wide_) value &= 0xFFFFFFFF;
  }
  const uint64_t mask = code16_ ? 0xFFFF : wide_ ? ~uint64_t{0} : 0xFFFFFFFF;
  const bool odd = form_.stack && random_.one_in(8);
  const uint64_t top = odd ? pick_target() : kWindow + 0x1000 + random_.below(0x40) * 8;
  case_.before.gpr[kRsp] = (top - data_base(case_.size)) & mask;
  if (form_.stack) {
    const uint64_t frame = random_.one_in(8) ? pick_target() : kWindow + 0x1200;
    case_.before.gpr[kRbp] = (frame - data_base(case_.size)) & mask;
  }
  case_.before.rflags = 0x202 | (random_.next() & (arch::rflags::arithmetic | arch::rflags::df));
}

void Builder::emit_prefixes() {
  const bool has_memory = memory_ || form_.rep;
  const bool sized = !form_.no66 && !form_.vex && random_.one_in(3);
  operand16_ = sized != code16_;
  // In 32-bit code the prefix would mean 16-bit addresses, which cannot reach the window.
  const bool address16_in_32 = !wide_ && !code16_ && form_.a16 && random_.one_in(2);
  const bool addressed = (wide_ && random_.one_in(10)) || (code16_ && random_.one_in(4));
  address32_ = wide_ && addressed;
  address16_ = code16_ && !addressed;
  gs_ = wide_ && has_memory && random_.one_in(10);
  if (sized && form_.prefix.empty()) emit(0x66, 1);
  if (addressed || address16_in_32) emit(0x67, 1);
  if (gs_) emit(0x65, 1);
  if (wide_ && !gs_ && random_.one_in(40)) {
    constexpr std::array<uint8_t, 4> kIgnored = {0x26, 0x2E, 0x36, 0x3E};
    emit(kIgnored[random_.below(4)], 1);
  }
  if (form_.lock && memory_ && random_.one_in(4)) emit(0xF0, 1);
  if (form_.rep && !random_.one_in(3)) emit(random_.one_in(2) ? 0xF2 : 0xF3, 1);
  if (sized && !form_.prefix.empty() && form_.prefix[0] != 0x66) emit(0x66, 1);
  for (const uint8_t byte : form_.prefix) emit(byte, 1);
}

void Builder::emit_rex(uint8_t reg, uint8_t index, uint8_t base) {
  if (!wide_) return;
  rex_w_ = form_.w >= 0 ? form_.w == 1 : random_.one_in(2);
  const unsigned bits =
      (rex_w_ ? 8u : 0u) | (reg >= 8 ? 4u : 0u) | (index >= 8 ? 2u : 0u) | (base >= 8 ? 1u : 0u);
  if (bits != 0 || random_.one_in(4)) emit(0x40 | bits, 1);
}

void Builder::emit_vex(uint8_t reg, uint8_t index, uint8_t base) {
  rex_w_ = form_.w >= 0 ? form_.w == 1 : wide_ && random_.one_in(2);
  const bool one_operand = form_.text.find("v0") != std::string_view::npos;
  const unsigned v = one_operand ? 0 : any_register();
  const bool long_vector = form_.wide && (!form_.narrow || random_.one_in(2));
  const unsigned rest = (long_vector ? 4u : 0u) | form_.vex_pp;
  if (form_.vex_map == 1 && !rex_w_ && index < 8 && base < 8 && random_.one_in(2)) {
    emit(0xC5, 1);
    emit((reg < 8 ? 0x80u : 0u) | (~v & 15) << 3 | rest, 1);
    return;
  }
  emit(0xC4, 1);
  emit((reg < 8 ? 0x80u : 0u) | (index < 8 ? 0x40u : 0u) | (base < 8 ? 0x20u : 0u) | form_.vex_map,
       1);
  emit((rex_w_ ? 0x80u : 0u) | (~v & 15) << 3 | rest, 1);
}

unsigned Builder::immediate_bytes(std::string_view kind) const {
  if (kind == "ib" || kind == "rel8") return 1;
  if (kind == "iw") return 2;
  if (kind == "id") return 4;
  if (kind == "moffs") return address16_ ? 2 : wide_ && !address32_ ? 8 : 4;
  if (kind == "iq" && rex_w_) return 8;
  if (kind == "relz" && wide_) return 4;
  return operand16_ && !rex_w_ ? 2 : 4;
}

void Builder::emit_immediates() {
  for (const auto kind : form_.immediates) {
    const unsigned bytes = immediate_bytes(kind);
    if (kind == "rel8") {
      // Into the traps around, or over the instruction.
      const uint64_t distance =
          random_.one_in(2) ? 0x10 + random_.below(0x70) : 0x80 + random_.below(0x60);
      emit(distance, 1);
    } else if (kind == "relz") {
      const uint64_t distance = 0x10 + random_.below(0x700);
      emit(random_.one_in(2) ? distance : ~distance - 0x10, bytes);
    } else if (kind == "moffs") {
      emit(offset_of(target_), bytes);
    } else {
      emit(small_count_ ? random_.below(16) : random_.edge(), bytes);
    }
  }
}

void Builder::emit_prefix_and_opcode(uint8_t reg, uint8_t index, uint8_t base) {
  if (form_.vex) {
    emit_vex(reg, index, base);
  } else {
    emit_rex(reg, index, base);
  }
  for (const uint8_t byte : form_.opcode) emit(byte, 1);
}

/// The same with 16-bit addresses.
void Builder::emit_memory16(uint8_t reg) {
  struct Pair {
    uint8_t base, index;
  };
  constexpr uint8_t kNone = 0xFF;
  constexpr std::array<Pair, 8> kPairs = {{{arch::rbx, arch::rsi},
                                           {arch::rbx, arch::rdi},
                                           {arch::rbp, arch::rsi},
                                           {arch::rbp, arch::rdi},
                                           {arch::rsi, kNone},
                                           {arch::rdi, kNone},
                                           {arch::rbp, kNone},
                                           {arch::rbx, kNone}}};
  const auto mod = static_cast<uint8_t>(random_.below(3));
  const auto rm = static_cast<uint8_t>(random_.below(8));
  const bool absolute = mod == 0 && rm == 6;
  emit_prefix_and_opcode(reg, 0, 0);
  emit(static_cast<uint64_t>(mod << 6 | (reg & 7) << 3 | rm), 1);
  const unsigned displacement_bytes = absolute ? 2 : mod;
  uint64_t rest = offset_of(target_);
  const Pair pair = kPairs[rm];
  if (pair.index != kNone) {
    const uint64_t value = random_.edge();
    aim(pair.index, value);
    rest -= value;
  }
  const auto byte = static_cast<uint64_t>(int64_t{static_cast<int8_t>(random_.next())});
  const uint64_t displacement = absolute ? rest : mod == 1 ? byte : mod == 2 ? random_.next() : 0;
  emit(displacement, displacement_bytes);
  if (!absolute) aim(pair.base, rest - displacement);
}

/// A ModRM memory operand whose address is target_: the registers and the displacement are made to
/// fit each other.
void Builder::emit_memory(uint8_t reg) {
  const bool sib = random_.one_in(2);
  const auto mod = static_cast<uint8_t>(random_.below(3));
  uint8_t base = any_register();
  uint8_t index = any_register();
  const auto scale = static_cast<uint8_t>(random_.below(4));
  if (!sib && (base & 7) == kRsp) base ^= 1;
  const bool no_base = (base & 7) == kRbp && mod == 0;
  const bool rip_relative = no_base && !sib && wide_;
  const bool has_base = !no_base;
  const bool has_index = sib && index != kRsp;
  if (has_index && has_base && index == base) index = static_cast<uint8_t>((index + 1) & 7);
  const bool indexed = has_index && index != kRsp;
  if (sib && !indexed) index = kRsp;

  emit_prefix_and_opcode(reg, sib ? index : 0, base);
  emit(static_cast<uint64_t>(mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7)), 1);
  if (sib) emit(static_cast<uint64_t>(scale << 6 | (index & 7) << 3 | (base & 7)), 1);

  uint64_t rest = offset_of(target_);
  const unsigned displacement_bytes = no_base ? 4 : mod == 1 ? 1 : mod == 2 ? 4 : 0;
  if (rip_relative) {
    unsigned behind = displacement_bytes;
    for (const auto kind : form_.immediates) behind += immediate_bytes(kind);
    rest -= case_.before.rip + case_.length + behind;
  }
  if (indexed) {
    // Without a base the displacement alone must reach: keep the index small.
    const uint64_t value = has_base ? random_.edge() : random_.below(0x100);
    case_.before.gpr[index] = wide_ ? value : value & 0xFFFFFFFF;
    addressing_ |= 1u << index;
    rest -= value << scale;
  }
  uint64_t displacement = 0;
  if (displacement_bytes == 1)
    displacement = static_cast<uint64_t>(int64_t{static_cast<int8_t>(random_.next())});
  if (displacement_bytes == 4) {
    displacement =
        has_base ? static_cast<uint64_t>(int64_t{static_cast<int32_t>(random_.next())}) : rest;
  }
  emit(displacement, displacement_bytes);
  if (has_base) aim(base, rest - displacement);
}

/// A vector index beside a base that lies in the middle of the window.
void Builder::emit_vsib(uint8_t reg) {
  const auto mod = static_cast<uint8_t>(random_.below(3));
  const uint8_t index = any_register();
  uint8_t base = any_register();
  if (mod == 0 && (base & 7) == kRbp) base ^= 1;
  emit_prefix_and_opcode(reg, index, base);
  emit(static_cast<uint64_t>(mod << 6 | (reg & 7) << 3 | 4), 1);
  emit(random_.below(4) << 6 | (index & 7u) << 3 | (base & 7u), 1);
  uint64_t displacement = 0;
  if (mod == 1) displacement = static_cast<uint64_t>(int64_t{static_cast<int8_t>(random_.next())});
  if (mod == 2) displacement = static_cast<uint64_t>(int64_t{static_cast<int32_t>(random_.next())});
  emit(displacement, mod == 1 ? 1 : mod == 2 ? 4 : 0);
  aim(base, offset_of(kWindow + 0x1000) - displacement);
}

/// A displacement alone: what a sequence does to registers does not move it.
void Builder::emit_absolute(uint8_t reg) {
  emit_prefix_and_opcode(reg, 0, 0);
  emit((reg & 7u) << 3 | 4, 1);
  emit(0x25, 1);
  emit(offset_of(target_), 4);
}

void Builder::emit_form() {
  const uint8_t reg = form_.fixed_reg ? form_.reg : any_register();
  if (memory_ && in_sequence_) return emit_absolute(reg);
  if (memory_ && form_.vsib) return emit_vsib(reg);
  if (memory_) return address16_ ? emit_memory16(reg) : emit_memory(reg);
  const uint8_t rm = any_register();
  if (form_.vex) {
    emit_vex(reg, 0, rm);
  } else {
    emit_rex(form_.modrm ? reg : 0, 0, rm);
  }
  for (size_t i = 0; i < form_.opcode.size(); ++i) {
    const bool last = i + 1 == form_.opcode.size();
    emit(form_.opcode[i] | (last && form_.plus_r ? rm & 7u : 0u), 1);
  }
  if (form_.modrm) emit(0xC0u | (reg & 7u) << 3 | (rm & 7u), 1);
}

Case Builder::build(std::span<uint8_t> ours, std::span<uint8_t> host) {
  target_ = pick_target();
  memory_ = form_.modrm && form_.memory_allowed && (!form_.register_allowed || random_.one_in(2));
  fill_registers();
  emit_prefixes();
  small_count_ = form_.count && operand16_ && !random_.one_in(200);
  if (small_count_) case_.before.gpr[arch::rcx] = random_.below(16);
  const bool moffs = !form_.immediates.empty() && form_.immediates[0] == "moffs";
  emit_form();
  emit_immediates();
  if (memory_ || moffs) case_.target = target_;
  if (form_.rep) {
    auto& gpr = case_.before.gpr;
    gpr[arch::rcx] = random_.one_in(20) ? random_.edge() : random_.below(40);
    if (!wide_) gpr[arch::rcx] &= 0xFFFFFFFF;
    // One of the two is adventurous: which of two faults comes first is nobody's promise.
    const uint64_t inside = kWindow + 0x800 + random_.below(0x100);
    const bool both = random_.one_in(100), source = random_.one_in(2);
    const uint64_t from = both || source ? pick_target() : inside;
    const uint64_t to = both || !source ? pick_target() : inside;
    aim(arch::rsi, offset_of(from));
    aim(arch::rdi, to - data_base(case_.size));
    case_.single_step = random_.one_in(8);
  }
  // Data at the operand: an edge value, sometimes a place to go, sometimes a register's.
  const bool inside = target_ >= kWindow && target_ + 16 <= kReadOnly;
  if ((memory_ || moffs) && inside) {
    std::array<uint64_t, 2> data = {random_.edge(), random_.edge()};
    if (random_.one_in(4)) data[0] = kCode + 0x100 + random_.below(0x600) - code_base(case_.size);
    const size_t at = target_ - kWindow;
    std::memcpy(ours.data() + at, data.data(), sizeof(data));
    std::memcpy(host.data() + at, data.data(), sizeof(data));
    constexpr unsigned kAccumulators = 1u << arch::rax | 1u << arch::rdx;
    if ((addressing_ & kAccumulators) == 0 && random_.one_in(3)) {
      case_.before.gpr[arch::rax] = wide_ ? data[0] : data[0] & 0xFFFFFFFF;
      case_.before.gpr[arch::rdx] = wide_ ? data[1] : data[1] & 0xFFFFFFFF;
      if (random_.one_in(2)) {
        case_.before.gpr[arch::rdx] = data[0] >> 32;
        case_.before.gpr[arch::rax] &= 0xFFFFFFFF;
      }
    }
  }
  return case_;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end != 0) found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

bool is_byte(std::string_view word) {
  return word.size() == 2 && std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

void parse_vex(std::string_view word, Form& form) {
  form.vex = true;
  const auto pp = word.substr(4, 2);
  const auto map = word.substr(7, 2);
  form.vex_pp = pp == "66" ? 1 : pp == "f3" ? 2 : pp == "f2" ? 3 : 0;
  form.vex_map = map == "38" ? 2 : map == "3a" ? 3 : 1;
}

}  // namespace

uint64_t Random::edge() {
  constexpr std::array<uint64_t, 18> kEdges = {0,
                                               1,
                                               2,
                                               ~uint64_t{0},
                                               ~uint64_t{1},
                                               0x7F,
                                               0x80,
                                               0xFF,
                                               0x7FFF,
                                               0x8000,
                                               0xFFFF,
                                               0x7FFFFFFF,
                                               0x80000000,
                                               0xFFFFFFFF,
                                               0x7FFFFFFFFFFFFFFF,
                                               0x8000000000000000,
                                               0xFFFFFFFF80000000,
                                               0x100000000};
  switch (below(4)) {
    case 0: return kEdges[below(kEdges.size())];
    case 1: return below(72);
    case 2: return next() >> below(64);
    default: return next();
  }
}

Form parse_form(std::string_view text) {
  Form form;
  form.text = text;
  for (const auto word : words(text)) {
    // A hexadecimal pair before the opcode is a prefix only if another byte follows.
    if (is_byte(word)) {
      form.opcode.push_back(static_cast<uint8_t>(std::stoul(std::string(word), nullptr, 16)));
    } else if (word.substr(0, 4) == "vex.") {
      parse_vex(word, form);
    } else if (word == "+r") {
      form.plus_r = true;
    } else if (word[0] == '/') {
      form.modrm = true;
      form.fixed_reg = word != "/r";
      if (form.fixed_reg) form.reg = static_cast<uint8_t>(word[1] - '0');
    } else if (word == "mem") {
      form.register_allowed = false;
    } else if (word == "reg") {
      form.memory_allowed = false;
    } else if (word == "lock") {
      form.lock = true;
    } else if (word == "rep") {
      form.rep = true;
    } else if (word == "stack") {
      form.stack = true;
    } else if (word == "count") {
      form.count = true;
    } else if (word == "a16") {
      form.a16 = true;
    } else if (word == "no66") {
      form.no66 = true;
    } else if (word == "only32") {
      form.in64 = false;
    } else if (word == "only64") {
      form.in32 = false;
    } else if (word == "l1" || word == "lx") {
      form.wide = true;
      form.narrow = word == "lx";
    } else if (word == "vsib") {
      form.vsib = true;
      form.register_allowed = false;
    } else if (word == "w0" || word == "w1") {
      form.w = word == "w1" ? 1 : 0;
    } else if (word != "v0") {
      form.immediates.push_back(word);
    }
  }
  const auto is_prefix = [](uint8_t byte) { return byte == 0xF2 || byte == 0xF3 || byte == 0x66; };
  while (form.opcode.size() > 1 && is_prefix(form.opcode.front())) {
    form.prefix.push_back(form.opcode.front());
    form.opcode.erase(form.opcode.begin());
  }
  require(!form.opcode.empty(), "a form has an opcode");
  return form;
}

Case make_case(const Form& form, Random& random, bool with_16_bit, std::span<uint8_t> ours,
               std::span<uint8_t> host) {
  return Builder(form, random, with_16_bit).build(ours, host);
}

Case make_sequence(std::span<const Form> forms, unsigned count, Random& random,
                   std::span<uint8_t> ours, std::span<uint8_t> host) {
  const auto next = [&] {
    const Form& form = forms[random.below(forms.size())];
    return Builder(form, random, false, true).build(ours, host);
  };
  Case whole = next();
  for (unsigned i = 1; i < count; ++i) {
    const Case one = next();
    if (whole.length + one.length > 240) break;
    std::copy_n(one.bytes.begin(), one.length, whole.bytes.begin() + whole.length);
    whole.length = static_cast<uint8_t>(whole.length + one.length);
    ++whole.instructions;
  }
  whole.target = 0;
  return whole;
}

}  // namespace vitrine::test
