// An initramfs for the boot tests: a cpio archive with one program, /init.
#pragma once

#include <string>

namespace kite::test {

// In the "newc" format (Linux Documentation/driver-api/early-userspace/buffer-format.rst).
std::string initramfs_with_init(const std::string& program);

}  // namespace kite::test
