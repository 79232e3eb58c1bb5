// DisassemblyView: instructions around an address, with symbols.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "emu/cpu/cpu.h"

namespace vitrine::ui {

struct InstructionView {
  uint64_t address = 0;
  std::string bytes;   ///< "0f 01 c1"
  std::string text;    ///< "vmcall"
  std::string symbol;  ///< at the start of a function, and on the first line
  bool next = false;   ///< the instruction that is about to execute
};

struct DisassemblyView {
  uint32_t processor = 0;
  unsigned mode_bits = 64;
  std::vector<InstructionView> instructions;
  std::string note;  ///< why there are fewer than usual; empty otherwise
};

/// Names an address; also says where the function that holds it starts, 0 if unknown.
struct CodeNames {
  std::function<std::string(uint64_t)> describe;
  std::function<uint64_t(uint64_t)> function_start;
};

/// A few instructions before `at` where a function start is known, and more behind it.
DisassemblyView view_disassembly(const emu::Cpu& cpu, const emu::Bus& bus, uint64_t at,
                                 const CodeNames& names, bool att_syntax);
std::string text(const DisassemblyView& view);
nlohmann::ordered_json json(const DisassemblyView& view);

}  // namespace vitrine::ui
