#include "tests/boot/linux_guest.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/boot/initramfs.h"

namespace kite::test {
namespace {

namespace fs = std::filesystem;

std::string guests_folder() {
  const char* set = std::getenv("KITE_GUESTS");
  return set != nullptr ? set : KITE_SOURCE_DIR "/build/guests";
}

bool is(const std::string& name, Kernel kernel) {
  if (name.rfind("vmlinuz", 0) != 0) return false;
  return (name.find("cloud") != name.npos) == (kernel == Kernel::kCloud);
}

}  // namespace

std::string find_kernel(Kernel kernel) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(guests_folder(), error), end; !error && at != end;
       at.increment(error)) {
    // A folder may be what tells the flavours apart: cloud/vmlinuz.
    const std::string name = at->path().filename();
    const std::string folder = at->path().parent_path().filename();
    const bool cloud = (name + folder).find("cloud") != std::string::npos;
    if (is(cloud ? name + "-cloud" : name, kernel)) found.push_back(at->path());
  }
  return found.empty() ? "" : *std::max_element(found.begin(), found.end());
}

std::string how_to_get_kernels() {
  return "no such kernel below " + guests_folder() +
         "; ./runtests prepares them, or set KITE_GUESTS to a folder with Debian's vmlinuz files";
}

std::string boot_initramfs() {
  std::ifstream program(KITE_BOOT_INIT, std::ios::binary);
  if (!program) return "";
  std::stringstream bytes;
  bytes << program.rdbuf();
  const std::string path =
      fs::temp_directory_path() / ("kite-boot-initramfs-" + std::to_string(getpid()));
  std::ofstream(path, std::ios::binary) << initramfs_with_init(bytes.str());
  return path;
}

ProgramRun boot(const Boot& wanted) {
  const std::string initramfs = boot_initramfs();
  std::vector<std::string> words = {
      KITE_PROGRAM,  "run",      "--accel", "tcg",       "--memory",
      wanted.memory, "--initrd", initramfs, "--timeout", std::to_string(wanted.limit_seconds)};
  words.insert(words.end(), wanted.options.begin(), wanted.options.end());
  words.push_back("--append");
  words.push_back("console=ttyS0 panic=-1 quiet " + wanted.append + " -- " + wanted.action);
  words.push_back(find_kernel(wanted.kernel));
  ProgramRun run = run_program(words, wanted.limit_seconds + 20);
  std::error_code ignored;
  fs::remove(initramfs, ignored);
  return run;
}

}  // namespace kite::test
