// The processor: what CPUID offers must execute, and give the right result.
#include "firmware/selftest/selftest.h"

namespace selftest {

namespace {

// Operands and results of the SIMD instructions below; the compiler itself uses no SIMD.
alignas(64) u64 in_a[8], in_b[8], result[8];

// Runs `instructions` on xmm0 = in_a, xmm1 = in_b and stores xmm0.
#define SIMD(instructions)                                                                 \
  asm volatile("movups %1, %%xmm0; movups %2, %%xmm1; " instructions "; movups %%xmm0, %0" \
               : "=m"(result)                                                              \
               : "m"(in_a), "m"(in_b))

void operands(u64 a0, u64 a1, u64 b0, u64 b1) {
  in_a[0] = a0, in_a[1] = a1, in_b[0] = b0, in_b[1] = b1;
}
bool gave(u64 low, u64 high) {
  return result[0] == low && result[1] == high;
}

constexpr u64 kOnes = 0x3f80'0000'3f80'0000;    // 1.0f, 1.0f
constexpr u64 kTwos = 0x4000'0000'4000'0000;    // 2.0f, 2.0f
constexpr u64 kThrees = 0x4040'0000'4040'0000;  // 3.0f, 3.0f

bool fpu() {
  double value = 0;
  asm volatile("fninit; fldpi; fld1; faddp; fstpl %0" : "=m"(value));
  u64 bits;
  asm volatile("mov %1, %0" : "=r"(bits) : "m"(value));
  return bits == 0x4010'90fd'aa22'168c;  // pi + 1
}
bool mmx() {
  operands(0x0102030405060708, 0, 0x1010101010101010, 0);
  asm volatile("movq %1, %%mm0; paddb %2, %%mm0; movq %%mm0, %0; emms"
               : "=m"(result)
               : "m"(in_a), "m"(in_b));
  return result[0] == 0x1112131415161718;
}
bool fxsr() {
  alignas(16) static u8 area[512];
  asm volatile("fninit; fxsave %0; fxrstor %0" : "+m"(area));
  return area[0] == 0x7f && area[1] == 3;
}
bool sse() {
  operands(kOnes, kOnes, kTwos, kTwos);
  SIMD("addps %%xmm1, %%xmm0");
  return gave(kThrees, kThrees);
}
bool sse2() {
  operands(5, ~0ull, 7, 1);
  SIMD("paddq %%xmm1, %%xmm0");
  return gave(12, 0);
}
bool sse3() {
  operands(kOnes, kTwos, kOnes, kTwos);
  SIMD("haddps %%xmm1, %%xmm0");
  return gave(0x4080'0000'4000'0000, 0x4080'0000'4000'0000);
}
bool ssse3() {
  operands(0x0706050403020100, 0x0f0e0d0c0b0a0908, 0x8001020304050607, 0x0808080808080808);
  SIMD("pshufb %%xmm1, %%xmm0");
  return gave(0x0001020304050607, 0x0808080808080808);
}
bool sse41() {
  operands(0x0000000300000002, 5, 0x0000000700000006, 9);
  SIMD("pmulld %%xmm1, %%xmm0");
  return gave(0x000000150000000c, 45);
}
bool sse42() {
  u64 crc = 0;
  asm volatile("crc32b %1, %k0" : "+r"(crc) : "r"(static_cast<u8>('a')));
  operands(1, 9, 2, 3);
  SIMD("pcmpgtq %%xmm1, %%xmm0");
  return gave(0, ~0ull) && crc == 0x93ad1061;
}
bool popcnt() {
  u64 count;
  asm volatile("popcnt %1, %0" : "=r"(count) : "r"(0xf0f0'0000'0000'0001ull));
  return count == 9;
}
bool cx8() {
  u64 memory = 1;
  u8 equal;
  asm volatile("lock cmpxchg8b %1; setz %0"
               : "=q"(equal), "+m"(memory)
               : "a"(1), "d"(0), "b"(2), "c"(3)
               : "memory");
  return equal && memory == 0x0000'0003'0000'0002;
}
bool cx16() {
  alignas(16) u64 memory[2] = {1, 2};
  u8 equal;
  asm volatile("lock cmpxchg16b %1; setz %0"
               : "=q"(equal), "+m"(memory)
               : "a"(1ull), "d"(2ull), "b"(3ull), "c"(4ull)
               : "memory");
  return equal && memory[0] == 3 && memory[1] == 4;
}
bool cmov() {
  u64 value = 1;
  asm volatile("test %0, %0; cmovnz %1, %0" : "+r"(value) : "r"(2ull));
  return value == 2;
}
bool movbe() {
  u64 memory = 0x0102030405060708, value;
  asm volatile("movbe %1, %0" : "=r"(value) : "m"(memory));
  return value == 0x0807060504030201;
}
bool aes() {
  operands(0, 0, 0, 0);
  SIMD("aesenc %%xmm1, %%xmm0");
  return gave(0x6363636363636363, 0x6363636363636363);
}
bool pclmulqdq() {
  operands(3, 0, 5, 0);
  SIMD("pclmulqdq $0, %%xmm1, %%xmm0");
  return gave(15, 0);
}
// Random numbers: one of ten tries gives one (SDM 1 7.3.17.1), and not all are alike.
bool rdrand() {
  u64 first = 0, value = 0, seen = 0;
  for (int i = 0; i < 10; ++i) {
    u8 carry;
    asm volatile("rdrand %0; setc %1" : "=r"(value), "=q"(carry)::"cc");
    if (!carry) continue;
    if (!seen++)
      first = value;
    else if (value != first)
      return true;
  }
  return false;
}
bool rdseed() {
  u64 value;
  asm volatile("rdseed %0" : "=r"(value)::"cc");
  return true;
}
bool rdtscp() {
  u32 low, high, aux;
  write_msr(0xc000'0103, 0x123);
  asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(aux));
  return aux == 0x123;
}
bool fsgsbase() {
  write_cr4(read_cr4() | kCr4Fsgsbase);
  u64 value;
  asm volatile("wrfsbase %1; rdfsbase %0" : "=r"(value) : "r"(0x1234'5678'9abcull));
  const bool msr = read_msr(0xc000'0100) == 0x1234'5678'9abc;
  write_msr(0xc000'0100, 0);
  return msr && value == 0x1234'5678'9abc;
}
bool lahf() {
  u64 value;
  asm volatile("mov $0xd5, %%ah; sahf; xor %%eax, %%eax; lahf; movzbl %%ah, %%eax" : "=a"(value));
  return value == 0x46;  // ZF, PF and the fixed bit, from the XOR
}
bool clflush() {
  asm volatile("clflush %0" : "+m"(result));
  return true;
}
bool xsave() {
  write_cr4(read_cr4() | kCr4Osxsave);
  u32 low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  const u32 offered = cpuid(0xd).eax;
  u32 wanted = offered & 3;
  if (offered & 4 && has(cpuid(1).ecx, 28)) wanted |= 4;
  asm volatile("xsetbv" ::"a"(wanted), "d"(0), "c"(0));
  alignas(64) static u8 area[1024];
  asm volatile("xsave %0" : "+m"(area) : "a"(3), "d"(0));
  asm volatile("xrstor %0" : "+m"(area) : "a"(3), "d"(0));
  return low & 1 && has(cpuid(1).ecx, 27);
}
bool lzcnt() {
  u64 value;
  asm volatile("lzcnt %1, %0" : "=r"(value) : "r"(1ull << 20));
  return value == 43;
}
bool bmi1() {
  u64 value;
  asm volatile("andn %2, %1, %0" : "=r"(value) : "r"(0xf0ull), "r"(0xffull));
  return value == 0x0f;
}
bool bmi2() {
  u64 value;
  asm volatile("pext %2, %1, %0" : "=r"(value) : "r"(0xabcdull), "r"(0xf0f0ull));
  return value == 0xac;
}
bool adx() {
  u64 value = 1;
  asm volatile("stc; adcx %1, %0" : "+r"(value) : "r"(2ull) : "cc");
  return value == 4;
}
bool avx() {
  operands(kOnes, kOnes, kTwos, kTwos);
  SIMD("vaddps %%xmm1, %%xmm0, %%xmm0; vzeroupper");
  return gave(kThrees, kThrees);
}
bool avx2() {
  operands(1, 2, 3, 4);
  SIMD("vinserti128 $1, %%xmm1, %%ymm1, %%ymm1; vpaddq %%ymm1, %%ymm0, %%ymm0; vzeroupper");
  return gave(4, 6);
}
bool fma() {
  operands(kOnes, kOnes, kTwos, kTwos);
  SIMD("vfmadd213ps %%xmm0, %%xmm1, %%xmm0; vzeroupper");  // 1 * 2 + 1
  return gave(kThrees, kThrees);
}
bool f16c() {
  operands(0x3c003c003c003c00, 0, 0, 0);
  SIMD("vcvtph2ps %%xmm0, %%xmm0; vzeroupper");
  return gave(kOnes, kOnes);
}

enum Register : u8 { kEbx, kEcx, kEdx };
struct Feature {
  const char* name;
  u32 leaf;
  Register where;
  u8 bit;
  bool (*works)();
};
// In the order of CPUID's leaves; XSAVE before what needs its state enabled.
constexpr Feature kFeatures[] = {
    {"x87", 1, kEdx, 0, fpu},
    {"CMPXCHG8B", 1, kEdx, 8, cx8},
    {"CMOV", 1, kEdx, 15, cmov},
    {"CLFLUSH", 1, kEdx, 19, clflush},
    {"MMX", 1, kEdx, 23, mmx},
    {"FXSR", 1, kEdx, 24, fxsr},
    {"SSE", 1, kEdx, 25, sse},
    {"SSE2", 1, kEdx, 26, sse2},
    {"SSE3", 1, kEcx, 0, sse3},
    {"PCLMULQDQ", 1, kEcx, 1, pclmulqdq},
    {"SSSE3", 1, kEcx, 9, ssse3},
    {"CMPXCHG16B", 1, kEcx, 13, cx16},
    {"SSE4.1", 1, kEcx, 19, sse41},
    {"SSE4.2", 1, kEcx, 20, sse42},
    {"MOVBE", 1, kEcx, 22, movbe},
    {"POPCNT", 1, kEcx, 23, popcnt},
    {"AES", 1, kEcx, 25, aes},
    {"XSAVE", 1, kEcx, 26, xsave},
    {"AVX", 1, kEcx, 28, avx},
    {"FMA", 1, kEcx, 12, fma},
    {"F16C", 1, kEcx, 29, f16c},
    {"RDRAND", 1, kEcx, 30, rdrand},
    {"FSGSBASE", 7, kEbx, 0, fsgsbase},
    {"BMI1", 7, kEbx, 3, bmi1},
    {"AVX2", 7, kEbx, 5, avx2},
    {"BMI2", 7, kEbx, 8, bmi2},
    {"RDSEED", 7, kEbx, 18, rdseed},
    {"ADX", 7, kEbx, 19, adx},
    {"LAHF", 0x8000'0001, kEcx, 0, lahf},
    {"LZCNT", 0x8000'0001, kEcx, 5, lzcnt},
    {"RDTSCP", 0x8000'0001, kEdx, 27, rdtscp},
};

bool offered(const Feature& feature) {
  if (cpuid(feature.leaf & 0x8000'0000).eax < feature.leaf) return false;
  const Cpuid leaf = cpuid(feature.leaf);
  return has(feature.where == kEbx   ? leaf.ebx
             : feature.where == kEcx ? leaf.ecx
                                     : leaf.edx,
             feature.bit);
}

void test_feature(const Feature& feature) {
  static bool works;  // outlives the probe, whatever happens in it
  works = false;
  const Trap trap = probe([&] { works = feature.works(); });
  if (trap.frame.vector != kNoTrap) {
    print("      trap ");
    print_decimal(trap.frame.vector);
    print(" in:\n");
  }
  check(works, feature.name);
}

void show_brand() {
  const Cpuid first = cpuid(0);
  const u32 vendor[4] = {first.ebx, first.edx, first.ecx, 0};
  begin_note("CPU ");
  print(reinterpret_cast<const char*>(vendor));
  print(", leaves to ");
  print_hex(first.eax);
  print(" and ");
  print_hex(cpuid(0x8000'0000).eax);
  end_note();
  if (cpuid(0x8000'0000).eax < 0x8000'0004) return;
  Cpuid brand[4] = {cpuid(0x8000'0002), cpuid(0x8000'0003), cpuid(0x8000'0004), {}};
  begin_note(reinterpret_cast<const char*>(brand));
  end_note();
}

}  // namespace

void test_features() {
  show_brand();
  check(cpuid(0).eax >= 1, "CPUID: leaf 1");
  check(cpuid(0x8000'0000).eax >= 0x8000'0001, "CPUID: leaf 80000001h");
  check(has(cpuid(0x8000'0001).edx, 29), "CPUID: long mode");
  check(read_msr(0xc000'0080) & 1 << 10, "EFER.LMA");
  for (const Feature& feature : kFeatures) {
    if (offered(feature)) test_feature(feature);
  }
}

}  // namespace selftest
