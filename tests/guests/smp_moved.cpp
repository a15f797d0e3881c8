// Two processors, each as in moved.cpp, which also interrupt each other: nothing is lost and
// nothing comes twice, wherever the machine is moved meanwhile (tests/conformance/move_test.cpp).
#include "tests/guests/moved_work.h"
#include "tests/guests/smp.h"

using namespace guest;

namespace {

constexpr u8 kTick = 0x50, kPing = 0x60, kPong = 0x61;
constexpr u32 kPieces = 60;

struct Processor {
  Work work;
  volatile u32 ticks = 0, pings = 0, pongs = 0, pieces = 0;
  volatile int failed = 0;  // as guest_main() returns it
};
constinit Processor processors[2];  // there is nobody who would call a constructor
volatile u32 shared;

Processor& mine() {
  return processors[this_processor()];
}
u32 other() {
  return 1 - this_processor();
}

void on_tick(Frame&) {
  mine().ticks = mine().ticks + 1;
  apic_write(kEndOfInterrupt, 0);
}
void on_ping(Frame&) {
  mine().pings = mine().pings + 1;
  apic_write(kEndOfInterrupt, 0);
  send_ipi(other(), 0x4000 | kPong);
}
void on_pong(Frame&) {
  mine().pongs = mine().pongs + 1;
  apic_write(kEndOfInterrupt, 0);
}

int labour() {
  Processor& me = mine();
  apic_write(kDivide, 0xb);
  apic_write(kLvtTimer, kTick | 1 << 17);
  apic_write(kInitialCount, 3'000'000);  // ns
  u64 last = tsc();
  for (u32 i = 1; i <= kPieces; ++i) {
    piece(me.work);
    EXPECT(sleeps_well(me.work.value));
    EXPECT(me.ticks + me.pings >= 1);
    send_ipi(other(), 0x4000 | kPing);
    while (me.pongs != i && !processors[other()].failed) wait_for_interrupt();
    asm volatile("lock incl %0" : "+m"(shared)::"memory");
    const u64 now = tsc();
    EXPECT(now > last);
    last = now;
    me.pieces = i;
  }
  EXPECT(same_in_one_go(me.work, kPieces));
  return 0;
}

// Answers the other's pings until it has no more.
void work() {
  mine().failed = labour();
  while (!processors[0].failed && !processors[1].failed && processors[other()].pieces != kPieces)
    wait_for_interrupt();
}

}  // namespace

int guest_main() {
  start_apic();
  handlers[kTick] = on_tick;
  handlers[kPing] = on_ping;
  handlers[kPong] = on_pong;
  start_processor(1, [] {
    arrive();
    work();
  });
  work();
  for (Processor& processor : processors) RUN(processor.failed);
  EXPECT_SAME(shared, 2 * kPieces);
  for (Processor& processor : processors) {
    EXPECT_SAME(processor.pings, kPieces);
    EXPECT_SAME(processor.pongs, kPieces);
    EXPECT(processor.ticks >= 1);
  }
  return 0;
}
