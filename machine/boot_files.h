// The kernel and initrd that a configuration names, read.
#pragma once

#include <vector>

#include "machine/boot/kernel_image.h"
#include "machine/config.h"

namespace kite {

// `request` points into the files: move it as a whole, do not copy it.
struct BootFiles {
  std::vector<u8> kernel, initrd;
  BootRequest request;  // without memory map and tables

  BootFiles() = default;
  BootFiles(BootFiles&&) = default;
  BootFiles& operator=(BootFiles&&) = default;
};

// Errors as read_file() has them.
Result<BootFiles> read_boot_files(const MachineConfig& config);
// The files' names where a sandbox knows them.
Result<BootFiles> read_boot_files(const MachineConfig& config, const char* kernel,
                                  const char* initrd);

}  // namespace kite
