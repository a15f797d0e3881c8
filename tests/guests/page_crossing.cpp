// A store that runs over the end of a page and faults on the second one changes nothing.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u64 kPage = kWindow, kNext = kWindow + 0x1000;

int stores_change_nothing(u64 page) {
  const Trap qword = probe([] { volatile_write<u64>(kNext - 4, ~0ull); });
  EXPECT_SAME(what_trapped(qword), fault(14, 2));
  EXPECT_SAME(qword.cr2, kNext);
  EXPECT_SAME(volatile_read<u32>(page + 0xffc), 0x11223344);
  probe([] { volatile_write<u16>(kNext - 1, 0xffff); });
  EXPECT_SAME(volatile_read<u8>(page + 0xfff), 0x11);
  const Trap simd =
      probe([] { asm volatile("pcmpeqd %%xmm0, %%xmm0; movups %%xmm0, (%0)" ::"r"(kNext - 4)); });
  EXPECT_SAME(what_trapped(simd), fault(14, 2));
  EXPECT_SAME(volatile_read<u32>(page + 0xffc), 0x11223344);
  const Trap modify = probe([] { asm volatile("addl $1, (%0)" ::"r"(kNext - 2)); });
  EXPECT_SAME(modify.cr2, kNext);
  EXPECT_SAME(volatile_read<u32>(page + 0xffc), 0x11223344);
  return 0;
}

int registers_change_nothing() {
  const Trap load = probe([] {
    asm volatile("mov $7, %%rax; mov (%0), %%rax" ::"r"(kNext - 4) : "rax");
  });
  EXPECT_SAME(what_trapped(load), fault(14, 0));
  EXPECT_SAME(load.frame.rax, 7);
  const Trap swap = probe([] {
    asm volatile("mov $9, %%eax; xchg %%eax, (%0)" ::"r"(kNext - 2) : "rax");
  });
  EXPECT_SAME(what_trapped(swap), fault(14, 2));
  EXPECT_SAME(swap.frame.rax, 9);
  return 0;
}

int both_pages_written(u64 page) {
  const u64 other = new_page();
  map(kNext, other, kPresent | kWritable);
  volatile_write<u64>(kNext - 4, 0x8877'6655'4433'2211);
  EXPECT_SAME(volatile_read<u32>(page + 0xffc), 0x44332211);
  EXPECT_SAME(volatile_read<u32>(other), 0x88776655);
  EXPECT_SAME(volatile_read<u64>(kNext - 4), 0x8877'6655'4433'2211);
  return 0;
}

}  // namespace

int guest_main() {
  const u64 page = new_page();
  map(kPage, page, kPresent | kWritable);
  volatile_write<u32>(page + 0xffc, 0x11223344);
  RUN(stores_change_nothing(page));
  RUN(registers_change_nothing());
  RUN(both_pages_written(page));
  return 0;
}
