// Port input and output of every width and the string forms.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u16 kNobody = 0x2f0;  // no device of any board answers here

int widths() {
  EXPECT_SAME(in8(kNobody), 0xff);
  EXPECT_SAME(in16(kNobody), 0xffff);
  EXPECT_SAME(in32(kNobody), 0xffff'ffff);
  out8(kNobody, 1), out16(kNobody, 2), out32(kNobody, 3);
  // IN leaves the rest of RAX alone, but a 32-bit one clears the upper half.
  u64 rax = 0x1122'3344'5566'7788;
  asm volatile("in %1, %%al" : "+a"(rax) : "d"(kNobody));
  EXPECT_SAME(rax, 0x1122'3344'5566'77ff);
  asm volatile("in %1, %%ax" : "+a"(rax) : "d"(kNobody));
  EXPECT_SAME(rax, 0x1122'3344'5566'ffff);
  asm volatile("in %1, %%eax" : "+a"(rax) : "d"(kNobody));
  EXPECT_SAME(rax, 0xffff'ffff);
  return 0;
}

int strings() {
  u8 buffer[16] = {};
  void* to = buffer + 1;
  u64 count = 8;
  asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(kNobody) : "memory");
  EXPECT_SAME(buffer[0] << 8 | buffer[9], 0);
  EXPECT_SAME(buffer[1] & buffer[8], 0xff);
  EXPECT_SAME(count, 0);
  to = buffer;
  count = 2;
  asm volatile("rep insl" : "+D"(to), "+c"(count) : "d"(kNobody) : "memory");
  EXPECT_SAME(reinterpret_cast<u64>(to), reinterpret_cast<u64>(buffer) + 8);
  const void* from = buffer;
  count = 4;
  asm volatile("rep outsw" : "+S"(from), "+c"(count) : "d"(kNobody) : "memory");
  EXPECT_SAME(reinterpret_cast<u64>(from), reinterpret_cast<u64>(buffer) + 8);
  // Over the end of a page: what came before the fault has happened.
  map(kWindow, new_page(), kPresent | kWritable);
  const Trap trap = probe([] {
    u64 address = kWindow + 0xffc, left = 8;
    asm volatile("rep insb" : "+D"(address), "+c"(left) : "d"(kNobody) : "memory");
  });
  EXPECT_SAME(what_trapped(trap), fault(14, 2));
  EXPECT_SAME(trap.frame.rcx, 4);
  EXPECT_SAME(volatile_read<u32>(kWindow + 0xffc), 0xffff'ffff);
  return 0;
}

}  // namespace

int guest_main() {
  RUN(widths());
  RUN(strings());
  return 0;
}
