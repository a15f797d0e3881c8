// Paging: page sizes, protections with their exact error codes (SDM 3A 4.7), accessed and dirty
// bits, and the TLB.
#include "firmware/selftest/selftest.h"

extern "C" char user_store_begin[], user_store_end[];

namespace selftest {

namespace {

constexpr u64 kPage = kWindow + 0x10000, kLargePage = kWindow + 0x4000'0000;
constexpr u64 kErrorPresent = 1, kErrorWrite = 2, kErrorUser = 4, kErrorFetch = 16;

// One check: a page fault with this error code and CR2, or with kNoTrap as `error`, none.
void check_fault(const Trap& trap, u64 error, u64 address, const char* what) {
  if (error == kNoTrap) {
    check_same(trap.frame.vector, kNoTrap, what);
    return;
  }
  const bool fault = trap.frame.vector == 14 && trap.cr2 == address;
  check_same(fault ? trap.frame.error : ~trap.frame.vector, error, what);
}

Trap load(u64 address) {
  return probe([=] { volatile_read<u64>(address); });
}
Trap store(u64 address) {
  return probe([=] { volatile_write<u64>(address, 0xc3); });
}
Trap fetch(u64 address) {
  return probe([=] { reinterpret_cast<void (*)()>(address)(); });
}

void test_small_page(u64 page) {
  map(kPage, page, kPresent | kWritable);
  volatile_write<u64>(kPage + 8, 0x1234);
  check_same(volatile_read<u64>(page + 8), 0x1234, "paging: a 4 KiB page");
  map(kPage, 0, 0);
  check_fault(load(kPage + 3), 0, kPage + 3, "paging: load, not present");
  check_fault(store(kPage + 3), kErrorWrite, kPage + 3, "paging: store, not present");
  map(kPage, page, kPresent);
  check_fault(store(kPage), kErrorPresent | kErrorWrite, kPage, "paging: store, write-protected");
  write_cr0(read_cr0() & ~(1ull << 16));
  check_fault(store(kPage), kNoTrap, 0, "paging: store without CR0.WP");
  write_cr0(read_cr0() | 1 << 16);
}

void test_large_page(u64 page) {
  const u64 base = page & ~0x1f'ffffull;
  page_entry(kLargePage, true) = base | kPresent | kWritable | kLarge;
  volatile_write<u64>(kLargePage + (page - base), 0x5678);
  check_same(volatile_read<u64>(page), 0x5678, "paging: a 2 MiB page");
}

void test_user_pages(u64 page) {
  constexpr u64 kCode = kWindow + 0x20000;
  asm volatile(
      "jmp 2f\n"
      "user_store_begin: movb $1, (%%rsp); nop\n"
      "user_store_end: 2:" ::);
  map_code(kCode, user_store_begin, user_store_end);
  map(kPage, page, kPresent | kWritable);
  check_fault(probe_user(kCode, kPage + 64), kErrorPresent | kErrorWrite | kErrorUser, kPage + 64,
              "paging: user store to a supervisor page");
  check_fault(probe_user(kPage, kPage),
              kErrorPresent | kErrorUser | (read_msr(0xc000'0080) & 1 << 11 ? kErrorFetch : 0),
              kPage, "paging: user fetch from a supervisor page");
}

void test_no_execute(u64 page) {
  if (!(read_msr(0xc000'0080) & 1 << 11)) return skip("paging: NX", "not offered");
  volatile_write<u8>(page, 0xc3);  // RET
  map(kPage, page, kPresent | kNoExecute);
  check_fault(load(kPage), kNoTrap, 0, "paging: load from a no-execute page");
  check_fault(fetch(kPage), kErrorPresent | kErrorFetch, kPage, "paging: fetch, no-execute");
  map(kPage, page, kPresent);
  check_fault(fetch(kPage), kNoTrap, 0, "paging: fetch, executable");
}

void test_accessed_and_dirty(u64 page) {
  constexpr u64 kBits = kAccessed | kDirty;
  map(kPage, page, kPresent | kWritable);
  const u64 fresh = page_entry(kPage) & kBits;
  volatile_read<u64>(kPage);
  const u64 loaded = page_entry(kPage) & kBits;
  volatile_write<u64>(kPage, 1);
  check_same(fresh, 0, "paging: a fresh entry");
  check_same(loaded, kAccessed, "paging: accessed bit after a load");
  check_same(page_entry(kPage) & kBits, kBits, "paging: dirty bit after a store");
}

void test_invalidation(u64 page) {
  const u64 other = new_page();
  volatile_write<u64>(page, 1);
  volatile_write<u64>(other, 2);
  map(kPage, page, kPresent);
  const u64 before = volatile_read<u64>(kPage);
  map(kPage, other, kPresent);
  check_same(before * 16 + volatile_read<u64>(kPage), 0x12, "paging: INVLPG");
  page_entry(kPage) = page | kPresent;
  write_cr3(read_cr3());
  check_same(volatile_read<u64>(kPage), 1, "paging: CR3 load");
}

// With PCID, a load of CR3 with bit 63 keeps what other PCIDs cached; either value is right there,
// but a load without it must show the new page.
void test_pcid(u64 page) {
  if (!offers_pcid()) return skip("paging: PCID", "not offered");
  const u64 other = new_page();
  volatile_write<u64>(page, 1);
  volatile_write<u64>(other, 2);
  map(kPage, page, kPresent);
  const u64 root = read_cr3() & ~0xfffull;
  const Trap trap = probe([] { write_cr4(read_cr4() | kCr4Pcide); });
  if (!check_same(trap.frame.vector, kNoTrap, "paging: CR4.PCIDE")) return;
  volatile_read<u64>(kPage);
  write_cr3(root | 5);
  page_entry(kPage) = other | kPresent;
  const u64 fresh = volatile_read<u64>(kPage);
  write_cr3(root);
  check_same(fresh * 16 + volatile_read<u64>(kPage), 0x22, "paging: PCID switch with flush");
  write_cr4(read_cr4() & ~kCr4Pcide);
}

}  // namespace

void test_paging() {
  const u64 page = new_page();
  test_small_page(page);
  test_large_page(page);
  test_user_pages(page);
  test_no_execute(page);
  test_accessed_and_dirty(page);
  test_invalidation(page);
  test_pcid(page);
}

}  // namespace selftest
