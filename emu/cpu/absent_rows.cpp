// Instruction groups without rows: their instructions raise #UD and are not in CPUID.
#include "emu/cpu/instruction_table.h"

namespace vitrine::emu {

std::span<const Row> mmx_rows() { return {}; }

}  // namespace vitrine::emu
