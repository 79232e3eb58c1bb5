// Partition properties: which exist here, their defaults and their limits.
#pragma once

namespace vitrine::hv {

struct Partition;

void set_default_properties(Partition& partition);

}  // namespace vitrine::hv
