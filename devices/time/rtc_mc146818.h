// RtcMc146818: the MC146818 real-time clock with 128 bytes of battery-backed RAM (ports 70h, 71h).
#pragma once

#include <array>
#include <mutex>

#include "base/clock.h"
#include "base/line.h"
#include "devices/byte_registers.h"
#include "devices/device.h"

namespace kite {

// Register and bit names are the MC146818 data sheet's; the century in byte 32h follows the PC
// (FADT's CENTURY field). Two byte registers: index (write-only, bit 7 is the board's NMI mask) and
// data.
class RtcMc146818 : public Device, public ByteRegisters {
 public:
  static constexpr u64 kSize = 2;
  static constexpr u8 kCenturyIndex = 0x32;

  // `base` is the time of day when the clock stood at `clock.now()`, in seconds since 1970-01-01
  // 00:00 in the zone the guest expects (UTC, usually).
  RtcMc146818(Line irq, Clock& clock, i64 base);

  // The battery-backed bytes beside the clock (0Eh-7Fh less the century); others are ignored.
  void set_nvram(u8 index, u8 value);
  u8 nvram(u8 index);

  // Bit 7 of the index port: the board keeps NMI from the processor.
  bool nmi_masked();

  std::string_view name() const override { return "rtc_mc146818"; }
  void reset() override;  // RESET#: time, alarm and RAM stay
  void transfer(Archive& archive) override;

 protected:
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;

 private:
  u8 read_data();
  void write_data(u8 value);
  void write_register_a(u8 value);
  void write_register_b(u8 value);
  void write_time(u8 index, u8 value);
  u8 read_register_a() const;
  u8 read_register_c();

  bool divider_reset() const;
  bool halted() const;  // SET, or the divider held in reset
  i64 seconds_at(Nanos now) const;
  Nanos second_start(i64 second) const;
  u64 periodic_count(Nanos now) const;
  Nanos next_periodic(Nanos now) const;
  i64 next_alarm(i64 after) const;
  void fields_from_time(i64 second);
  i64 time_from_fields();
  u8 encode(unsigned value) const;
  unsigned decode(u8 value) const;
  u8 encode_hour(unsigned hour) const;
  unsigned decode_hour(u8 value) const;
  void start(Nanos now);
  void catch_up(Nanos now);
  void update(Nanos now);

  Line irq_;
  Clock& clock_;
  std::mutex mutex_;  // guards everything below
  u8 index_ = 0;
  std::array<u8, 128> ram_{};
  i64 base_seconds_;     // the time of day …
  Nanos base_time_;      // … at this moment of the clock
  Nanos periodic_base_;  // a moment at which the periodic divider ticked
  Nanos seen_;           // flags are up to date until here
  u8 weekday_skew_ = 0;  // the guest's day of the week, less the calendar's
  bool level_ = false;   // of IRQ, asserted
  Timer timer_;
};

}  // namespace kite
