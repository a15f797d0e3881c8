// The order in which processors see each other's accesses (SDM 3A 8.2.3), as litmus tests: what is
// forbidden must never be seen. What is merely allowed is not asked for.
#include "tests/guests/smp.h"

using namespace guest;

namespace {

// A round is many pairs in a row, since the processors meet only as fast as the host lets them.
constexpr u32 kRounds = 16, kPairs = 64;
using Words = volatile u64[kPairs][8];  // a cache line each

alignas(64) Words x, y;
volatile u64 got[kPairs][2];
Barrier barrier;
volatile u32 forbidden;

template <class First, class Second, class Check>
void rounds(u32 processor, First first, Second second, Check check) {
  for (u32 round = 0; round < kRounds && processor < 2; ++round) {
    for (u32 i = 0; i < kPairs && processor == 0; ++i) {
      x[i][0] = 0;
      y[i][0] = 0;
    }
    barrier.meet(2);
    for (u32 i = 0; i < kPairs; ++i) processor == 0 ? first(i) : second(i);
    barrier.meet(2);
    for (u32 i = 0; i < kPairs && processor == 0; ++i)
      if (!check(got[i][0], got[i][1])) forbidden = forbidden + 1;
  }
}

// The parts of a test: stores say 1, loads remember.
void fence(u32) {
  asm volatile("mfence" ::: "memory");
}
template <Words& where>
void store(u32 i) {
  where[i][0] = 1;
}
template <Words& where, int slot>
void load(u32 i) {
  got[i][slot] = where[i][0];
}
// XCHG is a store and a barrier in one.
template <Words& where>
void exchange(u32 i) {
  u64 one = 1;
  asm volatile("xchgq %0, %1" : "+r"(one), "+m"(where[i][0])::"memory");
}
void locked(u32) {
  u64 unused = 0;
  asm volatile("lock orq $0, %0" : "+m"(unused)::"memory");
}
void serialize(u32) {
  cpuid(0);
}
template <void (*... parts)(u32)>
void in_turn(u32 i) {
  (parts(i), ...);
}

bool not_one_then_nothing(u64 first, u64 second) {
  return !(first == 1 && second == 0);
}
bool not_both(u64 first, u64 second) {
  return !(first == 1 && second == 1);
}
bool not_neither(u64 first, u64 second) {
  return first == 1 || second == 1;
}

// 8.2.3.2: neither loads nor stores are reordered with their like.
void message_passing(u32 processor) {
  rounds(processor, in_turn<store<x>, store<y>>, in_turn<load<y, 0>, load<x, 1>>,
         not_one_then_nothing);
}

// 8.2.3.3: stores are not reordered with earlier loads.
void load_buffering(u32 processor) {
  rounds(processor, in_turn<load<x, 0>, store<y>>, in_turn<load<y, 1>, store<x>>, not_both);
}

// 8.2.3.4 allows a load to pass an older store; what comes between forbids it: MFENCE and locked
// instructions (8.2.3.9), serializing instructions (8.3).
template <void (*between)(u32)>
void store_buffer(u32 processor) {
  rounds(processor, in_turn<store<x>, between, load<y, 0>>, in_turn<store<y>, between, load<x, 1>>,
         not_neither);
}
void store_buffer_exchanged(u32 processor) {
  rounds(processor, in_turn<exchange<x>, load<y, 0>>, in_turn<exchange<y>, load<x, 1>>,
         not_neither);
}

// An aligned quadword is stored in one piece (SDM 3A 8.1.1).
void in_one_piece(u32 processor) {
  for (u32 i = 0; i < 2000 && processor < 2; ++i) {
    if (processor == 0) {
      x[0][0] = i % 2 ? ~0ull : 0;
    } else {
      const u64 seen = x[0][0];
      if (seen != 0 && seen != ~0ull) forbidden = forbidden + 1;
    }
  }
}

}  // namespace

int guest_main() {
  start_apic();
  void (*const kTests[])(u32) = {
      message_passing,         load_buffering,         store_buffer<fence>, store_buffer<locked>,
      store_buffer<serialize>, store_buffer_exchanged, in_one_piece};
  for (auto* litmus : kTests) {
    x[0][0] = 0;
    on_every_processor(litmus);
    EXPECT_SAME(forbidden, 0);
  }
  return 0;
}
