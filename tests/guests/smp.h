// Several processors in a test guest: how they are started, and how they wait for each other.
#pragma once

#include "tests/guests/apic.h"
#include "tests/guests/expect.h"

namespace guest {

// Where a started processor begins: real mode, one page below 1 MiB, its data in the upper part.
inline constexpr u64 kTrampoline = 0x10000;
struct TrampolineData {
  u8 gdt[10], pad1[6];
  u32 cr3, cr4, efer, cr0;
  u8 idt[10], pad2[6];
  u64 stack;
  u64 entry;
};
inline constexpr u64 kTrampolineData = kTrampoline + 0xf00;

}  // namespace guest

asm(R"(
  .pushsection .text
  .code16
trampoline_begin:
  cli
  movw %cs, %ax
  movw %ax, %ds
  lgdtl 0xf00
  movl 0xf10, %eax
  movl %eax, %cr3
  movl 0xf14, %eax
  movl %eax, %cr4
  movl $0xc0000080, %ecx
  rdmsr
  movl 0xf18, %eax
  wrmsr
  movl 0xf1c, %eax
  movl %eax, %cr0
  ljmpl $0x08, $(0x10000 + trampoline_long - trampoline_begin)
  .code64
trampoline_long:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  lidt 0x10f20
  movq 0x10f30, %rsp
  xorl %ebp, %ebp
  call *0x10f38
1:
  cli
  hlt
  jmp 1b
trampoline_end:
  .popsection
)");
extern "C" const guest::u8 trampoline_begin[], trampoline_end[];

namespace guest {

inline constexpr unsigned kMostProcessors = 8;
alignas(16) inline u8 processor_stacks[kMostProcessors][4096];

// How many there are: one package with a core for each (CPUID leaf 1).
inline u32 processor_count() {
  return has(cpuid(1).edx, 28) ? cpuid(1).ebx >> 16 & 0xff : 1;
}
inline u32 this_processor() {
  return cpuid(1).ebx >> 24;
}

// Fixed, NMI, INIT or start-up, by `command` (SDM 3A figure 11-12).
inline void send_ipi(u32 apic_id, u32 command) {
  apic_write(0x310, apic_id << 24);
  apic_write(kCommandLow, command);
}

template <class Condition>
void wait_until(Condition condition) {
  while (!condition()) pause();
}

inline volatile u32 processors_running = 1;

// Starts one processor, in long mode with the tables of the caller, and waits until it runs.
inline void start_processor(u32 apic_id, void (*entry)()) {
  for (const u8* from = trampoline_begin; from != trampoline_end; ++from)
    volatile_write<u8>(kTrampoline + static_cast<u64>(from - trampoline_begin), *from);
  auto* data = reinterpret_cast<TrampolineData*>(kTrampolineData);
  asm volatile("sgdt %0" : "=m"(data->gdt));
  asm volatile("sidt %0" : "=m"(data->idt));
  data->cr3 = static_cast<u32>(read_cr3());
  data->cr4 = static_cast<u32>(read_cr4());
  data->efer = static_cast<u32>(read_msr(0xc0000080)) & ~(1u << 10);
  data->cr0 = static_cast<u32>(read_cr0());
  data->stack = reinterpret_cast<u64>(processor_stacks[apic_id] + sizeof processor_stacks[0] - 8);
  data->entry = reinterpret_cast<u64>(entry);
  const u32 before = processors_running;
  send_ipi(apic_id, 0x4500);                       // INIT
  send_ipi(apic_id, 0x4600 | kTrampoline / 4096);  // start-up
  wait_until([&] { return processors_running != before; });
}

// The first thing that a started processor does.
inline void arrive() {
  apic_write(kSpurious, 0x1ff);
  asm volatile("lock incl %0" : "+m"(processors_running)::"memory");
}

// Every processor comes, then every one goes on; may be used again at once.
class Barrier {
 public:
  void meet(u32 count) volatile {
    const u32 round = round_;
    u32 came = 1;
    asm volatile("lock xaddl %0, %1" : "+r"(came), "+m"(came_)::"memory");
    if (came + 1 == count) {
      came_ = 0;
      round_ = round + 1;
    } else {
      while (round_ == round) pause();
    }
  }

 private:
  u32 came_ = 0, round_ = 0;
};

// Runs `work(processor)` on every processor at once and returns when all are through.
inline void (*everybodys_work)(u32 processor);
inline volatile u32 processors_through;
inline void started_for_work() {
  arrive();
  everybodys_work(this_processor());
  asm volatile("lock incl %0" : "+m"(processors_through)::"memory");
}
inline void on_every_processor(void (*work)(u32 processor)) {
  const u32 count = processor_count();
  everybodys_work = work;
  processors_through = 0;
  for (u32 id = 1; id < count; ++id) start_processor(id, started_for_work);
  work(0);
  wait_until([&] { return processors_through == count - 1; });
}

}  // namespace guest
