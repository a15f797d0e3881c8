// Stores to code are seen at once: in the same block, in the next one, in another page, through
// another mapping of the page.
#include "tests/guests/expect.h"

using namespace guest;

// Returns what the instruction it patches, a few bytes ahead of itself, loads.
extern "C" u64 patch_ahead();
extern "C" u64 patch_behind();
asm(R"(
  .pushsection .data
patch_ahead:
  movl $2, 1f+1(%rip)
1:mov $1, %eax
  ret
patch_behind:
  xor %ecx, %ecx
1:mov $1, %eax
  test %ecx, %ecx
  jnz 2f
  inc %ecx
  movl $5, 1b+1(%rip)
  jmp 1b
2:ret
  .popsection
)");

namespace {

constexpr u64 kCode = kWindow, kAlias = kWindow + 0x100000;

u64 call(u64 address) {
  return reinterpret_cast<u64 (*)()>(address)();
}

// MOV EAX, value; RET
void write_function(u64 address, u32 value) {
  volatile_write<u8>(address, 0xb8);
  volatile_write<u32>(address + 1, value);
  volatile_write<u8>(address + 5, 0xc3);
}

int other_page() {
  const u64 page = new_page();
  map(kCode, page, kPresent | kWritable);
  map(kAlias, page, kPresent | kWritable);
  for (u32 value = 1; value < 50; ++value) {
    write_function(kCode, value);
    EXPECT_SAME(call(kCode), value);
    volatile_write<u32>(kAlias + 1, value + 1000);
    EXPECT_SAME(call(kCode), value + 1000);
  }
  // The same address, another page.
  const u64 other = new_page();
  write_function(other, 77);
  map(kCode, other, kPresent | kWritable);
  EXPECT_SAME(call(kCode), 77);
  return 0;
}

// An instruction that lies in two pages, of which the second one changes.
int across_pages() {
  const u64 page = new_page(), next = new_page();
  map(kCode, page, kPresent | kWritable);
  map(kCode + 0x1000, next, kPresent | kWritable);
  write_function(kCode + 0xffe, 1);
  EXPECT_SAME(call(kCode + 0xffe), 1);
  volatile_write<u8>(next + 1, 3);
  EXPECT_SAME(call(kCode + 0xffe), 0x3'0001);
  volatile_write<u32>(kCode + 0xfff, 0x0a0b0c0d);
  EXPECT_SAME(call(kCode + 0xffe), 0x0a0b0c0d);
  const u64 third = new_page();
  volatile_write<u32>(third, 0x00010203);
  volatile_write<u8>(third + 3, 0xc3);
  map(kCode + 0x1000, third, kPresent | kWritable);
  EXPECT_SAME(call(kCode + 0xffe), 0x0102030d);
  return 0;
}

// REP MOVS over the code that has just run.
int by_string_instruction() {
  const u64 page = new_page();
  write_function(page, 1);
  EXPECT_SAME(call(page), 1);
  u8 code[6] = {0xb8, 42, 0, 0, 0, 0xc3};
  void *from = code, *to = reinterpret_cast<void*>(page);
  u64 count = sizeof code;
  asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
  EXPECT_SAME(call(page), 42);
  return 0;
}

}  // namespace

int guest_main() {
  EXPECT_SAME(patch_ahead(), 2);
  EXPECT_SAME(patch_behind(), 5);
  RUN(other_page());
  RUN(across_pages());
  RUN(by_string_instruction());
  return 0;
}
