// `kite run`: from the words of the command line to a MachineConfig.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "machine/config.h"

namespace kite {

struct RunOptions {
  MachineConfig machine;
  std::vector<std::string> trace;  // as trace::enable() takes them
  std::string log_file;            // empty: stderr
  bool verbose = false;
  std::optional<std::string> help;  // --help was given: print this and do nothing else
};

// Errors (kUsage) name the option, the value and, for a name that does not exist, the nearest one.
Result<RunOptions> parse_run_options(const Words& words);

}  // namespace kite
