#include "devices/irq/pic_8259.h"
#include "register_script.h"
#include "timed_script.h"

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::fuzz::JumpingClock clock;
  bool intr = false;
  kite::Pic8259Pair chip(kite::Line([&](bool level) { intr = level; })), other{kite::Line()};
  kite::fuzz::run_timed_script(
      data, size, {{chip.master_ports(), 2}, {chip.slave_ports(), 2}, {chip.elcr_ports(), 2}},
      clock, [&](kite::u8 line, kite::u32 value) {
        if (value & 2) {
          chip.acknowledge();
        } else {
          chip.set_irq(line, value & 1);
        }
        if (chip.pending() != intr) __builtin_trap();
      });
  kite::fuzz::move_state(chip, other, data, size);
  for (int i = 0; i < 64 && other.pending(); ++i) other.acknowledge();
  return 0;
}
