#include "machine/monitor.h"

#include <utility>

namespace kite {
namespace {

constexpr u8 kBackspace = 0x08, kDelete = 0x7f, kKillLine = 0x15;  // Ctrl-U

bool is_printable(u8 byte) {
  return byte >= 0x20 && byte < 0x7f;
}

}  // namespace

Monitor::Monitor(MonitorTarget& target, Output output, Echo echo)
    : target_(target), output_(std::move(output)), echo_(echo) {}

void Monitor::begin() {
  line_.clear();
  overlong_ = after_return_ = false;
  output_(kPrompt);
}

void Monitor::type(std::span<const u8> bytes) {
  for (u8 byte : bytes) {
    if (target_.ends()) return;
    key(byte);
  }
}

void Monitor::key(u8 byte) {
  const bool was_return = std::exchange(after_return_, byte == '\r');
  if (byte == '\n' && was_return) return;
  if (byte == '\n' || byte == '\r') return end_line();
  if (echo_ == Echo::kOn && !is_printable(byte)) return edit(byte);
  if (line_.size() == kLongestLine) {
    overlong_ = true;
    return;
  }
  // A byte that is no character of a command makes the line an unknown one, shown as '?'.
  line_ += is_printable(byte) || byte == '\t' ? static_cast<char>(byte) : '?';
  if (echo_ == Echo::kOn) output_(std::string_view(line_).substr(line_.size() - 1));
}

// Keys of a terminal; those without a meaning here are swallowed.
void Monitor::edit(u8 byte) {
  constexpr std::string_view kRubOut = "\b \b";
  std::size_t count = 0;
  if (byte == kBackspace || byte == kDelete) count = line_.empty() ? 0 : 1;
  if (byte == kKillLine) count = line_.size();
  for (; count != 0; --count) {
    line_.pop_back();
    output_(kRubOut);
  }
}

void Monitor::end_line() {
  if (echo_ == Echo::kOn) output_("\n");
  const std::string line = std::exchange(line_, {});
  if (std::exchange(overlong_, false)) {
    output_(fmt::format("a line has at most {} characters; this one was ignored\n", kLongestLine));
  } else if (const std::string answer = execute_monitor_command(target_, line); !answer.empty()) {
    output_(answer);
  }
  output_(kPrompt);
}

MonitorConsole::MonitorConsole(MonitorTarget& target, CharBackend& backend)
    : backend_(backend), monitor_(target, [this](std::string_view text) {
        backend_.write({reinterpret_cast<const u8*>(text.data()), text.size()});
      }) {
  monitor_.begin();
  backend_.set_receiver(this);
}

MonitorConsole::~MonitorConsole() {
  backend_.set_receiver(nullptr);
}

}  // namespace kite
