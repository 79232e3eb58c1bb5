// The part of the tour about a child partition's life, and every status of HvFinalizePartition.
#pragma once

namespace vitrine::tour {

void tour_partition_life();

}  // namespace vitrine::tour
