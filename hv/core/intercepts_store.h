// The intercepts that are installed on a partition.
#pragma once

namespace vitrine::hv {

struct Hypervisor;
struct Partition;

void remove_first_intercept(Hypervisor& hv, Partition& partition);

}  // namespace vitrine::hv
