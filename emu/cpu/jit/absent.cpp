// The compiler of a build without an assembler: there is none, and the interpreter runs everything.
#include "emu/cpu/jit/compiler.h"

namespace vitrine::emu::jit {

bool can_compile() { return false; }

bool can_compile_vectors() { return false; }

uint64_t emit_thunks(host::CodeMemory&, const Layout&, const Interpreters&, Thunks&) { return 0; }

uint64_t compile_unit(host::CodeMemory&, uint64_t, const Surroundings&, const Unit&) { return 0; }

}  // namespace vitrine::emu::jit
