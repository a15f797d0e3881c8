// Monitor: a line-oriented command interpreter for a running machine: `--monitor WHERE`, Ctrl-a c.
//
// What it is fed may be anything: a port scanner's bytes, half a UTF-8 character, a line without
// an end. It answers printable ASCII only, and keeps no more than one line of limited length.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/types.h"
#include "devices/host/char_backend.h"
#include "machine/monitor_target.h"

namespace kite {

class Monitor {
 public:
  using Output = std::function<void(std::string_view text)>;

  // `echo`: what is typed is shown and can be taken back, for a terminal in raw mode. The target
  // outlives the monitor.
  enum class Echo { kOff, kOn };
  Monitor(MonitorTarget& target, Output output, Echo echo = Echo::kOff);

  // Forgets a line that was begun and shows the prompt.
  void begin();
  // Executes each line that ends within `bytes`, until the run is to end. On the I/O loop's thread.
  void type(std::span<const u8> bytes);

  static constexpr std::string_view kPrompt = "(kite) ";
  static constexpr std::size_t kLongestLine = 256;

 private:
  void key(u8 byte);
  void edit(u8 byte);
  void end_line();

  MonitorTarget& target_;
  const Output output_;
  const Echo echo_;
  std::string line_;
  bool overlong_ = false;      // the line is longer than line_ holds
  bool after_return_ = false;  // the last byte was CR: an LF belongs to it
};

// A monitor on a CharBackend, which outlives it.
class MonitorConsole : private CharReceiver {
 public:
  MonitorConsole(MonitorTarget& target, CharBackend& backend);
  ~MonitorConsole() override;
  MonitorConsole(const MonitorConsole&) = delete;
  MonitorConsole& operator=(const MonitorConsole&) = delete;

 private:
  std::size_t room() override { return Monitor::kLongestLine; }
  void receive(std::span<const u8> bytes) override { monitor_.type(bytes); }
  void connected() override { monitor_.begin(); }

  CharBackend& backend_;
  Monitor monitor_;
};

// The answer to one line, without its end: text that ends in a newline, or nothing.
std::string execute_monitor_command(MonitorTarget& target, std::string_view line);

}  // namespace kite
