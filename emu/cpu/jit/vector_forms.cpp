// The table of vector forms: one line per kind of instruction, spelled in each of its lengths.
#include "emu/cpu/jit/vector_forms.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "emu/cpu/decoded.h"
#include "emu/cpu/instruction_table.h"

namespace vitrine::emu::jit {

namespace {

/// Which encodings exist.
constexpr unsigned kLegacy = 1, kNarrow = 2, kWide = 4, kAll = 7, kSingle = 3, kVex = 6;
/// Of a comparison: five bits with VEX, three without.
constexpr uint8_t kPredicate = 0x1F;

struct Family {
  Pattern pattern = Pattern::three;
  unsigned encodings = kAll;
  uint8_t memory = 0;  ///< bytes, 0: as long as the register
  uint8_t immediate = 0;
  bool aligned = true;  ///< in legacy SSE
  std::string_view names;
};

// clang-format off
constexpr std::array kFamilies = {
  Family{.names = "addps addpd subps subpd mulps mulpd divps divpd minps minpd maxps maxpd andps andpd andnps andnpd "
                  "orps orpd xorps xorpd unpcklps unpckhps unpcklpd unpckhpd addsubps addsubpd haddps haddpd hsubps hsubpd "
                  "pand pandn por pxor paddb paddw paddd paddq psubb psubw psubd psubq paddsb paddsw paddusb paddusw "
                  "psubsb psubsw psubusb psubusw pcmpeqb pcmpeqw pcmpeqd pcmpeqq pcmpgtb pcmpgtw pcmpgtd pcmpgtq "
                  "pminub pminuw pminud pminsb pminsw pminsd pmaxub pmaxuw pmaxud pmaxsb pmaxsw pmaxsd pavgb pavgw "
                  "pmullw pmulhw pmulhuw pmulhrsw pmulld pmuludq pmuldq pmaddwd pmaddubsw psadbw punpcklbw punpcklwd "
                  "punpckldq punpcklqdq punpckhbw punpckhwd punpckhdq punpckhqdq packsswb packssdw packuswb packusdw "
                  "pshufb phaddw phaddd phsubw phsubd psignb psignw psignd"},
  Family{.immediate = 0xFF, .names = "shufps shufpd blendps blendpd pblendw palignr"},
  Family{.immediate = kPredicate, .names = "cmpps cmppd"},
  Family{.encodings = kVex, .immediate = 0xFF, .names = "pblendd"},
  Family{.encodings = kVex, .names = "psllvd psllvq psrlvd psrlvq psravd permilps permilpd"},
  Family{.encodings = kWide, .immediate = 0xFF, .names = "perm2f128 perm2i128"},
  Family{.encodings = kWide, .names = "permd permps"},
  Family{.encodings = kSingle, .memory = 4, .aligned = false, .names = "addss subss mulss divss minss maxss sqrtss cvtss2sd"},
  Family{.encodings = kSingle, .memory = 8, .aligned = false, .names = "addsd subsd mulsd divsd minsd maxsd sqrtsd cvtsd2ss"},
  Family{.encodings = kSingle, .memory = 4, .immediate = 0x0F, .aligned = false, .names = "roundss"},
  Family{.encodings = kSingle, .memory = 8, .immediate = 0x0F, .aligned = false, .names = "roundsd"},
  Family{.encodings = kSingle, .memory = 4, .immediate = kPredicate, .aligned = false, .names = "cmpss"},
  Family{.encodings = kSingle, .memory = 8, .immediate = kPredicate, .aligned = false, .names = "cmpsd"},
  Family{.pattern = Pattern::two, .names = "sqrtps sqrtpd pabsb pabsw pabsd movsldup movshdup cvtdq2ps cvtps2dq cvttps2dq "
                                           "movaps movapd movdqa"},
  Family{.pattern = Pattern::two, .aligned = false, .names = "movups movupd movdqu"},
  Family{.pattern = Pattern::two, .immediate = 0xFF, .names = "pshufd pshuflw pshufhw"},
  Family{.pattern = Pattern::two, .immediate = 0x0F, .names = "roundps roundpd"},
  Family{.pattern = Pattern::two, .encodings = kVex, .immediate = 0xFF, .names = "permilps permilpd"},
  Family{.pattern = Pattern::two, .encodings = kWide, .immediate = 0xFF, .names = "permq permpd"},
  Family{.pattern = Pattern::two, .encodings = kSingle, .memory = 8, .aligned = false, .names = "movq movddup"},
  Family{.pattern = Pattern::two, .encodings = kWide, .names = "movddup"},
  Family{.pattern = Pattern::scalar, .encodings = kSingle, .memory = 4, .aligned = false, .names = "movss"},
  Family{.pattern = Pattern::scalar, .encodings = kSingle, .memory = 8, .aligned = false, .names = "movsd"},
  Family{.pattern = Pattern::half, .encodings = kSingle, .memory = 8, .aligned = false, .names = "movlps movlpd movhps movhpd"},
  Family{.pattern = Pattern::shift, .immediate = 0xFF, .names = "psllw pslld psllq psrlw psrld psrlq psraw psrad pslldq psrldq"},
  Family{.pattern = Pattern::flags, .encodings = kSingle, .memory = 4, .aligned = false, .names = "comiss ucomiss"},
  Family{.pattern = Pattern::flags, .encodings = kSingle, .memory = 8, .aligned = false, .names = "comisd ucomisd"},
};

/// FMA: kinds and orders of operands.
constexpr std::array<std::string_view, 6> kFused = {"fmadd", "fmsub", "fnmadd", "fnmsub", "fmaddsub", "fmsubadd"};
constexpr std::array<std::string_view, 3> kOrders = {"132", "213", "231"};
// clang-format on

Operand operand(char kind) {
  Operand o;
  switch (kind) {
    case 'x': o = {.kind = OperandKind::xmm, .bits = 128}; break;
    case 'y': o = {.kind = OperandKind::ymm, .bits = 256}; break;
    case 'd': o = {.kind = OperandKind::gpr, .bits = 32}; break;
    case 'q': o = {.kind = OperandKind::gpr, .bits = 64}; break;
    case 'm': o = {.kind = OperandKind::memory}; break;
    default: o = {.kind = OperandKind::immediate, .bits = 8}; break;
  }
  return o;
}

Decoded spelled(std::string_view mnemonic, std::string_view kinds, const VectorForm& form) {
  Decoded d;
  d.mnemonic = mnemonic;
  d.vex = !form.legacy;
  const bool wide = kinds.find('y') != std::string_view::npos;
  if (d.vex) d.vector_bits_log2 = wide ? 8 : 7;
  d.operand_count = static_cast<uint8_t>(kinds.size());
  for (size_t i = 0; i < kinds.size(); ++i) {
    d.operands[i] = operand(kinds[i]);
    if (kinds[i] != 'm') continue;
    d.operands[i].bits = static_cast<uint16_t>(form.memory * 8);
    d.memory.present = true;
    d.memory.bits = d.operands[i].bits;
  }
  return d;
}

using Add = std::function<void(Handler, VectorForm)>;

/// `mnemonic` without the V of VEX.
void add(const Add& to, std::string_view mnemonic, std::string_view kinds, VectorForm form) {
  form.name = "v" + std::string(mnemonic);
  const auto match = find_row(spelled(form.legacy ? mnemonic : form.name, kinds, form));
  if (match && match->handler != nullptr) to(match->handler, std::move(form));
}

/// The registers that each pattern is spelled with: legacy SSE names the first source only once.
std::string kinds_of(const Family& f, bool legacy, char reg) {
  std::string kinds(2, reg);
  if (f.pattern == Pattern::half) kinds = "xm";
  if (f.pattern == Pattern::shift) kinds.pop_back();
  const bool two = f.pattern == Pattern::two || f.pattern == Pattern::flags;
  if (!legacy && !two) kinds.insert(kinds.begin(), reg);
  if (f.immediate != 0) kinds += 'i';
  return kinds;
}

void add_family(const Add& to, const Family& f, std::string_view name) {
  VectorForm form{.pattern = f.pattern, .immediate = f.immediate};
  if (f.memory != 0) form.memory = f.memory;
  if ((f.encodings & kLegacy) != 0) {
    VectorForm legacy = form;
    legacy.legacy = true;
    legacy.aligned = f.aligned;
    if (f.immediate == kPredicate) legacy.immediate = 7;
    add(to, name, kinds_of(f, true, 'x'), legacy);
  }
  form.aligned = name == "movaps" || name == "movapd" || name == "movdqa";
  if ((f.encodings & kNarrow) != 0) add(to, name, kinds_of(f, false, 'x'), form);
  if ((f.encodings & kWide) != 0) {
    form.width = form.last = form.memory = 32;
    add(to, name, kinds_of(f, false, 'y'), form);
  }
}

void add_families(const Add& to) {
  for (const Family& f : kFamilies) {
    std::string_view names = f.names;
    while (!names.empty()) {
      const size_t end = std::min(names.find(' '), names.size());
      add_family(to, f, names.substr(0, end));
      names.remove_prefix(std::min(end + 1, names.size()));
    }
  }
}

void add_fused(const Add& to) {
  for (const std::string_view kind : kFused) {
    for (const std::string_view order : kOrders) {
      const std::string name = std::string(kind) + std::string(order);
      for (const std::string_view type : {"ps", "pd"}) {
        add(to, name + std::string(type), "xxx", {.pattern = Pattern::fused});
        add(to, name + std::string(type), "yyy",
            {.pattern = Pattern::fused, .width = 32, .last = 32, .memory = 32});
      }
      add(to, name + "ss", "xxx", {.pattern = Pattern::fused, .memory = 4});
      add(to, name + "sd", "xxx", {.pattern = Pattern::fused, .memory = 8});
    }
  }
}

/// Conversions between lengths, with the bytes of the source.
void add_conversions(const Add& to) {
  for (const std::string_view name : {"cvtps2pd", "cvtdq2pd"}) {
    add(to, name, "xx", {.pattern = Pattern::two, .memory = 8, .legacy = true});
    add(to, name, "xx", {.pattern = Pattern::two, .memory = 8});
    add(to, name, "yx", {.pattern = Pattern::two, .width = 32});
  }
  for (const std::string_view name : {"cvtpd2ps", "cvtpd2dq", "cvttpd2dq"}) {
    add(to, name, "xx", {.pattern = Pattern::two, .legacy = true, .aligned = true});
    add(to, name, "xx", {.pattern = Pattern::two});
    add(to, name, "xy", {.pattern = Pattern::two, .last = 32, .memory = 32});
  }
}

/// Moves of one element or one half to all, and between halves.
void add_halves(const Add& to) {
  for (const char reg : {'x', 'y'}) {
    const uint8_t width = reg == 'x' ? 16 : 32;
    for (const std::string_view name : {"broadcastss", "pbroadcastd"}) {
      add(to, name, std::string{reg, 'x'}, {.pattern = Pattern::two, .width = width, .memory = 4});
      add(to, name, std::string{reg, 'm'}, {.pattern = Pattern::two, .width = width, .memory = 4});
    }
    for (const std::string_view name : {"broadcastsd", "pbroadcastq"}) {
      if (reg == 'x' && name == "broadcastsd") continue;
      add(to, name, std::string{reg, 'x'}, {.pattern = Pattern::two, .width = width, .memory = 8});
      add(to, name, std::string{reg, 'm'}, {.pattern = Pattern::two, .width = width, .memory = 8});
    }
  }
  for (const std::string_view type : {"f128", "i128"}) {
    const std::string name(type);
    add(to, "broadcast" + name, "ym", {.pattern = Pattern::two, .width = 32});
    add(to, "insert" + name, "yyxi", {.pattern = Pattern::three, .width = 32, .immediate = 0xFF});
    add(to, "extract" + name, "xyi", {.pattern = Pattern::extract, .last = 32, .immediate = 0xFF});
  }
}

void add_general(const Add& to) {
  for (const bool legacy : {true, false}) {
    for (const uint8_t bytes : {uint8_t{4}, uint8_t{8}}) {
      const char reg = bytes == 4 ? 'd' : 'q';
      const std::string_view move = bytes == 4 ? "movd" : "movq";
      const VectorForm in{.memory = bytes, .general = bytes, .legacy = legacy};
      VectorForm form = in;
      form.pattern = Pattern::low_gpr;
      add(to, move, std::string{'x', reg}, form);
      form.pattern = Pattern::to_gpr;
      add(to, move, std::string{reg, 'x'}, form);
      for (const std::string_view name : {"cvtss2si", "cvttss2si", "cvtsd2si", "cvttsd2si"}) {
        form.memory = name.find("ss") != std::string_view::npos ? 4 : 8;
        add(to, name, std::string{reg, 'x'}, form);
      }
      form = in;
      form.pattern = Pattern::from_gpr;
      for (const std::string_view name : {"cvtsi2ss", "cvtsi2sd"}) {
        const std::string kinds = legacy ? std::string{'x', reg} : std::string{'x', 'x', reg};
        add(to, name, kinds, form);
      }
    }
    for (const std::string_view name : {"movmskps", "movmskpd", "pmovmskb"}) {
      const VectorForm form{.pattern = Pattern::to_gpr, .general = 4, .legacy = legacy};
      add(to, name, "dx", form);
      if (legacy) continue;
      add(to, name, "dy", {.pattern = Pattern::to_gpr, .last = 32, .general = 4});
    }
  }
}

}  // namespace

size_t vector_general_operand(const Insn& insn, const VectorForm& form) {
  size_t operand = insn.op.size();
  switch (form.pattern) {
    case Pattern::to_gpr: operand = 0; break;
    case Pattern::low_gpr: operand = 1; break;
    case Pattern::from_gpr: operand = form.legacy ? 1 : 2; break;
    default: return operand;
  }
  return insn.op[operand] == kMemory ? insn.op.size() : operand;
}

void for_vector_forms(const std::function<void(Handler, VectorForm)>& add) {
  add_families(add);
  add_fused(add);
  add_conversions(add);
  add_halves(add);
  add_general(add);
}

}  // namespace vitrine::emu::jit
