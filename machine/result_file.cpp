// The result file of --result: the Outcome as JSON, for CI jobs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"
#include "machine/machine.h"

namespace kite {
namespace {

double seconds(Nanos time) {
  return static_cast<double>(time) / static_cast<double>(kSecond);
}

nlohmann::ordered_json to_json(const MachineConfig& config, const Outcome& outcome) {
  nlohmann::ordered_json json;
  json["outcome"] = name_of(outcome.kind);
  json["status"] = outcome.status;
  json["reason"] = outcome.reason;
  json["machine"] = config.machine;
  json["kernel"] = config.kernel;
  json["memory"] = memory_size_of(config);
  json["cpus"] = config.cpus;
  json["accelerator"] = outcome.accelerator;
  json["accelerator_reason"] = outcome.accelerator_reason;
  json["start_seconds"] = seconds(outcome.started);
  json["run_seconds"] = seconds(outcome.duration);
  json["resets"] = outcome.resets;
  json["fallbacks"] = outcome.fall_backs;
  json["fallback_instructions"] = outcome.fall_back_instructions;
  if (outcome.instructions) json["instructions"] = *outcome.instructions;
  if (outcome.rip) json["rip"] = fmt::format("{:#x}", *outcome.rip);
  json["last_console_line"] = outcome.last_console_line;
  if (!outcome.panic_lines.empty()) json["panic"] = outcome.panic_lines;
  return json;
}

// Beside the file, so that rename(2) stays within one file system.
std::string temporary_name(const std::string& path) {
  return fmt::format("{}.{}.tmp", path, ::getpid());
}

// Devices and pipes (/dev/stdout, a FIFO) are written in place: renaming would replace them.
bool is_special(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

Result<UniqueFd> open_for_writing(const std::string& option_path, const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) {
    return fail_errno(ErrorKind::kIo, errno, fmt::format("--result {}: cannot write", option_path));
  }
  return fd;
}

Result<> write_all(const std::string& path, int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      return fail_errno(ErrorKind::kIo, errno, fmt::format("--result {}: cannot write", path));
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace

Result<> check_result_file(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(ErrorKind::kUsage, "--result {}: is a directory", path);
  }
  if (is_special(path)) return {};
  const std::string temporary = temporary_name(path);
  KITE_CHECK(open_for_writing(path, temporary));
  ::unlink(temporary.c_str());
  return {};
}

Result<> write_result_file(const std::string& path, const MachineConfig& config,
                           const Outcome& outcome) {
  // A guest's bytes need not be UTF-8; what is not becomes U+FFFD.
  std::string text =
      to_json(config, outcome).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  const bool in_place = is_special(path);
  const std::string target = in_place ? path : temporary_name(path);
  UniqueFd fd = KITE_TRY(open_for_writing(path, target));
  Result<> written = write_all(path, fd.get(), text);
  if (written && !in_place && ::rename(target.c_str(), path.c_str()) != 0) {
    written = fail_errno(ErrorKind::kIo, errno, fmt::format("--result {}: cannot write", path));
  }
  if (!written && !in_place) ::unlink(target.c_str());
  return written;
}

}  // namespace kite
