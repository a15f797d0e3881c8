// Interrupts: 8259 and 8254, the local APIC's timer and its own interrupts, the I/O APIC, HLT.
#include "firmware/selftest/selftest.h"

namespace selftest {

namespace {

constexpr u8 kPicVector = 0x20, kTimerVector = 0x40, kSelfVector = 0x41, kIoApicVector = 0x42,
             kSpuriousVector = 0xff;
constexpr u64 kPatience = 1'000'000;  // microseconds; a loaded host may be slow to tick

volatile u32 pic_ticks, timer_ticks, self_ticks, io_apic_ticks;
u64 apic_base;

// Registers of the local APIC (SDM 3A table 10-1).
enum ApicRegister : u32 {
  kVersion = 0x30,
  kEndOfInterrupt = 0xb0,
  kSpurious = 0xf0,
  kCommandLow = 0x300,
  kCommandHigh = 0x310,
  kLvtTimer = 0x320,
  kLvtLint0 = 0x350,
  kInitialCount = 0x380,
  kCurrentCount = 0x390,
  kDivide = 0x3e0,
};
u32 apic_read(u32 offset) {
  return volatile_read<u32>(apic_base + offset);
}
void apic_write(u32 offset, u32 value) {
  volatile_write<u32>(apic_base + offset, value);
}

void on_pic(Frame&) {
  pic_ticks = pic_ticks + 1;
  out8(0x20, 0x20);
}
void on_timer(Frame&) {
  timer_ticks = timer_ticks + 1;
  apic_write(kEndOfInterrupt, 0);
}
void on_self(Frame&) {
  self_ticks = self_ticks + 1;
  apic_write(kEndOfInterrupt, 0);
}
void on_io_apic(Frame&) {
  io_apic_ticks = io_apic_ticks + 1;
  apic_write(kEndOfInterrupt, 0);
}
void ignore(Frame&) {}

bool wait_with_interrupts(bool (*done)()) {
  interrupts_on();
  const bool happened = wait_until(done, kPatience);
  interrupts_off();
  return happened;
}

// 8259A data sheet, ICW1 to ICW4; everything masked but `unmasked` of the master.
void start_pic(u8 unmasked) {
  out8(0x20, 0x11), out8(0xa0, 0x11);
  out8(0x21, kPicVector), out8(0xa1, kPicVector + 8);
  out8(0x21, 4), out8(0xa1, 2);
  out8(0x21, 1), out8(0xa1, 1);
  out8(0x21, static_cast<u8>(~unmasked)), out8(0xa1, 0xff);
}

void start_pit(u32 hz) {
  const u32 count = 1'193'182 / hz;
  out8(0x43, 0x34);  // channel 0, mode 2
  out8(0x40, static_cast<u8>(count)), out8(0x40, static_cast<u8>(count >> 8));
}

void stop_pit() {
  out8(0x43, 0x30);  // channel 0, mode 0: one long count, then quiet
  out8(0x40, 0xff), out8(0x40, 0xff);
}

void test_pic(const Platform& platform) {
  if (!platform.pic) return skip("interrupts: 8259", "none");
  for (unsigned i = 0; i < 16; ++i) handlers[kPicVector + i] = ignore;
  handlers[kPicVector] = on_pic;
  start_pic(1);
  if (in8(0x21) != 0xfe) {
    start_pic(0);
    return skip("interrupts: 8259", "no answer");
  }
  start_pit(1000);
  const bool ticked = check(wait_with_interrupts([] { return pic_ticks >= 3; }),
                            "interrupts: PIT ticks through the 8259");
  if (ticked) {
    const u32 before = pic_ticks;
    wait_for_interrupt();
    check(pic_ticks > before, "interrupts: a PIT tick ends HLT");
  }
  stop_pit();
  start_pic(0);
}

// The 8259's INTR comes in at LINT0, once that is unmasked as ExtINT (SDM 3A 10.5.1).
void start_apic(u64 base) {
  apic_base = base;
  write_msr(0x1b, (read_msr(0x1b) & 0xfff) | base | 1 << 11);
  apic_write(kSpurious, 0x100 | kSpuriousVector);
  apic_write(kLvtLint0, 0x700);
  check((apic_read(kVersion) & 0xff) >= 0x10, "interrupts: local APIC's version");
}

void test_apic_timer() {
  apic_write(kDivide, 0xb);  // by 1
  apic_write(kLvtTimer, kTimerVector);
  apic_write(kInitialCount, 100'000);
  check(apic_read(kCurrentCount) <= 100'000, "interrupts: the APIC timer counts down");
  const bool fired = check(wait_with_interrupts([] { return timer_ticks > 0; }),
                           "interrupts: APIC timer, one shot");
  check_same(apic_read(kCurrentCount), 0, "interrupts: a one-shot timer stays at 0");
  check_same(timer_ticks, 1, "interrupts: one shot fires once");
  if (!fired) return;
  apic_write(kInitialCount, 200'000);
  wait_for_interrupt();
  check_same(timer_ticks, 2, "interrupts: the APIC timer ends HLT");
  apic_write(kLvtTimer, kTimerVector | 1 << 17);  // periodic
  apic_write(kInitialCount, 100'000);
  check(wait_with_interrupts([] { return timer_ticks >= 5; }), "interrupts: APIC timer, periodic");
  apic_write(kInitialCount, 0);
  // A tick may have come since interrupts went off: take it here, not in the next test.
  interrupts_on();
  pause();
  interrupts_off();
}

void test_tsc_deadline() {
  if (!has(cpuid(1).ecx, 24)) return skip("interrupts: TSC deadline", "not offered");
  timer_ticks = 0;
  apic_write(kLvtTimer, kTimerVector | 2 << 17);
  const u64 deadline = tsc() + tsc_hz() / 1000;
  write_msr(0x6e0, deadline);
  const bool fired = wait_with_interrupts([] { return timer_ticks > 0; });
  check(fired && tsc() >= deadline, "interrupts: TSC deadline, not before its time");
  check_same(read_msr(0x6e0), 0, "interrupts: TSC deadline is 0 afterwards");
  apic_write(kLvtTimer, kTimerVector | 1 << 16);  // masked
}

void test_self_interrupt() {
  apic_write(kCommandLow, kSelfVector | 1 << 18);  // to itself, fixed
  check(wait_with_interrupts([] { return self_ticks > 0; }), "interrupts: APIC, to itself");
  check_same(self_ticks, 1, "interrupts: and once");
}

// The PIT on its input of the I/O APIC (82093AA data sheet): edge triggered, to APIC ID 0.
void test_io_apic(const Platform& platform) {
  if (!platform.io_apic) return skip("interrupts: I/O APIC", "none");
  const auto write = [&](u32 index, u32 value) {
    volatile_write<u32>(platform.io_apic, index);
    volatile_write<u32>(platform.io_apic + 0x10, value);
  };
  const u32 entry = 0x10 + platform.pit_input * 2;
  handlers[kIoApicVector] = on_io_apic;
  write(entry + 1, cpuid(1).ebx & 0xff00'0000);
  write(entry, kIoApicVector);
  start_pit(1000);
  check(wait_with_interrupts([] { return io_apic_ticks >= 3; }),
        "interrupts: PIT ticks through the I/O APIC");
  write(entry, 1 << 16);
  stop_pit();
}

}  // namespace

void test_interrupts(const Platform& platform) {
  handlers[kTimerVector] = on_timer;
  handlers[kSelfVector] = on_self;
  handlers[kSpuriousVector] = ignore;
  const bool apic = platform.local_apic && has(cpuid(1).edx, 9);
  if (apic) start_apic(platform.local_apic);
  test_pic(platform);
  if (!apic) return skip("interrupts: local APIC", "none");
  apic_write(kLvtLint0, 1 << 16);
  test_apic_timer();
  test_tsc_deadline();
  test_self_interrupt();
  test_io_apic(platform);
}

}  // namespace selftest
