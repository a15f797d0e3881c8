// The flags that integer instructions leave, at the edges of each width.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u64 kC = 1, kP = 4, kA = 0x10, kZ = 0x40, kS = 0x80, kO = 0x800;
constexpr u64 kAll = kC | kP | kA | kZ | kS | kO;

// Result and flags of one instruction on a (destination) and b, with CF as given before.
struct Result {
  u64 value, flags;
};
#define FUNCTION(name, text)                                \
  Result name(u64 a, u64 b, bool carry = false) {           \
    u64 flags;                                              \
    asm volatile("push %2; popfq; " text "; pushfq; pop %1" \
                 : "+a"(a), "=&r"(flags)                    \
                 : "r"(static_cast<u64>(carry) | 2), "c"(b) \
                 : "rdx", "memory", "cc");                  \
    return {a, flags & kAll};                               \
  }
FUNCTION(add8, "add %%cl, %%al")
FUNCTION(add16, "add %%cx, %%ax")
FUNCTION(add32, "add %%ecx, %%eax")
FUNCTION(add64, "add %%rcx, %%rax")
FUNCTION(adc8, "adc %%cl, %%al")
FUNCTION(adc64, "adc %%rcx, %%rax")
FUNCTION(sub8, "sub %%cl, %%al")
FUNCTION(sub32, "sub %%ecx, %%eax")
FUNCTION(sub64, "sub %%rcx, %%rax")
FUNCTION(sbb8, "sbb %%cl, %%al")
FUNCTION(sbb64, "sbb %%rcx, %%rax")
FUNCTION(inc8, "inc %%al")
FUNCTION(dec32, "dec %%eax")
FUNCTION(neg8, "neg %%al")
FUNCTION(and32, "and %%ecx, %%eax")
FUNCTION(shl8, "shl %%cl, %%al")
FUNCTION(shl64, "shl %%cl, %%rax")
FUNCTION(shr8, "shr %%cl, %%al")
FUNCTION(shr1, "shr $1, %%al")
FUNCTION(sar8, "sar %%cl, %%al")
FUNCTION(rol8, "rol $1, %%al")
FUNCTION(rcl8, "rcl $1, %%al")
FUNCTION(rcr64, "rcr $1, %%rax")
FUNCTION(mul8, "mul %%cl")
FUNCTION(imul64, "imul %%rcx, %%rax")
FUNCTION(cmpxchg, "mov %%rcx, %%rdx; cmpxchg %%rdx, %%rcx")
FUNCTION(bt, "bt %%rcx, %%rax")
FUNCTION(xadd8, "xadd %%cl, %%al; mov %%cl, %%ah")

int additions() {
  Result r = add8(0xff, 1);
  EXPECT_SAME(r.value, 0);
  EXPECT_SAME(r.flags, kC | kP | kA | kZ);
  r = add8(0x7f, 1);
  EXPECT_SAME(r.value, 0x80);
  EXPECT_SAME(r.flags, kA | kS | kO);
  EXPECT_SAME(add8(0x1234'56ff, 1).value, 0x1234'5600);
  r = add16(0xffff'8000, 0x8000);
  EXPECT_SAME(r.value, 0xffff'0000);
  EXPECT_SAME(r.flags, kC | kP | kZ | kO);
  r = add32(0xffff'ffff'ffff'ffff, 1);
  EXPECT_SAME(r.value, 0);  // 32-bit results clear the upper half
  EXPECT_SAME(r.flags, kC | kP | kA | kZ);
  EXPECT_SAME(add64(0x7fff'ffff'ffff'ffff, 1).flags, kP | kA | kS | kO);
  r = adc8(0xff, 0, true);
  EXPECT_SAME(r.value, 0);
  EXPECT_SAME(r.flags, kC | kP | kA | kZ);
  EXPECT_SAME(adc64(~0ull, ~0ull, true).flags, kC | kP | kA | kS);
  r = xadd8(0x01, 0x7f);
  EXPECT_SAME(r.value & 0xff, 0x80);
  EXPECT_SAME(r.flags, kA | kS | kO);
  return 0;
}

int subtractions() {
  EXPECT_SAME(sub8(0, 1).flags, kC | kP | kA | kS);
  EXPECT_SAME(sub8(0x80, 1).flags, kA | kO);
  EXPECT_SAME(sub32(5, 5).flags, kP | kZ);
  EXPECT_SAME(sub64(0, 0x8000'0000'0000'0000).flags, kC | kP | kS | kO);
  EXPECT_SAME(sbb8(0, 0xff, true).flags, kC | kP | kA | kZ);
  EXPECT_SAME(sbb8(0, 0, false).flags, kP | kZ);
  EXPECT_SAME(sbb64(0x8000'0000'0000'0000, 0, true).flags, kP | kA | kO);
  EXPECT_SAME(neg8(0x80, 0).flags, kC | kS | kO);
  EXPECT_SAME(neg8(0, 0).flags, kP | kZ);
  EXPECT_SAME(cmpxchg(5, 5).flags, kP | kZ);
  // INC and DEC leave CF alone.
  EXPECT_SAME(inc8(0x7f, 0, true).flags, kC | kA | kS | kO);
  EXPECT_SAME(inc8(0xff, 0, false).flags, kP | kA | kZ);
  EXPECT_SAME(dec32(0x8000'0000, 0, true).flags, kC | kP | kA | kO);
  return 0;
}

int shifts() {
  constexpr u64 kDefined = kAll & ~kA;  // AF is undefined after shifts and logic
  EXPECT_SAME(and32(0xf0, 0x0f, true).flags & kDefined, kP | kZ);
  EXPECT_SAME(shl8(0x81, 1).flags & kDefined, kC | kO);
  EXPECT_SAME(shl8(0xff, 0x20, true).flags & kC, kC);  // a count of 32 is 0: nothing changes
  EXPECT_SAME(shl64(1, 63).value, 0x8000'0000'0000'0000);
  EXPECT_SAME(shr1(0x81, 0).flags & kDefined, kC | kO);
  EXPECT_SAME(shr8(0xff, 7).value, 1);
  EXPECT_SAME(sar8(0x80, 9).value, 0xff);
  EXPECT_SAME(sar8(0x80, 9).flags & kC, kC);
  EXPECT_SAME(rol8(0x80, 0).value, 1);
  EXPECT_SAME(rol8(0x80, 0).flags & (kC | kO), kC | kO);
  EXPECT_SAME(rcl8(0x80, 0, true).value, 1);
  EXPECT_SAME(rcr64(0, 0, true).value, 0x8000'0000'0000'0000);
  return 0;
}

int others() {
  EXPECT_SAME(mul8(0x10, 0x10).flags & (kC | kO), kC | kO);
  EXPECT_SAME(mul8(0xf, 0x11).flags & (kC | kO), 0);
  EXPECT_SAME(imul64(1ull << 62, 2).flags & (kC | kO), kC | kO);
  EXPECT_SAME(imul64(~0ull, 5).value, ~0ull - 4);
  EXPECT_SAME(imul64(~0ull, 5).flags & (kC | kO), 0);
  EXPECT_SAME(bt(1ull << 40, 40).flags & kC, kC);
  EXPECT_SAME(bt(1ull << 40, 40 + 64).flags & kC, kC);
  return 0;
}

}  // namespace

int guest_main() {
  RUN(additions());
  RUN(subtractions());
  RUN(shifts());
  RUN(others());
  return 0;
}
