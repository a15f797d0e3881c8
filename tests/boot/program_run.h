// Running a program to its end, with a limit on its time, and keeping what it said.
#pragma once

#include <string>
#include <vector>

namespace kite::test {

struct ProgramRun {
  int status = -1;  // exit status, 128 + signal, or -1 if it had to be killed
  std::string out, err;
  double seconds = 0;
  double first_output_seconds = 0;  // to the first byte of `out`

  struct Arrival {
    std::size_t size;  // that `out` then had
    double seconds;
  };
  std::vector<Arrival> arrivals;
  // When that text had come out, first; negative: it did not.
  double arrival_of(const std::string& text) const;
};

// Keys typed once `after` has appeared in `out`, counted from the keys before.
struct Reply {
  std::string after, keys;
};

// Without replies its input is at the end from the start.
ProgramRun run_program(const std::vector<std::string>& words, int limit_seconds,
                       const std::vector<Reply>& replies = {});

}  // namespace kite::test
