#include "base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdio>

namespace kite::log {

namespace {

// Once, in Kite's form: a full disk under the log is not the end of the run.
void report_failure(const std::string& problem) {
  static std::atomic<bool> reported{false};
  if (!reported.exchange(true)) std::fprintf(stderr, "kite: the log: %s\n", problem.c_str());
}

std::shared_ptr<spdlog::logger> make_logger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("kite", std::move(sink));
  logger->set_pattern("kite: %v");
  logger->set_level(spdlog::level::info);
  logger->flush_on(spdlog::level::trace);
  logger->set_error_handler(report_failure);
  return logger;
}

std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return instance;
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

}  // namespace

void set_level(Level level) {
  logger()->set_level(spdlog_level(level));
}

bool enabled(Level level) {
  return logger()->should_log(spdlog_level(level));
}

Result<> to_file(const std::string& path) {
  try {
    auto replacement = make_logger(std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, true));
    replacement->set_level(logger()->level());
    logger() = std::move(replacement);
    return {};
  } catch (const spdlog::spdlog_ex& problem) {
    return fail(ErrorKind::kIo, "log file '{}': {}", path, problem.what());
  }
}

void write(Level level, std::string_view line) {
  logger()->log(spdlog_level(level), "{}", line);
}

}  // namespace kite::log
