// Vector registers in the host: when the guest may use them, and the way into its MXCSR and out again.
#pragma once

#include "emu/cpu/jit/emitter.h"

namespace vitrine::emu::jit {

/// Emits what makes vector registers usable, as the handlers check it, if all exceptions are masked.
/// Spoils RAX, RCX and the flags.
void use_vectors(x86::Assembler& a, const Layout& layout);

/// Emits the way back to the host's MXCSR, if the guest's is loaded. Spoils the flags alone.
void leave_vectors(x86::Assembler& a, const Layout& layout);

}  // namespace vitrine::emu::jit
