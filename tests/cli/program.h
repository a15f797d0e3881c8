// Running the real program as a child: what went in, what came out, how it ended.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace kite {

struct Finished {
  int status = -1;         // exit status
  int signal = 0;          // that killed it, or 0
  bool timed_out = false;  // and was killed by the test
  std::string out, err;

  // How many lines of stderr are Kite's complaint, that is, neither the summary of the machine nor
  // a remark about the host's processor.
  std::vector<std::string> complaints() const;
};

// A child that runs paths::kProgram with these arguments.
class Program {
 public:
  struct Options {
    std::string input = {};                  // stdin: a pipe with this, then its end
    bool keep_input_open = false;            // stdin: the pipe stays open
    std::vector<int> closed = {};            // descriptors that are closed in the child
    std::string out_path = {};               // stdout: this file in place of a pipe
    int ignored_signal = 0;                  // as nohup leaves it
    std::function<void()> in_child = [] {};  // before exec
  };
  explicit Program(std::vector<std::string> arguments) : Program(std::move(arguments), Options()) {}
  Program(std::vector<std::string> arguments, Options options);
  ~Program();

  pid_t pid() const { return pid_; }
  // Waits until stdout holds `text`.
  bool wait_for_output(std::string_view text,
                       std::chrono::seconds limit = std::chrono::seconds(20));
  Finished finish(std::chrono::seconds limit = std::chrono::seconds(40));

 private:
  bool pump(int milliseconds);  // false: both pipes have ended

  pid_t pid_ = -1;
  UniqueFd in_, out_, err_;
  Finished result_;
};

Finished run_kite(std::vector<std::string> arguments, Program::Options options = {});

// Replaces the process by paths::kProgram; in a child, signals as a shell would leave them.
[[noreturn]] void exec_kite(const std::vector<std::string>& arguments, int ignored_signal = 0);

// Is any accelerator usable here? Tests that run a guest are skipped otherwise.
bool can_run_guests();

// A directory that goes with the test.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  std::string path(std::string_view name) const { return directory_ / name; }
  // Writes a file and returns its path.
  std::string file(std::string_view name, std::string_view contents) const;
  static std::string contents(const std::string& path);
  std::size_t entries() const;

 private:
  std::filesystem::path directory_;
};

}  // namespace kite
