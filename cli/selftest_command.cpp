// `kite selftest`: boots the built-in guest on every accelerator this host can use.
#include <cstdio>

#include "base/log.h"
#include "cli/arguments.h"
#include "cli/commands.h"
#include "machine/machine.h"

namespace kite {

namespace {

struct SelftestOptions {
  std::string accel;  // empty: every one
  std::string cpu;
  std::string machine = "microvm";
  Nanos timeout = 120 * kSecond;
  bool verbose = false;
  std::optional<std::string> help;
};

Result<SelftestOptions> parse(const Words& words) {
  SelftestOptions options;
  std::string timeout;
  CLI::App app("Boots the built-in self-test guest, which checks the machine from inside.",
               "kite selftest");
  app.get_formatter()->column_width(34);
  app.add_option("--accel", options.accel, "Only on this one (default: every usable one)")
      ->type_name("NAME");
  app.add_option("--cpu", options.cpu, "Processor model (kite list cpus)")->type_name("MODEL");
  app.add_option("--machine", options.machine, "Board (default microvm)")->type_name("NAME");
  app.add_option("--timeout", timeout, "Allowed for each accelerator (default 120)")
      ->type_name("SECONDS");
  app.add_flag("--verbose", options.verbose, "Log details");
  if (!KITE_TRY(parse_arguments(app, words))) options.help = app.help();
  if (app.count("--timeout")) options.timeout = KITE_TRY(parse_seconds("--timeout", timeout));
  if (!options.accel.empty()) KITE_CHECK(check_accelerator_list(options.accel));
  return options;
}

// The exit status of the self-test on one accelerator.
int test(const SelftestOptions& options, const std::string& accel) {
  complain(fmt::format("self-test on {}", accel));
  MachineConfig config;
  config.machine = options.machine;
  config.cpu = options.cpu;
  config.accel = accel;
  config.timeout = options.timeout;
  config.no_reboot = true;
  const Outcome outcome = run_selftest(config);
  complain(fmt::format("self-test on {} {}: {}", accel, outcome.status == 0 ? "passed" : "failed",
                       outcome.status == 0 ? outcome.reason : describe(outcome)));
  return outcome.status;
}

int test_all(const SelftestOptions& options) {
  int status = 0;
  unsigned tested = 0;
  for (const AcceleratorKind* kind : accelerator_kinds()) {
    if (const Result<> usable = kind->probe(); !usable) {
      complain(fmt::format("self-test on {} skipped: {}", kind->name, usable.error().message));
      continue;
    }
    ++tested;
    const int one = test(options, std::string(kind->name));
    if (status == 0) status = one;
  }
  if (tested != 0) return status;
  return complain(Error{ErrorKind::kUnavailable, "no accelerator is usable on this host"});
}

}  // namespace

int selftest_command(const Words& words) {
  const auto options = parse(words);
  if (!options) return complain(options.error());
  if (options->help) {
    std::fputs(options->help->c_str(), stdout);
    return finish_output();
  }
  if (options->verbose) log::set_level(log::Level::kDebug);
  return options->accel.empty() ? test_all(*options) : test(*options, options->accel);
}

}  // namespace kite
