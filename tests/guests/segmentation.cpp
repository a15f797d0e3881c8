// Segments in compatibility mode: limits, types, null selectors, and the descriptor instructions.
#include "tests/guests/expect.h"

using namespace guest;

extern "C" u64 global_descriptor_table[];

namespace {

u64& descriptor(u16 selector) {
  return global_descriptor_table[selector / 8];
}

int loads() {
  const auto load_ds = [](u16 selector) {
    const Trap trap = probe([=] { asm volatile("mov %w0, %%ds" ::"r"(selector)); });
    asm volatile("mov %w0, %%ds" ::"r"(kKernelData));
    return what_trapped(trap);
  };
  EXPECT_SAME(load_ds(0), kNoTrap);
  EXPECT_SAME(load_ds(kDataReadOnly), kNoTrap);
  EXPECT_SAME(load_ds(kKernelCode), kNoTrap);  // readable code
  EXPECT_SAME(load_ds(kTaskState), fault(13, kTaskState));
  EXPECT_SAME(load_ds(kDataNotPresent), fault(11, kDataNotPresent));
  EXPECT_SAME(load_ds(0x80), fault(13, 0x80));  // beyond the limit
  EXPECT_SAME(load_ds(0x14), fault(13, 0x14));  // a local table there is none of
  EXPECT_SAME(load_ds(kKernelData | 3), fault(13, kKernelData));
  const auto load_ss = [](u16 selector) {
    const Trap trap = probe([=] { asm volatile("mov %w0, %%ss" ::"r"(selector)); });
    asm volatile("mov %w0, %%ss" ::"r"(kKernelData));
    return what_trapped(trap);
  };
  EXPECT_SAME(load_ss(kDataReadOnly), fault(13, kDataReadOnly));
  EXPECT_SAME(load_ss(kUserData & ~3), fault(13, kUserData & ~3));
  EXPECT_SAME(load_ss(kDataNotPresent), fault(12, kDataNotPresent));
  EXPECT_SAME(load_ss(3), fault(13, 0));
  return 0;
}

int accessed_bit() {
  descriptor(kFree) = 0x00cf92000000ffff;  // writable, not accessed
  asm volatile("mov %w0, %%es; mov %w1, %%es" ::"r"(kFree), "r"(kKernelData) : "memory");
  EXPECT_SAME(descriptor(kFree) >> 40 & 0xff, 0x93);
  return 0;
}

int inspection() {
  u64 limit = 0, rights = 0, flags;
  asm volatile("lsl %w3, %k0; lar %w3, %k1; pushfq; pop %2"
               : "+r"(limit), "+r"(rights), "=r"(flags)
               : "r"(kKernelData));
  EXPECT_SAME(limit, 0xffff'ffff);
  EXPECT_SAME(rights & 0xff00, 0x9300);
  EXPECT_SAME(flags & 0x40, 0x40);
  asm volatile("lsl %w2, %k0; pushfq; pop %1" : "+r"(limit), "=r"(flags) : "r"(0x1000));
  EXPECT_SAME(flags & 0x40, 0);
  asm volatile("verw %w1; pushfq; pop %0" : "=r"(flags) : "r"(kDataReadOnly));
  EXPECT_SAME(flags & 0x40, 0);
  asm volatile("verr %w1; pushfq; pop %0" : "=r"(flags) : "r"(kDataReadOnly));
  EXPECT_SAME(flags & 0x40, 0x40);
  u16 task = 0;
  asm volatile("str %0" : "=m"(task));
  EXPECT_SAME(task, kTaskState);
  return 0;
}

int far_transfers() {
  // A far call to 32-bit code and back; there a push is four bytes wide.
  u64 pushed;
  asm volatile(
      "mov %%rsp, %%rbx; jmp 3f\n"
      ".code32\n"
      "1: mov %%esp, %%ecx; push %%eax; sub %%esp, %%ecx; pop %%eax; lret\n"
      ".code64\n"
      "2: .long 1b, 0x48\n"
      "3: lcall *2b\n"
      "mov %%rcx, %0"
      : "=r"(pushed)::"rax", "rbx", "rcx", "memory", "cc");
  EXPECT_SAME(pushed, 4);
  u64 code;
  asm volatile("mov %%cs, %0" : "=r"(code));
  EXPECT_SAME(code & 0xffff, kKernelCode);
  const Trap trap = probe([] {
    static const struct {
      u32 offset;
      u16 selector;
    } __attribute__((packed)) target = {0, kKernelData};
    asm volatile("ljmp *%0" ::"m"(target));
  });
  EXPECT_SAME(what_trapped(trap), fault(13, kKernelData));
  return 0;
}

}  // namespace

int guest_main() {
  RUN(loads());
  RUN(accessed_bit());
  RUN(inspection());
  RUN(far_transfers());
  return 0;
}
