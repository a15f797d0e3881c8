// The measurements; each returns a section of Markdown.
#pragma once

#include <string>
#include <vector>

namespace kite::bench {

struct Options {
  int rounds = 5;
  std::string only;  // empty: all
  bool write = true;
};

std::string measure_boot(const Options& options);
std::string measure_speed(const Options& options);
std::string measure_exits(const Options& options);
std::string measure_start(const Options& options);
std::string measure_memory(const Options& options);
std::string measure_processors(const Options& options);
std::string measure_programs(const Options& options);

// The machine the figures are from: processor, kernel, compiler.
std::string describe_machine();
// Its processor alone.
std::string describe_processor();

// Prints what failed; the program's exit status is then 1.
void report_failure(const std::string& what);
bool any_failure();

double median(std::vector<double> values);
bool have_qemu();
// `qemu-system-x86_64` with what a test machine needs, and `more`.
std::vector<std::string> qemu(const std::vector<std::string>& more,
                              const std::string& accelerator = "tcg",
                              const std::string& board = "q35");
// "tcg", and "kvm" where this host has it.
std::vector<std::string> accelerators();

}  // namespace kite::bench
