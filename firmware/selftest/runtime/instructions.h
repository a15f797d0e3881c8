// The instructions that C++ has no words for.
#pragma once

#include "base/types.h"

namespace guest {

using kite::i32;
using kite::i64;
using kite::u16;
using kite::u32;
using kite::u64;
using kite::u8;

inline void out8(u16 port, u8 value) {
  asm volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
inline void out16(u16 port, u16 value) {
  asm volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}
inline void out32(u16 port, u32 value) {
  asm volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}
inline u8 in8(u16 port) {
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline u16 in16(u16 port) {
  u16 value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline u32 in32(u16 port) {
  u32 value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

struct Cpuid {
  u32 eax, ebx, ecx, edx;
};
inline Cpuid cpuid(u32 leaf, u32 subleaf = 0) {
  Cpuid r;
  asm volatile("cpuid"
               : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
               : "a"(leaf), "c"(subleaf));
  return r;
}

inline u64 read_msr(u32 index) {
  u32 low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return static_cast<u64>(high) << 32 | low;
}
inline void write_msr(u32 index, u64 value) {
  asm volatile("wrmsr" ::"c"(index), "a"(static_cast<u32>(value)),
               "d"(static_cast<u32>(value >> 32))
               : "memory");
}

inline u64 tsc() {
  u32 low, high;
  asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
  return static_cast<u64>(high) << 32 | low;
}

#define KITE_GUEST_REGISTER(name)                                \
  inline u64 read_##name() {                                     \
    u64 value;                                                   \
    asm volatile("mov %%" #name ", %0" : "=r"(value)::"memory"); \
    return value;                                                \
  }                                                              \
  inline void write_##name(u64 value) {                          \
    asm volatile("mov %0, %%" #name ::"r"(value) : "memory");    \
  }
KITE_GUEST_REGISTER(cr0)
KITE_GUEST_REGISTER(cr2)
KITE_GUEST_REGISTER(cr3)
KITE_GUEST_REGISTER(cr4)
KITE_GUEST_REGISTER(dr0)
KITE_GUEST_REGISTER(dr1)
KITE_GUEST_REGISTER(dr2)
KITE_GUEST_REGISTER(dr3)
KITE_GUEST_REGISTER(dr6)
KITE_GUEST_REGISTER(dr7)
#undef KITE_GUEST_REGISTER

inline u64 read_rflags() {
  u64 value;
  asm volatile("pushfq; pop %0" : "=r"(value)::"memory");
  return value;
}
inline void invlpg(u64 address) {
  asm volatile("invlpg (%0)" ::"r"(address) : "memory");
}
inline void interrupts_on() {
  asm volatile("sti" ::: "memory");
}
inline void interrupts_off() {
  asm volatile("cli" ::: "memory");
}
inline void pause() {
  asm volatile("pause" ::: "memory");
}
// Waits for one interrupt; STI's shadow makes the pair atomic (SDM 2B "STI").
inline void wait_for_interrupt() {
  asm volatile("sti; hlt; cli" ::: "memory");
}

// The CR4 and CPUID bits that guests ask for by name.
inline constexpr u64 kCr4Pge = 1 << 7, kCr4Umip = 1 << 11, kCr4Fsgsbase = 1 << 16,
                     kCr4Pcide = 1 << 17, kCr4Osxsave = 1 << 18, kCr4Smep = 1 << 20,
                     kCr4Smap = 1 << 21;
inline bool has(u32 value, int bit) {
  return value >> bit & 1;
}
inline bool offers_pcid() {
  return has(cpuid(1).ecx, 17);
}
inline bool offers_xsave() {
  return has(cpuid(1).ecx, 26);
}
inline Cpuid extended_features() {
  return cpuid(0).eax >= 7 ? cpuid(7) : Cpuid{};
}
inline bool offers_fsgsbase() {
  return has(extended_features().ebx, 0);
}
inline bool offers_smep() {
  return has(extended_features().ebx, 7);
}
inline bool offers_invpcid() {
  return has(extended_features().ebx, 10);
}
inline bool offers_smap() {
  return has(extended_features().ebx, 20);
}
inline bool offers_umip() {
  return has(extended_features().ecx, 2);
}

// a * b / c with all bits between; the quotient must fit. (The compiler would call a library.)
inline u64 scale(u64 a, u64 b, u64 c) {
  u64 low, high;
  asm("mul %3; div %4" : "=&a"(low), "=&d"(high) : "0"(a), "r"(b), "r"(c) : "cc");
  return low;
}

template <class T>
T volatile_read(u64 address) {
  return *reinterpret_cast<volatile T*>(address);
}
template <class T>
void volatile_write(u64 address, T value) {
  *reinterpret_cast<volatile T*>(address) = value;
}

}  // namespace guest
