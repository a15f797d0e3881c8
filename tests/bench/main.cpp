// kite_bench: measures Kite on this machine; tests/bench/run builds and runs it.
#include <fmt/format.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include "tests/bench/measurements.h"

namespace kite::bench {
namespace {

constexpr const char* kReport = KITE_SOURCE_DIR "/docs/performance.md";
const std::string kHeading = "## Measured\n";

struct Part {
  const char* name;
  std::string (*measure)(const Options&);
};
constexpr Part kParts[] = {{"boot", measure_boot},
                           {"speed", measure_speed},
                           {"start", measure_start},
                           {"memory", measure_memory},
                           {"processors", measure_processors}};

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

// What stands above the heading in the report is written by hand and stays.
void write_report(const std::string& measured) {
  std::ifstream old(kReport);
  std::stringstream text;
  text << old.rdbuf();
  old.close();
  const std::string above = text.str().substr(0, text.str().find(kHeading));
  std::ofstream(kReport) << above << kHeading << "\n" << measured;
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
    fmt::print(stderr,
               "usage: kite_bench [--rounds N] [--only boot|speed|start|memory|processors] "
               "[--no-write]\n");
    return 64;
  }
  std::string measured = fmt::format("On {}:\n\n{}\n", today(), describe_machine());
  for (const Part& part : kParts) {
    if (options.only.empty() || options.only == part.name) measured += part.measure(options);
  }
  fmt::print("\n{}", measured);
  // A part alone would take the others' figures out of the report.
  if (options.write && options.only.empty()) write_report(measured);
  return 0;
}
