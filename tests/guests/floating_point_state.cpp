// FXSAVE, XSAVE and their areas; the exceptions of x87 and SSE; CR0's TS, EM and NE.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

alignas(64) u8 area[1024];
template <class T>
T& field(unsigned offset) {
  return *reinterpret_cast<T*>(area + offset);
}

int fxsave() {
  asm volatile("fninit; fld1; fldpi; pcmpeqd %%xmm15, %%xmm15; fxsaveq %0" : "=m"(area));
  EXPECT_SAME(field<u16>(0), 0x37f);
  EXPECT_SAME(field<u16>(2), 6 << 11);  // TOP
  EXPECT_SAME(field<u8>(4), 0xc0);      // the two that are in use
  EXPECT_SAME(field<u32>(24), 0x1f80);
  EXPECT_SAME(field<u64>(32), 0xc90f'daa2'2168'c235);  // ST0 is pi
  EXPECT_SAME(field<u16>(40), 0x4000);
  EXPECT_SAME(field<u64>(48), 0x8000'0000'0000'0000);
  EXPECT_SAME(field<u64>(160 + 15 * 16), ~0ull);
  field<u64>(160) = 0x1234;
  field<u64>(168) = 0x5678;
  u64 value[2];
  asm volatile("fninit; fxrstorq %1; movups %%xmm0, %0" : "=m"(value) : "m"(area));
  EXPECT_SAME(value[0] << 16 | value[1], 0x1234'5678);
  u64 top;
  asm volatile("fstpl %0" : "=m"(top));
  EXPECT_SAME(top, 0x4009'21fb'5444'2d18);
  field<u32>(24) = 0xffff'0000;  // reserved bits of MXCSR
  EXPECT_SAME(what_trapped(probe([] { asm volatile("fxrstorq %0" ::"m"(area)); })), fault(13));
  EXPECT_SAME(what_trapped(probe([] { asm volatile("fxsaveq %0" ::"m"(area[8])); })), fault(13));
  return 0;
}

int xsave() {
  EXPECT_SAME(what_trapped(probe([] { asm volatile("xgetbv" ::"c"(0)
                                                   : "rax", "rdx"); })),
              fault(6));
  write_cr4(read_cr4() | kCr4Osxsave);
  EXPECT(has(cpuid(1).ecx, 27));
  asm volatile("xsetbv" ::"a"(3), "d"(0), "c"(0));
  EXPECT_SAME(what_trapped(probe([] { asm volatile("xsetbv" ::"a"(2), "d"(0), "c"(0)); })),
              fault(13));
  for (u8& byte : area) byte = 0;
  asm volatile("fninit; fld1; pcmpeqd %%xmm3, %%xmm3; xsave %0" : "+m"(area) : "a"(3), "d"(0));
  EXPECT_SAME(field<u64>(512) & 3, 3);
  EXPECT_SAME(field<u64>(160 + 3 * 16), ~0ull);
  EXPECT_SAME(field<u64>(520), 0);
  // A component that the header says is in its initial state comes back as that.
  field<u64>(512) = 1;
  u64 value = 1;
  asm volatile("xrstor %1; movq %%xmm3, %0" : "=r"(value) : "m"(area), "a"(3), "d"(0));
  EXPECT_SAME(value, 0);
  field<u64>(520) = 1;  // reserved
  EXPECT_SAME(what_trapped(probe([] { asm volatile("xrstor %0" ::"m"(area), "a"(3), "d"(0)); })),
              fault(13));
  return 0;
}

int exceptions() {
  const u16 unmasked = 0x37b;  // zero divide
  Trap trap =
      probe([&] { asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait" ::"m"(unmasked)); });
  asm volatile("fninit");
  EXPECT_SAME(what_trapped(trap), fault(16));
  const u32 mxcsr = 0x1d80, usual = 0x1f80;
  trap = probe([&] {
    asm volatile(
        "ldmxcsr %0; xorps %%xmm0, %%xmm0; mov $0x3f800000, %%eax; movd %%eax, %%xmm1; "
        "divss %%xmm0, %%xmm1" ::"m"(mxcsr)
        : "rax");
  });
  asm volatile("ldmxcsr %0" ::"m"(usual));
  EXPECT_SAME(what_trapped(trap), fault(19));
  write_cr0(read_cr0() | 8);  // TS
  EXPECT_SAME(what_trapped(probe([] { asm volatile("xorps %xmm0, %xmm0"); })), fault(7));
  EXPECT_SAME(what_trapped(probe([] { asm volatile("fwait"); })), fault(7));
  asm volatile("clts");
  write_cr0(read_cr0() | 4);  // EM
  EXPECT_SAME(what_trapped(probe([] { asm volatile("xorps %xmm0, %xmm0"); })), fault(6));
  EXPECT_SAME(what_trapped(probe([] { asm volatile("fld1"); })), fault(7));
  write_cr0(read_cr0() & ~4ull);
  return 0;
}

int alignment() {
  EXPECT_SAME(what_trapped(probe([] { asm volatile("movaps %0, %%xmm0" ::"m"(area[8])); })),
              fault(13));
  EXPECT_SAME(what_trapped(probe([] { asm volatile("addps %0, %%xmm0" ::"m"(area[8])); })),
              fault(13));
  EXPECT_SAME(what_trapped(probe([] { asm volatile("movups %0, %%xmm0" ::"m"(area[8])); })),
              kNoTrap);
  return 0;
}

}  // namespace

int guest_main() {
  RUN(fxsave());
  if (offers_xsave()) RUN(xsave());
  RUN(exceptions());
  RUN(alignment());
  return 0;
}
