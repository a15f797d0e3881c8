// The commands of the program: `kite NAME …`. Each takes the words after its name and returns the
// exit status; whatever went wrong has been said by then.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace kite {

using Words = std::vector<std::string>;

struct Command {
  std::string_view name;
  std::string_view description;
  int (*run)(const Words& words);
};

std::span<const Command> commands();

int run_command(const Words& words);
int list_command(const Words& words);
int selftest_command(const Words& words);
int version_command(const Words& words);

// "kite: MESSAGE" on stderr, on one line whatever the message holds.
void complain(std::string_view message);
// complain(), and the status that belongs to the error.
int complain(const Error& error);

// Writes what stdio still holds of the answer. The status of a command that only prints.
int finish_output();

}  // namespace kite
