// Instruction groups without rows: their instructions raise #UD.
#include "emu/cpu/instruction_table.h"

namespace vitrine::emu {

std::span<const Row> x87_rows() { return {}; }
std::span<const Row> mmx_rows() { return {}; }
std::span<const Row> sse_rows() { return {}; }

}  // namespace vitrine::emu
