#include "machine/console_watch.h"

#include "base/log.h"

namespace kite {

ConsoleWatch::ConsoleWatch(std::vector<ConsolePattern> expect, std::vector<ConsolePattern> fail_on,
                           std::function<void()> wake)
    : expect_(std::move(expect)),
      fail_on_(std::move(fail_on)),
      wake_(std::move(wake)),
      text_([this](const std::string& line) { line_finished(line); }),
      expecting_(!expect_.empty()) {}

void ConsoleWatch::observe(std::span<const u8> bytes) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = unread_.empty();
    if (unread_.size() + bytes.size() > kMostUnread) {
      static log::Limiter limiter(1);
      if (limiter.allow()) log::warning("the console is written faster than it can be searched");
      return;
    }
    unread_.insert(unread_.end(), bytes.begin(), bytes.end());
  }
  if (first && !bytes.empty()) wake_();
}

const ConsoleWatch::Findings& ConsoleWatch::review() {
  std::vector<u8> bytes;
  {
    std::lock_guard lock(mutex_);
    bytes.swap(unread_);
  }
  text_.feed(bytes);
  if (!bytes.empty() && !text_.unfinished().empty()) match(text_.unfinished(), false);
  return findings_;
}

void ConsoleWatch::line_finished(const std::string& line) {
  match(line, true);
  note_panic(line);
}

void ConsoleWatch::match(const std::string& line, bool finished) {
  if (findings_.failure.empty()) {
    for (const ConsolePattern& pattern : fail_on_) {
      if (!pattern.found_in(line, finished)) continue;
      findings_.failure = pattern.text();
      break;
    }
  }
  std::erase_if(expect_, [&](const ConsolePattern& one) { return one.found_in(line, finished); });
  findings_.everything_expected = expecting_ && expect_.empty();
}

void ConsoleWatch::note_panic(const std::string& line) {
  if (panic_.is_panic(line)) {
    findings_.panic = true;
    if (panic_.message() != line) panic_lines_.push_back(panic_.message());
  }
  if (!findings_.panic) return;
  if (panic_lines_.size() < kPanicLines) panic_lines_.push_back(line);
  if (PanicDetector::is_end_of_panic(line)) findings_.panic_complete = true;
}

std::vector<std::string> ConsoleWatch::missing() const {
  std::vector<std::string> texts;
  for (const ConsolePattern& pattern : expect_) texts.push_back(pattern.text());
  return texts;
}

}  // namespace kite
