#include "tests/bench/program_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <sstream>

#include "tests/bench/bars.h"
#include "tests/bench/measurements.h"

namespace kite::bench {
namespace {

// What is wanted of Kite, in times of native: of each program, or of the group's geometric mean.
struct Goal {
  const char* group;
  double ratio;  // 0: nothing, the figure is told
  bool of_mean;
};
constexpr Goal kGoals[] = {{"integer", 2.2, true}, {"vector", 3, false}, {"scalar", 2, false},
                           {"x87", 0, false},      {"fill", 1.3, false}, {"kernel", 0, false},
                           {"process", 4, false}};

// Clocks of which the kernel can tell nanoseconds; the others count ticks.
const std::set<std::string> kClocks = {"tsc", "kvm-clock", "hpet", "acpi_pm"};

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream text(line.substr(0, line.find('\r')));
  for (std::string word; std::getline(text, word, '|');) words.push_back(word);
  return words;
}

std::string in_words(double nanoseconds) {
  if (nanoseconds <= 0) return "–";
  if (nanoseconds < 1e3) return fmt::format("{:.3g} ns", nanoseconds);
  if (nanoseconds < 1e6) return fmt::format("{:.3g} µs", nanoseconds / 1e3);
  return fmt::format("{:.3g} ms", nanoseconds / 1e6);
}

// The goal is Kite's, whose is the first of the ratios.
std::string columns(const std::vector<double>& values, double goal) {
  std::string text;
  for (double value : values) text += value > 0 ? fmt::format(" {:.2f} |", value) : " – |";
  if (goal <= 0) return text + " |\n";
  if (values.front() <= 0) return text + fmt::format(" {} |\n", goal);
  return text + fmt::format(" {}{} |\n", goal, values.front() > goal ? ", **missed**" : "");
}

}  // namespace

// By the host's watch: from the first line to the last, which bring the guest's own figure.
bool ProgramFigures::has_good_clock(Side& side, const test::ProgramRun& run) const {
  const std::size_t at = run.out.find("end|");
  if (at == run.out.npos) return false;
  const std::string line = run.out.substr(at, run.out.find_first_of("\r\n", at) - at);
  const std::vector<std::string> words = split(line);
  if (words.size() != 3) return false;
  side.clock = words[1];
  const double its = std::atof(words[2].c_str());
  const double ours = run.arrival_of(line) - run.arrival_of("begin");
  const bool good = std::abs(its - ours) < 0.02 * ours + 0.1 &&
                    (&side == &sides_.front() || kClocks.count(side.clock));
  if (!good)
    fmt::print("{}: its clock, {}, says {:.2f} s, the host's {:.2f} s\n", side.name, side.clock,
               its, ours);
  return good;
}

void ProgramFigures::add(std::size_t side, const test::ProgramRun& run) {
  sides_[side].rounds.emplace_back();
  if (run.status != 0 || !has_good_clock(sides_[side], run)) {
    report_failure(fmt::format("programs: {}: status {}, no end or no clock to trust\n{}\n{}",
                               sides_[side].name, run.status, run.out, run.err));
    return;
  }
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) add_line(side, line);
}

void ProgramFigures::add_line(std::size_t side, const std::string& line) {
  const std::vector<std::string> words = split(line);
  if (words.size() != 6 || words[0] != "program") return;
  const Program program{words[1], words[2], words[4], words[5]};
  const double nanoseconds = std::atof(words[3].c_str());
  const auto known = std::find_if(programs_.begin(), programs_.end(),
                                  [&](const Program& other) { return other.name == program.name; });
  fmt::print("programs: {:18} {:20} {:>9} {}\n", sides_[side].name, program.name,
             in_words(nanoseconds), program.unit);
  std::fflush(stdout);
  if (std::strtoull(program.digest.c_str(), nullptr, 16) == 0 ||
      (known != programs_.end() && known->digest != program.digest)) {
    report_failure(fmt::format("programs: {}: {}: a wrong answer, {}", sides_[side].name,
                               program.name, program.digest));
    return;
  }
  if (known == programs_.end()) programs_.push_back(program);
  sides_[side].rounds.back()[program.name] = nanoseconds;
}

double ProgramFigures::time(std::size_t side, const std::string& program) const {
  std::vector<double> times;
  for (const auto& round : sides_[side].rounds)
    if (round.count(program)) times.push_back(round.at(program));
  return median(times);
}

// Within a round, since a loaded host changes between rounds.
double ProgramFigures::ratio(std::size_t side, const std::string& program) const {
  std::vector<double> values;
  const auto& base = sides_.front().rounds;
  const auto& rounds = sides_[side].rounds;
  for (std::size_t i = 0; i < std::min(base.size(), rounds.size()); ++i)
    if (base[i].count(program) && rounds[i].count(program))
      values.push_back(rounds[i].at(program) / base[i].at(program));
  return median(values);
}

double ProgramFigures::mean_ratio(std::size_t side, const std::string& group) const {
  double sum = 0;
  int count = 0;
  for (const Program& program : programs_) {
    if (program.group != group) continue;
    const double value = ratio(side, program.name);
    if (value <= 0) return 0;  // one is missing, and the mean says nothing
    sum += std::log(value);
    ++count;
  }
  return count ? std::exp(sum / count) : 0;
}

std::vector<double> ProgramFigures::ratios_of(const std::string& program) const {
  std::vector<double> values;
  for (std::size_t side = 1; side < sides_.size(); ++side) values.push_back(ratio(side, program));
  return values;
}

std::vector<double> ProgramFigures::means_of(const std::string& group) const {
  std::vector<double> values;
  for (std::size_t side = 1; side < sides_.size(); ++side)
    values.push_back(mean_ratio(side, group));
  return values;
}

std::string ProgramFigures::row(const Program& program, double goal) const {
  std::string text = fmt::format("| {} | {} |", program.name, program.unit);
  for (std::size_t side = 0; side < sides_.size(); ++side)
    text += fmt::format(" {} |", in_words(time(side, program.name)));
  return text + columns(ratios_of(program.name), goal);
}

std::string ProgramFigures::table() const {
  std::string text = "| | a |", rule = "|---|---|";
  for (const Side& side : sides_) text += fmt::format(" {} |", side.name), rule += "---|";
  for (std::size_t side = 1; side < sides_.size(); ++side)
    text += fmt::format(" {} / {} |", sides_[side].name, sides_[0].name), rule += "---|";
  text += fmt::format(" wanted |\n{}---|\n", rule);
  for (const Goal& goal : kGoals) {
    for (const Program& program : programs_)
      if (program.group == goal.group) text += row(program, goal.of_mean ? 0 : goal.ratio);
    if (!goal.of_mean) continue;
    text += fmt::format("| {}: geometric mean | |", goal.group);
    for (std::size_t side = 0; side < sides_.size(); ++side) text += " |";
    text += columns(means_of(goal.group), goal.ratio);
  }
  return text;
}

std::string ProgramFigures::plot() const {
  Bars bars{fmt::format("Time, in times of {}", sides_[0].name), {}, {}};
  for (std::size_t side = 1; side < sides_.size(); ++side) bars.series.push_back(sides_[side].name);
  for (const Goal& goal : kGoals) {
    for (const Program& program : programs_)
      if (program.group == goal.group)
        bars.rows.push_back({program.name, ratios_of(program.name), goal.of_mean ? 0 : goal.ratio});
    if (goal.of_mean)
      bars.rows.push_back({std::string(goal.group) + ": mean", means_of(goal.group), goal.ratio});
  }
  return to_svg(bars);
}

}  // namespace kite::bench
