#include "devices/time/rtc_mc146818.h"

#include <algorithm>
#include <chrono>

namespace kite {

namespace {

// MC146818 data sheet, figure 12: the address map.
enum : u8 {
  kSeconds,
  kSecondsAlarm,
  kMinutes,
  kMinutesAlarm,
  kHours,
  kHoursAlarm,
  kDayOfWeek,
  kDayOfMonth,
  kMonth,
  kYear,
  kRegisterA,
  kRegisterB,
  kRegisterC,
  kRegisterD,
};

constexpr u8 kUip = 0x80;        // register A
constexpr u8 kDividerReset = 6;  // DV of 110 and 111
constexpr u8 kSet = 0x80;        // register B
constexpr u8 kPie = 0x40, kAie = 0x20, kUie = 0x10, kSqwe = 0x08, kDm = 0x04, k24 = 0x02;
constexpr u8 kIrqf = 0x80, kPf = 0x40, kAf = 0x20, kUf = 0x10;  // register C; the enables' bits
constexpr u8 kVrt = 0x80;                                       // register D
constexpr u8 kPm = 0x80;                                        // in the hours of 12-hour mode
constexpr u8 kNmiMask = 0x80;                                   // of the PC's index port

constexpr u64 kCrystalHz = 32768;
// UIP goes high 244 us before an update cycle of 1984 us (data sheet, table 6).
constexpr Nanos kUpdateInProgress = (244 + 1984) * kMicrosecond;
constexpr Nanos kFirstUpdate = kSecond / 2;  // after the divider's reset ends ("Divider Control")
constexpr i64 kSecondsPerDay = 86400;
constexpr i64 kNoAlarm = INT64_MAX;
constexpr i64 kLastSecond = 253'402'300'799;  // of the year 9999, what four digits can say

bool is_time(u8 index) {
  return index == kSeconds || index == kMinutes || index == kHours ||
         (index >= kDayOfWeek && index <= kYear) || index == RtcMc146818::kCenturyIndex;
}

// Alarm bytes C0h to FFh match everything.
bool any(u8 alarm) {
  return (alarm & 0xc0) == 0xc0;
}

i64 floor_divide(i64 value, i64 by) {
  return value / by - (value % by < 0);
}

}  // namespace

RtcMc146818::RtcMc146818(Line irq, Clock& clock, i64 base)
    : irq_(std::move(irq)),
      clock_(clock),
      base_seconds_(std::clamp<i64>(base, 0, kLastSecond)),
      base_time_(clock.now()),
      periodic_base_(base_time_),
      seen_(base_time_),
      timer_(clock, [this] {
        std::lock_guard lock(mutex_);
        update(clock_.now());
      }) {
  ram_[kRegisterA] = 0x26;  // 32.768 kHz, 1024 Hz: what a PC's firmware leaves
  ram_[kRegisterB] = k24;
  ram_[kRegisterD] = kVrt;
}

void RtcMc146818::set_nvram(u8 index, u8 value) {
  std::lock_guard lock(mutex_);
  if (index > kRegisterD && index < ram_.size() && index != kCenturyIndex) ram_[index] = value;
}

u8 RtcMc146818::nvram(u8 index) {
  std::lock_guard lock(mutex_);
  return index > kRegisterD && index < ram_.size() ? ram_[index] : 0;
}

bool RtcMc146818::nmi_masked() {
  std::lock_guard lock(mutex_);
  return index_ & kNmiMask;
}

// Data sheet, "RESET": the enables and flags are cleared, the clock goes on.
void RtcMc146818::reset() {
  std::lock_guard lock(mutex_);
  const Nanos now = clock_.now();
  catch_up(now);
  ram_[kRegisterB] &= static_cast<u8>(~(kPie | kAie | kUie | kSqwe));
  ram_[kRegisterC] = 0;
  index_ = 0;
  update(now);
}

// The time is saved as what the guest would read, and goes on from there.
void RtcMc146818::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  const Nanos now = clock_.now();
  catch_up(now);
  i64 seconds = halted() ? base_seconds_ : seconds_at(now);
  Nanos phase = (now - base_time_) % kSecond;
  Nanos periodic_phase = now - periodic_base_;
  archive.field("index", index_);
  archive.field("ram", ram_);
  archive.field("seconds", seconds);
  archive.field("phase", phase);
  archive.field("periodic_phase", periodic_phase);
  archive.field("weekday_skew", weekday_skew_);
  if (archive.is_saving()) return;
  ram_[kRegisterA] &= static_cast<u8>(~kUip);
  ram_[kRegisterD] = kVrt;
  base_seconds_ = std::clamp<i64>(seconds, -kLastSecond, kLastSecond);
  base_time_ = now - std::clamp<Nanos>(phase, 0, kSecond - 1);
  periodic_base_ = now - std::clamp<Nanos>(periodic_phase, 0, Nanos{1} << 60);
  weekday_skew_ %= 7;
  seen_ = now;
  update(now);
}

u8 RtcMc146818::read_byte(u64 offset) {
  std::lock_guard lock(mutex_);
  return offset == 0 ? 0xff : read_data();
}

void RtcMc146818::write_byte(u64 offset, u8 value) {
  std::lock_guard lock(mutex_);
  if (offset == 0) {
    index_ = value;
  } else {
    write_data(value);
  }
}

u8 RtcMc146818::read_data() {
  const u8 index = index_ & 0x7f;
  if (is_time(index) && !halted()) fields_from_time(seconds_at(clock_.now()));
  if (index == kRegisterA) return read_register_a();
  if (index == kRegisterC) return read_register_c();
  return ram_[index];
}

void RtcMc146818::write_data(u8 value) {
  const u8 index = index_ & 0x7f;
  const Nanos now = clock_.now();
  catch_up(now);
  if (is_time(index)) {
    write_time(index, value);
  } else if (index == kRegisterA) {
    write_register_a(value);
  } else if (index == kRegisterB) {
    write_register_b(value);
  } else if (index != kRegisterC && index != kRegisterD) {  // both are read-only
    ram_[index] = value;
  }
  update(now);
}

// A clock that runs takes single bytes too, though the data sheet asks for SET first.
void RtcMc146818::write_time(u8 index, u8 value) {
  const Nanos now = clock_.now();
  if (!halted()) fields_from_time(seconds_at(now));
  ram_[index] = value;
  if (!halted()) start(now);
}

void RtcMc146818::write_register_a(u8 value) {
  const Nanos now = clock_.now();
  const bool was_halted = halted();
  const bool was_reset = divider_reset();
  if (!was_halted) fields_from_time(seconds_at(now));
  ram_[kRegisterA] = value & static_cast<u8>(~kUip);
  if (was_reset && !divider_reset()) {
    base_time_ = now - kFirstUpdate;
    periodic_base_ = now;
  }
  if (was_halted && !halted()) start(now);
  if (!was_halted && halted()) base_seconds_ = seconds_at(now);
}

// Setting SET clears UIE (data sheet, "UIE").
void RtcMc146818::write_register_b(u8 value) {
  const Nanos now = clock_.now();
  const bool was_halted = halted();
  const i64 seconds = seconds_at(now);
  if (value & kSet) value &= static_cast<u8>(~kUie);
  ram_[kRegisterB] = value;
  if (!was_halted && halted()) fields_from_time(seconds);
  if (was_halted && !halted()) start(now);
}

u8 RtcMc146818::read_register_a() const {
  if (halted()) return ram_[kRegisterA];
  const Nanos now = clock_.now();
  const Nanos left = second_start(seconds_at(now) + 1) - now;
  return static_cast<u8>(ram_[kRegisterA] | (left <= kUpdateInProgress ? kUip : 0));
}

u8 RtcMc146818::read_register_c() {
  const Nanos now = clock_.now();
  update(now);
  const u8 value = ram_[kRegisterC];
  ram_[kRegisterC] = 0;
  update(now);
  return value;
}

bool RtcMc146818::divider_reset() const {
  return ((ram_[kRegisterA] >> 4) & 7) >= kDividerReset;
}

bool RtcMc146818::halted() const {
  return (ram_[kRegisterB] & kSet) || divider_reset();
}

i64 RtcMc146818::seconds_at(Nanos now) const {
  return base_seconds_ + floor_divide(now - base_time_, kSecond);
}

Nanos RtcMc146818::second_start(i64 second) const {
  return base_time_ + (second - base_seconds_) * kSecond;
}

// Data sheet, table 5: RS of 3 to 15 divides by 2^(RS-1); 1 and 2 are as 8 and 9.
u64 RtcMc146818::periodic_count(Nanos now) const {
  const unsigned rate = ram_[kRegisterA] & 15;
  if (rate == 0 || divider_reset()) return 0;
  const unsigned shift = (rate < 3 ? rate + 7 : rate) - 1;
  return static_cast<u64>(static_cast<u128>(now - periodic_base_) * kCrystalHz / kSecond) >> shift;
}

Nanos RtcMc146818::next_periodic(Nanos now) const {
  const unsigned rate = ram_[kRegisterA] & 15;
  if (rate == 0 || divider_reset()) return kNever;
  const unsigned shift = (rate < 3 ? rate + 7 : rate) - 1;
  const u128 ticks = static_cast<u128>(periodic_count(now) + 1) << shift;
  return periodic_base_ + static_cast<Nanos>((ticks * kSecond + kCrystalHz - 1) / kCrystalHz);
}

// The first second after `after` whose hour, minute and second match the alarm bytes. Each step
// skips a whole hour, minute or second that cannot match: at most 24 + 60 + 60 steps.
i64 RtcMc146818::next_alarm(i64 after) const {
  const unsigned second = decode(ram_[kSecondsAlarm]), minute = decode(ram_[kMinutesAlarm]);
  const unsigned hour = decode_hour(ram_[kHoursAlarm]);
  const bool any_second = any(ram_[kSecondsAlarm]), any_minute = any(ram_[kMinutesAlarm]);
  const bool any_hour = any(ram_[kHoursAlarm]);
  if ((!any_second && second > 59) || (!any_minute && minute > 59) || (!any_hour && hour > 23))
    return kNoAlarm;
  i64 time = after + 1;
  for (;;) {
    const unsigned day_second =
        static_cast<unsigned>(time - floor_divide(time, kSecondsPerDay) * kSecondsPerDay);
    if (!any_hour && day_second / 3600 != hour) {
      time += 3600 - day_second % 3600;
    } else if (!any_minute && day_second / 60 % 60 != minute) {
      time += 60 - day_second % 60;
    } else if (!any_second && day_second % 60 != second) {
      ++time;
    } else {
      return time;
    }
  }
}

u8 RtcMc146818::encode(unsigned value) const {
  if (ram_[kRegisterB] & kDm) return static_cast<u8>(value);
  return static_cast<u8>((value / 10 % 10) << 4 | value % 10);
}

unsigned RtcMc146818::decode(u8 value) const {
  return ram_[kRegisterB] & kDm ? value : (value >> 4) * 10u + (value & 15u);
}

u8 RtcMc146818::encode_hour(unsigned hour) const {
  if (ram_[kRegisterB] & k24) return encode(hour);
  const unsigned twelve = hour % 12 == 0 ? 12 : hour % 12;
  return static_cast<u8>(encode(twelve) | (hour >= 12 ? kPm : 0));
}

unsigned RtcMc146818::decode_hour(u8 value) const {
  if (ram_[kRegisterB] & k24) return decode(value);
  return decode(value & 0x7f) % 12 + (value & kPm ? 12 : 0);
}

void RtcMc146818::fields_from_time(i64 second) {
  using namespace std::chrono;
  const i64 day = floor_divide(second, kSecondsPerDay);
  const unsigned in_day = static_cast<unsigned>(second - day * kSecondsPerDay);
  const sys_days date{days{day}};
  const year_month_day civil{date};
  const int year = static_cast<int>(civil.year());
  ram_[kSeconds] = encode(in_day % 60);
  ram_[kMinutes] = encode(in_day / 60 % 60);
  ram_[kHours] = encode_hour(in_day / 3600);
  ram_[kDayOfWeek] = encode((weekday{date}.c_encoding() + weekday_skew_) % 7 + 1);
  ram_[kDayOfMonth] = encode(static_cast<unsigned>(civil.day()));
  ram_[kMonth] = encode(static_cast<unsigned>(civil.month()));
  ram_[kYear] = encode(static_cast<unsigned>(std::max(year, 0)) % 100);
  ram_[kCenturyIndex] = encode(static_cast<unsigned>(std::max(year, 0)) / 100);
}

// A date that does not exist counts on from the first of its month, and a month that does not is
// the nearest that does.
i64 RtcMc146818::time_from_fields() {
  using namespace std::chrono;
  const int civil_year = static_cast<int>(decode(ram_[kCenturyIndex]) * 100 + decode(ram_[kYear]));
  const unsigned civil_month = std::clamp(decode(ram_[kMonth]), 1u, 12u);
  const sys_days first{year{civil_year} / month{civil_month} / 1};
  const sys_days date = first + days{decode(ram_[kDayOfMonth])} - days{1};
  const unsigned written = decode(ram_[kDayOfWeek]);
  weekday_skew_ = static_cast<u8>((written + 6 + 7 - weekday{date}.c_encoding()) % 7);
  return i64{date.time_since_epoch().count()} * kSecondsPerDay + decode_hour(ram_[kHours]) * 3600 +
         decode(ram_[kMinutes]) * 60 + decode(ram_[kSeconds]);
}

// Goes on from the bytes as they stand; the divider's phase is what it was.
void RtcMc146818::start(Nanos now) {
  base_time_ += floor_divide(now - base_time_, kSecond) * kSecond;
  base_seconds_ = time_from_fields();
  seen_ = now;
}

// Brings the flags of register C up to date.
void RtcMc146818::catch_up(Nanos now) {
  if (!halted()) {
    const i64 before = seconds_at(seen_), after = seconds_at(now);
    if (after > before) ram_[kRegisterC] |= kUf;
    if (after > before && next_alarm(before) <= after) ram_[kRegisterC] |= kAf;
  }
  if (periodic_count(now) != periodic_count(seen_)) ram_[kRegisterC] |= kPf;
  seen_ = now;
}

// Drives IRQ and waits for the next event that could change it.
void RtcMc146818::update(Nanos now) {
  catch_up(now);
  u8& flags = ram_[kRegisterC];
  const u8 enables = ram_[kRegisterB] & (kPie | kAie | kUie);
  flags = (flags & enables) ? flags | kIrqf : flags & static_cast<u8>(~kIrqf);
  const bool level = flags & kIrqf;
  if (level != level_) {
    level_ = level;
    irq_.set(level);
  }
  const u8 wanted = enables & static_cast<u8>(~flags);
  Nanos next = kNever;
  if (wanted & kPie) next = next_periodic(now);
  if (!halted() && (wanted & kUie)) next = std::min(next, second_start(seconds_at(now) + 1));
  if (!halted() && (wanted & kAie)) {
    const i64 alarm = next_alarm(seconds_at(now));
    if (alarm != kNoAlarm) next = std::min(next, second_start(alarm));
  }
  next == kNever ? timer_.disarm() : timer_.arm(next);
}

}  // namespace kite
