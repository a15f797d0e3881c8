// MachineConfig: what the command line asks for, as plain data.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "devices/host/char_backend.h"
#include "machine/cpu_affinity.h"
#include "machine/device_option.h"
#include "memory/backend.h"

namespace kite {

// One `--disk`.
struct DiskConfig {
  std::string path;
  bool cdrom = false;
  bool readonly = false;
};

// Of `--sandbox`. A sandbox binds the whole process from run() on, so a machine in a process of its
// own asks for one.
enum class SandboxWish { kOff, kIfPossible, kOn };

struct MachineConfig {
  std::string machine = "microvm";  // a name of boards()
  std::string cpu;                  // as find_cpu_model() reads it; empty: the default model
  unsigned cpus = 1;
  CpuAffinity affinity;           // of the vCPUs' threads
  std::string accel = "auto";     // auto | kvm | tcg | a list such as kvm:tcg
  std::optional<u64> code_cache;  // bytes for translated code; none: the accelerator's default

  // What is booted: a file, or bytes that the program carries itself.
  std::string kernel;
  std::vector<u8> kernel_image;  // used in place of `kernel` when not empty
  std::string initrd;            // a file; empty: none
  std::string append;            // the kernel's command line

  std::string firmware;           // a ROM image; empty: Kite starts the kernel itself
  std::vector<DiskConfig> disks;  // in the order of the IDE channels' places

  // --memory and --memory-backend must agree where both name a size.
  std::optional<u64> memory_size;  // bytes
  BackendConfig memory_backend;    // kind empty: the host's default

  CharConfig serial{.kind = CharConfig::Kind::kStdio, .path = {}, .host = {}};  // COM1
  CharConfig debug_console;  // ports 402h and E9h; stdio here means stderr
  CharConfig monitor;        // null: none

  std::vector<DeviceOption> devices;  // what is added to the board

  std::optional<Nanos> timeout;      // none: the guest may run for ever
  std::vector<std::string> expect;   // regular expressions; the run ends with 0 when all were seen
  std::vector<std::string> fail_on;  // regular expressions; the first seen ends the run with 106
  bool no_reboot = false;            // a reset request ends the run with 104
  bool end_on_panic = true;          // off: a panic is reported but the guest goes on
  std::string result_file;           // JSON; empty: none

  SandboxWish sandbox = SandboxWish::kOff;
};

inline constexpr u64 kDefaultMemorySize = 512 * MiB;

// The RAM size that --memory, the back end or the default gives.
u64 memory_size_of(const MachineConfig& config);

// Errors name the option and the value.
Result<> validate(const MachineConfig& config);

}  // namespace kite
