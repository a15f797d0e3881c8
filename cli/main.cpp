// kite: boots guest kernels from the command line.
#include <array>
#include <cstdio>
#include <exception>

#include "base/nearest.h"
#include "cli/commands.h"
#include "cli/process.h"

namespace kite {

namespace {

int help_command(const Words& words);
int dispatch(Words words);

constexpr std::array kCommands = {
    Command{"run", "boot a kernel", run_command},
    Command{"list", "show what this program has: accels, machines, devices, backends, cpus",
            list_command},
    Command{"selftest", "boot the built-in self-test guest on every accelerator", selftest_command},
    Command{"version", "show the version", version_command},
    Command{"help", "show this text", help_command},
};

constexpr std::string_view kExamples =
    "\n"
    "Examples:\n"
    "  kite run --append 'console=ttyS0' --initrd initramfs.cpio.gz bzImage\n"
    "  kite run --memory 1G --timeout 60 --expect 'login:' --result result.json bzImage\n"
    "  kite list accels\n"
    "  kite selftest\n"
    "\n"
    "`kite run --help` shows the options of a run; docs/manual.md explains them.\n";

void print_help(std::FILE* to) {
  std::fputs(
      "kite: boots guest kernels, with KVM or with its own engine\n\nUsage: kite COMMAND …\n\n",
      to);
  for (const Command& command : kCommands) {
    const std::string line = fmt::format("  {:10}{}\n", command.name, command.description);
    std::fputs(line.c_str(), to);
  }
  std::fwrite(kExamples.data(), 1, kExamples.size(), to);
}

Error surplus(std::string_view command, const std::string& word) {
  return Error{ErrorKind::kUsage, fmt::format("kite {}: '{}' is one word too many", command, word)};
}

// `kite help run` is `kite run --help`.
int help_command(const Words& words) {
  if (words.size() > 1) return complain(surplus("help", words[1]));
  if (!words.empty() && words[0] != "help" && words[0] != "version")
    return dispatch({words[0], "--help"});
  print_help(stdout);
  return finish_output();
}

int unknown_command(const std::string& word) {
  std::array<std::string_view, kCommands.size()> names;
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = kCommands[i].name;
  return complain(
      Error{ErrorKind::kUsage, fmt::format("there is no command '{}'{} (`kite help` lists them)",
                                           word, suggestion(word, names))});
}

int dispatch(Words words) {
  if (words.empty())
    return complain(Error{ErrorKind::kUsage, "no command given (`kite help` lists them)"});
  const std::string name = words.front();
  words.erase(words.begin());
  if (name == "--help" || name == "-h") return help_command(words);
  if (name == "--version") return version_command(words);
  for (const Command& command : kCommands) {
    if (command.name == name) return command.run(words);
  }
  return unknown_command(name);
}

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}

int version_command(const Words& words) {
  if (!words.empty()) return complain(surplus("version", words[0]));
  std::puts("kite " KITE_VERSION);
  return finish_output();
}

}  // namespace kite

int main(int argc, char** argv) {
  kite::prepare_process();
  try {
    return kite::dispatch(kite::Words(argv + (argc > 0 ? 1 : 0), argv + argc));
  } catch (const std::bad_alloc&) {
    return kite::complain(kite::Error{kite::ErrorKind::kUnavailable, "out of memory"});
  } catch (const std::exception& problem) {
    return kite::complain(kite::Error{kite::ErrorKind::kInternal, problem.what()});
  }
}
