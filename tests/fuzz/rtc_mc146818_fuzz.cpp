#include "devices/time/rtc_mc146818.h"
#include "register_script.h"

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::ManualClock clock;
  kite::RtcMc146818 chip(kite::Line([](bool) {}), clock, 1'709'164'798);
  kite::RtcMc146818 other(kite::Line(), clock, 0);
  const auto run = [&](kite::RtcMc146818& rtc) {
    kite::fuzz::run_script(data, size, rtc, kite::RtcMc146818::kSize, clock,
                           [&](kite::u8 what, kite::u16 value) {
                             if (what == 0) return rtc.reset();
                             rtc.write(0, value & 0x0f, 1);  // the registers, more often
                             rtc.write(1, value >> 8, 1);
                           });
  };
  run(chip);
  kite::fuzz::move_state(chip, other, data, size);
  run(other);
  return 0;
}
