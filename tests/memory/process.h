// Helpers for tests about processes: what this one holds open, and code run in a child.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/sanitizer.h"

namespace kite::test {

// How many descriptors this process has open.
int open_descriptors();

// The entries of /dev/shm, sorted; empty where there is no such directory.
std::vector<std::string> shm_entries();

struct ChildResult {
  int status = -1;  // as from the child's exit, or 128 + signal
  std::string text;
};

// Runs `body` in a forked child; what it returns is the text, and the status is 0.
ChildResult in_child(const std::function<std::string()>& body);

// What another process of this test program does instead of its tests. A static Helper registers
// it; its status is that of the process.
class Helper {
 public:
  Helper(const char* name, int (*body)());
};

// Starts this test program again, with `prefix` before it on the command line, as the helper
// `name`. Returns its exit status; what it prints goes to `output` when given.
int run_helper(const std::vector<std::string>& prefix, const std::string& name,
               std::string* output = nullptr);

// A directory of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::vector<std::string> entries() const;

 private:
  std::string path_;
};

}  // namespace kite::test
