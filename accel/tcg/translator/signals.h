// FaultSignals: faults of translated code come to the translator, every other one to whoever was
// asked before.
//
// A guest's instruction that faults on the host's processor is a SIGSEGV, SIGBUS or SIGFPE. So is a
// bug of Kite's, and a sanitizer, the command line (which restores the terminal) or a program that
// Kite is a part of may have a handler for that. The handler here asks the thread's claimant; what
// nobody claims, and what was sent by kill(), goes to the handler that was there before, as if it
// had been called by the host: with its mask and SA_RESETHAND, but on the alternate stack. Where
// none was there the process dies of the signal, at the instruction.
//
// Whoever installs a handler of these signals later must pass on what is not its own.
#pragma once

#include "base/types.h"

namespace kite::tcg {

class FaultSignals {
 public:
  // Says whether a fault at the host instruction `pc` is the claimant's own, and where the thread
  // goes on; null: it is not. Runs inside the handler, on the thread that faulted: only what is
  // async-signal-safe. Every register but the program counter stays as the instruction found it.
  using Claim = const u8* (*)(void* context, const u8* pc, int signal);

  // For the process and for good; a second call does nothing. Any thread.
  static void install();

  // This thread has a claimant as long as the object lives, and an alternate stack from now on:
  // translated code may use the stack pointer as it likes. Calls install(). Where one claimant is
  // made within another the inner one is asked, alone.
  class Claimant {
   public:
    Claimant(void* context, Claim claim);
    ~Claimant();
    Claimant(const Claimant&) = delete;
    Claimant& operator=(const Claimant&) = delete;

   private:
    const Claim outer_claim_;
    void* const outer_context_;
  };
};

}  // namespace kite::tcg
