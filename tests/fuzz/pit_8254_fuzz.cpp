#include "devices/time/pit_8254.h"
#include "register_script.h"
#include "timed_script.h"

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::fuzz::JumpingClock clock;
  kite::Pit8254 chip(clock, kite::Line([](bool) {})), other(clock, kite::Line([](bool) {}));
  const auto poke = [&](kite::u8 port, kite::u32 value) {
    chip.write(port & 3, value & 0xFF, 1);
    chip.read(value >> 8 & 3, 1);
  };
  kite::fuzz::run_timed_script(data, size, {{chip, 4}, {chip.port_61(), 1}}, clock, poke);
  kite::fuzz::move_state(chip, other, data, size);
  kite::fuzz::run_timed_script(data, size, {{other, 4}, {other.port_61(), 1}}, clock, poke);
  return 0;
}
