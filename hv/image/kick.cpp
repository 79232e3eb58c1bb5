// Reaching other processors.
#include "hv/image/kick.h"

#include "hv/image/image_state.h"
#include "hv/image/instructions.h"
#include "hv/image/local_apic.h"
#include "hv/image/processor.h"

namespace vitrine::hv {

void kick(const VpContext& vp) {
  const std::uint32_t home = vp.core->processor;
  if (home == this_processor().index || !image_state.translations.in_guest(home)) return;
  send_interrupt(image_state.processors[home]->apic_id, kKickVector);
}

void forget_elsewhere() {
  TranslationEpoch& translations = image_state.translations;
  const std::uint32_t me = this_processor().index;
  const bool was_current = !translations.behind(me);
  const std::uint64_t epoch = translations.announce();
  if (was_current) translations.acknowledge(me, epoch);
  for (std::uint32_t i = 0; i < image_state.processor_count; ++i) {
    if (i == me || translations.settled(i, epoch)) continue;
    send_interrupt(image_state.processors[i]->apic_id, kKickVector);
  }
  for (std::uint32_t i = 0; i < image_state.processor_count; ++i) {
    while (i != me && !translations.settled(i, epoch)) pause();
  }
}

void catch_up() {
  TranslationEpoch& translations = image_state.translations;
  const std::uint32_t me = this_processor().index;
  while (translations.behind(me)) {
    const std::uint64_t epoch = translations.current();
    invalidate_everything(image_state.controls);
    translations.acknowledge(me, epoch);
  }
}

}  // namespace vitrine::hv
