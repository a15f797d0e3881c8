// What a freestanding guest program stands on: ports, registers, traps, page tables and a console.
//
// A guest defines `int guest_main()` and returns 0, or the number of what failed; the number goes
// to the exit port. It runs in long mode at CPL 0 with the low 4 GiB mapped as they are, the
// registers of start.S's descriptor table and interrupts off.
#pragma once

#include "firmware/selftest/runtime/instructions.h"

namespace guest {

// Selectors of start.S's descriptor table.
inline constexpr u16 kKernelCode = 0x08, kKernelData = 0x10, kUserCode32 = 0x1b, kUserData = 0x23,
                     kUserCode = 0x2b, kTaskState = 0x38, kCode32 = 0x48, kCode16 = 0x50,
                     kData16 = 0x58, kDataNotPresent = 0x60, kDataReadOnly = 0x68, kFree = 0x70;

// ---- console.cpp ----

extern u16 console_port;  // E9h, the debug console, or 3F8h, a 16550A
void print(const char* text);
void print_hex(u64 value);
void print_decimal(u64 value);
[[noreturn]] void leave(u32 value);  // through the exit port; halts for good where there is none

// Prints what differs when it differs. `expect` of a guest: `if (!same("cr2", got, wanted)) …`.
bool same(const char* what, u64 got, u64 wanted);

// ---- traps.cpp ----

// What stands on the stack after trap_common, lowest address first.
struct Frame {
  u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  u64 vector, error, rip, cs, rflags, rsp, ss;
};

inline constexpr u64 kNoTrap = ~0ull;

// The trap that ended a probe; vector is kNoTrap if the code came to its end.
struct Trap {
  Frame frame;
  u64 cr2, dr6;
};

using Handler = void (*)(Frame&);
extern Handler handlers[256];  // null: the trap ends the probe, or the guest

void start_traps();
extern Trap last_trap;
Trap probe_function(void (*code)(void*), void* argument);

// Runs `code` and says which trap, if any, ended it.
template <class Code>
Trap probe(Code code) {
  return probe_function([](void* argument) { (*static_cast<Code*>(argument))(); }, &code);
}

// Goes to user mode (or wherever `cs` says) until a trap comes back.
Trap probe_user(u64 rip, u64 rsp, u64 rflags = 2, u16 cs = kUserCode, u16 ss = kUserData);

void set_gate(u8 vector, void (*target)(), u8 type_and_dpl, u8 stack = 0);
struct TaskState {  // SDM 3A figure 7-11
  u32 reserved0;
  u64 rsp[3];
  u64 reserved1;
  u64 ist[7];
  u64 reserved2;
  u16 reserved3, io_map;
} __attribute__((packed));
extern TaskState task_state;

// ---- pages.cpp ----

inline constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kAccessed = 0x20, kDirty = 0x40,
                     kLarge = 0x80, kGlobal = 0x100, kNoExecute = 1ull << 63;
inline constexpr u64 kWindow = 0x80'0000'0000;  // nothing is mapped from here on: tests map there

// The entry that maps `address`: of a 4 KiB page, or with `large` of a 2 MiB page. Makes the tables
// above it (present, writable, user).
volatile u64& page_entry(u64 address, bool large = false);
void map(u64 address, u64 physical, u64 flags);  // 4 KiB; invalidates the address
// A fresh zeroed page of physical memory, from a small arena in .bss.
u64 new_page();
// Copies code between two labels into a new page mapped at `address`.
void map_code(u64 address, const void* begin, const void* end, u64 flags = kPresent | kUser);

}  // namespace guest

extern "C" int guest_main();
