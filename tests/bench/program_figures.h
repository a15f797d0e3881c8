// The figures of the programs that run on the host and in guests, and what is made of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/boot/program_run.h"

namespace kite::bench {

struct Side {
  std::string name;
  std::vector<std::string> words;  // the command
  // Nanoseconds a unit by program, a map for each round.
  std::vector<std::map<std::string, double>> rounds = {};
  std::string clock = {};  // the guest's clock source
};

// The first side is the one that the others are compared with, in figures and in answers.
class ProgramFigures {
 public:
  explicit ProgramFigures(std::vector<Side> sides) : sides_(std::move(sides)) {}

  // Takes the figures of a run, of which there has to be one a side and round. A program whose
  // digest is not the first side's has none, nor has a run whose clock is not the host's.
  void add(std::size_t side, const test::ProgramRun& run);

  const std::vector<Side>& sides() const { return sides_; }
  // Markdown, with what is wanted beside it.
  std::string table() const;
  // An SVG picture of the ratios.
  std::string plot() const;

 private:
  struct Program {
    std::string group, name, unit, digest;
  };

  void add_line(std::size_t side, const std::string& line);
  bool has_good_clock(Side& side, const test::ProgramRun& run) const;
  double time(std::size_t side, const std::string& program) const;
  double ratio(std::size_t side, const std::string& program) const;
  double mean_ratio(std::size_t side, const std::string& group) const;
  std::string row(const Program& program, double goal) const;
  std::vector<double> ratios_of(const std::string& program) const;
  std::vector<double> means_of(const std::string& group) const;

  std::vector<Side> sides_;
  std::vector<Program> programs_;  // in the first side's order
};

}  // namespace kite::bench
