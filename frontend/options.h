// RunOptions: what the command line of `vitrine run` and `vitrine show` asks for.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "emu/machine/config.h"

namespace CLI {
class App;
}

namespace vitrine::ui {

/// A command line, configuration or file that cannot be used: exit code 2 and one sentence.
class UsageError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RunOptions {
  std::string image;                 ///< positional: a name (tour, hello…) or a file
  std::string kernel;                ///< --kernel FILE
  std::string firmware;              ///< --firmware FILE: reset into, in place of an image
  std::string initrd;
  std::string append;
  std::vector<std::string> modules;  ///< "FILE command line"
  std::string hypervisor = "none";   ///< builtin, none or a FILE
  std::vector<std::string> hypervisor_options;  ///< words of the hypervisor's command line
  emu::MachineConfig machine;
  std::string memory = "512M";
  std::string engine = "auto";
  std::string jit_cache = "256M";
  bool verify = false;               ///< both engines side by side
  std::optional<uint64_t> max_cycles;
  std::string until;
  std::string serial = "stdio";      ///< stdio, null or a FILE
  std::string console;               ///< of the virtio console, likewise; empty: there is none
  std::vector<std::string> disks;    ///< "FILE", "FILE,readonly" or "FILE,commit"
  std::string record, replay, trace;
  std::string picture;               ///< --svg FILE; the tour writes one by itself
  bool json = false;
  bool quiet = false;
};

/// Adds the options to a subcommand; `finish_options` checks and converts after parsing.
void add_run_options(CLI::App& command, RunOptions& options);
/// Throws UsageError.
void finish_options(RunOptions& options);

/// "512M", "2G", "65536K" or plain bytes; throws UsageError.
uint64_t parse_size(const std::string& text);

}  // namespace vitrine::ui
