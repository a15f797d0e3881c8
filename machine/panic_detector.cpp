#include "machine/panic_detector.h"

#include <algorithm>
#include <array>

namespace kite {
namespace {

// What printk (<n>, [ seconds], [ caller]) and NetBSD ([ seconds]) put before a message.
std::string_view without_prefixes(std::string_view line) {
  while (!line.empty()) {
    char close = line[0] == '[' ? ']' : line[0] == '<' ? '>' : '\0';
    if (close == '\0' && line[0] != ' ') break;
    std::size_t end = close == '\0' ? 0 : line.find(close);
    constexpr std::size_t kLongestPrefix = 40;
    if (end == line.npos || end > kLongestPrefix) break;
    line.remove_prefix(end + 1);
  }
  return line;
}

constexpr std::string_view kLinux = "Kernel panic - not syncing";

// The message stands at the start, or behind what user space wrote without ending its line.
bool is_linux_panic(std::string_view line) {
  if (without_prefixes(line).starts_with(kLinux)) return true;
  std::size_t at = line.find(kLinux);
  return at != line.npos && at >= 2 && line.substr(at - 2, 2) == "] " &&
         line.find("end Kernel panic") == line.npos;
}

// The first lines that the BSDs write after "panic: …". A Go program's own "panic: " has none.
constexpr std::array<std::string_view, 10> kBsdFollowers = {
    "cpuid = ",              // FreeBSD
    "KDB: ",                 // FreeBSD
    "time = ",               // FreeBSD
    "Uptime: ",              // FreeBSD
    "Begin traceback",       // NetBSD, after "cpu0: "
    "Stopped at",            // OpenBSD
    "Stopped in pid",        // NetBSD
    "syncing disks",         // OpenBSD, NetBSD without a debugger
    "Starting stack trace",  // OpenBSD
    "dump to dev",           // OpenBSD, NetBSD
};
constexpr unsigned kFollowerWithin = 6;

bool is_bsd_follower(std::string_view line) {
  line = without_prefixes(line);
  if (line.starts_with("cpu")) {
    std::size_t colon = line.find(": ");
    if (colon != line.npos && colon < 8) line.remove_prefix(colon + 2);
  }
  return std::any_of(kBsdFollowers.begin(), kBsdFollowers.end(),
                     [&](std::string_view words) { return line.starts_with(words); });
}

}  // namespace

bool PanicDetector::is_panic(std::string_view line) {
  if (told_) return false;
  if (is_linux_panic(line)) {
    message_ = line;
  } else if (without_prefixes(line).starts_with("panic: ")) {
    suspected_ = line;
    lines_since_ = 0;
    return false;
  } else if (!suspected_.empty() && lines_since_++ < kFollowerWithin && is_bsd_follower(line)) {
    message_ = suspected_;
  } else {
    return false;
  }
  return told_ = true;
}

bool PanicDetector::is_end_of_panic(std::string_view line) {
  return line.find("---[ end Kernel panic") != line.npos || line.starts_with("db> ") ||
         line.starts_with("db{") || line.starts_with("ddb{");
}

}  // namespace kite
