// What a 32-bit Linux program relies on, checked from inside: system calls by INT 80h and by the
// vDSO's SYSENTER or SYSCALL, descriptors of its own (modify_ldt, set_thread_area), 16-bit stacks,
// signal frames with floating point, instructions that 64-bit mode has not, and 64-bit code reached
// by a far jump. No C library: it is /init.
namespace {

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned;
using u64 = unsigned long long;

// Numbers of Linux arch/x86/entry/syscalls/syscall_32.tbl, and layouts of its uapi headers.
constexpr u32 kExit = 1, kWrite = 4, kGetpid = 20, kReboot = 88, kModifyLdt = 123, kSigaction = 174,
              kThreadArea = 243;
constexpr u32 kSigIll = 4, kSigTrap = 5, kSigFpe = 8, kSigSegv = 11;
constexpr u32 kSiginfo = 4, kNodefer = 0x40000000;

u32 call(u32 number, u32 a = 0, u32 b = 0, u32 c = 0, u32 d = 0) {
  u32 result;
  asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return result;
}

u32 address(const volatile void* pointer) {
  return reinterpret_cast<u32>(pointer);
}

void say(const char* text) {
  u32 length = 0;
  while (text[length]) ++length;
  call(kWrite, 1, address(text), length);
}

void say_number(u32 value) {
  char digits[12];
  int at = 11;
  digits[at] = 0;
  do digits[--at] = static_cast<char>('0' + value % 10);
  while (value /= 10);
  say(digits + at);
}

u32 checks, failures;
void check(bool good, const char* what) {
  ++checks;
  if (good) return;
  ++failures;
  say("FAIL  ");
  say(what);
  say("\n");
}

// ---- signals
// ----------------------------------------------------------------------------------------

struct SignalContext {
  u16 gs, gs_high, fs, fs_high, es, es_high, ds, ds_high;
  u32 edi, esi, ebp, esp, ebx, edx, ecx, eax, trap, error, eip;
  u16 cs, cs_high;
  u32 eflags, esp_at_signal;
  u16 ss, ss_high;
  u32 fpstate, mask, cr2;
};
struct UserContext {
  u32 flags, link, stack[3];
  SignalContext machine;
};
struct Caught {
  u32 count, number, trap, error, cr2, eip;
  u8 fpu[512 + 112];  // the FSAVE image, then FXSAVE's
} caught;
extern "C" u32 resume_at;
u32 resume_at asm("resume_at");  // where the next fault goes on; 0: behind it, it was a trap

// Destroys every register that the kernel has to bring back.
void handler(u32 number, void*, UserContext* context) {
  auto& machine = context->machine;
  caught.count++;
  caught.number = number;
  caught.trap = machine.trap;
  caught.error = machine.error;
  caught.cr2 = machine.cr2;
  caught.eip = machine.eip;
  if (machine.fpstate)
    for (u32 i = 0; i < sizeof caught.fpu; ++i)
      caught.fpu[i] = reinterpret_cast<u8*>(machine.fpstate)[i];
  asm volatile("fninit; fldz; fldz; pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm7, %%xmm7" ::: "memory");
  if (resume_at) machine.eip = resume_at;
  resume_at = 0;
}

// The kernel's own trampoline in the vDSO calls rt_sigreturn where SA_RESTORER is not set.
void catch_signal(u32 number) {
  struct {
    u32 handler, flags, restorer, mask[2];
  } action = {reinterpret_cast<u32>(handler), kSiginfo | kNodefer, 0, {0, 0}};
  check(call(kSigaction, number, address(&action), 0, 8) == 0, "rt_sigaction");
}

// Runs one faulting instruction and goes on behind it.
#define FAULT(code, ...) \
  asm volatile("movl $1f, resume_at\n" code "\n1:" : : __VA_ARGS__, "memory", "cc")

void expect(u32 signal, u32 trap, const char* what) {
  check(caught.count == 1 && caught.number == signal && caught.trap == trap, what);
  caught.count = 0;
  resume_at = 0;
}

void check_signals() {
  constexpr u32 kSignals[] = {kSigIll, kSigTrap, kSigFpe, kSigSegv};
  for (u32 signal : kSignals) catch_signal(signal);
  FAULT("ud2", "m"(checks) : "eax");
  expect(kSigIll, 6, "UD2 is SIGILL");
  FAULT("int3", "m"(checks) : "eax");
  expect(kSigTrap, 3, "INT3 is SIGTRAP");
  FAULT("xorl %%edx, %%edx; xorl %%ecx, %%ecx; divl %%ecx", "a"(1) : "edx", "ecx");
  expect(kSigFpe, 0, "a division by 0 is SIGFPE");
  FAULT("movl $0x7f, %%eax; addb $1, %%al; into", "m"(checks) : "eax");
  expect(kSigSegv, 4, "INTO with OF is an overflow trap");
  static const int bounds[2] = {-3, 9};
  FAULT("bound %%eax, %[bounds]", "a"(10), [bounds] "m"(bounds) : "edx");
  expect(kSigSegv, 5, "BOUND outside its bounds");
  asm volatile("bound %0, %1" : : "r"(-3), "m"(bounds));
  FAULT("movl 0x10, %%eax", "m"(checks) : "eax");
  check(caught.cr2 == 0x10 && caught.error == 4, "a page fault's address and error code");
  expect(kSigSegv, 14, "a load from page 0");
  FAULT("hlt", "m"(checks) : "eax");
  expect(kSigSegv, 13, "HLT is privileged");
}

// x87 and SSE registers go through a signal frame and come back, and the frame shows them.
void check_floating_point_in_frames() {
  static const float vector[4] __attribute__((aligned(16))) = {1.5f, -2.25f, 3.0f, 1e30f};
  static float after[4] __attribute__((aligned(16)));
  static double sum;
  static u16 control = 0x027f, control_after;  // double precision, as nobody else sets it
  asm volatile(
      "fninit; fldcw %[control]; fldpi; fld1; movaps %[vector], %%xmm7\n"
      "movl $1f, resume_at; ud2; 1:\n"
      "faddp; fstpl %[sum]; fnstcw %[after_control]; movaps %%xmm7, %[after]"
      : [sum] "=m"(sum), [after] "=m"(after), [after_control] "=m"(control_after)
      : [vector] "m"(vector), [control] "m"(control)
      : "memory");
  expect(kSigIll, 6, "UD2 with floating point in use");
  bool same = true;
  for (int i = 0; i < 4; ++i) same &= after[i] == vector[i];
  check(same, "XMM7 survives a handler that destroys it");
  check(sum > 4.14159 && sum < 4.1416, "the x87 stack survives a handler that destroys it");
  check(control_after == control, "the x87 control word survives");
  check((*reinterpret_cast<u16*>(caught.fpu)) == control,
        "the frame's FSAVE image has the control word");
  // FXSAVE's image follows the 112 bytes of FSAVE's; XMM7 is at 160 + 7 * 16.
  check(*reinterpret_cast<float*>(caught.fpu + 112 + 160 + 112) == vector[0],
        "the frame's FXSAVE image has XMM7");
}

// ---- system calls
// -----------------------------------------------------------------------------------

u32 vdso_entry(const u32* stack) {
  const u32* at = stack + 1 + stack[0] + 1;  // argc, argv, 0
  while (*at) ++at;                          // environment
  for (++at; *at; at += 2)
    if (*at == 32) return at[1];  // AT_SYSINFO
  return 0;
}

void check_system_calls(const u32* stack) {
  const u32 entry = vdso_entry(stack);
  check(entry != 0, "AT_SYSINFO names the vDSO's entry");
  if (!entry) return;
  u32 by_vdso, kept_b = 0x1234, kept_bp;
  asm volatile("movl $0x5678, %%ebp; call *%[entry]; movl %%ebp, %[kept_bp]"
               : "=a"(by_vdso), "+b"(kept_b), [kept_bp] "=S"(kept_bp)
               : "a"(kGetpid), [entry] "D"(entry)
               : "ebp", "ecx", "edx", "memory", "cc");
  check(by_vdso == call(kGetpid), "the vDSO's system call answers as INT 80h does");
  check(kept_b == 0x1234 && kept_bp == 0x5678, "the vDSO's system call keeps EBX and EBP");
  check(call(0x7fff) == u32(-38), "an unknown system call is ENOSYS");
}

// ---- descriptors
// ------------------------------------------------------------------------------------

struct UserDescriptor {
  u32 number, base, limit, flags;
};
constexpr u32 k32Bit = 1, kData = 0, kExpandDown = 1 << 1, kCode = 2 << 1, kReadOnly = 1 << 3,
              kPages = 1 << 4;

u16 ldt(u32 number, u32 base, u32 limit, u32 flags) {
  UserDescriptor wanted = {number, base, limit, flags};
  check(call(kModifyLdt, 1, address(&wanted), sizeof wanted) == 0, "modify_ldt");
  return static_cast<u16>(number << 3 | 7);
}

u32 table[8] = {11, 22, 33, 44, 55, 66, 77, 88};

bool have_ldt() {
  if (call(kModifyLdt, 0, address(table), 0) != u32(-38)) return true;
  say("note  this kernel has no modify_ldt\n");
  return false;
}

void check_ldt_data() {
  const u16 selector = ldt(0, address(table), sizeof table - 1, k32Bit | kData);
  u32 value, limit = 0;
  asm volatile("movw %w1, %%fs; movl %%fs:12, %0" : "=r"(value) : "r"(selector) : "memory");
  check(value == 44, "FS of an LDT descriptor adds its base");
  asm volatile("lsll %1, %0" : "=r"(limit) : "r"(u32{selector}) : "cc");
  check(limit == sizeof table - 1, "LSL gives the descriptor's limit");
  FAULT("movl %%fs:29, %%eax", "m"(checks) : "eax");
  expect(kSigSegv, 13, "a load across the end of an LDT segment");
  const u16 down = ldt(1, address(table), 15, k32Bit | kExpandDown);
  asm volatile("movw %w1, %%es; movl %%es:16, %0" : "=r"(value) : "r"(down) : "memory");
  check(value == 55, "an expand-down segment begins above its limit");
  FAULT("movl %%es:12, %%eax", "m"(checks) : "eax");
  expect(kSigSegv, 13, "below the limit of an expand-down segment");
  const u16 read_only = ldt(2, address(table), 31, k32Bit | kReadOnly);
  asm volatile("movw %w0, %%es" : : "r"(read_only));
  FAULT("movl %%eax, %%es:0", "m"(checks) : "edx");
  expect(kSigSegv, 13, "a store into a read-only segment");
  bool writable, readable;
  asm("verw %w2; setz %0; verr %w2; setz %1"
      : "=&q"(writable), "=q"(readable)
      : "r"(read_only)
      : "cc");
  check(!writable && readable, "VERR and VERW of a read-only segment");
  FAULT("movw %w0, %%es", "a"(0x7ff) : "edx");
  expect(kSigSegv, 13, "a selector outside the LDT");
  check((caught.error & 0xfffc) == 0x7fc, "the error code is the selector");
  asm volatile("movw %w0, %%es; movw %w1, %%fs" : : "r"(u16{0}), "r"(u16{0}));
  FAULT("movl %%fs:0, %%eax", "m"(checks) : "eax");
  expect(kSigSegv, 13, "a load through a null selector");
  asm volatile("pushl %%ds; popl %%es" ::: "memory");
}

void check_thread_area() {
  UserDescriptor wanted = {0xffffffff, address(table) + 16, 0xfffff, k32Bit | kPages | 1 << 6};
  check(call(kThreadArea, address(&wanted)) == 0, "set_thread_area");
  u32 value, lower;
  u16 read_back;
  asm volatile("movw %w3, %%gs; movl %%gs:0, %0; movl %%gs:-8, %1; movw %%gs, %2"
               : "=&r"(value), "=&r"(lower), "=&r"(read_back)
               : "r"(wanted.number << 3 | 3)
               : "memory");
  check(value == 55 && lower == 33, "GS of the thread area, and below its base by wrapping");
  call(kGetpid);
  asm volatile("movl %%gs:4, %0; movw %%gs, %1" : "=r"(value), "=r"(read_back) : : "memory");
  check(value == 66 && read_back == (wanted.number << 3 | 3), "GS survives a system call");
}

// A 16-bit stack: IRET to it restores only SP, and the kernel has to (and does) save the upper
// half.
void check_small_stack() {
  static u8 stack[4096] __attribute__((aligned(16)));
  const u16 small = ldt(3, address(stack), sizeof stack - 1, 0);
  const u32 wanted = 0x12340ff0;
  u32 after, pushed;
  u16 old_ss;
  asm volatile(
      "movw %%ss, %w[old]; movl %%esp, %%esi; movw %w[small], %%ss; movl %[wanted], %%esp\n"
      "pushl $0x55aa1234; popl %[pushed]; movl $20, %%eax; int $0x80; movl %%esp, %%edi\n"
      "movw %w[old], %%ss; movl %%esi, %%esp"
      : [old] "=&r"(old_ss), "=&D"(after), [pushed] "=&r"(pushed)
      : [small] "r"(small), [wanted] "i"(wanted)
      : "eax", "esi", "memory", "cc");
  check(pushed == 0x55aa1234, "PUSH and POP on a 16-bit stack");
  check(*reinterpret_cast<u32*>(stack + 0xfec) == 0x55aa1234, "they use SP and the segment's base");
  check(after == wanted, "all of ESP survives a system call on a 16-bit stack");
}

// far: code that ends in a far return, called in a segment of its own with that base.
extern "C" const u8 code32[], code32_end[], code16[], code16_end[];
asm(R"(
  code32:
    movl $0x11223344, %eax
    lret
  code32_end:
    .code16
  code16:
    movl $0x1ffff, %ecx
    movw $3, %cx
  1: addl $0x10001, %eax
    loop 1b
    lretl
  code16_end:
    .code32
)");

u32 far_call(u16 selector, u32 initial) {
  struct __attribute__((packed)) {
    u32 offset;
    u16 selector;
  } target = {0, selector};
  u32 result;
  asm volatile("lcall *%1" : "=a"(result) : "m"(target), "a"(initial) : "ecx", "memory", "cc");
  return result;
}

void check_far_calls() {
  const u16 wide =
      ldt(4, address(code32), static_cast<u32>(code32_end - code32) - 1, k32Bit | kCode);
  check(far_call(wide, 0) == 0x11223344, "a far call into a 32-bit LDT segment returns");
  const u16 narrow = ldt(5, address(code16), static_cast<u32>(code16_end - code16) - 1, kCode);
  check(far_call(narrow, 0) == 0x30003, "16-bit code counts with CX and adds with EAX");
}

// ---- instructions that 64-bit mode has not
// ----------------------------------------------------------

void check_legacy_instructions() {
  u32 ax = 0x0009, flags;
  asm("addb $8, %%al; aaa" : "+a"(ax) : : "cc");
  check((ax & 0xffff) == 0x0107, "AAA");
  ax = 0x99;
  asm("addb $1, %%al; daa; pushfl; popl %1" : "+a"(ax), "=r"(flags) : : "cc");
  check((ax & 0xff) == 0 && (flags & 0x51) == 0x51, "DAA");
  ax = 0x0305;
  asm("aad" : "+a"(ax) : : "cc");
  check((ax & 0xffff) == 35, "AAD");
  asm("aam" : "+a"(ax) : : "cc");
  check((ax & 0xffff) == 0x0305, "AAM");
  asm("stc; .byte 0xd6" : "+a"(ax) : : "cc");
  check((ax & 0xff) == 0xff, "SALC");
  u32 sum = 0;
  asm volatile("pushal; movl 28(%%esp), %%ecx; movl $77, 28(%%esp); popal"
               : "=a"(sum)
               : "a"(5)
               : "memory");
  check(sum == 77, "PUSHA and POPA");
  u32 selector = 0x10;
  asm("arpl %w1, %w0" : "+r"(selector) : "r"(3) : "cc");
  check((selector & 0xffff) == 0x13, "ARPL");
  struct __attribute__((packed)) {
    u32 offset;
    u16 selector;
  } pointer = {0x87654321, 0};
  asm volatile("movw %%ds, %0" : "=m"(pointer.selector));
  u32 offset;
  asm volatile("lds %1, %0" : "=r"(offset) : "m"(pointer));
  check(offset == 0x87654321, "LDS");
  u32 counted;
  asm("xorl %%eax, %%eax; decl %%eax; incl %%eax; .byte 0x40, 0x40, 0x48" : "=a"(counted) : : "cc");
  check(counted == 1, "one-byte INC and DEC");
}

// Under a 64-bit kernel a 32-bit program can jump to its 64-bit code segment and back.
void check_64_bit_code() {
  u16 cs;
  asm("movw %%cs, %0" : "=r"(cs));
  if (cs != 0x23) return say("note  a 32-bit kernel has no 64-bit code segment\n");
  u32 high;
  asm volatile(
      "ljmp $0x33, $1f\n.code64\n1: movabsq $0x1122334455667788, %%rax; shrq $32, %%rax; movq "
      "%%rax, %%r15\n"
      "pushq $0x23; leaq 2f(%%rip), %%rcx; pushq %%rcx; lretq\n.code32\n2:"
      : "=a"(high)
      :
      : "ecx", "memory", "cc");
  check(high == 0x11223344, "64-bit code after a far jump");
}

}  // namespace

extern "C" void run(const u32* stack) {
  check_system_calls(stack);
  check_signals();
  check_floating_point_in_frames();
  check_thread_area();
  if (have_ldt()) {
    check_ldt_data();
    check_small_stack();
    check_far_calls();
  }
  check_legacy_instructions();
  check_64_bit_code();
  say("32-bit checks: ");
  say_number(checks);
  say(failures ? ", some FAILED\n" : ", 0 failed\n");
  if (call(kGetpid) == 1) call(kReboot, 0xfee1dead, 672274793, 0x4321fedc);
  call(kExit, failures != 0);
}

asm(".globl _start\n_start: xorl %ebp, %ebp; movl %esp, %eax; andl $-16, %esp; subl $12, %esp; "
    "pushl %eax; call run");
