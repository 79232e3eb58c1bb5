// RegistersView: one processor's registers, with flags and control bits spelled.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emu/cpu/cpu.h"

namespace vitrine::ui {

struct SegmentView {
  std::string_view name;
  uint16_t selector = 0;
  uint64_t base = 0;
  uint32_t limit = 0;
  std::string rights;  ///< "code 64-bit dpl 0"; "unusable"
};

struct NamedRegister {
  std::string_view name;
  uint64_t value = 0;
  std::string bits;  ///< names of the set bits; empty where bits have no names
};

struct RegistersView {
  uint32_t processor = 0;
  uint64_t cycle = 0, instructions = 0;
  std::string mode;      ///< "64-bit, CPL 0"
  std::string vmx_mode;  ///< "off", "root", "non-root"
  std::string activity;
  std::array<uint64_t, 16> general{};
  uint64_t rip = 0;
  std::vector<NamedRegister> system;  ///< RFLAGS, control, debug and descriptor-table registers
  std::vector<SegmentView> segments;
};

RegistersView view_registers(const emu::Cpu& cpu);
std::string text(const RegistersView& view);
nlohmann::ordered_json json(const RegistersView& view);

}  // namespace vitrine::ui
