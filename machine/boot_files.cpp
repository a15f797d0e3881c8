#include "machine/boot_files.h"

#include "machine/boot/read_file.h"

namespace kite {

Result<BootFiles> read_boot_files(const MachineConfig& config) {
  return read_boot_files(config, config.kernel.c_str(), config.initrd.c_str());
}

Result<BootFiles> read_boot_files(const MachineConfig& config, const char* kernel,
                                  const char* initrd) {
  BootFiles files;
  BootRequest& request = files.request;
  if (config.kernel_image.empty()) {
    // A compressed kernel may be larger than the RAM of a machine that is too small for it, but
    // nothing sensible is larger than this.
    files.kernel = KITE_TRY(read_file(kernel, "kernel", GiB));
    request.kernel_name = config.kernel;
    request.kernel = files.kernel;
  } else {
    request.kernel_name = "the built-in kernel";
    request.kernel = config.kernel_image;
  }
  if (!config.initrd.empty())
    files.initrd = KITE_TRY(read_file(initrd, "initrd", memory_size_of(config)));
  request.initrd_name = config.initrd;
  request.initrd = files.initrd;
  request.command_line = config.append;
  return files;
}

}  // namespace kite
