// 32-bit protected mode for a guest: tables in low memory that the tests write, a way there, and
// doors that record what ended the code and lead back to 64-bit mode.
//
// A test calls prepare(), changes what it likes, and starts its code with run(). Every exception
// and INT up to 3Fh ends it; code that has nothing else to end with ends with INT3.
#pragma once

#include "tests/guests/expect.h"

namespace guest::protected_mode {

// Linear addresses. The code is where virtual-8086 mode reaches it too.
inline constexpr u32 kCode = 0x10000, kOther = 0x11000, kTss = 0x12000, kNextTss = 0x15000,
                     kThirdTss = 0x15400, kLdt = 0x15800, kGdt = 0x16000, kIdt = 0x17000,
                     kTssLimit = 0x2fff, kData = 0x1c000, kDirectory = 0x1d000, kTable = 0x1e000;
// Tops of stacks.
inline constexpr u32 kStack = 0x18000, kInnerStack = 0x19000, kNextStack = 0x1a000,
                     kThirdStack = 0x1b000, kUserStack = 0x1c000;
// Selectors.
inline constexpr u16 kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x1b, kData3 = 0x23, kTask = 0x28,
                     kNextTask = 0x30, kFirst = 0x38, kSecond = 0x40, kCallGate = 0x48,
                     kThirdTask = 0x50;
inline constexpr u32 kIf = 0x200, kTf = 0x100, kIopl3 = 0x3000, kNt = 0x4000, kRf = 0x10000,
                     kVm = 0x20000, kVif = 0x80000, kVip = 0x100000;
inline constexpr u32 kCr4Vme = 1, kCr4Pvi = 2;
inline constexpr u8 kInt3 = 0xcc, kIret = 0xcf;
inline constexpr unsigned kVectors = 64;

// What the code starts with.
struct Start {
  u32 cr0, cr3, cr4, dr7, data_segments, local_table;
  u32 edi, esi, ebp, unused, ebx, edx, ecx, eax;
  u32 esp;  // where the words for IRET stand
};
// What the doors found, in the order in which they pushed it; then registers.
struct Found {
  u32 gs, fs, es, ds, edi, esi, ebp, esp_below, ebx, edx, ecx, eax, vector, frame[11];
  u32 esp, ss, cs, tr, cr0, cr2, cr3, dr6, dr7;  // ESP as the delivery left it
};

extern "C" {
extern Start protected_start;
extern Found protected_found;
extern char protected_doors[];
void protected_go();
}

// For guests that set IF: nothing comes from outside.
inline void mask_interrupts() {
  out8(0x21, 0xff);
  out8(0xa1, 0xff);
}

inline void put8(u32 at, u32 value) {
  volatile_write<u8>(at, static_cast<u8>(value));
}
inline void put16(u32 at, u32 value) {
  asm("" : "+r"(at));  // the vector table at 0 is no null pointer to be warned of
  volatile_write<u16>(at, static_cast<u16>(value));
}
inline void put32(u32 at, u32 value) {
  volatile_write<u32>(at, value);
}
inline void put64(u32 at, u64 value) {
  volatile_write<u64>(at, value);
}
inline u16 get16(u32 at) {
  return volatile_read<u16>(at);
}
inline u32 get32(u32 at) {
  return volatile_read<u32>(at);
}

// A descriptor; `access` is its byte 5, `flags` the upper half of byte 6 (8: G, 4: D or B).
inline u64 segment(u32 base, u32 limit, u32 access, u32 flags = 0) {
  return (limit & 0xffff) | static_cast<u64>(base & 0xffffff) << 16 |
         static_cast<u64>(access) << 40 | static_cast<u64>(limit >> 16 & 0xf) << 48 |
         static_cast<u64>(flags) << 52 | static_cast<u64>(base >> 24) << 56;
}
inline u64 gate(u16 selector, u32 offset, u32 access, u32 parameters = 0) {
  return (offset & 0xffff) | static_cast<u64>(selector) << 16 | static_cast<u64>(parameters) << 32 |
         static_cast<u64>(access) << 40 | static_cast<u64>(offset >> 16) << 48;
}
inline void set_descriptor(u16 selector, u64 value) {
  put64(kGdt + (selector & ~7u), value);
}
inline u8 access_of(u16 selector) {
  return volatile_read<u8>(kGdt + (selector & ~7u) + 5);
}
inline u32 door(unsigned vector) {
  return static_cast<u32>(reinterpret_cast<u64>(protected_doors)) + vector * 16;
}
inline void interrupt_gate(u8 vector, u32 access, u16 code = kCode0) {
  put64(kIdt + vector * 8u, gate(code, door(vector), access));
}
inline void task_gate(u8 vector, u16 task) {
  put64(kIdt + vector * 8u, gate(task, 0, 0xe5));
}

// A 32-bit TSS of level 0 that begins at `code` and ends there by INT3.
inline void prepare_task(u32 tss, u32 code, u32 stack, u32 eflags = 2) {
  for (unsigned i = 0; i < 0x68; i += 4) put32(tss + i, 0);
  put32(tss + 4, kInnerStack);
  put32(tss + 8, kData0);
  put32(tss + 0x20, code);
  put32(tss + 0x24, eflags);
  for (unsigned i = 0; i < 8; ++i) put32(tss + 0x28 + 4 * i, 0x11111111u * (i + 1));
  put32(tss + 0x38, stack);
  for (unsigned i = 0; i < 6; ++i) put32(tss + 0x48 + 4 * i, kData0);
  put32(tss + 0x4c, kCode0);
  put32(tss + 0x64, 0x68 << 16);
  put8(code, kInt3);
}

inline void prepare() {
  set_descriptor(kCode0, segment(0, 0xfffff, 0x9b, 0xc));
  set_descriptor(kData0, segment(0, 0xfffff, 0x93, 0xc));
  set_descriptor(kCode3, segment(0, 0xfffff, 0xfb, 0xc));
  set_descriptor(kData3, segment(0, 0xfffff, 0xf3, 0xc));
  set_descriptor(kTask, segment(kTss, kTssLimit, 0x89));
  set_descriptor(kNextTask, segment(kNextTss, 0x67, 0x89));
  set_descriptor(kThirdTask, segment(kThirdTss, 0x67, 0x89));
  for (unsigned vector = 0; vector < kVectors; ++vector)
    interrupt_gate(static_cast<u8>(vector), 0xee);
  prepare_task(kTss, kOther, kStack);
  prepare_task(kNextTss, kOther, kNextStack);
  prepare_task(kThirdTss, kOther + 0x800, kThirdStack);
  protected_start = {};
  protected_start.cr0 = 0x31;  // NE, ET, PE
  protected_start.data_segments = kData0;
  protected_start.dr7 = 0x400;
  protected_start.esp = kStack - 0x40;
}

template <unsigned N>
void put_code(u32 at, const u8 (&bytes)[N]) {
  for (unsigned i = 0; i < N; ++i) put8(at + i, bytes[i]);
}

inline const Found& start(u32 eip, u32 cs, u32 eflags, u32 esp, u32 ss) {
  const u32 frame = protected_start.esp;
  put32(frame, eip);
  put32(frame + 4, cs);
  put32(frame + 8, eflags | 2);
  put32(frame + 12, esp);
  put32(frame + 16, ss);
  for (unsigned i = 0; i < 4; ++i) put32(frame + 20 + 4 * i, 0x1000 + i);  // ES, DS, FS, GS
  protected_found = {};
  put8(kGdt + kTask + 5, access_of(kTask) & ~2u);  // LTR takes no busy one
  protected_go();
  return protected_found;
}

// Code at kCode, then INT3: at level 0, at level 3, in virtual-8086 mode (1000:0000, ESP of
// 0:8000h).
template <unsigned N>
const Found& run(const u8 (&bytes)[N], u32 eflags = 0) {
  put_code(kCode, bytes);
  put8(kCode + N, kInt3);
  return start(kCode, kCode0, eflags, 0, 0);
}
template <unsigned N>
const Found& run_user(const u8 (&bytes)[N], u32 eflags = 0, u16 cs = kCode3) {
  put_code(kCode, bytes);
  put8(kCode + N, kInt3);
  protected_start.data_segments = kData3;
  return start(kCode, cs, eflags, kUserStack, kData3);
}
inline constexpr u32 kV86Stack = 0x8000;
template <unsigned N>
const Found& run_v86(const u8 (&bytes)[N], u32 eflags = 0) {
  put_code(kCode, bytes);
  put8(kCode + N, kInt3);
  return start(0, kCode >> 4, eflags | kVm, kV86Stack, 0);
}

inline bool has_error(const Found& found) {
  return 0x20027d00u >> found.vector & 1;  // 8, 10 to 14, 17, 29
}
// Vector and error code, to compare with fault().
inline u64 what(const Found& found) {
  return has_error(found) && found.vector < 32 ? fault(found.vector, found.frame[0])
                                               : fault(found.vector);
}
// The n-th word behind the error code: EIP, CS, EFLAGS, ESP, SS, ES, DS, FS, GS.
inline u32 word(const Found& found, unsigned n) {
  return found.frame[n + (found.vector < 32 && has_error(found) ? 1 : 0)];
}

// protected_saved: RSP, -, IDTR, -, CR0, CR3, CR4, EFER.
asm(R"(
  .pushsection .text
  .code64
  .global protected_go
protected_go:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, protected_saved
  sidt protected_saved + 16
  mov %cr0, %rax
  mov %rax, protected_saved + 32
  mov %cr3, %rax
  mov %rax, protected_saved + 40
  mov %cr4, %rax
  mov %rax, protected_saved + 48
  mov $0xc0000080, %ecx
  rdmsr
  and $~0x400, %eax
  mov %eax, protected_saved + 56
  push $0x48
  push $1f
  lretq
  .code32
1:mov %cr0, %eax           # paging off leaves long mode (SDM 3A 10.8.5.4)
  and $0x7fffffff, %eax
  mov %eax, %cr0
  mov $0xc0000080, %ecx
  rdmsr
  and $~0x100, %eax
  wrmsr
  lgdtl protected_gdtr
  lidtl protected_idtr
  ljmp $0x08, $2f
2:mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %ss
  mov protected_start + 8, %eax
  mov %eax, %cr4
  mov protected_start + 4, %eax
  mov %eax, %cr3
  mov protected_start, %eax
  mov %eax, %cr0
  jmp 3f
3:lldt protected_start + 20
  mov $0x28, %eax
  ltr %ax
  mov $0xffff0ff0, %eax
  mov %eax, %dr6
  mov protected_start + 12, %eax
  mov %eax, %dr7
  mov protected_start + 16, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %fs
  mov %eax, %gs
  mov $protected_start + 24, %esp
  popal
  mov %cs:protected_start + 56, %esp
  iretl

  .balign 16
  .global protected_doors
protected_doors:
  .set protected_vector, 0
  .rept 64
  .balign 16
  push $protected_vector
  jmp protected_common
  .set protected_vector, protected_vector + 1
  .endr
protected_common:
  pushal
  push %ds
  push %es
  push %fs
  push %gs
  cld
  mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  xor %ecx, %ecx
1:mov %ss:(%esp, %ecx, 4), %eax
  mov %eax, protected_found(, %ecx, 4)
  inc %ecx
  cmp $24, %ecx
  jb 1b
  lea 52(%esp), %eax
  mov %eax, protected_found + 96
  mov %ss, %eax
  mov %eax, protected_found + 100
  mov %cs, %eax
  mov %eax, protected_found + 104
  str %eax
  mov %eax, protected_found + 108
  mov %cr0, %eax
  mov %eax, protected_found + 112
  mov %cr2, %eax
  mov %eax, protected_found + 116
  mov %cr3, %eax
  mov %eax, protected_found + 120
  mov %dr6, %eax
  mov %eax, protected_found + 124
  mov %dr7, %eax
  mov %eax, protected_found + 128
  mov $0x400, %eax
  mov %eax, %dr7
  # Back: paging off, then as an operating system starts long mode.
  mov protected_saved + 32, %eax
  and $0x7fffffff, %eax
  mov %eax, %cr0
  jmp 2f
2:lgdtl global_descriptor_table_register
  ljmp $0x48, $3f
3:mov $0x10, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %fs
  mov %eax, %gs
  mov %eax, %ss
  mov protected_saved + 48, %eax
  mov %eax, %cr4
  mov protected_saved + 40, %eax
  mov %eax, %cr3
  mov $0xc0000080, %ecx
  mov protected_saved + 56, %eax
  xor %edx, %edx
  wrmsr
  mov protected_saved + 32, %eax
  mov %eax, %cr0
  ljmp $0x08, $4f
  .code64
4:mov protected_saved, %rsp
  pushq $2
  popfq
  lidt protected_saved + 16
  andb $~2, global_descriptor_table + 0x38 + 5  # not busy
  mov $0x38, %eax
  ltr %ax
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .balign 8
protected_gdtr: .word 0x7f
  .long 0x16000
  .balign 8
protected_idtr: .word 0x1ff
  .long 0x17000
  .popsection
  .pushsection .bss
  .balign 16
protected_saved: .skip 64
  .global protected_start, protected_found
protected_start: .skip 60
  .balign 16
protected_found: .skip 132
  .popsection
)");
static_assert(sizeof(Start) == 60 && sizeof(Found) == 132);

}  // namespace guest::protected_mode
