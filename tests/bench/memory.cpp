// Resident memory of Kite itself while a Linux guest idles, beyond the guest's RAM.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/bench/measurements.h"
#include "tests/boot/linux_guest.h"

namespace kite::bench {
namespace {

constexpr unsigned long kRamKilobytes = 512 * 1024;

struct Resident {
  unsigned long ram = 0, rest = 0, rest_proportional = 0;  // kB
};

// RAM is the mapping of its size or larger; everything else is Kite's own (proc(5), smaps).
Resident read_resident(pid_t process) {
  Resident sum;
  bool in_ram = false;
  std::ifstream file(fmt::format("/proc/{}/smaps", process));
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    unsigned long value = 0;
    words >> name >> value;
    if (name == "Size:") in_ram = value >= kRamKilobytes / 2;
    if (name == "Rss:") (in_ram ? sum.ram : sum.rest) += value;
    if (name == "Pss:" && !in_ram) sum.rest_proportional += value;
  }
  return sum;
}

pid_t start(const std::string& kernel, const std::string& initramfs, const std::string& console) {
  const pid_t process = fork();
  if (process != 0) return process;
  const std::string serial = "file:" + console;
  const int nowhere = open("/dev/null", O_RDWR);
  dup2(nowhere, STDIN_FILENO), dup2(nowhere, STDOUT_FILENO);
  execl(KITE_PROGRAM, KITE_PROGRAM, "run", "--accel", "tcg", "--memory", "512M", "--timeout", "120",
        "--serial", serial.c_str(), "--initrd", initramfs.c_str(), "--append",
        "console=ttyS0 quiet -- sleep", kernel.c_str(), nullptr);
  _exit(127);
}

bool wait_for_marker(const std::string& console, pid_t process) {
  for (int tenth = 0; tenth < 1200 && waitpid(process, nullptr, WNOHANG) == 0; ++tenth) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    std::ifstream file(console);
    std::stringstream text;
    text << file.rdbuf();
    if (text.str().find("user space is there") != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string measure_memory(const Options&) {
  std::string text = "### Resident memory\n\n";
  const std::string kernel = test::find_kernel(test::Kernel::kCloud);
  if (kernel.empty()) return text + "Not measured: " + test::how_to_get_kernels() + "\n\n";
  const std::string initramfs = test::boot_initramfs();
  const std::string console = initramfs + ".console";
  const pid_t process = start(kernel, initramfs, console);
  if (!wait_for_marker(console, process)) {
    text += "Not measured: the guest did not reach user space.\n\n";
  } else {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const Resident kilobytes = read_resident(process);
    text += fmt::format(
        "Debian's cloud kernel, idle in user space, 512 MB, interpreter: {:.1f} MB of Kite's own "
        "({:.1f} MB proportional), beside {:.1f} MB of guest RAM in use. Wanted: at most 20 "
        "MB.\n\n",
        static_cast<double>(kilobytes.rest) / 1024,
        static_cast<double>(kilobytes.rest_proportional) / 1024,
        static_cast<double>(kilobytes.ram) / 1024);
  }
  kill(process, SIGTERM);
  waitpid(process, nullptr, 0);
  std::filesystem::remove(initramfs);
  std::filesystem::remove(console);
  fmt::print("{}", text);
  return text;
}

}  // namespace kite::bench
