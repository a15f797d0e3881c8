#include "machine/outcome.h"

#include <array>

namespace kite {
namespace {

struct OutcomeName {
  OutcomeKind kind;
  std::string_view name;  // in the result file
  int status;             // of the program; host errors, signals and exit values have their own
};

constexpr std::array<OutcomeName, 13> kOutcomes = {{
    {OutcomeKind::kPowerOff, "poweroff", 0},
    {OutcomeKind::kExpected, "expected", 0},
    {OutcomeKind::kExitValue, "exit-value", 1},
    {OutcomeKind::kPanic, "panic", 100},
    {OutcomeKind::kTripleFault, "triple-fault", 101},
    {OutcomeKind::kTimeout, "timeout", 102},
    {OutcomeKind::kDeadHalt, "dead-halt", 103},
    {OutcomeKind::kReset, "reset", 104},
    {OutcomeKind::kWatchdog, "watchdog", 105},
    {OutcomeKind::kFailOn, "fail-on", 106},
    {OutcomeKind::kNotExpected, "not-expected", 107},
    {OutcomeKind::kHostError, "host-error", 70},
    {OutcomeKind::kInterrupted, "interrupted", 130},
}};

const OutcomeName& entry(OutcomeKind kind) {
  for (const OutcomeName& one : kOutcomes) {
    if (one.kind == kind) return one;
  }
  return kOutcomes[11];
}

}  // namespace

std::string_view name_of(OutcomeKind kind) {
  return entry(kind).name;
}

int status_of(OutcomeKind kind) {
  return entry(kind).status;
}

Outcome outcome_of(const Error& error) {
  Outcome outcome;
  outcome.kind = OutcomeKind::kHostError;
  outcome.status = static_cast<int>(error.kind);
  outcome.reason = error.message;
  return outcome;
}

std::string describe(const Outcome& outcome) {
  std::string line = outcome.reason;
  if (outcome.rip) line += fmt::format("; rip {:#x}", *outcome.rip);
  if (!outcome.last_console_line.empty()) {
    line += fmt::format("; last console line: {}", outcome.last_console_line);
  }
  return line;
}

}  // namespace kite
