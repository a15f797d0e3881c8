// The setup header of a bzImage. Offsets and words are those of Linux's
// Documentation/arch/x86/boot.rst.
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace kite {

inline constexpr Gpa kLinuxProtectedModeLoad = 1 * MiB;

// Its fields, with the defaults of the versions that did not have them.
struct LinuxSetup {
  u16 version = 0;
  std::string kernel_version;
  std::span<const u8> raw;           // from 1F1h on, for the zero page
  std::span<const u8> setup;         // boot sector and real-mode part
  std::span<const u8> kernel;        // the protected-mode part
  std::span<const u8> payload;       // the compressed kernel; empty before protocol 2.08
  u32 initrd_addr_max = 0x37ffffff;  // before protocol 2.03
  u32 cmdline_size = 255;            // before protocol 2.06
  u16 xloadflags = 0;
  Gpa pref_address = kLinuxProtectedModeLoad;
  u64 init_size = 0;
};

// Of a file that is_linux_image(). `name` begins the messages; the spans are of `file`.
Result<LinuxSetup> parse_linux_setup(std::span<const u8> file, const std::string& name);

}  // namespace kite
