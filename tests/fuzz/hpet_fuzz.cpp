#include "devices/time/hpet.h"
#include "register_script.h"
#include "timed_script.h"

namespace {

kite::Hpet::Wiring wiring() {
  kite::Hpet::Wiring wires;
  wires.route_mask = 0x00F00004;
  for (kite::Line& route : wires.routes) route = kite::Line([](bool) {});
  return wires;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::fuzz::JumpingClock clock;
  kite::Hpet chip(clock, wiring()), other(clock, wiring());
  // Straight at the comparators, so that most inputs set some going.
  const auto poke = [&](kite::u8 what, kite::u32 value) {
    chip.write(0x100 + 0x20 * (what % 3) + 8 * (what >> 2 & 1), value & 0xFFFF, 8);
    if (what & 8) chip.write(0x10, value >> 16 & 3, 4);
  };
  kite::fuzz::run_timed_script(data, size, {{chip, 0x180}, {chip, kite::Hpet::kSize}}, clock, poke);
  kite::fuzz::move_state(chip, other, data, size);
  kite::fuzz::run_timed_script(data, size, {{other, 0x180}}, clock, poke);
  return 0;
}
