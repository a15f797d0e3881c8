// The Linux kernels that the boot tests boot, and how.
#pragma once

#include <string>
#include <vector>

#include "tests/boot/program_run.h"
#include "tests/paths.h"

namespace kite::test {

// The last two are 32-bit: two-level page tables, and PAE.
enum class Kernel { kCloud, kGeneric, k686, k686Pae };

// The kernel's image in $KITE_GUESTS, or in build/guests of the source tree, where
// tests/boot/prepare puts it. Empty: there is none.
std::string find_kernel(Kernel kernel);
// Another file of that folder, such as "seabios/bios.bin". Empty: it is not there.
std::string find_guest(const std::string& name);
// Why they found nothing, and what to do about it.
std::string how_to_get_kernels();

// Writes an initramfs with that program as /init to a file and returns its path. Empty: this build
// has none.
std::string boot_initramfs(const std::string& init = paths::kBootInit);

// Debian's 32-bit busybox with tests/boot/busybox_init, or empty.
std::string busybox_i386_initramfs();

// What Linux says of a machine with something wrong: of tables, routing, memory types, clocks.
std::vector<std::string> kernel_complaints();

struct Boot {
  Kernel kernel = Kernel::kCloud;
  std::string action = "poweroff";  // what /init does (tests/boot/init)
  std::string append = {};          // more for the kernel's command line
  std::string memory = "256M";
  std::vector<std::string> options = {};
  std::string init = paths::kBootInit;
  std::string initramfs = {};  // empty: boot_initramfs(init)
  int limit_seconds = 240;
};

// `kite run` with the interpreter, so that every host runs the same test.
ProgramRun boot(const Boot& wanted);

}  // namespace kite::test
