// The cost of an exit to user space under KVM, in Kite and in QEMU, with the same guest program.
#include <fmt/format.h>

#include <algorithm>
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
  std::vector<std::string> words;                           // the command
  std::map<std::string, std::vector<double>> microseconds;  // by class, one value a round
};

void run_once(std::vector<std::string>& classes, Column& column) {
  const test::ProgramRun run = test::run_program(column.words, 120);
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find('|');
    if (first == line.npos || line.find("|exits") == line.npos) continue;
    const std::string name = line.substr(0, first);
    if (std::find(classes.begin(), classes.end(), name) == classes.end()) classes.push_back(name);
    column.microseconds[name].push_back(std::atof(line.c_str() + first + 1) / 100);
    fmt::print("exits: {:34} {:16} {:8.2f} us\n", column.name, name,
               column.microseconds[name].back());
  }
  if (run.out.find("end") == run.out.npos) fmt::print("{}: FAILED\n{}\n", column.name, run.err);
  std::fflush(stdout);
}

// Of each round's own, since a loaded host changes between rounds.
std::string ratio(const Column& ours, const Column& theirs, const std::string& name) {
  const auto mine = ours.microseconds.find(name), other = theirs.microseconds.find(name);
  if (mine == ours.microseconds.end() || other == theirs.microseconds.end()) return " – |";
  std::vector<double> ratios;
  for (std::size_t i = 0; i < std::min(mine->second.size(), other->second.size()); ++i)
    ratios.push_back(mine->second[i] / other->second[i]);
  return fmt::format(" {:.2f} |", median(ratios));
}

std::string markdown(const std::vector<std::string>& classes, const std::vector<Column>& columns) {
  std::string text = "| |", rule = "|---|";
  for (const Column& column : columns) text += " " + column.name + " |", rule += "---|";
  const bool compared = columns.size() % 2 == 0 && have_qemu();
  if (compared)
    for (std::size_t i = 0; i < columns.size() / 2; ++i)
      text += fmt::format(" ratio{} |", i == 0 ? "" : ", split"), rule += "---|";
  text += "\n" + rule + "\n";
  for (const std::string& name : classes) {
    text += "| " + name + " |";
    for (const Column& column : columns) {
      const auto at = column.microseconds.find(name);
      text +=
          at == column.microseconds.end() ? " – |" : fmt::format(" {:.2f} |", median(at->second));
    }
    if (compared)
      for (std::size_t i = 0; i + 1 < columns.size(); i += 2)
        text += ratio(columns[i], columns[i + 1], name);
    text += "\n";
  }
  return text;
}

}  // namespace

std::string measure_exits(const Options& options) {
  std::string text = "### Exits\n\n";
  if (accelerators().back() != "kvm") return text + "Not measured: no KVM here.\n\n";
  const std::string image = std::string(paths::kBenchGuests) + "/exits.elf";
  std::vector<Column> columns;
  for (const char* chips : {"on", "off"}) {
    const std::string where = std::string(chips) == "on" ? "chips in KVM" : "chips outside";
    columns.push_back({"Kite, " + where,
                       {paths::kProgram, "run", "--accel", fmt::format("kvm,kernel-irqchip={}", chips),
                        "--memory", "64M", "--timeout", "100", image},
                       {}});
    if (have_qemu())
      columns.push_back({"QEMU, " + where,
                         qemu({"-cpu", "kvm64", "-kernel", image},
                              fmt::format("kvm,kernel-irqchip={}", chips), "pc"),
                         {}});
  }
  std::vector<std::string> classes;
  for (int round = 0; round < options.rounds; ++round)
    for (Column& column : columns) run_once(classes, column);
  return text +
         fmt::format(
             "Microseconds that an access takes which KVM leaves to the program, the loop "
             "around it included, by a guest's own clock; medians of {} runs in turns, "
             "and of the ratios within each turn. QEMU has -M pc -cpu kvm64.\n\n",
             options.rounds) +
         markdown(classes, columns) + "\nWanted: a ratio of at most 1.0.\n\n";
}

}  // namespace kite::bench
