// AcpiPm: the ACPI fixed hardware: PM1a event and control blocks, power management timer, GPE0.
#pragma once

#include <functional>
#include <mutex>

#include "base/clock.h"
#include "base/line.h"
#include "devices/device.h"
#include "memory/region.h"

namespace kite {

// ACPI 6.5 section 4.8. One block of registers; the offsets below are what the FADT is told. The
// machine is always in ACPI mode (SCI_EN reads 1), so the FADT names no SMI command port.
// Asleep is the chip from SLP_EN with kSuspendToRam until an event that the guest has enabled, or
// reset.
class AcpiPm : public Device, public IoHandler {
 public:
  static constexpr u64 kPm1aEvent = 0;    // 4 bytes: PM1_STS, PM1_EN
  static constexpr u64 kPm1aControl = 4;  // 2 bytes: PM1_CNT
  static constexpr u64 kPmTimer = 8;      // 4 bytes: PM_TMR
  static constexpr u64 kGpe0 = 12;        // 4 bytes: GPE0_STS, GPE0_EN, two bytes each
  static constexpr u64 kSize = 16;
  static constexpr u64 kTimerHz = 3'579'545;

  enum class TimerWidth : u8 { k24 = 24, k32 = 32 };

  // SLP_TYP of suspend to RAM, the PIIX4's (82371AB 7.2.3, SUS_TYP).
  static constexpr u8 kSuspendToRam = 1;

  // `on_sleep` is told SLP_TYP when the guest sets SLP_EN, `on_wake` that a sleep shall end. Both
  // are called without the chip's lock.
  AcpiPm(Line sci, Clock& clock, TimerWidth width, std::function<void(u8 sleep_type)> on_sleep,
         std::function<void()> on_wake = {});

  void press_power_button();
  void press_sleep_button();
  void raise_gpe(unsigned number);  // 0 to 15
  void set_rtc(bool level);         // the real-time clock's interrupt request

  std::string_view name() const override { return "acpi_pm"; }
  void reset() override;
  void reset_after_sleep() override;  // what has happened stays in the status, and WAK_STS is set
  void transfer(Archive& archive) override;
  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, u64 value, unsigned size) override;

 private:
  u32 ticks(Nanos now) const;
  u64 full_ticks(Nanos now) const;
  void catch_up(Nanos now);
  void update(Nanos now);
  void happen(u16 event);
  void fall_asleep();
  bool wakes_now();
  u8 read_byte(u64 offset, u32 ticks) const;
  bool write_byte(u64 offset, u8 value);  // true: the guest goes to sleep

  Line sci_;
  TimerWidth width_;
  std::function<void(u8)> on_sleep_;
  std::function<void()> on_wake_;
  Clock& clock_;
  std::mutex mutex_;  // guards everything below
  u16 status_ = 0;
  u16 enable_ = 0;
  u16 control_ = 0;
  u16 gpe_status_ = 0;
  u16 gpe_enable_ = 0;
  Nanos start_;  // when the timer stood at 0
  Nanos seen_;   // TMR_STS is up to date until here
  bool level_ = false;
  bool asleep_ = false;
  Timer timer_;
};

}  // namespace kite
