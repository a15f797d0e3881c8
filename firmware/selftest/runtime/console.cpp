// The guest's voice, and its way out.
#include "firmware/selftest/runtime/guest.h"

namespace guest {

u16 console_port = 0xe9;

namespace {

constexpr u16 kCom1 = 0x3f8, kExitPort = 0xf4;

void put(char c) {
  if (console_port == kCom1) {
    // THRE, 16550D table II; a chip that is not there reads FFh and is ready at once.
    for (int i = 0; i < 100'000 && !(in8(kCom1 + 5) & 0x20); ++i) pause();
  }
  out8(console_port, static_cast<u8>(c));
}

}  // namespace

void print(const char* text) {
  for (; *text; ++text) put(*text);
}

void print_hex(u64 value) {
  print("0x");
  int shift = 60;
  while (shift > 0 && !(value >> shift)) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[value >> shift & 15]);
}

void print_decimal(u64 value) {
  char digits[24];
  int at = 23;
  digits[at] = 0;
  do digits[--at] = static_cast<char>('0' + value % 10);
  while (value /= 10);
  print(digits + at);
}

bool same(const char* what, u64 got, u64 wanted) {
  if (got == wanted) return true;
  print(what);
  print(": ");
  print_hex(got);
  print(", expected ");
  print_hex(wanted);
  print("\n");
  return false;
}

void leave(u32 value) {
  out32(kExitPort, value);
  for (;;) asm volatile("cli; hlt");
}

}  // namespace guest

// The compiler may call these for what looks like a loop or a copy.
extern "C" void* memcpy(void* to, const void* from, unsigned long size) {
  void* start = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size)::"memory");
  return start;
}
extern "C" void* memset(void* to, int value, unsigned long size) {
  void* start = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return start;
}

extern "C" void guest_start() {
  guest::start_traps();
  guest::leave(static_cast<kite::u32>(guest_main()));
}
