#include "devices/input/i8042.h"
#include "register_script.h"

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::ManualClock clock;
  kite::I8042 chip({}), other({});
  const auto run = [&](kite::I8042& controller) {
    kite::fuzz::run_script(data, size, controller.command_port(), 1, clock,
                           [&](kite::u8 what, kite::u16 value) {
                             if (what & 1) {
                               controller.data_port().read(0, 1);
                             } else {
                               controller.data_port().write(0, value, 1);
                             }
                           });
  };
  run(chip);
  kite::fuzz::move_state(chip, other, data, size);
  run(other);
  return 0;
}
