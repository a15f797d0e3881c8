// Outcome: how a run ended, for the exit status, the line on stderr and the result file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "accel/translator_figures.h"
#include "base/result.h"
#include "base/types.h"

namespace kite {

enum class OutcomeKind {
  kPowerOff,     // the guest powered off by itself
  kExpected,     // everything that was --expect'ed appeared
  kExitValue,    // the guest wrote to the exit port
  kPanic,        // pvpanic, or a panic recognised on the console
  kTripleFault,  // a shutdown cycle
  kTimeout,      // the time allowed has passed
  kDeadHalt,     // every vCPU in HLT with interrupts off
  kReset,        // the guest asked for a reset and --no-reboot was given
  kWatchdog,     // a watchdog fired
  kFailOn,       // a --fail-on expression matched
  kNotExpected,  // the guest powered off before everything --expect'ed had appeared
  kHostError,    // the host side failed
  kInterrupted,  // a signal, or the user left
};

struct Outcome {
  OutcomeKind kind = OutcomeKind::kHostError;
  int status = 70;                            // what the program exits with
  std::string reason;                         // one line
  std::optional<u64> rip;                     // the boot processor's
  std::string last_console_line;              // without control sequences
  std::vector<std::string> panic_lines = {};  // what the console said from the panic on
  std::string accelerator;                    // empty if the machine never got that far
  std::optional<bool> kernel_irqchip = {};    // of an accelerator that has the choice
  std::string accelerator_reason;             // why this one
  Nanos started = 0;                          // from create() to the first guest instruction
  Nanos duration = 0;                         // from then to the end
  std::optional<u64> instructions;            // executed, where the engine knows
  unsigned resets = 0;                        // how often the machine started anew
  // How often the accelerator could not execute an instruction, and how many the interpreter
  // executed in its place.
  u64 fall_backs = 0, fall_back_instructions = 0;
  std::optional<TranslatorFigures> translator = {};  // of an accelerator that has one

  // The guest did what it was asked to; nothing needs explaining.
  bool normal() const {
    return kind == OutcomeKind::kPowerOff || kind == OutcomeKind::kExpected ||
           kind == OutcomeKind::kExitValue;
  }
};

// "poweroff", "triple-fault", …: the result file's `outcome`.
std::string_view name_of(OutcomeKind kind);

// The exit status of outcomes that have a fixed one.
int status_of(OutcomeKind kind);

// A host-side failure as an Outcome.
Outcome outcome_of(const Error& error);

// The one line for stderr: why, RIP, last console line.
std::string describe(const Outcome& outcome);

}  // namespace kite
