// Instructions per second by class of work, from inside a guest.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "tests/bench/measurements.h"
#include "tests/boot/program_run.h"
#include "tests/paths.h"

namespace kite::bench {
namespace {

struct Column {
  std::string name;
  std::vector<std::string> words;                       // the command
  std::map<std::string, std::vector<double>> millions;  // by class, one value a round
};

struct Table {
  std::vector<std::string> classes;  // in the guest's order
  std::map<std::string, std::string> units;
  std::vector<Column> columns;
};

void run_once(Table& table, Column& column) {
  const test::ProgramRun run = test::run_program(column.words, 120);
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find('|'), second = line.find('|', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string name = line.substr(0, first);
    if (!table.units.count(name)) table.classes.push_back(name);
    table.units[name] = line.substr(second + 1, line.find('\r') - second - 1);
    column.millions[name].push_back(std::atof(line.c_str() + first + 1) / 100);
    fmt::print("speed: {:12} {:20} {:10.2f} million {}\n", column.name, name,
               column.millions[name].back(), table.units[name]);
  }
  if (run.out.find("end") == run.out.npos) fmt::print("{}: FAILED\n{}\n", column.name, run.err);
  std::fflush(stdout);
}

std::string markdown(const Table& table) {
  std::string text = "| class | of |", rule = "|---|---|";
  for (const Column& column : table.columns) {
    text += " " + column.name + " |";
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (const std::string& name : table.classes) {
    text += "| " + name + " | " + table.units.at(name) + " |";
    for (const Column& column : table.columns) {
      const auto at = column.millions.find(name);
      text += at == column.millions.end() ? " – |" : fmt::format(" {:.2f} |", median(at->second));
    }
    text += "\n";
  }
  return text;
}

}  // namespace

std::string measure_speed(const Options& options) {
  const std::string image = std::string(paths::kBenchGuests) + "/workloads.elf";
  Table table;
  for (const std::string& accelerator : accelerators())
    table.columns.push_back({"Kite, " + accelerator,
                             {paths::kProgram, "run", "--accel", accelerator, "--memory", "64M",
                              "--timeout", "100", image},
                             {}});
  if (have_qemu())
    table.columns.push_back({"QEMU, tcg", qemu({"-cpu", "max", "-kernel", image}), {}});
  for (int round = 0; round < options.rounds; ++round)
    for (Column& column : table.columns) run_once(table, column);
  return fmt::format(
             "### Speed by class of work\n\nMillions a second, by a guest's own clock; medians of "
             "{} "
             "runs in turns.\n\n",
             options.rounds) +
         markdown(table) +
         "\nWanted of the interpreter: at least 100 million integer instructions a second.\n\n";
}

}  // namespace kite::bench
