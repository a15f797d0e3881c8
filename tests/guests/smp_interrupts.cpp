// Interprocessor interrupts: ping-pong between halted processors, broadcast, NMI.
#include "tests/guests/smp.h"

extern "C" char trap_doors[];

using namespace guest;

namespace {

constexpr u8 kPing = 0x60, kPong = 0x61, kCall = 0x62;
constexpr u32 kRounds = 40;

volatile u32 pings, pongs, calls, nmis, stop;

void count_ping(Frame&) {
  pings = pings + 1;
  apic_write(kEndOfInterrupt, 0);
  send_ipi(0, 0x4000 | kPong);
}
void count_pong(Frame&) {
  pongs = pongs + 1;
  apic_write(kEndOfInterrupt, 0);
}
void count_call(Frame&) {
  apic_write(kEndOfInterrupt, 0);
  asm volatile("lock incl %0" : "+m"(calls)::"memory");
}

void sleep_until_told() {
  arrive();
  while (!stop) wait_for_interrupt();
}

// Each waits in HLT for the other's interrupt.
int ping_pong() {
  start_processor(1, sleep_until_told);
  for (u32 i = 1; i <= kRounds; ++i) {
    send_ipi(1, 0x4000 | kPing);
    while (pongs < i) wait_for_interrupt();
    EXPECT_SAME(pings, i);
  }
  return 0;
}

int broadcast() {
  const u32 count = processor_count();
  for (u32 id = 2; id < count; ++id) start_processor(id, sleep_until_told);
  for (u32 i = 1; i <= 10; ++i) {
    apic_write(kCommandLow, 0x4000 | kCall | 3 << 18);  // all but this one
    wait_until([&] { return calls == i * (count - 1); });
  }
  interrupts_on();
  apic_write(kCommandLow, 0x4000 | kCall | 2 << 18);  // this one too
  wait_until([&] { return calls == 10 * (count - 1) + count; });
  interrupts_off();
  return 0;
}

// NMI reaches a processor in HLT with interrupts on or off.
int not_maskable() {
  handlers[2] = [](Frame&) { nmis = nmis + 1; };
  // On the running stack: started processors have no task state to take another from.
  set_gate(2, reinterpret_cast<void (*)()>(trap_doors + 2 * 16), 0x8e);
  send_ipi(1, 0x4400);
  wait_until([] { return nmis == 1; });
  start_processor(1, [] {
    arrive();
    for (;;) asm volatile("cli; hlt" ::: "memory");
  });
  for (u32 i = 2; i <= 10; ++i) {
    send_ipi(1, 0x4400);
    wait_until([&] { return nmis == i; });
  }
  return 0;
}

}  // namespace

int guest_main() {
  start_apic();
  handlers[kPing] = count_ping;
  handlers[kPong] = count_pong;
  handlers[kCall] = count_call;
  RUN(ping_pong());
  RUN(broadcast());
  RUN(not_maskable());
  return 0;
}
