// BlockCompiler: one block's code in the making.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "emu/cpu/jit/compiler.h"
#include "emu/cpu/jit/emitter.h"

namespace vitrine::emu::jit {

/// Guest vector registers in the host's of the same numbers, by bytes.
struct VectorRegisters {
  std::array<uint8_t, 16> loaded{}, dirty{};
  uint32_t usable = 0;  ///< kSseUsable, kAvxUsable, as far as is known
};

/// Guest registers are loaded into their host registers when first needed and stored when they have
/// changed and somebody may look: before a handler, on the cold side of an access, at the end. The
/// registers in memory are therefore exact at every boundary.
class BlockCompiler {
 public:
  BlockCompiler(x86::Assembler& a, const Surroundings& around, const Block& block, const Plan& plan,
                const Code& code)
      : a_(a), around_(around), layout_(around.layout), block_(block), plan_(plan), code_(code) {}

  void compile();

  struct LinkLabels {
    bool used = false;
    asmjit::Label compare_end;  ///< behind the 32-bit context
    asmjit::Label jump_end;     ///< behind the 32-bit displacement
    Gva target;
  };
  asmjit::Label cost, entry, body;
  std::array<LinkLabels, 2> links;

 private:
  /// An access that missed: the handler does the whole instruction, and compiled code goes on.
  struct Cold {
    asmjit::Label from, back;
    uint32_t index = 0;
    uint32_t dirty = 0;   ///< guest registers to store before
    uint32_t loaded = 0;  ///< guest registers to load after
    bool host_flags = false;
    bool ends = false;
    VectorRegisters vectors_before;  ///< to store those that are dirty
    VectorRegisters vectors_after;   ///< to load again
  };
  /// A vector instruction in front of which nobody has made sure that the guest may use it.
  struct Guard {
    asmjit::Label from, back;
    uint32_t index = 0;
    uint32_t usable = 0;
    uint32_t dirty = 0;
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
  x86::Mem probe(unsigned bytes, bool write);
  x86::Mem access(const Insn& insn, unsigned bytes, bool write);
  /// The same, in RDX alone, with the guest's flags in the host.
  x86::Mem access_with_flags(const Insn& insn, unsigned bytes, bool write);
  void need_flags();
  void flags_set();
  void store_dirty(uint32_t which);
  void end_block();
  void link(size_t which, uint64_t target);
  void leave_at(uint64_t rip);
  void indirect();
  void check_canonical();
  void cold_side(const Cold& cold);
  asmjit::Imm immediate(const Insn& insn, unsigned bytes) const;

  x86::Assembler& a_;
  const Surroundings& around_;
  const Layout& layout_;
  const Block& block_;
  const Plan& plan_;
  const Code& code_;

  uint32_t index_ = 0;
  uint64_t next_rip_ = 0;
  uint32_t loaded_ = 0;
  uint32_t dirty_ = 0;
  uint32_t dirty_before_ = 0;
  bool host_flags_ = false;  ///< the host's flags are the guest's
  bool ended_ = false;
  Cold* cold_ = nullptr;
  std::vector<Cold> colds_;
  VectorRegisters vectors_;
  VectorRegisters vectors_before_;
  std::vector<Guard> guards_;
};

}  // namespace vitrine::emu::jit
