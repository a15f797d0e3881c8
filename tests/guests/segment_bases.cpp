// FS and GS bases: by MSR, by RDFSBASE and its kin, by SWAPGS; and as bases of addresses.
#include "tests/guests/expect.h"

using namespace guest;

namespace {

constexpr u32 kFsBase = 0xc000'0100, kGsBase = 0xc000'0101, kKernelGsBase = 0xc000'0102;
u64 data[4] = {0x11, 0x22, 0x33, 0x44};

int addresses() {
  const u64 at = reinterpret_cast<u64>(data);
  u64 value;
  write_msr(kFsBase, at);
  asm volatile("mov %%fs:8, %0" : "=r"(value));
  EXPECT_SAME(value, 0x22);
  write_msr(kGsBase, at + 8);
  asm volatile("mov %%gs:8, %0" : "=r"(value));
  EXPECT_SAME(value, 0x33);
  // LEA and DS ignore bases; a wrapping sum is a 64-bit one.
  write_msr(kGsBase, at + 0x1000);
  asm volatile("mov %%gs:-0x1000, %0" : "=r"(value));
  EXPECT_SAME(value, 0x11);
  // A 32-bit offset is cut before the base is added.
  write_msr(kGsBase, at);
  u64 offset = 0xffff'ffff'0000'0018;
  asm volatile("mov %%gs:(%k1), %0" : "=r"(value) : "r"(offset));
  EXPECT_SAME(value, 0x44);
  // Loading a selector sets the base from the descriptor.
  asm volatile("mov %w0, %%gs" ::"r"(kKernelData));
  EXPECT_SAME(read_msr(kGsBase), 0);
  EXPECT_SAME(what_trapped(probe([] { write_msr(kGsBase, 0x8000'0000'0000'0000); })), fault(13));
  return 0;
}

int swap() {
  write_msr(kGsBase, 0x1000);
  write_msr(kKernelGsBase, 0xffff'8000'0000'0000);
  asm volatile("swapgs");
  EXPECT_SAME(read_msr(kGsBase), 0xffff'8000'0000'0000);
  EXPECT_SAME(read_msr(kKernelGsBase), 0x1000);
  return 0;
}

int instructions() {
  u64 value;
  EXPECT_SAME(what_trapped(probe([] { asm volatile("rdfsbase %%rax" ::: "rax"); })), fault(6));
  if (!offers_fsgsbase()) return 0;
  write_cr4(read_cr4() | kCr4Fsgsbase);
  asm volatile("wrfsbase %1; rdfsbase %0" : "=r"(value) : "r"(0xffff'ffff'1234'5678));
  EXPECT_SAME(value, 0xffff'ffff'1234'5678);
  EXPECT_SAME(read_msr(kFsBase), value);
  asm volatile("wrgsbase %k1; rdgsbase %0" : "=r"(value) : "r"(0xffff'ffff'1234'5678));
  EXPECT_SAME(value, 0x1234'5678);
  const Trap trap = probe([] { asm volatile("wrgsbase %0" ::"r"(0x8000'0000'0000)); });
  EXPECT_SAME(what_trapped(trap), fault(13));
  return 0;
}

}  // namespace

int guest_main() {
  RUN(addresses());
  RUN(swap());
  RUN(instructions());
  return 0;
}
