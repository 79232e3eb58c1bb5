// MachineConfig: everything that decides what a machine does, besides its images and its input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emu/arch/types.h"
#include "emu/mmu/state_visitor.h"

namespace vitrine::emu {

class DiskSource;

/// One virtio disk. The source must outlive the machine and not change: its bytes are part of what
/// decides a run, as an image's are.
struct DiskConfig {
  const DiskSource* source = nullptr;
  bool read_only = false;
};

/// Who runs the guest's blocks; a run is the same with each.
enum class EngineKind : uint8_t {
  automatic,    ///< the JIT where there is one
  jit,
  interpreter,
};

struct MachineConfig {
  uint64_t memory_bytes = uint64_t{512} << 20;
  uint32_t processors = 1;                 ///< 1 to kMaxProcessors
  std::string cpu = "skylake-sp";          ///< name of a profile in emu/arch/cpuid_profile.h
  std::string timing = "count";            ///< timing level: count, core or memory
  std::string core = "skylake-sp";         ///< what the level `core` models: skylake-sp or zen4-core
  uint64_t quantum = 2000;                 ///< cycles one processor may run ahead of the others
  int64_t rtc_seconds = 1'767'225'600;     ///< instant at reset, seconds since 1970 (2026-01-01 UTC)
  uint64_t seed = 1;                       ///< of RDRAND and RDSEED
  bool test_board = true;                  ///< pc-testdev, fw_cfg: for bare-metal test images
  std::vector<DiskConfig> disks;           ///< /dev/vda, /dev/vdb… in this order
  EngineKind engine = EngineKind::interpreter;
  uint64_t jit_cache_bytes = uint64_t{256} << 20;  ///< of generated code
  std::vector<std::byte> firmware;         ///< ends below 4 GiB and is reset into; empty: none
  bool console = false;                    ///< a virtio console (hvc0) beside the UART
};

inline constexpr uint32_t kMaxProcessors = 8;
inline constexpr size_t kMaxDisks = 8;
/// The flash window below 4 GiB.
inline constexpr uint64_t kMaxFirmware = uint64_t{16} << 20;
inline constexpr uint64_t kMinMemory = uint64_t{4} << 20;
inline constexpr uint64_t kMaxMemory = uint64_t{64} << 30;

/// The sentence that says what is wrong with a configuration; empty when it is fine.
std::string config_error(const MachineConfig& config);

}  // namespace vitrine::emu
