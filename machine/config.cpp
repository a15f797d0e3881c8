#include "machine/config.h"

#include <unistd.h>

#include <algorithm>

#include "base/bits.h"
#include "machine/accelerators.h"
#include "machine/boards/board.h"
#include "machine/console_pattern.h"
#include "machine/machine.h"
#include "memory/mapping.h"

namespace kite {
namespace {

// 0 where the host does not tell.
u64 host_memory() {
  long pages = ::sysconf(_SC_PHYS_PAGES);
  long page_size = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_size <= 0) return 0;
  return static_cast<u64>(pages) * static_cast<u64>(page_size);
}

constexpr u64 kSmallestMemory = MiB;

Result<> validate_memory(const MachineConfig& config) {
  if (config.memory_size == u64{0}) {
    return fail(ErrorKind::kUsage, "--memory 0: a machine needs memory");
  }
  if (config.memory_size && config.memory_backend.size != 0 &&
      *config.memory_size != config.memory_backend.size) {
    return fail(ErrorKind::kUsage,
                "--memory {} contradicts size={} of --memory-backend; give one of them",
                format_size(*config.memory_size), format_size(config.memory_backend.size));
  }
  u64 size = memory_size_of(config);
  if (size < kSmallestMemory) {
    return fail(ErrorKind::kUsage, "--memory {}: the smallest machine has 1M", format_size(size));
  }
  if (!is_aligned(size, kPageSize)) {
    return fail(ErrorKind::kUsage, "--memory {}: not a multiple of the 4096-byte page",
                format_size(size));
  }
  if (u64 host = host_memory(); host != 0 && size > host) {
    return fail(ErrorKind::kUnavailable, "--memory {}: this host has {} MiB of memory",
                format_size(size), host / MiB);
  }
  return {};
}

constexpr u64 kSmallestCodeCache = MiB, kLargestCodeCache = GiB;

Result<> validate_code_cache(const MachineConfig& config) {
  if (!config.code_cache) return {};
  const u64 size = *config.code_cache;
  if (size < kSmallestCodeCache || size > kLargestCodeCache) {
    return fail(ErrorKind::kUsage, "--code-cache {}: expected {} to {}", format_size(size),
                format_size(kSmallestCodeCache), format_size(kLargestCodeCache));
  }
  if (!is_aligned(size, kPageSize)) {
    return fail(ErrorKind::kUsage, "--code-cache {}: not a multiple of the 4096-byte page",
                format_size(size));
  }
  return {};
}

// What an x86 can have in xAPIC mode: identifiers 0 to 254 (SDM 3A 11.4.6).
constexpr unsigned kMostCpus = 255;

Result<> validate_cpus(const MachineConfig& config) {
  if (config.cpus == 0 || config.cpus > kMostCpus) {
    return fail(ErrorKind::kUsage, "--cpus {}: expected 1 to {}", config.cpus, kMostCpus);
  }
  const Board* board = KITE_TRY(find_board(config.machine));
  if (config.cpus > board->max_cpus) {
    return fail(ErrorKind::kUsage, "--cpus {}: the {} machine has {} processor{}", config.cpus,
                board->name, board->max_cpus, board->max_cpus == 1 ? "" : "s");
  }
  return check_cpu_affinity(config.affinity, config.cpus);
}

// stdio belongs to one of them; on a terminal, Ctrl-a c switches between them.
Result<> validate_monitor(const MachineConfig& config) {
  using Kind = CharConfig::Kind;
  if (config.monitor.kind == Kind::kFile)
    return fail(ErrorKind::kUsage,
                "--monitor file:{}: nobody types commands into a file; expected stdio, unix: or "
                "tcp:",
                config.monitor.path);
  if (config.monitor.kind == Kind::kStdio && config.serial.kind == Kind::kStdio)
    return fail(ErrorKind::kUsage,
                "--monitor stdio: the serial port is there; on a terminal Ctrl-a c switches to the "
                "monitor, or give --serial another place");
  return {};
}

// A test device's wires lead to interrupt controllers, and there is one exit port.
Result<> validate_devices(const MachineConfig& config) {
  for (std::size_t i = 0; i < config.devices.size(); ++i)
    if (find_device(config.devices, config.devices[i].kind) != &config.devices[i])
      return fail(ErrorKind::kUsage, "--device: a machine has one device of each kind");
  if (config.machine == "bare" &&
      find_device(config.devices, DeviceOption::Kind::kTestDevice) != nullptr)
    return fail(ErrorKind::kUsage, "--device pc-testdev: machine bare has no interrupt controller");
  return {};
}

Result<> validate_patterns(const MachineConfig& config) {
  for (const std::string& text : config.expect) {
    KITE_CHECK(ConsolePattern::compile("--expect", text));
  }
  for (const std::string& text : config.fail_on) {
    KITE_CHECK(ConsolePattern::compile("--fail-on", text));
  }
  return {};
}

// What only one board has the sockets for.
Result<> validate_board_options(const MachineConfig& config) {
  if (config.machine == kPcBoard) return {};
  if (!config.firmware.empty()) {
    return fail(ErrorKind::kUsage,
                "--firmware {}: --machine {} has no ROM socket; --machine {} has", config.firmware,
                config.machine, kPcBoard);
  }
  if (!config.disks.empty()) {
    return fail(ErrorKind::kUsage,
                "--disk {}: --machine {} has no disk controller; --machine {} has",
                config.disks.front().path, config.machine, kPcBoard);
  }
  return {};
}

constexpr std::size_t kMostDisks = 4;  // two IDE channels of two

Result<> validate_boot(const MachineConfig& config) {
  KITE_CHECK(validate_board_options(config));
  if (config.disks.size() > kMostDisks) {
    return fail(ErrorKind::kUsage, "--disk {}: the two IDE channels take {} drives",
                config.disks[kMostDisks].path, kMostDisks);
  }
  if (!config.firmware.empty()) {
    if (!config.kernel.empty() || !config.kernel_image.empty()) return {};
    if (config.initrd.empty() && config.append.empty()) return {};
    return fail(ErrorKind::kUsage,
                "--initrd and --append are a kernel's: --firmware {} is given none to start",
                config.firmware);
  }
  if (config.kernel.empty() && config.kernel_image.empty()) {
    return fail(ErrorKind::kUsage, "no kernel given: nothing to boot");
  }
  if (!config.kernel.empty() && !config.kernel_image.empty()) {
    return fail(ErrorKind::kUsage, "{}: a kernel is built in already", config.kernel);
  }
  return {};
}

}  // namespace

u64 memory_size_of(const MachineConfig& config) {
  if (config.memory_size) return *config.memory_size;
  return config.memory_backend.size != 0 ? config.memory_backend.size : kDefaultMemorySize;
}

Result<> validate(const MachineConfig& config) {
  KITE_CHECK(find_board(config.machine));
  KITE_CHECK(check_accelerator_list(config.accel));
  KITE_CHECK(validate_boot(config));
  KITE_CHECK(validate_memory(config));
  KITE_CHECK(validate_code_cache(config));
  KITE_CHECK(validate_cpus(config));
  if (config.timeout && *config.timeout <= 0) {
    return fail(ErrorKind::kUsage, "--timeout: expected more than 0 seconds");
  }
  KITE_CHECK(validate_devices(config));
  KITE_CHECK(validate_monitor(config));
  KITE_CHECK(validate_patterns(config));
  if (!config.result_file.empty()) KITE_CHECK(check_result_file(config.result_file));
  return {};
}

}  // namespace kite
