// The partitions panel: every partition with its state, what it owns and its memory pool.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

#include "frontend/inspect/hypervisor_view.h"

namespace vitrine::ui {

std::string text(const std::vector<PartitionView>& partitions);
nlohmann::ordered_json json(const std::vector<PartitionView>& partitions);

}  // namespace vitrine::ui
