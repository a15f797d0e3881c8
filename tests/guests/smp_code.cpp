// Code that another processor changes (SDM 3A 8.1.3).
#include "tests/guests/smp.h"

using namespace guest;

namespace {

constexpr u32 kRounds = 60;

alignas(4096) volatile u8 page[4096];
volatile u32 version, taken, wrong;

using Function = u32 (*)();
Function function_at(u32 offset) {
  return reinterpret_cast<Function>(reinterpret_cast<u64>(page) + offset);
}

// mov eax, value; ret
void write_function(u32 offset, u32 value) {
  page[offset] = 0xb8;
  for (u32 i = 0; i < 4; ++i) page[offset + 1 + i] = static_cast<u8>(value >> (8 * i));
  page[offset + 5] = 0xc3;
}

// Message passing: when the flag is seen, the code before it is there, once the processor has
// serialized itself.
void runner() {
  arrive();
  for (u32 round = 1; round <= kRounds; ++round) {
    while (version < round) pause();
    cpuid(0);
    if (function_at(0)() != round) wrong = wrong + 1;
    if (function_at(2048)() != ~round) wrong = wrong + 1;
    taken = round;
  }
}

int rewritten_by_another() {
  write_function(0, 0);
  write_function(2048, 0);
  start_processor(1, runner);
  for (u32 round = 1; round <= kRounds; ++round) {
    write_function(0, round);
    write_function(2048, ~round);
    version = round;
    while (taken < round) pause();
    // This one has executed it too: its own store must reach both.
    EXPECT_SAME(function_at(0)(), round);
  }
  EXPECT_SAME(wrong, 0);
  return 0;
}

// A page that one processor writes all the time becomes code of another: what was written before
// the flag is what runs, although the writer had its translation cached.
alignas(4096) volatile u8 fresh[16 * 4096];
volatile u32 published, done_with;
void runner_of_fresh_pages() {
  arrive();
  for (u32 round = 1; round <= 48; ++round) {
    while (published < round) pause();
    cpuid(0);
    const u64 at = reinterpret_cast<u64>(fresh) + (round % 16) * 4096;
    if (reinterpret_cast<Function>(at)() != round) wrong = wrong + 1;
    done_with = round;
  }
}

int fresh_pages() {
  wrong = 0;
  start_processor(1, runner_of_fresh_pages);
  for (u32 round = 1; round <= 48; ++round) {
    volatile u8* at = fresh + (round % 16) * 4096;
    at[0] = 0xb8;
    for (u32 i = 0; i < 4; ++i) at[1 + i] = static_cast<u8>(round >> (8 * i));
    at[5] = 0xc3;
    published = round;
    // Beside the code, while the other decodes it.
    while (done_with < round) at[64] = at[64] + 1;
  }
  EXPECT_SAME(wrong, 0);
  return 0;
}

// One byte over a running loop: INT3 and back, as kernels patch themselves.
volatile u32 breakpoints, loops, stop;
void looper() {
  arrive();
  while (!stop) {
    function_at(1024)();
    loops = loops + 1;
  }
}

int breakpoint_over_a_loop() {
  write_function(1024, 7);
  handlers[3] = [](Frame& frame) {
    breakpoints = breakpoints + 1;
    frame.rip += 4;  // behind the instruction whose first byte it was
  };
  start_processor(1, looper);
  for (u32 i = 1; i <= 8; ++i) {
    const u32 before = breakpoints;
    page[1024] = 0xcc;
    wait_until([&] { return breakpoints > before; });
    page[1024] = 0xb8;
    cpuid(0);
    const u32 quiet = loops;
    wait_until([&] { return loops > quiet + 3; });
    const u32 after = breakpoints;
    const u32 seen = loops;
    wait_until([&] { return loops > seen + 3; });
    EXPECT_SAME(breakpoints, after);
  }
  stop = 1;
  return 0;
}

}  // namespace

int guest_main() {
  start_apic();
  RUN(rewritten_by_another());
  RUN(fresh_pages());
  RUN(breakpoint_over_a_loop());
  return 0;
}
