// `kite run`: boots a kernel and says how it ended.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "base/log.h"
#include "base/trace.h"
#include "base/trace_output.h"
#include "cli/commands.h"
#include "cli/escape_keys.h"
#include "cli/process.h"
#include "cli/run_options.h"
#include "cli/stop_signals.h"
#include "cli/terminal.h"
#include "machine/machine.h"
#include "machine/monitor.h"
#include "machine/sandbox.h"

namespace kite {

namespace {

constexpr const char* kKeys =
    "\nkite: Ctrl-a x  leave"
    "\nkite: Ctrl-a h  this list"
    "\nkite: Ctrl-a c  the monitor, and back to the guest"
    "\nkite: Ctrl-a Ctrl-a  send Ctrl-a to the guest\n";

// The logging library would make missing folders and report errors in its own words.
Result<> open_log(const std::string& path) {
  const UniqueFd probe(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (!probe.valid()) return fail_errno(ErrorKind::kIo, errno, fmt::format("--log {}", path));
  return log::to_file(path);
}

Result<> open_outputs(const RunOptions& options) {
  if (options.verbose) log::set_level(log::Level::kDebug);
  if (!options.log_file.empty()) KITE_CHECK(open_log(options.log_file));
  for (const std::string& text : options.trace) KITE_CHECK(trace::enable(text));
  return {};
}

// One run: the machine, and the console on stdio if it is there.
class Run {
 public:
  explicit Run(const RunOptions& options) : options_(options) {}

  Outcome execute();
  // The guest's last line on the terminal has no newline yet.
  bool line_open() const { return line_open_; }

 private:
  Result<> prepare();
  void leave() { machine_->request_stop(0); }
  void switch_keyboard(bool monitor);
  static void say(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

  const RunOptions& options_;
  StopSignals signals_;
  EscapeKeys keys_{{.leave = [this] { leave(); },
                    .help = [] { say(kKeys); },
                    .switched = [this](bool monitor) { switch_keyboard(monitor); },
                    .monitor_typed = [this](auto keys) { monitor_->type(keys); }}};
  std::atomic<bool> line_open_{false};
  std::unique_ptr<Machine> machine_;
  std::optional<Monitor> monitor_;
};

// The guest's output goes on between the monitor's.
void Run::switch_keyboard(bool monitor) {
  if (!monitor) return say("\nkite: the keyboard is the guest's again\n");
  say("\nkite: the monitor has the keyboard; Ctrl-a c goes back, `help` lists the commands\n");
  monitor_->begin();
}

Result<> Run::prepare() {
  KITE_CHECK(open_outputs(options_));
  MachineOutside outside;
  constexpr auto kStdio = CharConfig::Kind::kStdio;
  const bool on_stdio = options_.machine.serial.kind == kStdio;
  const bool interactive = on_stdio && terminal::usable();
  if (interactive) outside.stdin_filter = [this](std::vector<u8>& typed) { keys_.filter(typed); };
  const bool reads_stdin = on_stdio || options_.machine.monitor.kind == kStdio;
  if (reads_stdin && terminal::in_background()) forget_stdin();
  if (on_stdio && ::isatty(STDOUT_FILENO)) {
    outside.console_observer = [this](std::span<const u8> bytes) {
      if (!bytes.empty()) line_open_ = bytes.back() != '\n';
    };
  }
  if (interactive) terminal::handle_crashes();
  machine_ = KITE_TRY(Machine::create(options_.machine, std::move(outside)));
  complain(machine_->summary());
  sandbox::before_the_end(terminal::leave_raw_mode);
  if (!interactive) return {};
  monitor_.emplace(machine_->monitor_target(), say, Monitor::Echo::kOn);
  KITE_CHECK(terminal::enter_raw_mode());
  return {};
}

Outcome Run::execute() {
  Result<> prepared = prepare();
  if (signals_.received() != 0) {  // it came while the machine was being built
    Outcome outcome = outcome_of({ErrorKind::kIo, "interrupted before the guest was started"});
    outcome.kind = OutcomeKind::kInterrupted;
    outcome.status = 128 + signals_.received();
    terminal::leave_raw_mode();
    return outcome;
  }
  if (!prepared) {
    Outcome outcome = outcome_of(prepared.error());
    const std::string& result_file = options_.machine.result_file;
    if (!result_file.empty() && check_result_file(result_file))
      static_cast<void>(write_result_file(result_file, options_.machine, outcome));
    return outcome;
  }
  signals_.set_machine(machine_.get());
  Outcome outcome = machine_->run();
  signals_.set_machine(nullptr);
  terminal::leave_raw_mode();
  return outcome;
}

}  // namespace

int run_command(const Words& words) {
  const auto options = parse_run_options(words);
  if (!options) return complain(options.error());
  if (options->help) {
    std::fputs(options->help->c_str(), stdout);
    return finish_output();
  }
  Run run(*options);
  const Outcome outcome = run.execute();
  if (run.line_open()) std::fputs("\n", stderr);
  if (!outcome.normal() || options->verbose) complain(describe(outcome));
  if (const Result<> traced = trace::flush(); !traced) {
    const int status = complain(traced.error());
    return outcome.status == 0 ? status : outcome.status;
  }
  return outcome.status;
}

}  // namespace kite
