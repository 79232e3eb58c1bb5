// Extended state: FXSAVE to XRSTORS, XCR0 and MXCSR.
#include "emu/cpu/handlers/system.h"

namespace vitrine::emu {

std::span<const Row> state_image_rows() { return {}; }

}  // namespace vitrine::emu
