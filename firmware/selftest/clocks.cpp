// The machine's clocks: do they run, and at one speed.
#include "firmware/selftest/selftest.h"

namespace selftest {

namespace {

constexpr u64 kPmTimerHz = 3'579'545, kPitHz = 1'193'182;
constexpr u16 kPitChannel0 = 0x40, kPitControl = 0x43;

u64 tsc_hz_value;
u16 pm_timer_port;
u64 hpet_base, hpet_femtoseconds;

u64 pm_timer() {
  return in32(pm_timer_port) & 0xff'ffff;
}
u64 hpet_counter() {
  return volatile_read<u32>(hpet_base + 0xf0);
}

// Channel 0 counts down from 65536 over and over; the latch command freezes a value (8254 data
// sheet, "counter latch command").
u64 pit_counter() {
  out8(kPitControl, 0);
  const u64 low = in8(kPitChannel0);
  return 0xffff - (in8(kPitChannel0) << 8 | low);
}
void start_pit() {
  out8(kPitControl, 0x34);  // channel 0, low and high byte, mode 2
  out8(kPitChannel0, 0);
  out8(kPitChannel0, 0);
}
bool pit_counts() {
  start_pit();
  const u64 start = pit_counter();
  for (int i = 0; i < 1000; ++i) {
    if (pit_counter() != start) return true;
  }
  return false;
}

// Counts `hz` per second in `mask` bits.
struct Counter {
  const char* name;
  u64 (*read)();
  u64 mask;
  u64 hz;
};

Counter pm_timer_counter() {
  return {"PM timer", pm_timer, 0xff'ffff, kPmTimerHz};
}
Counter hpet_timer_counter() {
  return {"HPET", hpet_counter, 0xffff'ffff, 1'000'000'000'000'000 / hpet_femtoseconds};
}
Counter pit_timer_counter() {
  return {"PIT", pit_counter, 0xffff, kPitHz};
}

// TSC cycles per second by `counter`, over about 8 ms.
u64 measure_tsc(const Counter& counter) {
  const u64 wanted = counter.hz / 125;
  const u64 start = counter.read() & counter.mask, tsc_start = tsc();
  u64 elapsed = 0, tsc_end = tsc_start;
  for (u64 i = 0; i < 1'000'000 && elapsed < wanted; ++i) {
    elapsed = (counter.read() - start) & counter.mask;
    tsc_end = tsc();
  }
  if (elapsed < wanted) return 0;
  return scale(tsc_end - tsc_start, counter.hz, elapsed);
}

// A host that takes the processor away between two readings spoils one measurement, so the best
// of five counts. In parts per thousand.
u64 disagreement(const Counter& counter) {
  u64 best = 1000;
  for (int i = 0; i < 5 && best > 10; ++i) {
    const u64 hz = measure_tsc(counter);
    const u64 difference = hz > tsc_hz_value ? hz - tsc_hz_value : tsc_hz_value - hz;
    const u64 thousandths = difference * 1000 / tsc_hz_value;
    if (thousandths < best) best = thousandths;
  }
  return best;
}

// CPUID 15h (SDM 2A "CPUID"), or the leaf that hypervisors use (40000010h: kHz).
u64 nominal_tsc_hz() {
  if (cpuid(0).eax >= 0x15) {
    const Cpuid leaf = cpuid(0x15);
    if (leaf.eax && leaf.ebx && leaf.ecx) return static_cast<u64>(leaf.ecx) * leaf.ebx / leaf.eax;
  }
  if (has(cpuid(1).ecx, 31) && cpuid(0x4000'0000).eax >= 0x4000'0010) {
    return static_cast<u64>(cpuid(0x4000'0010).eax) * 1000;
  }
  return 0;
}

u64 measured_tsc_hz() {
  u64 hz = 0;
  if (pm_timer_port) hz = measure_tsc(pm_timer_counter());
  if (!hz && hpet_base) hz = measure_tsc(hpet_timer_counter());
  if (!hz && pit_counts()) hz = measure_tsc(pit_timer_counter());
  return hz ? hz : 1'000'000'000;
}

bool start_hpet() {
  if (!hpet_base || hpet_base >= 1ull << 32) return false;
  hpet_femtoseconds = volatile_read<u32>(hpet_base + 4);
  if (!hpet_femtoseconds || hpet_femtoseconds > 100'000'000) return false;  // HPET 1.0a 2.3.4
  volatile_write<u32>(hpet_base + 0x10, volatile_read<u32>(hpet_base + 0x10) | 1);
  return true;
}

void compare(const Counter& counter) {
  char text[] = "clocks: TSC against         ";
  for (int i = 0; i < 9; ++i) {
    text[20 + i] = counter.name[i];
    if (!counter.name[i]) break;
  }
  const u64 thousandths = disagreement(counter);
  check(thousandths <= 20, text);
  if (thousandths <= 20) return;
  begin_note("differs by thousandths: ");
  print_decimal(thousandths);
  end_note();
}

void test_tsc_monotonic() {
  u64 last = tsc();
  bool forward = true;
  for (int i = 0; i < 1000; ++i) {
    const u64 now = tsc();
    forward &= now > last;
    last = now;
  }
  check(forward, "clocks: the TSC only goes forward");
}

}  // namespace

u64 tsc_hz() {
  return tsc_hz_value;
}

void start_clocks(const Platform& platform) {
  pm_timer_port = platform.pm_timer_port;
  hpet_base = platform.hpet;
  if (hpet_base && !check(start_hpet(), "HPET: period")) hpet_base = 0;
  tsc_hz_value = nominal_tsc_hz();
  begin_note(tsc_hz_value ? "TSC, by CPUID: " : "TSC, measured: ");
  if (!tsc_hz_value) tsc_hz_value = measured_tsc_hz();
  print_decimal(tsc_hz_value / 1000);
  print(" kHz");
  end_note();
}

bool wait_until(bool (*done)(), u64 microseconds) {
  const u64 end = tsc() + tsc_hz_value / 1'000'000 * microseconds;
  while (!done()) {
    if (tsc() > end) return done();
    pause();
  }
  return true;
}

void test_clocks(const Platform&) {
  test_tsc_monotonic();
  if (pm_timer_port)
    compare(pm_timer_counter());
  else
    skip("clocks: PM timer", "none");
  if (hpet_base)
    compare(hpet_timer_counter());
  else
    skip("clocks: HPET", "none");
  if (pit_counts())
    compare(pit_timer_counter());
  else
    skip("clocks: PIT", "none");
}

}  // namespace selftest
