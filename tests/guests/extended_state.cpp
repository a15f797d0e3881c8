// XSAVE and its kin: which components are stored where, what the header says, and which headers
// fault (SDM 1 13.6 - 13.10).
#include "tests/guests/expect.h"

using namespace guest;

namespace {

alignas(64) u8 area[4096];
template <class T>
T& field(unsigned offset) {
  return *reinterpret_cast<T*>(area + offset);
}
constexpr unsigned kInUse = 512, kCompaction = 520;
constexpr u64 kCompacted = 1ull << 63;
u64 components;  // what XCR0 has

void fill() {
  for (u8& byte : area) byte = 0xcc;
  for (unsigned i = 512; i < 576; ++i) area[i] = 0;
}

// The state everything has after XRSTOR of an empty header, MXCSR apart.
void clear_state() {
  for (u8& byte : area) byte = 0;
  field<u32>(24) = 0x1f80;
  asm volatile("xrstor %0" ::"m"(area), "a"(~0u), "d"(~0u));
}

u64 restoring() {
  return what_trapped(probe([] { asm volatile("xrstor %0" ::"m"(area), "a"(~0u), "d"(0)); }));
}

int standard_form() {
  clear_state();
  fill();
  field<u64>(kInUse) = components;
  asm volatile("xsave %0" : "+m"(area) : "a"(2), "d"(0));
  EXPECT_SAME(field<u64>(kInUse) & 2, 0);  // not in use, and stored all the same
  EXPECT_SAME(field<u64>(160), 0);
  EXPECT_SAME(field<u32>(24), 0x1f80);
  EXPECT_SAME(field<u16>(0), 0xcccc);  // not asked for
  asm volatile("pcmpeqd %%xmm3, %%xmm3; xsave %0" : "+m"(area) : "a"(2), "d"(0));
  EXPECT_SAME(field<u64>(kInUse) & 2, 2);
  EXPECT_SAME(field<u64>(160 + 3 * 16), ~0ull);
  return 0;
}

int optimized() {
  if (!has(cpuid(0xd, 1).eax, 0)) return 0;
  clear_state();
  fill();
  asm volatile("fld1; xsaveopt %0; fninit" : "+m"(area) : "a"(3), "d"(0));
  EXPECT_SAME(field<u64>(kInUse), 1);
  EXPECT_SAME(field<u64>(32), 0x8000'0000'0000'0000);
  EXPECT_SAME(field<u64>(160), 0xcccc'cccc'cccc'cccc);  // left out
  EXPECT_SAME(field<u32>(24), 0x1f80);
  return 0;
}

int compacted() {
  if (!has(cpuid(0xd, 1).eax, 1)) return 0;
  clear_state();
  fill();
  const u32 odd = 0x1fc0, usual = 0x1f80;
  asm volatile("xsavec %0" : "+m"(area) : "a"(2), "d"(0));
  EXPECT_SAME(field<u64>(kInUse), 0);
  EXPECT_SAME(field<u64>(kCompaction), kCompacted | 2);
  EXPECT_SAME(field<u32>(24), 0xcccc'cccc);
  // MXCSR makes SSE a component in use.
  asm volatile("ldmxcsr %1; xsavec %0; ldmxcsr %2"
               : "+m"(area)
               : "m"(odd), "m"(usual), "a"(2), "d"(0));
  EXPECT_SAME(field<u64>(kInUse), 2);
  EXPECT_SAME(field<u32>(24), odd);
  EXPECT_SAME(field<u64>(160), 0);
  field<u64>(160) = 0x1234;
  u64 value;
  u32 mxcsr;
  asm volatile("xrstor %2; movq %%xmm0, %0; stmxcsr %1; ldmxcsr %3"
               : "=r"(value), "=m"(mxcsr)
               : "m"(area), "m"(usual), "a"(2), "d"(0));
  EXPECT_SAME(value, 0x1234);
  EXPECT_SAME(mxcsr, odd);
  field<u64>(kInUse) = 0;  // initial, MXCSR included, whatever memory says
  asm volatile("ldmxcsr %1; xrstor %2; stmxcsr %0"
               : "=m"(mxcsr)
               : "m"(odd), "m"(area), "a"(2), "d"(0));
  EXPECT_SAME(mxcsr, usual);
  return 0;
}

int headers() {
  clear_state();
  EXPECT_SAME(restoring(), kNoTrap);
  field<u64>(kInUse) = 1ull << 62;  // not in XCR0
  EXPECT_SAME(restoring(), fault(13));
  field<u64>(kInUse) = 0;
  field<u64>(528) = 1;
  EXPECT_SAME(restoring(), fault(13));
  field<u64>(528) = 0;
  field<u32>(24) = 0xffff'0000;
  EXPECT_SAME(restoring(), fault(13));
  field<u32>(24) = 0x1f80;
  if (!has(cpuid(0xd, 1).eax, 1)) return 0;
  field<u64>(kCompaction) = kCompacted | 3;
  EXPECT_SAME(restoring(), kNoTrap);
  field<u64>(kInUse) = components & ~3;  // in use but without a place
  EXPECT_SAME(restoring(), components & ~3 ? fault(13) : kNoTrap);
  field<u64>(kInUse) = 0;
  field<u64>(kCompaction) = kCompacted | 1ull << 62;
  EXPECT_SAME(restoring(), fault(13));
  field<u64>(kCompaction) = kCompacted | 3;
  field<u64>(568) = 1;
  EXPECT_SAME(restoring(), fault(13));
  field<u64>(568) = 0;
  field<u32>(24) = 0xffff'0000;  // MXCSR is not loaded from there
  EXPECT_SAME(restoring(), kNoTrap);
  return 0;
}

// The upper halves of the YMM registers, through both forms.
int upper_halves() {
  if (!(components & 4)) return 0;
  const Cpuid place = cpuid(0xd, 2);
  EXPECT_SAME(place.eax, 256);
  EXPECT_SAME(place.ebx, 576);
  clear_state();
  fill();
  asm volatile(
      "vpcmpeqd %%xmm0, %%xmm0, %%xmm0; vinsertf128 $1, %%xmm0, %%ymm1, %%ymm9; "
      "vxorps %%xmm0, %%xmm0, %%xmm0; xsave %0"
      : "+m"(area)
      : "a"(7), "d"(0));
  EXPECT_SAME(field<u64>(kInUse) & 6, 4);
  EXPECT_SAME(field<u64>(place.ebx + 9 * 16), ~0ull);
  EXPECT_SAME(field<u64>(place.ebx + 8 * 16), 0);
  clear_state();
  u64 low = 1, high = 1;
  asm volatile("vextractf128 $1, %%ymm9, %%xmm0; movq %%xmm0, %0" : "=r"(high));
  EXPECT_SAME(high, 0);
  field<u64>(kInUse) = 4;
  field<u64>(place.ebx + 9 * 16) = 0x5678;
  asm volatile("xrstor %2; movq %%xmm9, %0; vextractf128 $1, %%ymm9, %%xmm0; movq %%xmm0, %1"
               : "=r"(low), "=r"(high)
               : "m"(area), "a"(6), "d"(0));
  EXPECT_SAME(low, 0);
  EXPECT_SAME(high, 0x5678);
  if (!has(cpuid(0xd, 1).eax, 2)) return 0;
  u32 used, upper;
  asm volatile("xgetbv" : "=a"(used), "=d"(upper) : "c"(1));
  EXPECT_SAME(used & 4, 4);
  asm volatile("vzeroupper; xgetbv" : "=a"(used), "=d"(upper) : "c"(1));
  EXPECT_SAME(used & 4, 0);
  return 0;
}

}  // namespace

int guest_main() {
  if (!offers_xsave()) return 0;
  write_cr4(read_cr4() | kCr4Osxsave);
  components = cpuid(0xd).eax & 7;
  asm volatile("xsetbv" ::"a"(components), "d"(0), "c"(0));
  EXPECT_SAME(what_trapped(probe([] { asm volatile("xsetbv" ::"a"(5), "d"(0), "c"(0)); })),
              fault(13));  // AVX without SSE
  EXPECT_SAME(what_trapped(probe([] { asm volatile("xsave %0" ::"m"(area[8]), "a"(3), "d"(0)); })),
              fault(13));
  RUN(standard_form());
  RUN(optimized());
  RUN(compacted());
  RUN(headers());
  RUN(upper_halves());
  return 0;
}
