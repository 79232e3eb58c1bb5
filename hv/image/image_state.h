// What all processors share: the core's root object, its platform, and the two kinds of VP.
#pragma once

#include <array>

#include "hv/core/hypervisor.h"
#include "hv/core/translation_epoch.h"
#include "hv/image/acpi_tables.h"
#include "hv/image/ept_tables.h"
#include "hv/image/vp_context.h"

namespace vitrine::hv {

struct Processor;

// What the image keeps for a partition, in the page that the core gives it. Its address is
// Partition::platform_data.
struct PartitionContext {
  EptTables memory;
};
constexpr std::uint32_t kPartitionPages = 1;

// The pages that the core gives the image for a virtual processor, in the order of platform_pages.
enum class VpPage : std::uint32_t { context, vmcs, extended_state };
constexpr std::uint32_t kVpPages = 3;

// The object that a debugger starts from; everything the core knows hangs on it.
extern Hypervisor hypervisor;

struct ImageState {
  Controls controls;
  Platform platform;
  VpKind root_kind;
  VpKind child_kind;
  PowerPorts power;
  std::array<Processor*, kMaximumProcessors> processors{};  // by index, those that have started
  std::uint32_t processor_count{};
  std::uint32_t open{};  // the root exists: the others may begin to run it
  TranslationEpoch translations;
};
extern ImageState image_state;

inline PartitionContext& context_of(const Partition& partition) {
  return *reinterpret_cast<PartitionContext*>(partition.platform_data);
}
inline VpContext& context_of(const VirtualProcessor& vp) {
  return *reinterpret_cast<VpContext*>(vp.platform_data);
}

// Fills in the table of functions that the core calls.
void fill_platform(Platform& platform);

}  // namespace vitrine::hv
