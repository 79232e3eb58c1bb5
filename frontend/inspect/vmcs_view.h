// VmcsView: the current VMCS of a processor, field by field, with its controls spelled.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emu/cpu/cpu.h"

namespace vitrine::ui {

struct VmcsFieldView {
  std::string_view name;
  uint32_t encoding = 0;
  unsigned size = 0;  ///< bytes
  uint64_t value = 0;
  std::string meaning;  ///< names of the set controls, or of the exit reason
};
/// Control, read-only data, guest state or host state.
struct VmcsGroupView {
  std::string_view name;
  std::vector<VmcsFieldView> fields;
};

struct VmcsView {
  uint32_t processor = 0;
  bool vmx_on = false, nonroot = false;
  bool current = false;  ///< false: no VMCS is current, and there are no groups
  uint64_t address = 0;  ///< of the region
  bool launched = false;
  std::vector<VmcsGroupView> groups;
};

VmcsView view_vmcs(const emu::Cpu& cpu);
std::string text(const VmcsView& view);
nlohmann::ordered_json json(const VmcsView& view);

}  // namespace vitrine::ui
