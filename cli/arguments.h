// What every command's argument parsing shares: CLI11, made to report errors in Kite's way.
#pragma once

#include <CLI/CLI.hpp>

#include "base/types.h"
#include "cli/commands.h"

namespace kite {

// Parses `words` into `app`'s options. An option that does not exist is an error that names the
// nearest one, a word too many an error that names the word. Nothing if --help was asked for.
Result<bool> parse_arguments(CLI::App& app, const Words& words);

// "12", "0.5": a number of seconds greater than 0.
Result<Nanos> parse_seconds(std::string_view option, const std::string& text);

// `error` with the option's name in front, unless it is there already.
Error naming(std::string_view option, Error error);

}  // namespace kite
