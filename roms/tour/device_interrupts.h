// The part of the tour about device interrupts, taken while a child has the processor.
#pragma once

namespace vitrine::tour {

void tour_device_interrupts();

}  // namespace vitrine::tour
