// Instructions per second, one class of work after the other. Prints "NAME HUNDREDTHS UNIT" lines
// on COM1, where HUNDREDTHS counts hundredths of a million (of UNIT) a second.
#include "firmware/selftest/runtime/guest.h"
#include "tests/bench/guests/tsc_by_pit.h"

using namespace guest;

extern "C" char workload_user[], workload_user_end[], workload_kernel[];
// RDI calls into the kernel, then a trap that ends the probe.
asm(R"(
workload_user:
  syscall
  dec %rdi
  jnz workload_user
  ud2
workload_user_end:
workload_kernel:
  sysretq
)");

namespace {

alignas(64) u8 from[65536], to[65536];
u64 tsc_hz;

void integer(u64 turns) {
  u64 a = 1, b = 2, c = 3;
  asm volatile(
      "1: add %1, %0; xor %0, %2; lea 3(%1, %2, 2), %1; shr $1, %2\n"
      "sub %0, %1; and $0x7fffffff, %0; or $1, %2; imul %2, %1\n"
      "dec %3; jnz 1b"
      : "+r"(a), "+r"(b), "+r"(c), "+r"(turns)::"cc");
}

// Loads, stores and read-modify-writes of the kind that compilers make.
void memory(u64 turns) {
  u64 index = 0;
  asm volatile(
      "1: mov (%2, %1), %%rax; add $8, %1; and $0x7ff8, %1; mov %%rax, (%3, %1)\n"
      "addl $1, 4(%3, %1); movzbl 3(%2, %1), %%ecx; push %%rcx; pop %%rdx\n"
      "dec %0; jnz 1b"
      : "+r"(turns), "+r"(index)
      : "r"(from), "r"(to)
      : "rax", "rcx", "rdx", "memory", "cc");
}

// A call, a return, a jump taken and one not taken each turn.
void branches(u64 turns) {
  asm volatile(
      "jmp 1f\n"
      "2: test $1, %b0; jz 3f; nop; 3: ret\n"
      "1: call 2b; cmp $0, %0; je 4f; dec %0; jnz 1b; 4:"
      : "+r"(turns)::"memory", "cc");
}

void x87(u64 turns) {
  asm volatile(
      "fninit; fldpi; fld1\n"
      "1: fadd %%st(1), %%st; fmul %%st(1), %%st; fdiv %%st(1), %%st; fsqrt; fxch; fxch\n"
      "dec %0; jnz 1b"
      : "+r"(turns)::"cc");
}

void sse_floating_point(u64 turns) {
  asm volatile(
      "mov $0x3ff0000000000000, %%rax; movq %%rax, %%xmm0; movq %%rax, %%xmm1\n"
      "1: addsd %%xmm1, %%xmm0; mulsd %%xmm1, %%xmm0; subsd %%xmm1, %%xmm0; cvtsd2si %%xmm0, "
      "%%rax\n"
      "cvtsi2sd %%rax, %%xmm2; addps %%xmm2, %%xmm3; mulpd %%xmm1, %%xmm4; ucomisd %%xmm1, %%xmm0\n"
      "dec %0; jnz 1b"
      : "+r"(turns)::"rax", "cc");
}

void simd_integer(u64 turns) {
  asm volatile(
      "pxor %%xmm0, %%xmm0\n"
      "1: movdqu (%1), %%xmm1; paddd %%xmm1, %%xmm0; pshufd $0x1b, %%xmm0, %%xmm2; pxor %%xmm2, "
      "%%xmm0\n"
      "pcmpeqb %%xmm1, %%xmm2; pmovmskb %%xmm2, %%eax; punpcklbw %%xmm1, %%xmm3; movdqu %%xmm3, "
      "(%2)\n"
      "dec %0; jnz 1b"
      : "+r"(turns)
      : "r"(from), "r"(to)
      : "rax", "memory", "cc");
}

// Counted in bytes.
void rep_movs(u64 turns) {
  for (; turns; --turns) {
    const void* source = from;
    void* target = to;
    u64 count = sizeof from / 8;
    asm volatile("rep movsq" : "+S"(source), "+D"(target), "+c"(count)::"memory");
  }
}
void rep_stos(u64 turns) {
  for (; turns; --turns) {
    void* target = to;
    u64 count = sizeof to;
    asm volatile("rep stosb" : "+D"(target), "+c"(count) : "a"(0) : "memory");
  }
}

constexpr u64 kUserCode64 = kWindow, kUserStack = kWindow + 0x1000;

// To the kernel and back, counted once.
void system_calls(u64 turns) {
  probe([=] {
    asm volatile("push %0; push %1; push $2; push %2; push %3; iretq" ::"i"(kUserData),
                 "r"(kUserStack + 0x800), "i"(kUserCode), "r"(kUserCode64), "D"(turns)
                 : "rcx", "r11", "memory");
  });
}

void page_faults(u64 turns) {
  for (; turns; --turns) probe([] { volatile_read<u8>(kWindow + 0x10'0000); });
}

// Every turn reads a page whose translation was just dropped.
void translations(u64 turns) {
  for (; turns; --turns) {
    invlpg(kUserStack);
    volatile_read<u64>(kUserStack);
  }
}

void cpuids(u64 turns) {
  for (; turns; --turns) cpuid(0);
}

void port_writes(u64 turns) {
  for (; turns; --turns) out8(0x80, 0);
}

struct Workload {
  const char* name;
  void (*run)(u64 turns);
  u64 per_turn;
  const char* unit;
};
constexpr Workload kWorkloads[] = {
    {"integer", integer, 10, "instructions"},
    {"memory", memory, 10, "instructions"},
    {"branches and calls", branches, 9, "instructions"},
    {"x87", x87, 8, "instructions"},
    {"SSE floating point", sse_floating_point, 10, "instructions"},
    {"SIMD integer", simd_integer, 10, "instructions"},
    {"REP MOVSQ", rep_movs, sizeof from, "bytes"},
    {"REP STOSB", rep_stos, sizeof to, "bytes"},
    {"SYSCALL and SYSRET", system_calls, 1, "calls"},
    {"page faults", page_faults, 1, "faults"},
    {"INVLPG and reload", translations, 1, "reloads"},
    {"CPUID", cpuids, 1, "instructions"},
    {"port writes", port_writes, 1, "writes"},
};

// TSC cycles per second: CPUID 15h, or else counted against the PIT's channel 0.
u64 find_tsc_hz() {
  if (cpuid(0).eax >= 0x15) {
    const Cpuid leaf = cpuid(0x15);
    if (leaf.eax && leaf.ebx && leaf.ecx) return static_cast<u64>(leaf.ecx) * leaf.ebx / leaf.eax;
  }
  return tsc_hz_by_pit();
}

void measure(const Workload& workload) {
  for (u64 turns = 16;; turns *= 2) {
    const u64 start = tsc();
    workload.run(turns);
    const u64 elapsed = tsc() - start + 1;
    if (elapsed < tsc_hz / 10 && turns < 1ull << 40) continue;
    print(workload.name);
    print("|");
    print_decimal(scale(turns * workload.per_turn, tsc_hz, elapsed) / 10'000);
    print("|");
    print(workload.unit);
    print("\n");
    return;
  }
}

}  // namespace

int guest_main() {
  console_port = 0x3f8;
  map_code(kUserCode64, workload_user, workload_user_end);
  map(kUserStack, new_page(), kPresent | kWritable | kUser);
  write_msr(0xc000'0081, u64{0x1b} << 48 | u64{kKernelCode} << 32);
  write_msr(0xc000'0082, reinterpret_cast<u64>(workload_kernel));
  write_msr(0xc000'0084, 0);
  tsc_hz = find_tsc_hz();
  for (const Workload& workload : kWorkloads) measure(workload);
  print("end\n");
  return 0;
}
