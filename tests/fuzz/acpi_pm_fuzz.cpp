#include "devices/platform/acpi_pm.h"
#include "register_script.h"

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  using kite::AcpiPm;
  kite::ManualClock clock;
  AcpiPm chip(kite::Line([](bool) {}), clock, AcpiPm::TimerWidth::k24, [](kite::u8) {});
  AcpiPm other(kite::Line(), clock, AcpiPm::TimerWidth::k24, {});
  const auto run = [&](AcpiPm& pm) {
    kite::fuzz::run_script(data, size, pm, AcpiPm::kSize, clock,
                           [&](kite::u8 what, kite::u16 value) {
                             if (what == 0) return pm.reset();
                             what & 1 ? pm.press_power_button() : pm.raise_gpe(value & 31);
                           });
  };
  run(chip);
  kite::fuzz::move_state(chip, other, data, size);
  run(other);
  return 0;
}
