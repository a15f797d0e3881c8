#include "cli/run_options.h"

#include <charconv>

#include "base/trace.h"
#include "cli/arguments.h"
#include "machine/boards/board.h"
#include "machine/disk_options.h"
#include "machine/sandbox.h"

namespace kite {

namespace {

constexpr const char* kBoot = "What is booted";
constexpr const char* kMachine = "The machine";
constexpr const char* kConsole = "Console";
constexpr const char* kEnd = "How the run ends";
constexpr const char* kInside = "Looking inside";
constexpr const char* kSafety = "Safety";

constexpr const char* kFooter =
    "\nExamples:\n"
    "  kite run --append console=ttyS0 --initrd initramfs.cpio.gz bzImage\n"
    "  kite run --memory 1G --serial file:console.log --timeout 60 --expect 'login:' bzImage\n"
    "  kite run --firmware /usr/share/seabios/bios-256k.bin --disk system.iso\n"
    "  kite run --accel tcg --trace int,pio=trace.log --no-reboot vmlinux\n"
    "\n"
    "On a terminal: Ctrl-a x leaves, Ctrl-a c opens the monitor, Ctrl-a h lists the keys.\n"
    "Exit status: 0 the guest powered off or all that was expected appeared; 64-74 the host side\n"
    "failed; 100 panic; 101 triple fault; 102 timeout; 103 halted for good; 104 reset with\n"
    "--no-reboot; 106 --fail-on; 107 powered off before all --expect; 128 + n ended by signal n;\n"
    "any other is the value the guest gave the exit port. docs/manual.md has the details.";

// What needs more than a copy from the command line to the configuration.
struct Texts {
  std::string memory, memory_backend, cpus, affinity, code_cache, serial, debug_console, monitor,
      timeout, sandbox;
  std::vector<std::string> expect, fail_on, devices, disks;
};

CLI::Option* text(CLI::App& app, const char* group, const char* name, std::string& to,
                  const char* type, const char* description) {
  return app.add_option(name, to, description)->group(group)->type_name(type);
}

// One value each time it is given; allow_extra_args would take the kernel for another value.
void texts(CLI::App& app, const char* group, const char* name, std::vector<std::string>& to,
           const char* type, const char* description) {
  app.add_option(name, to, description)
      ->group(group)
      ->type_name(type)
      ->take_all()
      ->allow_extra_args(false);
}

std::string trace_help() {
  std::string words = "Trace to stderr or FILE: all";
  for (const auto& category : trace::categories()) words += fmt::format(", {}", category.name);
  return words + " (repeatable)";
}

std::string sandbox_help() {
  const std::string missing = sandbox::why_not();
  return missing.empty() ? "on (default): a running guest's threads keep only the system calls "
                           "they need; off"
                         : "off (default); on is not to be had: " + missing;
}

void add_machine_options(CLI::App& app, RunOptions& options, Texts& given) {
  MachineConfig& machine = options.machine;
  text(app, kBoot, "KERNEL", machine.kernel, "FILE",
       "bzImage, ELF with PVH note or multiboot header, or a flat image");
  text(app, kBoot, "--initrd", machine.initrd, "FILE", "Initial RAM disk");
  text(app, kBoot, "--append", machine.append, "TEXT", "The kernel's command line");
  text(app, kBoot, "--firmware", machine.firmware, "FILE",
       "A BIOS image that starts KERNEL or a drive; implies --machine pc");
  texts(app, kBoot, "--disk", given.disks, "FILE[,media=cdrom|disk][,readonly=on|off]",
        "A drive on an IDE channel of --machine pc (repeatable: up to four)");
  text(app, kMachine, "--memory", given.memory, "SIZE", "RAM, such as 512M or 4G (default 512M)");
  text(app, kMachine, "--memory-backend", given.memory_backend, "KIND[,...]",
       "Where RAM comes from (kite list backends)");
  text(app, kMachine, "--machine", machine.machine, "NAME",
       "Board (kite list machines; default microvm)");
  text(app, kMachine, "--cpu", machine.cpu, "MODEL", "Processor model (kite list cpus)");
  text(app, kMachine, "--cpus", given.cpus, "N", "Number of processors (default 1)");
  text(app, kMachine, "--cpu-affinity", given.affinity, "SET[:SET...]",
       "Host processors, such as 0,2-3, for each vCPU in turn, or one SET for all");
  texts(app, kMachine, "--device", given.devices, "NAME[,...]",
        "isa-debug-exit[,iobase=PORT][,iosize=COUNT] or pc-testdev, for test programs "
        "(repeatable)");
  text(app, kMachine, "--accel", machine.accel, "LIST",
       "auto, kvm, tcg, or the first usable of a list such as kvm:tcg (default auto); "
       "kvm[,kernel-irqchip=on|off][,dirty-ring-size=N], tcg[,translator=on|off]");
  text(app, kMachine, "--code-cache", given.code_cache, "SIZE",
       "Room for translated code, 1M to 1G (default 64M)");
}

void add_run_options(CLI::App& app, RunOptions& options, Texts& given) {
  MachineConfig& machine = options.machine;
  text(app, kConsole, "--serial", given.serial, "WHERE",
       "COM1: stdio, null, file:PATH, unix:PATH[,server][,wait] or tcp:HOST:PORT[,server][,wait] "
       "(default stdio)");
  text(app, kConsole, "--debug-console", given.debug_console, "WHERE",
       "Ports E9h and 402h, as --serial; stdio means stderr here (default null)");
  text(app, kConsole, "--monitor", given.monitor, "WHERE",
       "A command interpreter for the running machine: stdio, unix: or tcp: as --serial");
  text(app, kEnd, "--timeout", given.timeout, "SECONDS", "End the run after so long (102)");
  texts(app, kEnd, "--expect", given.expect, "REGEX",
        "End with 0 when this has appeared on the console (repeatable: all of them)");
  texts(app, kEnd, "--fail-on", given.fail_on, "REGEX",
        "End with 106 when this appears on the console (repeatable: any of them)");
  app.add_flag("--no-reboot", machine.no_reboot, "End with 104 when the guest asks for a reset")
      ->group(kEnd);
  text(app, kEnd, "--result", machine.result_file, "FILE", "Write how the run ended, as JSON");
  texts(app, kInside, "--trace", options.trace, "WHAT[=FILE]", trace_help().c_str());
  text(app, kInside, "--log", options.log_file, "FILE", "Kite's log, instead of stderr");
  app.add_flag("--verbose", options.verbose, "Log details")->group(kInside);
  text(app, kSafety, "--sandbox", given.sandbox, "on|off", sandbox_help().c_str());
}

Result<unsigned> parse_count(const std::string& given) {
  unsigned count = 0;
  const char* end = given.data() + given.size();
  const auto [stopped, error] = std::from_chars(given.data(), end, count);
  if (error != std::errc() || stopped != end)
    return fail(ErrorKind::kUsage, "--cpus {}: expected a number", given);
  return count;
}

Result<SandboxWish> parse_sandbox(const std::string& given) {
  if (given == "on") return SandboxWish::kOn;
  if (given == "off") return SandboxWish::kOff;
  return fail(ErrorKind::kUsage, "--sandbox {}: expected on or off", given);
}

template <class T>
Result<T> named(std::string_view option, Result<T> result) {
  return std::move(result).map_error([&](Error error) { return naming(option, std::move(error)); });
}

Result<> convert(const CLI::App& app, const Texts& given, MachineConfig& machine) {
  const auto has = [&app](const char* option) { return app.count(option) != 0; };
  if (has("--memory")) machine.memory_size = KITE_TRY(named("--memory", parse_size(given.memory)));
  if (has("--memory-backend"))
    machine.memory_backend =
        KITE_TRY(named("--memory-backend", parse_backend(given.memory_backend)));
  if (has("--cpus")) machine.cpus = KITE_TRY(parse_count(given.cpus));
  if (has("--cpu-affinity")) machine.affinity = KITE_TRY(parse_cpu_affinity(given.affinity));
  if (has("--serial"))
    machine.serial = KITE_TRY(named("--serial", parse_char_backend(given.serial)));
  if (has("--debug-console"))
    machine.debug_console =
        KITE_TRY(named("--debug-console", parse_char_backend(given.debug_console)));
  if (has("--monitor")) {
    machine.monitor = KITE_TRY(named("--monitor", parse_char_backend(given.monitor)));
    machine.monitor.user = "monitor";
  }
  if (has("--code-cache"))
    machine.code_cache = KITE_TRY(named("--code-cache", parse_size(given.code_cache)));
  if (has("--timeout")) machine.timeout = KITE_TRY(parse_seconds("--timeout", given.timeout));
  machine.sandbox = SandboxWish::kIfPossible;
  if (has("--sandbox")) machine.sandbox = KITE_TRY(parse_sandbox(given.sandbox));
  if (has("--initrd") && machine.initrd.empty())
    return fail(ErrorKind::kUsage, "--initrd: the name of the file is empty");
  if (has("--result") && machine.result_file.empty())
    return fail(ErrorKind::kUsage, "--result: the name of the file is empty");
  for (const std::string& device : given.devices)
    machine.devices.push_back(KITE_TRY(parse_device(device)));
  if (has("--firmware") && machine.firmware.empty())
    return fail(ErrorKind::kUsage, "--firmware: the name of the file is empty");
  for (const std::string& text : given.disks)
    machine.disks.push_back(KITE_TRY(named("--disk", parse_disk(text))));
  if (!has("--machine") && !machine.firmware.empty()) machine.machine = kPcBoard;
  machine.expect = given.expect;
  machine.fail_on = given.fail_on;
  return {};
}

// CLI11 shows an operand it does not itself insist on as "[KERNEL]".
std::string help_of(const CLI::App& app) {
  std::string help = app.help();
  constexpr std::string_view kOptional = "[KERNEL]";
  if (const auto at = help.find(kOptional); at != std::string::npos)
    help.replace(at, kOptional.size(), "KERNEL");
  return help;
}

}  // namespace

Result<RunOptions> parse_run_options(const Words& words) {
  RunOptions options;
  Texts given;
  CLI::App app("Boots a kernel.", "kite run");
  app.footer(kFooter);
  app.get_formatter()->column_width(34);
  add_machine_options(app, options, given);
  add_run_options(app, options, given);
  if (!KITE_TRY(parse_arguments(app, words))) {
    options.help = help_of(app);
    return options;
  }
  KITE_CHECK(convert(app, given, options.machine));
  if (options.machine.kernel.empty() && options.machine.firmware.empty())
    return fail(ErrorKind::kUsage,
                "no kernel given: kite run [OPTIONS] KERNEL (`kite run --help`)");
  return options;
}

}  // namespace kite
