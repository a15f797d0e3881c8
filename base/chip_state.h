// The registers of a PC's interrupt controllers and of its 8254, as plain data: what is handed over
// when an accelerator's own chips take the machine's place or give it back.
#pragma once

#include <array>
#include <optional>

#include "base/types.h"

namespace kite {

// A local APIC (SDM 3A chapter 11).
struct LocalApicState {
  static constexpr std::size_t kRegisters = 64;
  // As an xAPIC page shows them, by offset / 16. The ID is in bits 31:24, in x2APIC mode in all 32;
  // the current count tells how far the timer has come; 0 beside an initial count is one that has
  // run out.
  std::array<u32, kRegisters> registers = {};
  u64 apic_base = 0;     // IA32_APIC_BASE
  u64 tsc_deadline = 0;  // IA32_TSC_DEADLINE, in the guest's ticks; 0: not armed
  bool operator==(const LocalApicState&) const = default;
};

// One 8259A (Intel data sheet 231468).
struct Pic8259State {
  u8 lines = 0;  // the IR inputs' levels
  u8 irr = 0;
  u8 isr = 0;
  u8 imr = 0;
  u8 elcr = 0;  // EISA's edge/level control: 1 is level
  u8 vector_base = 0;
  u8 lowest = 7;    // the IR with the lowest priority
  u8 next_icw = 0;  // 2, 3 or 4 while being initialized, else 0
  bool needs_icw4 = false;
  bool auto_eoi = false;
  bool rotate_on_auto_eoi = false;
  bool special_fully_nested = false;
  bool special_mask = false;
  bool read_isr = false;
  bool polled = false;
  bool operator==(const Pic8259State&) const = default;
};

// The 82093AA I/O APIC.
struct IoApicState {
  static constexpr std::size_t kInputs = 24;
  u8 select = 0;                              // IOREGSEL
  u8 id = 0;                                  // bits 27:24 of the ID register
  std::array<u64, kInputs> redirection = {};  // with the remote IRR bits
  bool operator==(const IoApicState&) const = default;
};

// One counter of the 8254 (Intel data sheet 231164).
struct PitCounterState {
  u8 control = 0x30;  // RW1 RW0 M2 M1 M0 BCD
  bool gate = true;
  u32 count = 0;  // what it was loaded with, 1 to 65536; 0: nothing since the control word
  std::optional<u64> elapsed;  // CLK pulses since then; none: not known
  bool write_high = false;     // the next byte written, or read, is the upper one
  bool read_high = false;
  u8 low_byte = 0;  // written, while the upper one is awaited
  bool count_latched = false;
  bool status_latched = false;
  u16 count_latch = 0;
  u8 status_latch = 0;
  bool operator==(const PitCounterState&) const = default;
};

struct ChipStates {
  std::array<Pic8259State, 2> pic;  // master, slave
  IoApicState io_apic;
  std::array<PitCounterState, 3> pit;
  bool speaker = false;        // port 61h bit 1
  bool hpet_replaces = false;  // "legacy replacement": the 8254 and the RTC are off IRQ 0 and 8
};

}  // namespace kite
