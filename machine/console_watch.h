// ConsoleWatch: reads along on the guest's console for --expect, --fail-on and panics.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"
#include "machine/console_pattern.h"
#include "machine/console_text.h"
#include "machine/panic_detector.h"

namespace kite {

// The vCPU only appends bytes; the expressions are matched by review(), on the I/O loop's thread.
class ConsoleWatch {
 public:
  struct Findings {
    bool everything_expected = false;  // there were expectations, and all were seen
    std::string failure;               // the --fail-on expression that was seen
    bool panic = false;
    bool panic_complete = false;  // nothing more is to be expected after the panic
  };

  // `wake` is called when review() has something new to read; any thread.
  ConsoleWatch(std::vector<ConsolePattern> expect, std::vector<ConsolePattern> fail_on,
               std::function<void()> wake);

  // Any thread. Never waits: the caller holds the chip's lock.
  void observe(std::span<const u8> bytes);

  const Findings& review();
  const Findings& findings() const { return findings_; }

  const std::string& last_line() const { return text_.last(); }
  const std::string& panic_message() const { return panic_.message(); }
  // From the panic on, at most kPanicLines.
  const std::vector<std::string>& panic_lines() const { return panic_lines_; }
  // The expressions of --expect that have not appeared.
  std::vector<std::string> missing() const;

  static constexpr std::size_t kPanicLines = 64;
  // What the guest may be ahead of the expressions; more is not read.
  static constexpr std::size_t kMostUnread = 8 * MiB;

 private:
  void line_finished(const std::string& line);
  void match(const std::string& line, bool finished);
  void note_panic(const std::string& line);

  std::vector<ConsolePattern> expect_;  // what has not been seen yet
  std::vector<ConsolePattern> fail_on_;
  std::function<void()> wake_;
  ConsoleText text_;
  PanicDetector panic_;
  std::vector<std::string> panic_lines_;
  Findings findings_;
  bool expecting_;

  std::mutex mutex_;  // guards unread_
  std::vector<u8> unread_;
};

}  // namespace kite
