// Instructions per second by class of work, from inside a guest.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "tests/bench/measurements.h"
#include "tests/boot/program_run.h"

namespace kite::bench {
namespace {

struct Table {
  std::vector<std::string> classes;  // in the guest's order
  std::map<std::string, std::string> units;
  std::vector<std::string> columns;
  std::map<std::string, std::map<std::string, double>> millions;  // by column, class
};

void add_column(Table& table, const std::string& column, const std::vector<std::string>& words) {
  const test::ProgramRun run = test::run_program(words, 120);
  std::istringstream lines(run.out);
  table.columns.push_back(column);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find('|'), second = line.find('|', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string name = line.substr(0, first);
    if (!table.units.count(name)) table.classes.push_back(name);
    table.units[name] = line.substr(second + 1, line.find('\r') - second - 1);
    table.millions[column][name] = std::atof(line.c_str() + first + 1) / 100;
    fmt::print("speed: {:12} {:20} {:10.2f} million {}\n", column, name,
               table.millions[column][name], table.units[name]);
  }
  if (run.out.find("end") == run.out.npos) fmt::print("{}: FAILED\n{}\n", column, run.err);
  std::fflush(stdout);
}

}  // namespace

std::string measure_speed(const Options&) {
  const std::string image = KITE_BENCH_GUESTS "/workloads.elf";
  Table table;
  for (const std::string& accelerator : accelerators()) {
    add_column(table, "Kite, " + accelerator,
               {KITE_PROGRAM, "run", "--accel", accelerator, "--memory", "64M", "--timeout", "100",
                image});
  }
  if (have_qemu()) add_column(table, "QEMU, tcg", qemu({"-cpu", "max", "-kernel", image}));
  std::string text =
      "### Speed by class of work\n\nMillions a second, by a guest's own clock.\n\n|";
  std::string rule = "|---|---|";
  text += " class | of |";
  for (const std::string& column : table.columns) {
    text += " " + column + " |";
    rule += "---|";
  }
  text += "\n" + rule + "\n";
  for (const std::string& name : table.classes) {
    text += "| " + name + " | " + table.units[name] + " |";
    for (const std::string& column : table.columns) {
      const auto& values = table.millions[column];
      const auto at = values.find(name);
      text += at == values.end() ? " – |" : fmt::format(" {:.2f} |", at->second);
    }
    text += "\n";
  }
  return text +
         "\nWanted of the interpreter: at least 100 million integer instructions a second.\n\n";
}

}  // namespace kite::bench
