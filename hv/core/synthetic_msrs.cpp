// Synthetic MSRs.
#include "hv/core/synthetic_msrs.h"

#include "hv/core/gpa_space.h"
#include "hv/core/hypervisor.h"
#include "hv/core/overlays.h"
#include "hv/core/synic.h"
#include "hv/core/timers.h"
#include "hv/tlfs/msrs.h"

namespace vitrine::hv {
namespace {

using tlfs::Msr;
using tlfs::PageRegister;

constexpr std::uint64_t kLocked = 2;
constexpr std::uint64_t kSynicVersion = 1;

constexpr std::uint32_t number_of(Msr msr) { return static_cast<std::uint32_t>(msr); }

bool between(std::uint32_t index, Msr first, Msr last) {
  return index >= number_of(first) && index <= number_of(last);
}

std::uint64_t read_timer(const VirtualProcessor& vp, std::uint32_t offset) {
  const SyntheticTimer& timer = vp.timers[offset / 2];
  return offset % 2 == 0 ? timer.config : timer.count;
}

bool write_timer(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                 std::uint32_t offset, std::uint64_t value) {
  if (offset % 2 == 0) return write_timer_config(hv, processor, vp, offset / 2, value);
  write_timer_count(hv, processor, vp, offset / 2, value);
  return true;
}

// TLFS "Establishing the Hypercall Interface": enable stays 0 without a guest identity; once locked, the
// register is immutable. Decided: a write to the locked register raises #GP.
bool write_hypercall(Hypervisor& hv, Partition& partition, std::uint64_t value) {
  if ((partition.hypercall & kLocked) != 0) return false;
  if (partition.guest_os_id == 0) value &= ~std::uint64_t{1};
  return write_page_register(hv, partition, partition.hypercall, value, partition.overlay[0],
                             static_cast<Rights>(5));
}

void write_guest_os_id(Hypervisor& hv, Partition& partition, std::uint64_t value) {
  partition.guest_os_id = value;
  const PageRegister page{partition.hypercall};
  if (value != 0 || !page.enabled()) return;
  const bool off = write_page_register(hv, partition, partition.hypercall,
                                       partition.hypercall & ~std::uint64_t{1},
                                       partition.overlay[0], Rights::none);
  static_cast<void>(off);  // switching an overlay off needs nothing that could be missing
}

bool write_vp_page(Hypervisor& hv, VirtualProcessor& vp, std::uint64_t& reg, VpOverlay which,
                   std::uint64_t value) {
  const std::uint64_t page = vp.overlay[static_cast<std::uint32_t>(which)];
  return write_page_register(hv, partition_of(hv, vp), reg, value, page, static_cast<Rights>(3));
}

bool write_sint(VirtualProcessor& vp, std::uint32_t sint, std::uint64_t value) {
  const tlfs::SintRegister reg{value};
  if (!reg.masked() && reg.vector() < tlfs::SintRegister::kFirstVector) return false;
  vp.synic.sint[sint] = value;
  return true;
}

bool write_synic(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp, Msr msr,
                 std::uint64_t value) {
  Synic& synic = vp.synic;
  switch (msr) {
    case Msr::scontrol: synic.scontrol = value; break;
    case Msr::siefp: return write_vp_page(hv, vp, synic.siefp, VpOverlay::event_flags, value);
    case Msr::simp:
      if (!write_vp_page(hv, vp, synic.simp, VpOverlay::messages, value)) return false;
      break;
    case Msr::eom: break;
    default: return write_vp_page(hv, vp, synic.sirbp, VpOverlay::ring, value);
  }
  // What waited for the page, the switch or a free slot is delivered now.
  scan_messages(hv, processor, vp);
  return true;
}

}  // namespace

bool read_msr_value(const Hypervisor& hv, VirtualProcessor& vp, std::uint32_t index,
                    std::uint64_t& value) {
  const Partition& partition = partition_of(hv, vp);
  const Platform& platform = *hv.platform;
  if (between(index, Msr::sint0, Msr::sint15)) {
    value = vp.synic.sint[index - number_of(Msr::sint0)];
    return true;
  }
  if (between(index, Msr::stimer0_config, Msr::stimer3_count)) {
    value = read_timer(vp, index - number_of(Msr::stimer0_config));
    return true;
  }
  if (between(index, Msr::crash_p0, Msr::crash_p4)) {
    value = partition.crash_parameters[index - number_of(Msr::crash_p0)];
    return true;
  }
  switch (static_cast<Msr>(index)) {
    case Msr::guest_os_id: value = partition.guest_os_id; return true;
    case Msr::hypercall: value = partition.hypercall; return true;
    case Msr::vp_index: value = vp.index; return true;
    case Msr::reset: value = 0; return true;
    case Msr::vp_runtime: value = vp.run_time; return true;
    case Msr::time_ref_count: value = reference_time(hv, partition); return true;
    case Msr::reference_tsc: value = partition.reference_tsc; return true;
    case Msr::tsc_frequency: value = hv.tsc_frequency; return true;
    case Msr::apic_frequency: value = hv.apic_frequency; return true;
    case Msr::icr:
    case Msr::tpr: value = platform.read_apic(platform.context, vp, index); return true;
    case Msr::vp_assist_page: value = vp.vp_assist; return true;
    case Msr::scontrol: value = vp.synic.scontrol; return true;
    case Msr::sversion: value = kSynicVersion; return true;
    case Msr::siefp: value = vp.synic.siefp; return true;
    case Msr::simp: value = vp.synic.simp; return true;
    case Msr::eom: value = 0; return true;
    case Msr::sirbp: value = vp.synic.sirbp; return true;
    case Msr::guest_idle:
      platform.idle(platform.context, vp);
      value = 0;
      return true;
    case Msr::crash_ctl: value = tlfs::kCrashNotify | tlfs::kCrashMessage; return true;
    default: return false;
  }
}

bool write_msr_value(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                     std::uint32_t index, std::uint64_t value) {
  Partition& partition = partition_of(hv, vp);
  const Platform& platform = *hv.platform;
  if (between(index, Msr::sint0, Msr::sint15)) {
    return write_sint(vp, index - number_of(Msr::sint0), value);
  }
  if (between(index, Msr::stimer0_config, Msr::stimer3_count)) {
    return write_timer(hv, processor, vp, index - number_of(Msr::stimer0_config), value);
  }
  if (between(index, Msr::crash_p0, Msr::crash_p4)) {
    partition.crash_parameters[index - number_of(Msr::crash_p0)] = value;
    return true;
  }
  switch (static_cast<Msr>(index)) {
    case Msr::guest_os_id: write_guest_os_id(hv, partition, value); return true;
    case Msr::hypercall: return write_hypercall(hv, partition, value);
    case Msr::reset:
      if ((value & tlfs::kResetBit) != 0) platform.reset_partition(platform.context, partition);
      return true;
    case Msr::reference_tsc:
      return write_page_register(hv, partition, partition.reference_tsc, value,
                                 partition.overlay[1], Rights::read);
    case Msr::eoi:
    case Msr::icr:
    case Msr::tpr: return platform.write_apic(platform.context, vp, index, value);
    case Msr::vp_assist_page: return write_vp_page(hv, vp, vp.vp_assist, VpOverlay::assist, value);
    case Msr::scontrol:
    case Msr::siefp:
    case Msr::simp:
    case Msr::eom:
    case Msr::sirbp: return write_synic(hv, processor, vp, static_cast<Msr>(index), value);
    case Msr::crash_ctl: partition.crash_control = value; return true;
    default: return false;
  }
}

MsrResult read_synthetic_msr(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                             std::uint32_t index, std::uint64_t& value) {
  const tlfs::MsrRow* const row = tlfs::find_msr(index);
  if (row == nullptr || row->access == tlfs::MsrAccess::write) return MsrResult::fault;
  if (!has_privilege(partition_of(hv, vp), row->privilege)) return MsrResult::fault;
  const Guard guard(hv, processor, hv.tree_lock);
  return read_msr_value(hv, vp, index, value) ? MsrResult::done : MsrResult::fault;
}

MsrResult write_synthetic_msr(Hypervisor& hv, std::uint32_t processor, VirtualProcessor& vp,
                              std::uint32_t index, std::uint64_t value) {
  const tlfs::MsrRow* const row = tlfs::find_msr(index);
  if (row == nullptr || row->access == tlfs::MsrAccess::read) return MsrResult::fault;
  if (!has_privilege(partition_of(hv, vp), row->privilege)) return MsrResult::fault;
  const Guard guard(hv, processor, hv.tree_lock);
  const bool written = write_msr_value(hv, processor, vp, index, value);
  flush_stale(hv);
  return written ? MsrResult::done : MsrResult::fault;
}

}  // namespace vitrine::hv
