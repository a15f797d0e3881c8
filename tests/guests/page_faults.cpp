// Page faults: error code, CR2, return address, and which one is reported of several.
#include "tests/guests/expect.h"

using namespace guest;

extern "C" char user_code[], user_code_end[];
asm(R"(
user_code:
  movq (%rsp), %rax
  int3
  nop
user_write:
  movb $1, (%rsp)
  int3
user_code_end:
)");
extern "C" char user_write[];

namespace {

constexpr u64 kPage = kWindow, kCode = kWindow + 0x100000, kStack = kWindow + 0x200000;
constexpr u64 kNonCanonical = 0x0000'8000'0000'0000;

u64 read_fault(u64 address, u64& cr2) {
  const Trap trap = probe([=] { volatile_read<u32>(address); });
  cr2 = trap.cr2;
  return what_trapped(trap);
}
u64 write_fault(u64 address, u64& cr2) {
  const Trap trap = probe([=] { volatile_write<u32>(address, 1); });
  cr2 = trap.cr2;
  return what_trapped(trap);
}

int supervisor() {
  u64 cr2 = 0;
  EXPECT_SAME(read_fault(kPage + 0x123, cr2), fault(14, 0));
  EXPECT_SAME(cr2, kPage + 0x123);
  EXPECT_SAME(write_fault(kPage + 0x123, cr2), fault(14, 2));
  map(kPage, new_page(), kPresent);
  EXPECT_SAME(read_fault(kPage, cr2), kNoTrap);
  EXPECT_SAME(write_fault(kPage + 4, cr2), fault(14, 3));
  EXPECT_SAME(cr2, kPage + 4);
  // An access over the page's end faults at the first byte of the second page.
  EXPECT_SAME(read_fault(kPage + 0xffe, cr2), fault(14, 0));
  EXPECT_SAME(cr2, kPage + 0x1000);
  EXPECT_SAME(read_fault(kNonCanonical, cr2), fault(13, 0));
  // A read-modify-write faults as a write.
  const Trap trap = probe([] { asm volatile("lock incl (%0)" ::"r"(kPage)); });
  EXPECT_SAME(what_trapped(trap), fault(14, 3));
  return 0;
}

int upper_levels() {
  u64 cr2 = 0;
  // A read-only directory entry protects writable pages below it.
  map(kPage, new_page(), kPresent | kWritable);
  page_entry(kPage, true) = page_entry(kPage, true) & ~kWritable;
  write_cr3(read_cr3());
  EXPECT_SAME(write_fault(kPage, cr2), fault(14, 3));
  page_entry(kPage, true) = page_entry(kPage, true) | kWritable;
  write_cr3(read_cr3());
  EXPECT_SAME(write_fault(kPage, cr2), kNoTrap);
  return 0;
}

int reserved_bits() {
  u64 cr2 = 0;
  const bool nx = has(cpuid(0x8000'0001).edx, 20);
  map(kPage, new_page() | 1ull << 51, kPresent | kWritable);
  const unsigned bits = cpuid(0x8000'0008).eax & 0xff;
  if (bits <= 51) EXPECT_SAME(read_fault(kPage, cr2), fault(14, 9));
  if (bits <= 51) EXPECT_SAME(write_fault(kPage, cr2), fault(14, 11));
  if (nx) {
    map(kPage, new_page(), kPresent | kNoExecute);
    const Trap trap = probe([] { reinterpret_cast<void (*)()>(kPage)(); });
    EXPECT_SAME(what_trapped(trap), fault(14, 0x11));
    EXPECT_SAME(trap.frame.rip, kPage);
  }
  map(kPage, 0, 0);
  const Trap trap = probe([] { reinterpret_cast<void (*)()>(kPage)(); });
  EXPECT_SAME(what_trapped(trap), fault(14, nx ? 0x10 : 0));
  return 0;
}

int user() {
  map_code(kCode, user_code, user_code_end);
  const u64 write = kCode + static_cast<u64>(user_write - user_code);
  map(kStack, new_page(), kPresent | kWritable);
  Trap trap = probe_user(kCode, kStack + 8);
  EXPECT_SAME(what_trapped(trap), fault(14, 5));
  EXPECT_SAME(trap.frame.rip, kCode);
  EXPECT_SAME(trap.cr2, kStack + 8);
  EXPECT_SAME(what_trapped(probe_user(write, kStack + 8)), fault(14, 7));
  map(kStack, new_page(), kPresent | kUser);
  EXPECT_SAME(what_trapped(probe_user(write, kStack + 8)), fault(14, 7));
  map(kStack, 0, 0);
  EXPECT_SAME(what_trapped(probe_user(write, kStack + 8)), fault(14, 6));
  map(kStack, new_page(), kPresent | kWritable | kUser);
  EXPECT_SAME(what_trapped(probe_user(kCode, kStack + 8)), fault(13, 3 * 8 + 2));  // INT3's gate
  return 0;
}

}  // namespace

int guest_main() {
  RUN(supervisor());
  RUN(upper_levels());
  RUN(reserved_bits());
  RUN(user());
  return 0;
}
