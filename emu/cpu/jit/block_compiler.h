// BlockCompiler: one block's code in the making, as a part of its unit.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "emu/cpu/jit/compiler.h"
#include "emu/cpu/jit/emitter.h"
#include "emu/cpu/jit/unit.h"
#include "emu/mmu/translations.h"

namespace vitrine::emu::jit {

/// Guest vector registers in the host's of the same numbers, by bytes.
struct VectorRegisters {
  std::array<uint8_t, 16> loaded{}, dirty{};
  uint32_t usable = 0;  ///< kSseUsable, kAvxUsable, as far as is known
};

class BlockCompiler;
using BlockCompilers = std::deque<BlockCompiler>;

/// Guest registers are loaded into their host registers when first needed and stored when they have
/// changed and somebody may look: before a handler, on the cold side of an access, where the unit is
/// left. The registers in memory are therefore exact at every boundary that anybody sees. Inside the
/// unit a block with one predecessor goes on with what that left in the host; any other expects all
/// shared registers there.
class BlockCompiler {
 public:
  BlockCompiler(x86::Assembler& a, const Surroundings& around, const Unit& unit, size_t number,
                BlockCompilers& all);

  /// In the order of the unit; then the rest of each.
  void compile();
  void compile_rest();

  struct LinkLabels {
    bool used = false;
    asmjit::Label compare_end;  ///< behind the 32-bit context
    asmjit::Label jump_end;     ///< behind the 32-bit displacement
    Gva target;
  };
  asmjit::Label cost, entry, body;
  std::array<LinkLabels, 2> links;

 private:
  using Floats = std::array<uint8_t, kFloats>;
  /// An access that missed: the handler does the whole instruction, and compiled code goes on.
  struct Cold {
    asmjit::Label from, back;
    uint32_t index = 0;
    uint32_t dirty = 0;   ///< guest registers to store before
    uint32_t loaded = 0;  ///< guest registers to load after
    Floats floats{};
    bool host_flags = false;
    bool ends = false;
    VectorRegisters vectors_before;  ///< to store those that are dirty
    VectorRegisters vectors_after;   ///< to load again
  };
  /// Where the limit comes too near to go round: the handlers do the block.
  struct Turn {
    asmjit::Label from;
    uint32_t dirty = 0;
    VectorRegisters vectors;
  };
  /// A way out of the block that is not the one straight ahead.
  struct Way {
    asmjit::Label from;
    size_t which = 0;
    uint64_t target = 0;
    uint32_t loaded = 0, dirty = 0;
    bool flags_pending = false;
    VectorRegisters vectors;
  };
  /// An access outside its range, whose page may be known all the same.
  struct Miss {
    asmjit::Label from, found, cold;
    unsigned bytes = 0;
    bool write = false;
    Translations::Kind kind = Translations::based;
  };
  /// A vector instruction in front of which nobody has made sure that the guest may use it.
  struct Guard {
    asmjit::Label from, back;
    uint32_t index = 0;
    uint32_t usable = 0;
    uint32_t dirty = 0;
    Floats floats{};
    VectorRegisters vectors;
  };

  void instruction(const Insn& insn, const Form& f);
  void move(const Insn& insn, const Form& f);
  void extend(const Insn& insn, const Form& f);
  void binary(const Insn& insn, const Form& f);
  void unary(const Insn& insn, const Form& f);
  void shift(const Insn& insn, const Form& f);
  void multiply(const Insn& insn, const Form& f);
  void conditional(const Insn& insn, const Form& f);
  void stack(const Insn& insn, const Form& f);
  void transfer(const Insn& insn, const Form& f);
  void handler(const Insn& insn);

  void vector(const Insn& insn, const VectorForm& v);
  void vector_move_out(const Insn& insn, const VectorForm& v, asmjit::InstId id);
  void vector_to_general(const Insn& insn, const VectorForm& v, asmjit::InstId id);
  void vector_compute(const Insn& insn, const VectorForm& v, asmjit::InstId id);
  void guard_vectors(const VectorForm& v);
  void guard_side(const Guard& guard);
  x86::Mem vector_access(const Insn& insn, const VectorForm& v, bool write);
  x86::Vec use_vector(unsigned guest, unsigned bytes);
  x86::Vec change_vector(unsigned guest, const VectorForm& v);
  void store_vector(unsigned guest, unsigned bytes);
  void load_vector(unsigned guest, unsigned bytes);
  void store_vectors(const VectorRegisters& which);
  void load_vectors(const VectorRegisters& which);

  /// The register with its guest value in it; `changes`: it will be stored again.
  x86::Gp use(unsigned guest, unsigned bytes);
  x86::Gp change(unsigned guest, unsigned bytes, bool whole);
  static unsigned guest_of(const Insn& insn, size_t operand) { return insn.op[operand] >> 3; }
  /// Linear address of the memory operand into RAX.
  void linear_address(const Insn& insn);
  x86::Mem operand_address(const Insn& insn);
  /// From the linear address in RAX: the host's address of so many bytes, or off to the cold side.
  x86::Mem probe(unsigned bytes, bool write, Translations::Kind kind);
  static Translations::Kind kind_of(const Insn& insn);
  x86::Mem access(const Insn& insn, unsigned bytes, bool write);
  /// The same, in RDX alone, with the guest's flags in the host.
  x86::Mem access_with_flags(const Insn& insn, unsigned bytes, bool write);
  void need_flags();
  void flags_set();
  void store_dirty(uint32_t which);
  /// Places for what the next instruction needs, where its registers have none of their own.
  void bring_in(uint32_t guests);
  uint8_t host_of(unsigned guest) const;
  /// Whether the unit has the register in the same place.
  bool in_shared_place(unsigned guest) const {
    return plan_.host[guest] != kNoHost && plan_.host[guest] == unit_.host[guest];
  }
  void make_room();
  void look_at_limit();
  /// Time and what only this block has in the host; spoils no flag.
  void end_block();
  /// On to the target; everything in its place, in the unit or outside.
  void go(size_t which, uint64_t target);
  bool goes_straight(size_t which) const;
  BlockCompiler* inside(size_t which) const;
  void put_back();
  void branch(asmjit::InstId jcc, uint64_t target);
  void link(size_t which, uint64_t target);
  void entry_from_outside();
  void rest_by_handlers(uint32_t index);
  /// What the next block finds when it is gone to from here.
  void pass_on(BlockCompiler& next) const;
  void leave_at(uint64_t rip);
  void indirect();
  void check_canonical();
  void miss_side(const Miss& miss);
  void cold_side(const Cold& cold);
  asmjit::Imm immediate(const Insn& insn, unsigned bytes) const;

  x86::Assembler& a_;
  const Surroundings& around_;
  const Layout& layout_;
  const Unit& unit_;
  const UnitBlock& unit_block_;
  const size_t number_;
  BlockCompilers& all_;
  const Block& block_;
  const Plan& plan_;
  const Code& code_;
  asmjit::Label start_;  ///< where the unit comes in
  uint32_t loaded_at_start_ = 0, dirty_at_start_ = 0;
  VectorRegisters vectors_at_start_;
  asmjit::Label no_vectors_;  ///< entered where the guest may not use them, or nobody has made sure

  uint32_t index_ = 0;
  uint64_t next_rip_ = 0;
  uint32_t loaded_ = 0;
  uint32_t dirty_ = 0;
  uint32_t dirty_before_ = 0;
  Floats floats_{};  ///< the guest registers in Plan::floats; kNoGuest for none
  size_t next_float_ = 0;
  bool host_flags_ = false;     ///< the host's flags are the guest's
  bool flags_pending_ = false;  ///< and nobody has saved them
  bool ended_ = false;
  bool resting_ = false;  ///< nothing straight ahead any more
  Cold* cold_ = nullptr;
  std::vector<Cold> colds_;
  VectorRegisters vectors_;
  VectorRegisters vectors_before_;
  std::deque<Miss> misses_;
  std::vector<Guard> guards_;
  std::vector<Way> ways_;
  std::vector<Turn> turns_;
};

}  // namespace vitrine::emu::jit
