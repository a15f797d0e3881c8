// What interrupts the flow of instructions: exceptions and task switches.
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

}  // namespace kite::tcg
