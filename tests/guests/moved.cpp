// Work in small pieces between the ticks of a periodic timer, with HLT in between: the same result
// as in one go, wherever the machine is moved meanwhile (tests/conformance/move_test.cpp).
#include "tests/guests/apic.h"
#include "tests/guests/expect.h"
#include "tests/guests/moved_work.h"

using namespace guest;

namespace {

constexpr u8 kTick = 0x50, kOwn = 0x51, kSoftware = 0x52;
constexpr u32 kPieces = 100;
volatile u32 ticks, own, software;

}  // namespace

int guest_main() {
  start_apic();
  handlers[kTick] = [](Frame&) {
    ticks = ticks + 1;
    apic_write(kEndOfInterrupt, 0);
  };
  handlers[kOwn] = [](Frame&) {
    own = own + 1;
    apic_write(kEndOfInterrupt, 0);
  };
  handlers[kSoftware] = [](Frame&) { software = software + 1; };
  apic_write(kLvtTimer, kTick | 1 << 17);
  apic_write(kInitialCount, 3'000'000);  // ns

  Work work;
  u64 last = tsc();
  for (u32 i = 1; i <= kPieces; ++i) {
    piece(work);
    EXPECT(sleeps_well(work.value));
    EXPECT(ticks >= 1);
    interrupt_self(kOwn);
    asm volatile("int %0" ::"i"(kSoftware));
    for (int k = 0; k < 10'000 && own != i; ++k) asm volatile("sti; nop; nop; cli");
    EXPECT_SAME(own, i);
    EXPECT_SAME(software, i);
    const u64 now = tsc();
    EXPECT(now > last);
    last = now;
  }
  EXPECT(same_in_one_go(work, kPieces));
  return 0;
}
