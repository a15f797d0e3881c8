// Exceptions and interrupts of a guest: the interrupt descriptor table, the task state, probes.
#include "firmware/selftest/runtime/guest.h"

extern "C" {
extern char trap_doors[], probe_return[], global_descriptor_table[];
extern guest::u64 probe_stack;
void probe_call(void (*code)(void*), void* argument);
void trap_entry(guest::Frame& frame);
}

namespace guest {

Handler handlers[256];
Trap last_trap;
TaskState task_state;

namespace {

struct Gate {
  u16 offset_low, selector;
  u8 stack, type;
  u16 offset_middle;
  u32 offset_high, reserved;
};
alignas(16) Gate gates[256];
alignas(16) char interrupt_stack[8192];
alignas(16) char fault_stack[8192];
bool probing;

void load_task_register() {
  const u64 base = reinterpret_cast<u64>(&task_state);
  auto* descriptor = reinterpret_cast<u64*>(global_descriptor_table + kTaskState);
  descriptor[0] =
      (sizeof task_state - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
  descriptor[1] = base >> 32;
  task_state.rsp[0] = reinterpret_cast<u64>(interrupt_stack + sizeof interrupt_stack);
  task_state.ist[0] = reinterpret_cast<u64>(fault_stack + sizeof fault_stack);
  task_state.io_map = sizeof task_state;
  asm volatile("ltr %w0; lldt %w1" ::"r"(kTaskState), "r"(0));
}

[[noreturn]] void die(const Frame& frame) {
  print("unexpected trap ");
  print_decimal(frame.vector);
  print(" error ");
  print_hex(frame.error);
  print(" rip ");
  print_hex(frame.rip);
  print(" cr2 ");
  print_hex(read_cr2());
  print("\n");
  leave(0x7e);
}

}  // namespace

void set_gate(u8 vector, void (*target)(), u8 type_and_dpl, u8 stack) {
  const u64 address = reinterpret_cast<u64>(target);
  gates[vector] = {static_cast<u16>(address),
                   kKernelCode,
                   stack,
                   type_and_dpl,
                   static_cast<u16>(address >> 16),
                   static_cast<u32>(address >> 32),
                   0};
}

void start_traps() {
  for (unsigned vector = 0; vector < 256; ++vector) {
    const bool own_stack = vector == 2 || vector == 8 || vector == 18;
    set_gate(static_cast<u8>(vector),
             reinterpret_cast<void (*)()>(trap_doors + static_cast<u64>(vector) * 16), 0x8e,
             own_stack ? 1 : 0);
  }
  struct {
    u16 limit;
    u64 base;
  } __attribute__((packed)) table = {sizeof gates - 1, reinterpret_cast<u64>(gates)};
  asm volatile("lidt %0" ::"m"(table));
  load_task_register();
}

Trap probe_function(void (*code)(void*), void* argument) {
  last_trap = {};
  last_trap.frame.vector = kNoTrap;
  probing = true;
  probe_call(code, argument);
  probing = false;
  return last_trap;
}

Trap probe_user(u64 rip, u64 rsp, u64 rflags, u16 cs, u16 ss) {
  return probe([=] {
    asm volatile("push %q0; push %1; push %2; push %q3; push %4; iretq" ::"r"(static_cast<u64>(ss)),
                 "r"(rsp), "r"(rflags), "r"(static_cast<u64>(cs)), "r"(rip)
                 : "memory");
  });
}

}  // namespace guest

void trap_entry(guest::Frame& frame) {
  using namespace guest;
  if (Handler handler = handlers[frame.vector & 255]) return handler(frame);
  if (!probing) die(frame);
  last_trap = {frame, read_cr2(), read_dr6()};
  frame.rip = reinterpret_cast<u64>(probe_return);
  frame.rsp = probe_stack;
  frame.cs = kKernelCode;
  frame.ss = kKernelData;
  frame.rflags = 2;
}
