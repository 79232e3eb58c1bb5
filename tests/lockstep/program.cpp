// Encoding random instructions, and the tables that a bare processor needs to survive them.
#include "tests/lockstep/program.h"

#include <array>
#include <cstring>

#include "tests/lockstep/encoder.h"

namespace vitrine::test {

namespace {

using emu::Hpa;

/// VMOVDQU, VPADDD, VPADDQ, VPXOR and VMULPS of XMM or YMM registers.
void vector_instruction(Encoder& e, bool memory) {
  struct Form {
    unsigned prefix, opcode;
    bool two_operands;
  };
  constexpr std::array<Form, 6> kForms = {{{2, 0x6F, true},
                                           {2, 0x7F, true},
                                           {1, 0xFE, false},
                                           {1, 0xD4, false},
                                           {1, 0xEF, false},
                                           {0, 0x59, false}}};
  const Form& form = kForms[e.random.below(kForms.size())];
  const auto reg = static_cast<unsigned>(e.random.below(16));
  const auto first = static_cast<unsigned>(form.two_operands ? 0 : e.random.below(16));
  const auto rm = static_cast<unsigned>(memory ? 15 : e.random.below(16));
  const auto length = static_cast<unsigned>(e.random.below(2));
  e.bytes({0xC4, (reg < 8 ? 0x80u : 0u) | 0x40u | (rm < 8 ? 0x20u : 0u) | 1u,
           (~first & 15u) << 3 | length << 2 | form.prefix, form.opcode});
  e.bytes({(memory ? 0x80u : 0xC0u) | (reg & 7) << 3 | (rm & 7)});
  if (memory) e.displacement();
}

/// One random instruction without a transfer of control.
void instruction(Encoder& e) {
  Random& r = e.random;
  const bool memory = r.one_in(3);
  const auto b = static_cast<unsigned>(r.below(2));  // 0: byte form
  // clang-format off
  switch (r.below(26)) {
    case 0:
    case 1:
    case 2: e.form({static_cast<unsigned>(r.below(8)) << 3 | static_cast<unsigned>(r.below(2)) << 1 | b}, e.reg(), memory, b == 0); break;
    case 3:
    case 4: e.form({0x83}, static_cast<unsigned>(r.below(8)), memory); e.number(r.next(), 1); break;
    case 5: e.form({0x81}, static_cast<unsigned>(r.below(8)), memory); e.number(e.operand(), e.operand_bytes); break;
    case 6: e.form({0x84 | b}, e.reg(), memory, b == 0); break;
    case 7: e.form({0x88 | b}, e.reg(), true, b == 0); break;
    case 8:
    case 9: e.form({0x8A | b}, e.reg(), true, b == 0); break;
    case 10: e.form({0x8D}, e.reg(), true); break;
    case 11: e.bytes({0x48u | (r.one_in(2) ? 1u : 0u), 0xB8u | static_cast<unsigned>(r.below(4))}); e.number(e.operand() * (r.below(3) + 1), 8); break;
    case 12: e.form({0xC7}, 0, memory); e.number(e.operand(), e.operand_bytes); break;
    case 13: e.form({0x0F, 0xB6u | static_cast<unsigned>(r.below(2)) | static_cast<unsigned>(r.below(2)) << 3}, e.reg(), memory); break;
    case 14: e.form({0x63}, e.reg(), memory); break;
    case 15: e.form({0x0F, 0x40u | static_cast<unsigned>(r.below(16))}, e.reg(), memory); break;
    case 16: e.form({0x0F, 0x90u | static_cast<unsigned>(r.below(16))}, 0, memory, true); break;
    case 17: e.form({0xFE | b}, static_cast<unsigned>(r.below(2)), memory, b == 0); break;
    case 18: e.form({0xF6 | b}, 2 + static_cast<unsigned>(r.below(r.one_in(4) ? 6 : 2)), memory, b == 0); break;
    case 19: e.form({0xC0 | b}, static_cast<unsigned>(r.below(8)), memory, b == 0); e.number(r.next(), 1); break;
    case 20: e.form({0xD0u | b | static_cast<unsigned>(r.below(2)) << 1}, static_cast<unsigned>(r.below(8)), memory, b == 0); break;
    case 21:
      if (r.one_in(2)) {
        e.form({0x0F, 0xAF}, e.reg(), memory);
      } else {
        e.form({0x6B}, e.reg(), memory);
        e.number(r.next(), 1);
      }
      break;
    case 22: {
      const unsigned number = e.reg();
      e.bytes({0x40u | number >> 3, (r.one_in(2) ? 0x50u : 0x58u) | (number & 7)});
      break;
    }
    case 23:
    case 24: vector_instruction(e, memory); break;
    default: {
      constexpr std::array<std::array<unsigned, 2>, 14> kPlain = {{{0x48, 0x98}, {0x40, 0x98}, {0x48, 0x99}, {0x40, 0x99},
          {0x40, 0xF8}, {0x40, 0xF9}, {0x40, 0xF5}, {0x48, 0x9C}, {0x48, 0x9F}, {0x48, 0x9E}, {0x48, 0x90}, {0x48, 0xFC}, {0x0F, 0xC8}, {0x0F, 0xA2}}};
      const auto& plain = kPlain[r.below(kPlain.size())];
      e.bytes({plain[0], plain[1]});
      break;
    }
  }
  // clang-format on
}

void body(Encoder& e, uint64_t most) {
  for (uint64_t n = 1 + e.random.below(most); n != 0; --n) {
    if (e.vectors && !e.random.one_in(5)) {
      any_vector_instruction(e);
    } else {
      instruction(e);
    }
  }
}

/// mov qword [address], value (sign-extended)
void store(Encoder& e, uint64_t address, uint64_t value) {
  e.bytes({0x48, 0xC7, 0x04, 0x25});
  e.number(address, 4);
  e.number(value, 4);
}

/// dec qword [counter]; jnz start
void repeat(Encoder& e, uint64_t start) {
  e.bytes({0x48, 0xFF, 0x0C, 0x25});
  e.number(Places::kCounter, 4);
  e.bytes({0x0F, 0x85});
  e.number(start - (e.here() + 4), 4);
}

void chunk(Encoder& e) {
  Random& r = e.random;
  store(e, Places::kCounter, 20 + r.below(60));
  const uint64_t start = e.here();
  switch (r.below(8)) {
    case 0:
    case 1:
    case 2: body(e, 12); break;
    case 3: {  // a branch inside the loop
      body(e, 6);
      e.bytes({0x70u | static_cast<unsigned>(r.below(16)), 0});
      const size_t patch = e.code.size() - 1;
      const size_t before = e.code.size();
      body(e, 5);
      e.code[patch] = static_cast<uint8_t>(e.code.size() - before);
      body(e, 4);
      break;
    }
    case 4: {  // a call, and a return
      e.bytes({0xEB, 0});
      const size_t patch = e.code.size() - 1;
      const uint64_t function = e.here();
      body(e, 5);
      e.bytes({0xC3});
      e.code[patch] = static_cast<uint8_t>(e.code.size() - patch - 1);
      e.bytes({0xE8});
      e.number(function - (e.here() + 4), 4);
      body(e, 4);
      break;
    }
    case 5: {  // code that patches an immediate in front of itself or behind
      const bool ahead = r.one_in(2);
      const auto patched = [&] {
        e.bytes({0xB8});
        const uint64_t at = e.here();
        e.number(r.next(), 4);
        return at;
      };
      uint64_t at = 0;
      if (!ahead) at = patched();
      body(e, 4);
      // mov [address], cl, on some of the rounds only
      e.bytes({0xF6, 0x04, 0x25});
      e.number(Places::kCounter, 4);
      e.bytes({0x0F, 0x75, 0x08, 0x88, 0x0C, 0x25});
      const size_t patch = e.code.size();
      e.number(at, 4);
      e.bytes({0x90});
      if (ahead) {
        at = patched();
        std::memcpy(&e.code[patch], &at, 4);
      }
      body(e, 4);
      break;
    }
    case 6: {  // a page moves between two places, or loses a right
      const uint64_t page = r.below(4);
      store(e, Places::kPt + 8 * page, Places::kMoving + r.below(8) * 4096 + (r.one_in(3) ? 1 : 3));
      body(e, 8);
      break;
    }
    default: {  // an indirect jump: lea rax, [rip + 5]; jmp rax
      body(e, 4);
      e.bytes({0x48, 0x8D, 0x05, 2, 0, 0, 0, 0xFF, 0xE0});
      body(e, 6);
      break;
    }
  }
  repeat(e, start);
}

template <class T>
void put(emu::Machine& m, uint64_t at, const T& value) {
  m.memory().write(at, std::as_bytes(std::span{&value, 1}));
}

void put_tables(emu::Machine& m) {
  put(m, Places::kPml4, Places::kPdpt | 7);
  put(m, Places::kPdpt, Places::kPd | 7);
  put(m, Places::kPd, uint64_t{0x83});
  put(m, Places::kPd + 8, Places::kPt | 7);
  for (uint64_t page = 0; page < 16; ++page) {
    const bool absent = page == 5 || page == 9 || page == 14;
    const uint64_t rights = absent ? 0 : page == 6 ? 1 : 3;
    put(m, Places::kPt + 8 * page, (Places::kMoving + page * 4096) | rights);
  }
  put(m, Places::kGdt + 8, uint64_t{0x00AF9B000000FFFF});
  put(m, Places::kGdt + 16, uint64_t{0x00CF93000000FFFF});
  for (uint64_t vector = 0; vector < 32; ++vector) {
    const uint64_t offset = Places::kHandler;
    put(m, Places::kIdt + 16 * vector, (offset & 0xFFFF) | 8u << 16 | uint64_t{0x8E00} << 32);
  }
}

}  // namespace

/// Zeros, ones, infinities, NaN of both kinds, denormals, largest and smallest numbers of both formats.
uint64_t special_number(Random& r) {
  constexpr std::array<uint64_t, 14> kDoubles = {0,
                                                 0x8000000000000000,
                                                 0x3FF0000000000000,
                                                 0xBFF8000000000000,
                                                 0x7FF0000000000000,
                                                 0xFFF0000000000000,
                                                 0x7FF8000000000123,
                                                 0xFFF0000000000456,
                                                 1,
                                                 0x800FFFFFFFFFFFFF,
                                                 0x0010000000000000,
                                                 0x7FEFFFFFFFFFFFFF,
                                                 0x41DFFFFFFFC00000,
                                                 0x3CA0000000000001};
  constexpr std::array<uint32_t, 12> kSingles = {0,          0x80000000, 0x3F800000, 0xBFC00000,
                                                 0x7F800000, 0xFF800000, 0x7FC00123, 0xFF800456,
                                                 1,          0x807FFFFF, 0x00800000, 0x7F7FFFFF};
  if (r.one_in(3)) return r.next();
  if (r.one_in(2)) return kDoubles[r.below(kDoubles.size())];
  const uint64_t low = kSingles[r.below(kSingles.size())];
  return low | uint64_t{kSingles[r.below(kSingles.size())]} << 32;
}

Program make_program(uint64_t seed, unsigned chunks, bool vectors) {
  Encoder e(seed);
  e.vectors = vectors;
  for (unsigned i = 0; i < chunks; ++i) {
    store(e, Places::kNext, 0);
    const size_t next = e.code.size() - 4;
    // lea r15, [kMoving + 4096]
    e.bytes({0x49, 0xC7, 0xC7});
    e.number(Places::kMoving + 4096, 4);
    chunk(e);
    const uint64_t here = e.here();
    std::memcpy(&e.code[next], &here, 4);
  }
  e.bytes({0xFA, 0xF4});  // cli; hlt
  return {std::move(e.code), chunks};
}

void load_program(emu::Machine& m, const Program& program) {
  put_tables(m);
  // mov rsp, kStack; inc qword [kFaults]; jmp [kNext]
  Encoder handler(0);
  handler.bytes({0x48, 0xC7, 0xC4});
  handler.number(Places::kStack, 4);
  handler.bytes({0x48, 0xFF, 0x04, 0x25});
  handler.number(Places::kFaults, 4);
  handler.bytes({0xFF, 0x24, 0x25});
  handler.number(Places::kNext, 4);
  m.memory().write(Places::kHandler, std::as_bytes(std::span{handler.code}));
  m.memory().write(Places::kCode, std::as_bytes(std::span{program.code}));

  emu::Cpu& cpu = m.cpu(0);
  emu::CpuState& s = cpu.state;
  s.cr0 = 0x80010031;
  s.cr3 = Places::kPml4;
  s.cr4 = 0x40220;
  s.xcr0 = 7;
  // Values that floating point finds interesting, in the registers and in the pages of data.
  Random random(program.code.size());
  for (auto& ymm : s.vector.ymm) {
    for (uint64_t& word : ymm) word = special_number(random);
  }
  for (uint64_t at = 0; at < 16 * 4096; at += 8) {
    put(m, Places::kMoving + at, special_number(random));
  }
  s.efer = 0xD00;
  const emu::SegmentState data{0, 0xFFFFFFFF, emu::arch::SegmentRights{0xC093}, 16};
  for (auto& segment : s.segments) segment = data;
  s.segments[emu::arch::cs] = emu::SegmentState{0, 0xFFFFFFFF, emu::arch::SegmentRights{0xA09B}, 8};
  s.gdtr = {Places::kGdt, 0x17};
  s.idtr = {Places::kIdt, 32 * 16 - 1};
  s.regs[emu::arch::rsp] = Places::kStack;
  s.set_rip(Places::kCode);
  cpu.context_changed();
}

}  // namespace vitrine::test
