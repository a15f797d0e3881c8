// /init of the boot tests: a Linux program without a C library. Says that user space is there, then
// does what its first argument asks ("… -- poweroff" at the end of the kernel's command line).
#include <linux/reboot.h>
#include <sys/syscall.h>

namespace {

long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return result;
}

long address(const void* pointer) {
  return reinterpret_cast<long>(pointer);
}

unsigned long length(const char* text) {
  unsigned long n = 0;
  while (text[n]) ++n;
  return n;
}

bool equal(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

void say(const char* text) {
  call(SYS_write, 1, address(text), static_cast<long>(length(text)));
}

[[noreturn]] void leave(long how) {
  call(SYS_reboot, static_cast<long>(LINUX_REBOOT_MAGIC1), LINUX_REBOOT_MAGIC2, how);
  for (;;) call(SYS_pause);
}

// Panics by the kernel's own trigger (Documentation/admin-guide/sysrq.rst).
void crash() {
  call(SYS_mkdir, address("/proc"), 0755);
  call(SYS_mount, address("proc"), address("/proc"), address("proc"), 0, 0);
  const long file = call(SYS_open, address("/proc/sysrq-trigger"), 1);
  call(SYS_write, file, address("c"), 1);
}

void say_number(const char* name, unsigned long value) {
  char digits[24];
  int at = 23;
  digits[at] = 0;
  do digits[--at] = static_cast<char>('0' + value % 10);
  while (value /= 10);
  say(name);
  say(digits + at);
  say("\n");
}

// Once per battery: a byte of CMOS RAM outlives the reset (MC146818 data sheet).
bool first_time() {
  call(SYS_iopl, 3);
  unsigned char value;
  asm volatile("outb %0, $0x70" ::"a"(static_cast<unsigned char>(0x51)));
  asm volatile("inb $0x71, %0" : "=a"(value));
  asm volatile("outb %0, $0x71" ::"a"(static_cast<unsigned char>(0x5a)));
  return value != 0x5a;
}

bool write_to(const char* path, const char* text) {
  const long file = call(SYS_open, address(path), 1);
  const long size = static_cast<long>(length(text));
  return call(SYS_write, file, address(text), size) == size;
}

// To RAM, until the real-time clock's alarm: late enough that it does not ring before the kernel
// sleeps on a host that is busy.
void suspend() {
  call(SYS_mkdir, address("/sys"), 0755);
  call(SYS_mount, address("sysfs"), address("/sys"), address("sysfs"), 0, 0);
  const bool alarm = write_to("/sys/class/rtc/rtc0/wakealarm", "+8");
  const bool slept = alarm && write_to("/sys/power/state", "mem");
  say(slept ? "back from suspend to RAM\n" : alarm ? "no suspend\n" : "no alarm\n");
}

// A million calls of getppid, for tests/bench.
void many_system_calls() {
  for (int i = 0; i < 1'000'000; ++i) call(SYS_getppid);
}

}  // namespace

extern "C" [[noreturn, gnu::used]] void run(const long* stack) {
  const long count = stack[0];
  const char* action = count > 1 ? reinterpret_cast<const char*>(stack[2]) : "poweroff";
  say("user space is there\n");
  if (equal(action, "sysinfo")) {
    long information[16] = {};  // struct sysinfo: totalram is the fifth long
    call(SYS_sysinfo, address(information));
    say_number("RAM in bytes: ", static_cast<unsigned long>(information[4]));
  }
  if (equal(action, "reboot")) leave(LINUX_REBOOT_CMD_RESTART);
  if (equal(action, "reboot-once") && first_time()) leave(LINUX_REBOOT_CMD_RESTART);
  if (equal(action, "halt")) leave(LINUX_REBOOT_CMD_HALT);
  if (equal(action, "crash")) crash();
  if (equal(action, "suspend")) suspend();
  if (equal(action, "exit")) call(SYS_exit, 3);  // the kernel panics when init goes
  if (equal(action, "system-calls")) many_system_calls();
  while (equal(action, "spin")) call(SYS_sched_yield);
  while (equal(action, "sleep")) call(SYS_pause);
  leave(static_cast<long>(LINUX_REBOOT_CMD_POWER_OFF));
}

// The kernel enters with the argument count at RSP, which is aligned (System V ABI 3.4.1).
asm(R"(
  .global _start
_start:
  xor %ebp, %ebp
  mov %rsp, %rdi
  call run
)");
