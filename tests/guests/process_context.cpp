// PCID and INVPCID, global pages, and what survives a load of CR3.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u64 kPage = kWindow;
u64 first, second, root;

void show(u64 page, u64 flags = 0) {
  page_entry(kPage) = page | kPresent | flags;
}
u64 see() {
  return volatile_read<u64>(kPage);
}

// Bit 63 keeps what is cached; a stale value may then be seen, a fresh one must be after a flush.
int switching() {
  write_cr3(root | 1);
  show(first);
  invlpg(kPage);
  EXPECT_SAME(see(), 1);
  write_cr3(root | 2);
  show(second);
  EXPECT_SAME(see(), 2);  // PCID 2 has never seen the page
  write_cr3(root | 1);    // flushes PCID 1
  EXPECT_SAME(see(), 2);
  write_cr3(root | 2 | 1ull << 63);
  EXPECT_SAME(see(), 2);
  EXPECT_SAME(read_cr3(), root | 2);  // bit 63 is not kept
  return 0;
}

int invalidating() {
  struct {
    u64 pcid, address;
  } target = {2, kPage};
  show(first);
  asm volatile("invpcid %0, %1" ::"m"(target), "r"(0ull) : "memory");
  EXPECT_SAME(see(), 1);
  show(second);
  asm volatile("invpcid %0, %1" ::"m"(target), "r"(1ull) : "memory");
  EXPECT_SAME(see(), 2);
  show(first);
  asm volatile("invpcid %0, %1" ::"m"(target), "r"(2ull) : "memory");
  EXPECT_SAME(see(), 1);
  EXPECT_SAME(what_trapped(probe([&] { asm volatile("invpcid %0, %1" ::"m"(target), "r"(4ull)); })),
              fault(13));
  target.pcid = 0x1000;
  EXPECT_SAME(what_trapped(probe([&] { asm volatile("invpcid %0, %1" ::"m"(target), "r"(1ull)); })),
              fault(13));
  return 0;
}

int rules() {
  // PCIDE needs CR3's low bits 0, and cannot be set outside long mode; clearing PG is #GP with it.
  write_cr4(read_cr4() & ~kCr4Pcide);
  write_cr3(root | 0x18);
  EXPECT_SAME(what_trapped(probe([] { write_cr4(read_cr4() | kCr4Pcide); })), fault(13));
  write_cr3(root);
  return 0;
}

int global_pages() {
  write_cr4(read_cr4() | kCr4Pge);
  show(first, kGlobal);
  invlpg(kPage);
  EXPECT_SAME(see(), 1);
  show(second, kGlobal);
  invlpg(kPage);  // INVLPG drops global ones too
  EXPECT_SAME(see(), 2);
  show(first, kGlobal);
  write_cr4(read_cr4() & ~kCr4Pge);  // and so does a change of PGE
  EXPECT_SAME(see(), 1);
  return 0;
}

}  // namespace

int guest_main() {
  first = new_page();
  second = new_page();
  volatile_write<u64>(first, 1);
  volatile_write<u64>(second, 2);
  map(kPage, first, kPresent);
  root = read_cr3() & ~0xfffull;
  RUN(global_pages());
  if (!offers_pcid()) return 0;
  write_cr4(read_cr4() | kCr4Pcide);
  RUN(switching());
  if (offers_invpcid()) RUN(invalidating());
  RUN(rules());
  return 0;
}
