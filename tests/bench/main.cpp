// kite_bench: measures Kite on this machine; tests/bench/run builds and runs it.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/paths.h"

namespace kite::bench {
namespace {

const std::string kReport = std::string(paths::kSource) + "/docs/performance.md";
const std::string kHeading = "## Measured\n";

struct Part {
  const char* name;
  std::string (*measure)(const Options&);
};
constexpr Part kParts[] = {{"boot", measure_boot},        {"speed", measure_speed},
                           {"exits", measure_exits},      {"start", measure_start},
                           {"memory", measure_memory},    {"processors", measure_processors},
                           {"programs", measure_programs}};

bool parse(int count, char** words, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--no-write")
      options.write = false;
    else if (word == "--rounds" && i + 1 < count)
      options.rounds = std::atoi(words[++i]);
    else if (word == "--only" && i + 1 < count)
      options.only = words[++i];
    else
      return false;
  }
  return options.rounds > 0;
}

// The report below its heading: what comes before the first section, and the sections.
struct Report {
  std::string above, preamble;
  std::vector<std::string> sections;  // each begins with its "### " line
};

Report read_report() {
  std::ifstream file(kReport);
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  const auto heading = all.find(kHeading);
  Report report{all.substr(0, heading), "", {}};
  if (heading == all.npos) return report;
  std::istringstream lines(all.substr(heading + kHeading.size()));
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("### ", 0) == 0) report.sections.emplace_back();
    (report.sections.empty() ? report.preamble : report.sections.back()) += line + "\n";
  }
  return report;
}

std::string title_of(const std::string& section) {
  return section.substr(0, section.find('\n'));
}

// A section takes the place of the one of its title; all others, those written by hand too, stay.
void write_report(const std::vector<std::string>& measured, const std::string& preamble) {
  Report report = read_report();
  if (!preamble.empty()) report.preamble = "\n" + preamble + "\n";
  for (const std::string& section : measured) {
    const auto old = std::find_if(
        report.sections.begin(), report.sections.end(),
        [&](const std::string& other) { return title_of(other) == title_of(section); });
    if (old != report.sections.end())
      *old = section;
    else
      report.sections.push_back(section);
  }
  std::ofstream file(kReport);
  file << report.above << kHeading << report.preamble;
  for (std::size_t i = 0; i < report.sections.size(); ++i) {
    std::string& section = report.sections[i];
    section.erase(section.find_last_not_of('\n') + 1);
    file << section << (i + 1 < report.sections.size() ? "\n\n" : "\n");
  }
}

std::string today() {
  char text[16];
  const std::time_t now = std::time(nullptr);
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

}  // namespace
}  // namespace kite::bench

int main(int count, char** words) {
  using namespace kite::bench;
  Options options;
  if (!parse(count, words, options)) {
    fmt::print(
        stderr,
        "usage: kite_bench [--rounds N] [--only boot|speed|exits|start|memory|processors|programs] "
        "[--no-write]\n");
    return 64;
  }
  const std::string preamble = fmt::format("On {}:\n\n{}", today(), describe_machine());
  std::vector<std::string> measured;
  for (const Part& part : kParts)
    if (options.only.empty() || options.only == part.name)
      measured.push_back(part.measure(options));
  if (!options.only.empty())  // the preamble speaks of another day
    for (std::string& section : measured)
      section += fmt::format("(On {}, {}.)\n", today(), describe_processor());
  fmt::print("\n{}\n", preamble);
  for (const std::string& section : measured) fmt::print("{}", section);
  if (options.write) write_report(measured, options.only.empty() ? preamble : "");
  return any_failure() ? 1 : 0;
}
