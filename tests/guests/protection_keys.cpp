// Protection keys for user pages: what PKRU forbids, whom, and how the fault says so (SDM 3A 4.6.2,
// 4.7).
#include "tests/guests/expect.h"

using namespace guest;

extern "C" char user_access[], user_access_end[], user_store[];
asm(R"(
user_access:
  movq (%rsp), %rax
  int3
user_store:
  movb $1, (%rsp)
  int3
user_access_end:
)");

namespace {

constexpr u64 kKeyed = kWindow, kOther = kWindow + 0x1000, kKernel = kWindow + 0x2000,
              kCode = kWindow + 0x100000;
constexpr u64 kCr4Pke = 1 << 22, kCr0Wp = 1 << 16;
constexpr u64 kKey = 5;
constexpr u64 of_key(u64 key) {
  return key << 59;
}
constexpr u32 kNoAccess = 1 << 2 * kKey, kNoWrite = 2 << 2 * kKey;
constexpr u64 kIntoKernel = 3 * 8 + 2;  // INT3 through a gate of DPL 0

void write_pkru(u32 value) {
  asm volatile("wrpkru" ::"a"(value), "c"(0), "d"(0) : "memory");
}
u32 read_pkru() {
  u32 value, high;
  asm volatile("rdpkru" : "=a"(value), "=d"(high) : "c"(0));
  return value | high;
}
u64 read_of(u64 address) {
  return what_trapped(probe([=] { volatile_read<u32>(address); }));
}
u64 write_of(u64 address) {
  return what_trapped(probe([=] { volatile_write<u32>(address, 1); }));
}

int register_itself() {
  EXPECT_SAME(what_trapped(probe([] { read_pkru(); })), fault(6));
  EXPECT_SAME(what_trapped(probe([] { write_pkru(0); })), fault(6));
  EXPECT(!has(cpuid(7).ecx, 4));
  write_cr4(read_cr4() | kCr4Pke);
  EXPECT(has(cpuid(7).ecx, 4));  // OSPKE
  EXPECT_SAME(read_pkru(), 0);
  write_pkru(0xffff'fffc);
  EXPECT_SAME(read_pkru(), 0xffff'fffc);
  const Trap read = probe([] { asm volatile("rdpkru" ::"c"(1) : "rax", "rdx"); });
  EXPECT_SAME(what_trapped(read), fault(13));
  const Trap write = probe([] { asm volatile("wrpkru" ::"a"(0), "c"(0), "d"(1)); });
  EXPECT_SAME(what_trapped(write), fault(13));
  EXPECT_SAME(read_pkru(), 0xffff'fffc);
  write_pkru(0);
  return 0;
}

int kernel_accesses() {
  EXPECT_SAME(write_of(kKeyed), kNoTrap);
  write_pkru(kNoAccess);
  EXPECT_SAME(read_of(kKeyed), fault(14, 0x21));
  EXPECT_SAME(write_of(kKeyed), fault(14, 0x23));
  EXPECT_SAME(write_of(kOther), kNoTrap);   // another key
  EXPECT_SAME(write_of(kKernel), kNoTrap);  // the key of a supervisor page means nothing
  write_pkru(kNoWrite);
  write_cr0(read_cr0() | kCr0Wp);
  EXPECT_SAME(read_of(kKeyed), kNoTrap);
  EXPECT_SAME(write_of(kKeyed), fault(14, 0x23));
  write_cr0(read_cr0() & ~kCr0Wp);
  EXPECT_SAME(write_of(kKeyed), kNoTrap);
  write_pkru(0);
  EXPECT_SAME(write_of(kKeyed), kNoTrap);
  // What forbids it besides does not hide the key.
  map(kKeyed, page_entry(kKeyed) & 0xf'ffff'ffff'f000, kPresent | kUser | of_key(kKey));
  write_cr0(read_cr0() | kCr0Wp);
  EXPECT_SAME(write_of(kKeyed), fault(14, 3));
  write_pkru(kNoAccess);
  EXPECT_SAME(write_of(kKeyed), fault(14, 0x23));
  write_pkru(0);
  write_cr0(read_cr0() & ~kCr0Wp);
  map(kKeyed, page_entry(kKeyed) & 0xf'ffff'ffff'f000, kPresent | kWritable | kUser | of_key(kKey));
  return 0;
}

int user_accesses() {
  map_code(kCode, user_access, user_access_end, kPresent | kUser | of_key(kKey));
  const u64 store = kCode + static_cast<u64>(user_store - user_access);
  EXPECT_SAME(what_trapped(probe_user(kCode, kKeyed + 64)), fault(13, kIntoKernel));
  write_pkru(kNoAccess);  // fetching instructions is not an access
  EXPECT_SAME(what_trapped(probe_user(kCode, kOther + 64)), fault(13, kIntoKernel));
  EXPECT_SAME(what_trapped(probe_user(kCode, kKeyed + 64)), fault(14, 0x25));
  write_pkru(kNoWrite);
  EXPECT_SAME(what_trapped(probe_user(kCode, kKeyed + 64)), fault(13, kIntoKernel));
  EXPECT_SAME(what_trapped(probe_user(store, kKeyed + 64)), fault(14, 0x27));  // WP or not
  write_pkru(0);
  EXPECT_SAME(what_trapped(probe_user(store, kKeyed + 64)), fault(13, kIntoKernel));
  return 0;
}

int saved_and_restored() {
  alignas(64) static u8 area[4096];
  const Cpuid place = cpuid(0xd, 9);
  if (!offers_xsave() || place.eax == 0) return 0;
  write_cr4(read_cr4() | kCr4Osxsave);
  asm volatile("xsetbv" ::"a"(0x203), "d"(0), "c"(0));
  write_pkru(kNoAccess);
  asm volatile("xsave %0" : "+m"(area) : "a"(0x200), "d"(0));
  EXPECT_SAME(*reinterpret_cast<u64*>(area + 512), 0x200);
  EXPECT_SAME(*reinterpret_cast<u32*>(area + place.ebx), kNoAccess);
  write_pkru(0);
  EXPECT_SAME(write_of(kKeyed), kNoTrap);
  asm volatile("xrstor %0" ::"m"(area), "a"(0x200), "d"(0));
  EXPECT_SAME(read_pkru(), kNoAccess);
  EXPECT_SAME(write_of(kKeyed), fault(14, 0x23));
  *reinterpret_cast<u64*>(area + 512) = 0;
  asm volatile("xrstor %0" ::"m"(area), "a"(0x200), "d"(0));
  EXPECT_SAME(read_pkru(), 0);
  return 0;
}

}  // namespace

int guest_main() {
  if (!has(extended_features().ecx, 3)) return 0;
  map(kKeyed, new_page(), kPresent | kWritable | kUser | of_key(kKey));
  map(kOther, new_page(), kPresent | kWritable | kUser | of_key(kKey - 1));
  map(kKernel, new_page(), kPresent | kWritable | of_key(kKey));
  RUN(register_itself());
  RUN(kernel_accesses());
  RUN(user_accesses());
  RUN(saved_and_restored());
  write_cr4(read_cr4() & ~kCr4Pke);
  return 0;
}
