// A kernel that firmware starts: its parts as fw_cfg hands them over, and where they belong.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "machine/boot/kernel_image.h"

namespace kite {

struct FirmwareKernel {
  struct Part {
    Gpa address = 0;
    std::vector<u8> bytes;
  };
  std::string description;  // "bzImage 6.1.0-13-cloud-amd64"
  // Of a bzImage the setup header is filled in as boot.rst asks of a boot loader. `initrd` is empty
  // when there is none. Of a multiboot kernel only `setup` is there, code that does what a boot
  // loader does last, in the place of a bzImage's and entered like it; the rest is `others`.
  Part setup, command_line, kernel, initrd;
  std::vector<Part> others;
};

// Unlike plan_boot(), for bzImages and multiboot kernels only. The former are entered at their
// real-mode entry and ask the firmware for the rest. The request's memory map is not used; firmware
// makes its own. `ram_end` is where RAM below 4 GiB ends.
Result<FirmwareKernel> plan_firmware_kernel(const BootRequest& request, Gpa ram_end);

}  // namespace kite
