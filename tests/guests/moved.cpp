// Work in small pieces between the ticks of a periodic timer, with HLT in between: the same result
// as in one go, wherever the machine is moved meanwhile (tests/conformance/move_test.cpp).
#include "tests/guests/apic.h"
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u8 kTick = 0x50, kOwn = 0x51, kSoftware = 0x52;
constexpr u32 kPieces = 100;
volatile u32 ticks, own, software;

struct Work {
  u64 value = 1;
  u64 sum = 0;
  u8 text[64] = {};
};

void piece(Work& work) {
  for (int i = 0; i < 50; ++i) {
    work.value = work.value * 6364136223846793005 + 1442695040888963407;
    work.sum += work.value >> 33;
  }
  const u8* from = reinterpret_cast<const u8*>(&work.value);
  u8* to = work.text + work.value % 56;
  u64 count = 8;
  asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
}

// HLT with values in the vector and x87 registers; answers whether they are there behind it.
bool sleeps_well(u64 value) {
  u64 vector = 0, x87 = 0;
  const u64 wanted = value & 0xffff'ffff'ffff;
  asm volatile(
      "movq %2, %%xmm7\n"
      "fninit\n"
      "fildll %3\n"
      "sti\n"
      "hlt\n"
      "cli\n"
      "movq %%xmm7, %0\n"
      "fistpll %1\n"
      : "=r"(vector), "=m"(x87)
      : "r"(value), "m"(wanted)
      : "memory");
  return vector == value && x87 == wanted;
}

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
  Work again;
  for (u32 i = 0; i < kPieces; ++i) piece(again);
  EXPECT_SAME(work.value, again.value);
  EXPECT_SAME(work.sum, again.sum);
  for (int i = 0; i < 64; ++i) EXPECT_SAME(work.text[i], again.text[i]);
  return 0;
}
