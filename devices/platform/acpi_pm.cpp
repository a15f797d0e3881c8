#include "devices/platform/acpi_pm.h"

namespace kite {

namespace {

// ACPI 6.5 section 4.8.3.1, PM1 status and enable (the enables stand at the same bits).
constexpr u16 kTmrSts = 1 << 0;
constexpr u16 kGblSts = 1 << 5;
constexpr u16 kPwrbtnSts = 1 << 8;
constexpr u16 kSlpbtnSts = 1 << 9;
constexpr u16 kRtcSts = 1 << 10;
constexpr u16 kWakSts = 1 << 15;
constexpr u16 kWakeEvents = kPwrbtnSts | kSlpbtnSts | kRtcSts;
constexpr u16 kEnableBits = kTmrSts | kGblSts | kPwrbtnSts | kSlpbtnSts | kRtcSts;

// Section 4.8.3.2.1, PM1 control.
constexpr u16 kSciEn = 1 << 0;
constexpr u16 kBmRld = 1 << 1;
constexpr u16 kSlpTyp = 7 << 10;
constexpr u16 kSlpEn = 1 << 13;
constexpr unsigned kSlpTypShift = 10;

// Offsets of the single bytes.
enum : u64 {
  kStatusLow,
  kStatusHigh,
  kEnableLow,
  kEnableHigh,
  kControlLow,
  kControlHigh,
  kGpeStatusLow = AcpiPm::kGpe0,
  kGpeStatusHigh,
  kGpeEnableLow,
  kGpeEnableHigh,
};

u16 with_low(u16 word, u8 low) {
  return static_cast<u16>((word & 0xff00) | low);
}
u16 with_high(u16 word, u8 high) {
  return static_cast<u16>((word & 0x00ff) | (high << 8));
}

}  // namespace

AcpiPm::AcpiPm(Line sci, Clock& clock, TimerWidth width, std::function<void(u8)> on_sleep,
               std::function<void()> on_wake)
    : sci_(std::move(sci)),
      width_(width),
      on_sleep_(std::move(on_sleep)),
      on_wake_(std::move(on_wake)),
      clock_(clock),
      start_(clock.now()),
      seen_(start_),
      timer_(clock, [this] {
        std::lock_guard lock(mutex_);
        update(clock_.now());
      }) {}

void AcpiPm::reset() {
  std::lock_guard lock(mutex_);
  status_ = enable_ = control_ = gpe_status_ = gpe_enable_ = 0;
  asleep_ = false;
  start_ = seen_ = clock_.now();
  update(start_);
}

// Section 16.3.1: the guest asks PM1_STS what has woken it.
void AcpiPm::reset_after_sleep() {
  std::lock_guard lock(mutex_);
  catch_up(clock_.now());
  status_ = (status_ & kWakeEvents) | kWakSts;
  enable_ = control_ = gpe_enable_ = 0;
  asleep_ = false;
  start_ = seen_ = clock_.now();
  update(start_);
}

void AcpiPm::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  const Nanos now = clock_.now();
  catch_up(now);
  Nanos elapsed = now - start_;
  archive.field("status", status_);
  archive.field("enable", enable_);
  archive.field("control", control_);
  archive.field("gpe_status", gpe_status_);
  archive.field("gpe_enable", gpe_enable_);
  archive.field("elapsed", elapsed);
  archive.field("asleep", asleep_);
  if (archive.is_saving()) return;
  // Beyond 2^60 ns (36 years) the arithmetic below would overflow; no saved machine ran that long.
  start_ = now - (elapsed >= 0 && elapsed < (Nanos{1} << 60) ? elapsed : 0);
  seen_ = now;
  update(now);
}

u64 AcpiPm::full_ticks(Nanos now) const {
  return static_cast<u64>(static_cast<u128>(now - start_) * kTimerHz / kSecond);
}

u32 AcpiPm::ticks(Nanos now) const {
  const u64 mask = width_ == TimerWidth::k24 ? 0xff'ffff : 0xffff'ffff;
  return static_cast<u32>(full_ticks(now) & mask);
}

// Section 4.8.3.3: TMR_STS is set whenever the counter's highest bit changes, in either direction.
void AcpiPm::catch_up(Nanos now) {
  const unsigned highest = static_cast<unsigned>(width_) - 1;
  if (full_ticks(now) >> highest != full_ticks(seen_) >> highest) status_ |= kTmrSts;
  seen_ = now;
}

void AcpiPm::update(Nanos now) {
  catch_up(now);
  const bool level = (status_ & enable_) || (gpe_status_ & gpe_enable_);
  if (level != level_) {
    level_ = level;
    sci_.set(level);
  }
  if (!(enable_ & kTmrSts) || (status_ & kTmrSts)) return timer_.disarm();
  const unsigned highest = static_cast<unsigned>(width_) - 1;
  const u64 change = ((full_ticks(now) >> highest) + 1) << highest;
  // Rounded up: at that nanosecond the counter has reached `change`.
  const u128 nanos = (static_cast<u128>(change) * kSecond + kTimerHz - 1) / kTimerHz;
  timer_.arm(start_ + static_cast<Nanos>(nanos));
}

void AcpiPm::happen(u16 event) {
  bool wakes;
  {
    std::lock_guard lock(mutex_);
    status_ |= event;
    update(clock_.now());
    wakes = wakes_now();
  }
  if (wakes && on_wake_) on_wake_();
}

// When the machine knows of the sleep. What has happened just before ends it at once.
void AcpiPm::fall_asleep() {
  bool wakes;
  {
    std::lock_guard lock(mutex_);
    asleep_ = true;
    wakes = wakes_now();
  }
  if (wakes && on_wake_) on_wake_();
}

// Once a sleep.
bool AcpiPm::wakes_now() {
  if (!asleep_ || !(status_ & enable_ & kWakeEvents)) return false;
  asleep_ = false;
  return true;
}

void AcpiPm::press_power_button() {
  happen(kPwrbtnSts);
}

void AcpiPm::press_sleep_button() {
  happen(kSlpbtnSts);
}

// 82371AB 7.2.1, RTC_STS: IRQ8 was asserted.
void AcpiPm::set_rtc(bool level) {
  if (level) happen(kRtcSts);
}

void AcpiPm::raise_gpe(unsigned number) {
  std::lock_guard lock(mutex_);
  if (number < 16) gpe_status_ |= static_cast<u16>(1u << number);
  update(clock_.now());
}

u64 AcpiPm::read(u64 offset, unsigned size) {
  std::lock_guard lock(mutex_);
  const Nanos now = clock_.now();
  catch_up(now);
  const u32 count = ticks(now);
  u64 value = 0;
  for (unsigned i = 0; i < size; ++i) value |= u64{read_byte(offset + i, count)} << (8 * i);
  return value;
}

u8 AcpiPm::read_byte(u64 offset, u32 count) const {
  const u16 control = static_cast<u16>(control_ | kSciEn);
  if (offset >= kPmTimer && offset < kPmTimer + 4)
    return static_cast<u8>(count >> (8 * (offset - kPmTimer)));
  switch (offset) {
    case kStatusLow:
      return static_cast<u8>(status_);
    case kStatusHigh:
      return static_cast<u8>(status_ >> 8);
    case kEnableLow:
      return static_cast<u8>(enable_);
    case kEnableHigh:
      return static_cast<u8>(enable_ >> 8);
    case kControlLow:
      return static_cast<u8>(control);
    case kControlHigh:
      return static_cast<u8>(control >> 8);
    case kGpeStatusLow:
      return static_cast<u8>(gpe_status_);
    case kGpeStatusHigh:
      return static_cast<u8>(gpe_status_ >> 8);
    case kGpeEnableLow:
      return static_cast<u8>(gpe_enable_);
    case kGpeEnableHigh:
      return static_cast<u8>(gpe_enable_ >> 8);
    default:
      return 0;
  }
}

void AcpiPm::write(u64 offset, u64 value, unsigned size) {
  bool sleep = false;
  u8 sleep_type;
  {
    std::lock_guard lock(mutex_);
    const Nanos now = clock_.now();
    catch_up(now);
    for (unsigned i = 0; i < size; ++i)
      sleep |= write_byte(offset + i, static_cast<u8>(value >> (8 * i)));
    update(now);
    sleep_type = static_cast<u8>((control_ & kSlpTyp) >> kSlpTypShift);
  }
  if (!sleep) return;
  if (on_sleep_) on_sleep_(sleep_type);
  if (sleep_type == kSuspendToRam) fall_asleep();
}

// Status bits are cleared by writing ones. SLP_EN and GBL_RLS read as 0; nobody listens to GBL_RLS.
bool AcpiPm::write_byte(u64 offset, u8 value) {
  switch (offset) {
    case kStatusLow:
      status_ &= static_cast<u16>(~value);
      break;
    case kStatusHigh:
      status_ &= static_cast<u16>(~(value << 8));
      break;
    case kEnableLow:
      enable_ = with_low(enable_, value) & kEnableBits;
      break;
    case kEnableHigh:
      enable_ = with_high(enable_, value) & kEnableBits;
      break;
    case kControlLow:
      control_ = with_low(control_, value) & (kBmRld | kSlpTyp);
      break;
    case kControlHigh:
      control_ = with_high(control_, value) & (kBmRld | kSlpTyp);
      return (value << 8) & kSlpEn;
    case kGpeStatusLow:
      gpe_status_ &= static_cast<u16>(~value);
      break;
    case kGpeStatusHigh:
      gpe_status_ &= static_cast<u16>(~(value << 8));
      break;
    case kGpeEnableLow:
      gpe_enable_ = with_low(gpe_enable_, value);
      break;
    case kGpeEnableHigh:
      gpe_enable_ = with_high(gpe_enable_, value);
      break;
    default:
      break;
  }
  return false;
}

}  // namespace kite
