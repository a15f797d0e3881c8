#include "machine/result_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/unique_fd.h"
#include "machine/machine.h"

namespace kite {
namespace {

double seconds(Nanos time) {
  return static_cast<double>(time) / static_cast<double>(kSecond);
}

// The most frequent first.
nlohmann::ordered_json to_json(std::vector<TranslatorFigures::Declined> declined) {
  constexpr std::size_t kMost = 20;
  std::ranges::sort(declined, [](const auto& one, const auto& other) {
    return std::tie(other.count, one.name) < std::tie(one.count, other.name);
  });
  declined.resize(std::min(declined.size(), kMost));
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& [name, count] : declined)
    json.push_back({{"name", name}, {"count", count}});
  return json;
}

nlohmann::ordered_json to_json(const TranslatorFigures& figures) {
  nlohmann::ordered_json json;
  json["blocks"] = figures.blocks;
  json["guest_bytes"] = figures.guest_bytes;
  json["host_bytes"] = figures.host_bytes;
  json["nanoseconds"] = figures.time;
  json["discarded"] = figures.discarded;
  json["flushes"] = figures.flushes;
  json["declined"] = to_json(figures.declined);
  return json;
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
  if (outcome.kernel_irqchip) json["kernel_irqchip"] = *outcome.kernel_irqchip;
  json["accelerator_reason"] = outcome.accelerator_reason;
  json["start_seconds"] = seconds(outcome.started);
  json["run_seconds"] = seconds(outcome.duration);
  json["resets"] = outcome.resets;
  json["fallbacks"] = outcome.fall_backs;
  json["fallback_instructions"] = outcome.fall_back_instructions;
  if (outcome.translator) json["translator"] = to_json(*outcome.translator);
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

Result<UniqueFd> open_for_writing(const std::string& option_path, const FixedName& name) {
  UniqueFd fd(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
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

ResultFile::ResultFile(const std::string& path)
    : path_(path),
      in_place_(is_special(path)),
      name_(path, FixedName::Use::kReplace),
      temporary_(temporary_name(path), FixedName::Use::kReplace) {}

Result<> ResultFile::check() const {
  struct stat status;
  if (::stat(path_.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(ErrorKind::kUsage, "--result {}: is a directory", path_);
  }
  if (in_place_) return {};
  KITE_CHECK(open_for_writing(path_, temporary_));
  ::unlink(temporary_.c_str());
  return {};
}

Result<> ResultFile::write(const MachineConfig& config, const Outcome& outcome) const {
  // A guest's bytes need not be UTF-8; what is not becomes U+FFFD.
  std::string text =
      to_json(config, outcome).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  UniqueFd fd = KITE_TRY(open_for_writing(path_, in_place_ ? name_ : temporary_));
  Result<> written = write_all(path_, fd.get(), text);
  if (written && !in_place_ && ::rename(temporary_.c_str(), name_.c_str()) != 0) {
    written = fail_errno(ErrorKind::kIo, errno, fmt::format("--result {}: cannot write", path_));
  }
  if (!written && !in_place_) ::unlink(temporary_.c_str());
  return written;
}

Result<> check_result_file(const std::string& path) {
  return ResultFile(path).check();
}

Result<> write_result_file(const std::string& path, const MachineConfig& config,
                           const Outcome& outcome) {
  return ResultFile(path).write(config, outcome);
}

}  // namespace kite
