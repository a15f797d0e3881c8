// SMEP, SMAP and UMIP: what the kernel may not do to user pages, and what user code may not look
// at.
#include "tests/guests/expect.h"

using namespace guest;

extern "C" char user_sidt[], user_sidt_end[];
asm(R"(
user_sidt:
  sidt (%rsp)
  smsw %eax
  int3
user_sidt_end:
)");

namespace {

constexpr u64 kPage = kWindow, kCode = kWindow + 0x100000, kStack = kWindow + 0x200000;

int smep() {
  write_cr4(read_cr4() | kCr4Smep);
  const Trap trap = probe([] { reinterpret_cast<void (*)()>(kPage)(); });
  write_cr4(read_cr4() & ~kCr4Smep);
  EXPECT_SAME(what_trapped(trap), fault(14, 0x11));
  EXPECT_SAME(trap.cr2, kPage);
  EXPECT_SAME(what_trapped(probe([] { reinterpret_cast<void (*)()>(kPage)(); })), kNoTrap);
  return 0;
}

int smap() {
  write_cr4(read_cr4() | kCr4Smap);
  asm volatile("clac");
  const Trap read = probe([] { volatile_read<u32>(kPage); });
  const Trap write = probe([] { volatile_write<u32>(kPage, 0xc3); });
  const Trap allowed = probe([] {
    asm volatile("stac");
    volatile_write<u32>(kPage, 0xc3);
  });
  asm volatile("clac");
  write_cr4(read_cr4() & ~kCr4Smap);
  EXPECT_SAME(what_trapped(read), fault(14, 1));
  EXPECT_SAME(what_trapped(write), fault(14, 3));
  EXPECT_SAME(what_trapped(allowed), kNoTrap);
  return 0;
}

int umip() {
  map_code(kCode, user_sidt, user_sidt_end);
  map(kStack, new_page(), kPresent | kWritable | kUser);
  const u64 back = fault(13, 3 * 8 + 2);  // INT3 through a gate of DPL 0
  EXPECT_SAME(what_trapped(probe_user(kCode, kStack + 64)), back);
  if (!offers_umip()) return 0;
  write_cr4(read_cr4() | kCr4Umip);
  const Trap trap = probe_user(kCode, kStack + 64);
  write_cr4(read_cr4() & ~kCr4Umip);
  EXPECT_SAME(what_trapped(trap), fault(13, 0));
  EXPECT_SAME(trap.frame.rip, kCode);
  return 0;
}

}  // namespace

int guest_main() {
  const u64 page = new_page();
  volatile_write<u8>(page, 0xc3);  // RET
  map(kPage, page, kPresent | kWritable | kUser);
  if (offers_smep()) RUN(smep());
  if (offers_smap()) RUN(smap());
  RUN(umip());
  return 0;
}
