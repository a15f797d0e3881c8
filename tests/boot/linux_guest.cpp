#include "tests/boot/linux_guest.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/boot/initramfs.h"
#include "tests/paths.h"

namespace kite::test {
namespace {

namespace fs = std::filesystem;

// A relative $KITE_GUESTS is one of the source tree's root, where tests/boot/prepare runs.
fs::path guests_folder() {
  const char* set = std::getenv("KITE_GUESTS");
  return fs::path(paths::kSource) / (set != nullptr && *set != 0 ? set : "build/guests");
}

const char* folder_of(Kernel kernel) {
  switch (kernel) {
    case Kernel::kGeneric:
      return "linux-generic";
    case Kernel::k686:
      return "linux-686";
    case Kernel::k686Pae:
      return "linux-686-pae";
    default:
      return "linux-cloud";
  }
}

std::string in_guests(const fs::path& name) {
  const fs::path file = guests_folder() / name;
  return fs::exists(file) ? file : "";
}

}  // namespace

std::string find_kernel(Kernel kernel) {
  return in_guests(fs::path(folder_of(kernel)) / "vmlinuz");
}

std::string busybox_i386_initramfs() {
  return in_guests("initramfs-i386.gz");
}

std::string find_guest(const std::string& name) {
  const fs::path file = guests_folder() / name;
  return fs::exists(file) ? file : "";
}

std::string how_to_get_kernels() {
  return "no such kernel or image in " + guests_folder().string() +
         "; ./runtests and tests/boot/prepare get it";
}

std::string boot_initramfs(const std::string& init) {
  std::ifstream program(init, std::ios::binary);
  if (!program) return "";
  std::stringstream bytes;
  bytes << program.rdbuf();
  const std::string path =
      fs::temp_directory_path() / ("kite-boot-initramfs-" + std::to_string(getpid()));
  std::ofstream(path, std::ios::binary) << initramfs_with_init(bytes.str());
  return path;
}

std::vector<std::string> kernel_complaints() {
  return {"ACPI Error",      "ACPI Warning",         "ACPI BIOS",     "[Firmware Bug]",
          "[Firmware Warn]", "can't derive routing", "no GSI",        "MTRRs disabled",
          "PIC not present", "Unable to init MCE",   "nobody cared",  "Marking TSC unstable",
          "BIOS bug",        "WARNING: CPU",         "unchecked MSR", "Unable to calibrate"};
}

ProgramRun boot(const Boot& wanted) {
  const std::string made = wanted.initramfs.empty() ? boot_initramfs(wanted.init) : "";
  const std::string initramfs = made.empty() ? wanted.initramfs : made;
  std::vector<std::string> words = {
      paths::kProgram,  "run",      "--accel", "tcg",       "--memory",
      wanted.memory, "--initrd", initramfs, "--timeout", std::to_string(wanted.limit_seconds)};
  words.insert(words.end(), wanted.options.begin(), wanted.options.end());
  words.push_back("--append");
  words.push_back("console=ttyS0 panic=-1 quiet " + wanted.append + " -- " + wanted.action);
  words.push_back(find_kernel(wanted.kernel));
  ProgramRun run = run_program(words, wanted.limit_seconds + 20);
  std::error_code ignored;
  if (!made.empty()) fs::remove(made, ignored);
  return run;
}

}  // namespace kite::test
