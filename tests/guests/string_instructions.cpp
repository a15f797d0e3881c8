// REP over pages, faults in the middle, the direction flag, and SCAS and CMPS that end early.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u64 kFrom = kWindow, kTo = kWindow + 0x100000;

struct Strings {
  u64 rsi, rdi, rcx;
};
#define STRING(text)                                                                        \
  [](Strings s, u64 rax = 0) {                                                              \
    asm volatile(text : "+S"(s.rsi), "+D"(s.rdi), "+c"(s.rcx) : "a"(rax) : "memory", "cc"); \
    return s;                                                                               \
  }
constexpr auto movs = STRING("rep movsb");
constexpr auto movs_down = STRING("std; rep movsl; cld");
constexpr auto stos = STRING("rep stosq");
constexpr auto scas = STRING("repne scasb");
constexpr auto cmps = STRING("repe cmpsw");

int over_pages() {
  for (u64 i = 0; i < 0x2000; i += 8) volatile_write<u64>(kFrom + i, i * 0x0101'0101'0101'0101);
  Strings s = movs({kFrom + 1, kTo + 3, 0x1800});
  EXPECT_SAME(s.rcx, 0);
  EXPECT_SAME(s.rsi, kFrom + 0x1801);
  EXPECT_SAME(s.rdi, kTo + 0x1803);
  bool equal = true;
  for (u64 i = 0; i < 0x1800; ++i) {
    equal &= volatile_read<u8>(kFrom + 1 + i) == volatile_read<u8>(kTo + 3 + i);
  }
  EXPECT(equal);
  EXPECT_SAME(volatile_read<u8>(kTo + 0x1803), 0);
  // Overlapping by one byte spreads the first one.
  volatile_write<u8>(kTo, 0x5a);
  movs({kTo, kTo + 1, 100});
  EXPECT_SAME(volatile_read<u8>(kTo + 100), 0x5a);
  s = movs_down({kFrom + 0x1004, kTo + 0x1004, 4});
  EXPECT_SAME(s.rsi, kFrom + 0xff4);
  EXPECT_SAME(volatile_read<u32>(kTo + 0xff8), volatile_read<u32>(kFrom + 0xff8));
  s = stos({0, kTo + 0x7fc, 0x101}, 0x1122'3344'5566'7788);
  EXPECT_SAME(volatile_read<u64>(kTo + 0xffc), 0x1122'3344'5566'7788);
  EXPECT_SAME(s.rdi, kTo + 0x7fc + 0x808);
  EXPECT_SAME(stos({0, 0x8000'0000'0000'0000, 0}).rcx, 0);  // a count of 0 touches nothing
  return 0;
}

int comparing() {
  volatile_write<u8>(kFrom + 0x1001, 0xee);
  for (u64 i = 0xff0; i < 0x1001; ++i) volatile_write<u8>(kFrom + i, 1);
  EXPECT_SAME(scas({0, kFrom + 0xff0, 100}, 0xee).rdi, kFrom + 0x1002);
  for (u64 i = 0xff0; i < 0x1010; ++i) volatile_write<u8>(kTo + i, volatile_read<u8>(kFrom + i));
  volatile_write<u8>(kTo + 0x1004, 0x77);
  const Strings s = cmps({kFrom + 0xff0, kTo + 0xff0, 16});
  EXPECT_SAME(s.rsi, kFrom + 0x1006);
  EXPECT_SAME(s.rcx, 16 - 11);
  return 0;
}

// A fault leaves the registers at the element that faulted, so that it can be resumed.
int faults_in_the_middle() {
  Trap trap = probe([] { movs({kFrom + 0x1ff0, kTo, 0x100}); });
  EXPECT_SAME(what_trapped(trap), fault(14, 0));
  EXPECT_SAME(trap.cr2, kFrom + 0x2000);
  EXPECT_SAME(trap.frame.rsi, kFrom + 0x2000);
  EXPECT_SAME(trap.frame.rdi, kTo + 0x10);
  EXPECT_SAME(trap.frame.rcx, 0xf0);
  trap = probe([] { stos({0, kTo + 0x1ffc, 8}, ~0ull); });
  EXPECT_SAME(what_trapped(trap), fault(14, 2));
  EXPECT_SAME(trap.cr2, kTo + 0x2000);
  EXPECT_SAME(trap.frame.rdi, kTo + 0x1ffc);
  EXPECT_SAME(trap.frame.rcx, 8);
  return 0;
}

}  // namespace

int guest_main() {
  for (u64 page = 0; page < 0x2000; page += 0x1000) {
    map(kFrom + page, new_page(), kPresent | kWritable);
    map(kTo + page, new_page(), kPresent | kWritable);
  }
  RUN(over_pages());
  RUN(comparing());
  RUN(faults_in_the_middle());
  return 0;
}
