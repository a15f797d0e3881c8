// What interrupts the flow of instructions: exceptions, task switches, and what a processor is to
// look at between two blocks.
#pragma once

#include "accel/x86/state.h"
#include "base/types.h"

namespace kite::tcg {

// An exception or software interrupt on its way into the guest.
struct Fault {
  enum class Kind : u8 {
    kFault,              // RIP points at the instruction that caused it
    kTrap,               // RIP points behind it (#DB of a single step, #BP, #OF)
    kSoftwareInterrupt,  // INT n: RIP behind it, gate DPL checked
    kExternal,           // an interrupt or NMI, between instructions
    kBarred,             // no fault of the guest's: Cpu::bar()
  };
  u8 vector = 0;
  Kind kind = Kind::kFault;
  bool has_error_code = false;
  u32 error_code = 0;
};

// What brings another task (SDM 3A 7.3). kReturn is IRET with RFLAGS.NT.
enum class TaskCause : u8 { kJump, kCall, kReturn, kEvent };
// How a task switch ended. kFaulted: the new task's registers are loaded, and Cpu::fault (a segment
// of the new task, or the debug trap its TSS asks for) is to be delivered at its first instruction.
enum class TaskSwitch : u8 { kRefused, kFaulted, kDone };

// A stack that is written to before it becomes the processor's.
struct NewStack {
  Segment ss;
  u64 rsp = 0;
  u8 level = 0;        // CPL that will use it
  bool is_64 = false;  // of 64-bit code: flat
};

// Reasons to look up from guest code at the next block (Cpu::attention).
enum Attention : u32 {
  kAttendKick = 1,       // run() is to return
  kAttendInterrupt = 2,  // the interrupt port may have something
  kAttendNmi = 4,
  kAttendInit = 8,
  kAttendSipi = 16,
  kAttendTrap =
      32,  // the guest's own doing: TF, interrupt shadow, breakpoints: blocks of one instruction
  kAttendHalt = 64,       // HLT was executed
  kAttendShutdown = 128,  // triple fault
  kAttendMemory = 256,    // the memory map has changed
  kAttendCode = 512,      // CodeMap has news
  kAttendGate = 1024,     // another processor wants to be alone
};

}  // namespace kite::tcg
