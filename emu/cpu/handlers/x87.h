// What the x87 files share: when an instruction may run, and the error summary.
#pragma once

#include "emu/cpu/handlers/forms.h"
#include "emu/cpu/softfloat/convert.h"

namespace vitrine::emu {

std::span<const Row> x87_control_rows();
std::span<const Row> x87_move_rows();

/// #NM by CR0.EM or CR0.TS: true, and `flow` says so.
bool x87_blocked(Cpu& cpu, Flow& flow);
/// #MF when an unmasked exception is pending and CR0.NE is set; FERR# when it is not.
bool x87_pending(Cpu& cpu, Flow& flow);
/// FSW.ES and FSW.B follow the unmasked exception flags.
void x87_update_summary(X87State& x);

}  // namespace vitrine::emu
