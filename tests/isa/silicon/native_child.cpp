#include "tests/isa/silicon/native_child.h"

#include <asm/prctl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "accel/x86/registers.h"
#include "tests/isa/oracle/interpreter.h"
#include "tests/isa/support/child.h"
#include "tests/isa/support/gregs.h"

// What the stub reads and writes, at a fixed address below 2 GiB so that it needs no register.
namespace kite::oracle {
namespace {

struct Control {
  std::array<u64, 16> gpr;
  u64 rflags;
  u64 rip;
  u64 host_rsp;
  const Image* image_before;  // null: the extended state is not looked at
  Image* image_after;
  u64 components;  // of XCR0: x87, SSE and, if there is one, AVX state
  u64 unused[10];
  std::array<u64, 16> gpr_after;
  u64 rflags_after;
};
static_assert(offsetof(Control, rflags) == 0x80 && offsetof(Control, gpr_after) == 0x100 &&
              offsetof(Control, rflags_after) == 0x180);

}  // namespace
}  // namespace kite::oracle

extern "C" void kite_silicon_enter();
extern "C" void kite_silicon_exit();
extern "C" void kite_silicon_abort();

// clang-format off
asm(R"(
  .text
  .globl kite_silicon_enter, kite_silicon_exit, kite_silicon_abort
kite_silicon_enter:
  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15
  mov %rsp, 0x16a00090
  mov 0x16a00098, %rcx
  test %rcx, %rcx
  jz 1f
  mov 0x16a000a8, %rax
  xor %edx, %edx
  xrstor64 (%rcx)
1:
  pushq 0x16a00080
  popfq
  mov 0x16a00000, %rax
  mov 0x16a00008, %rcx
  mov 0x16a00010, %rdx
  mov 0x16a00018, %rbx
  mov 0x16a00020, %rsp
  mov 0x16a00028, %rbp
  mov 0x16a00030, %rsi
  mov 0x16a00038, %rdi
  mov 0x16a00040, %r8
  mov 0x16a00048, %r9
  mov 0x16a00050, %r10
  mov 0x16a00058, %r11
  mov 0x16a00060, %r12
  mov 0x16a00068, %r13
  mov 0x16a00070, %r14
  mov 0x16a00078, %r15
  jmp *0x16a00088
kite_silicon_exit:
  mov %rsp, 0x16a00120
  mov 0x16a00090, %rsp
  pushfq
  mov %rax, 0x16a00100
  mov %rcx, 0x16a00108
  mov %rdx, 0x16a00110
  mov %rbx, 0x16a00118
  mov %rbp, 0x16a00128
  mov %rsi, 0x16a00130
  mov %rdi, 0x16a00138
  mov %r8, 0x16a00140
  mov %r9, 0x16a00148
  mov %r10, 0x16a00150
  mov %r11, 0x16a00158
  mov %r12, 0x16a00160
  mov %r13, 0x16a00168
  mov %r14, 0x16a00170
  mov %r15, 0x16a00178
  popq 0x16a00180
  pushq $0x202
  popfq
  cmpq $0, 0x16a00098
  je kite_silicon_abort
  mov 0x16a000a0, %rcx
  mov 0x16a000a8, %rax
  and $7, %eax
  xor %edx, %edx
  xsave64 (%rcx)
  fninit
  test $4, %al
  jz kite_silicon_abort
  vzeroupper
kite_silicon_abort:
  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx
  ret
)");
// clang-format on

namespace kite::oracle {
namespace {

NativeShared* shared = nullptr;
bool faulted = false;

Control& control() {
  return *reinterpret_cast<Control*>(kControl);
}

// The frame's floating-point state is an XSAVE area in standard form.
void note_image(const void* frame, Outcome& outcome) {
  std::memcpy(outcome.image.bytes.data(), frame, sizeof outcome.image.bytes);
  const u64 present = load<u64>(outcome.image.bytes.data() + Image::kHeader);
  if (!(present & xcr0::kAvx)) std::memset(&outcome.image.bytes[Image::kYmm], 0, 256);
}

void note_stop(const ucontext_t& context, const Case& test, Outcome& outcome) {
  const greg_t* gregs = context.uc_mcontext.gregs;
  outcome.vector = static_cast<u8>(gregs[REG_TRAPNO]);
  outcome.error_code = static_cast<u32>(gregs[REG_ERR]);
  outcome.rip = static_cast<u64>(gregs[REG_RIP]);
  outcome.rflags = static_cast<u64>(gregs[REG_EFL]);
  if (outcome.vector == 14) outcome.cr2 = static_cast<u64>(gregs[REG_CR2]);
  for (unsigned i = 0; i < 16; ++i) outcome.gpr[i] = static_cast<u64>(gregs[isa::kGregs[i]]);
  if (test.vectors) note_image(context.uc_mcontext.fpregs, outcome);
  const u64 next = test.rip + test.length;
  if (outcome.vector == 3) {  // INT3 at a branch target
    outcome.vector = Outcome::kLanded;
    --outcome.rip;
  } else if (outcome.vector == 14 && (outcome.error_code & 16) && outcome.rip != test.rip) {
    outcome.vector = Outcome::kLanded;  // where nothing can be executed
  } else if (outcome.vector == 1 && outcome.rip == kWayBack) {
    outcome.vector = Outcome::kWentOn;  // a single step, for POPF has set TF
    outcome.rip = next;
  }
  if (outcome.vector < 32) return;
  outcome.error_code = 0;
  outcome.cr2 = 0;
}

void on_signal(int, siginfo_t*, void* raw) {
  // POPF may have left AC set, which would trap this handler's own accesses, and NT and ID, which
  // returning from a signal leaves as they are.
  asm volatile("pushfq; andq $~0x244000, (%%rsp); popfq" ::: "cc", "memory");
  auto& context = *static_cast<ucontext_t*>(raw);
  const u32 n = shared->next.load(std::memory_order_relaxed);
  note_stop(context, shared->cases[n], shared->outcomes[n]);
  faulted = true;
  greg_t* gregs = context.uc_mcontext.gregs;
  gregs[REG_RIP] = static_cast<greg_t>(reinterpret_cast<u64>(&kite_silicon_abort));
  gregs[REG_RSP] = static_cast<greg_t>(control().host_rsp);
  gregs[REG_EFL] = 0x202;
  auto* fp = context.uc_mcontext.fpregs;
  fp->cwd = 0x37f;
  fp->swd = 0;
  fp->mxcsr = 0x1f80;
}

// A system call that does not touch errno, which stands behind FS.
i64 bare_call(i64 number, u64 a, u64 b, u64 c) {
  i64 result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c)
               : "rcx", "r11", "memory");
  return result;
}

void set_bases() {
  bare_call(SYS_arch_prctl, ARCH_SET_FS, kFsBase, 0);
  bare_call(SYS_arch_prctl, ARCH_SET_GS, kGsBase, 0);
}

// And makes them null again, with the bases that cases begin with.
void note_selectors(Selectors& selectors) {
  auto& [es, ds, fs, gs] = selectors.values;
  asm volatile("mov %%es, %0; mov %%ds, %1; mov %%fs, %2; mov %%gs, %3"
               : "=r"(es), "=r"(ds), "=r"(fs), "=r"(gs));
  bare_call(SYS_arch_prctl, ARCH_GET_FS, reinterpret_cast<u64>(&selectors.fs_base), 0);
  bare_call(SYS_arch_prctl, ARCH_GET_GS, reinterpret_cast<u64>(&selectors.gs_base), 0);
  asm volatile("mov %0, %%es; mov %0, %%ds; mov %0, %%fs; mov %0, %%gs" : : "r"(0));
  set_bases();
}

void run_case(const Case& test, Outcome& outcome) {
  Control& c = control();
  c.gpr = test.gpr;
  c.rflags = test.rflags;
  c.rip = test.rip;
  c.image_before = test.vectors ? &shared->pool.images[test.image] : nullptr;
  c.image_after = &outcome.image;
  outcome.change_count = 0;
  outcome.error_code = 0;
  outcome.cr2 = 0;
  faulted = false;
  kite_silicon_enter();
  if (!*static_cast<volatile bool*>(&faulted)) {
    outcome.vector = Outcome::kWentOn;
    outcome.rip = test.rip + test.length;
    outcome.rflags = c.rflags_after;
    outcome.gpr = c.gpr_after;
  }
  for (u64 i = 0; i < kWritablePages.size(); ++i)
    collect_changes(reinterpret_cast<u8*>(kWritablePages[i]), shared->pool, i, outcome);
  if (test.segments) note_selectors(outcome.selectors);
}

void begin_batch() {
  for (u64 page : kWritablePages)
    std::memcpy(reinterpret_cast<void*>(page), shared->pool.page.data(), kPageSize);
  void* readonly = reinterpret_cast<void*>(kReadOnlyBase);
  mprotect(readonly, kPageSize, PROT_READ | PROT_WRITE);
  std::memcpy(readonly, shared->pool.page.data(), kPageSize);
  mprotect(readonly, kPageSize, PROT_READ);
}

u64 host_components() {
  unsigned low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low & 7;
}

bool map_control() {
  void* wanted = reinterpret_cast<void*>(kControl);
  void* got = mmap(wanted, kPageSize, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (got != wanted) return false;
  control().components = host_components();
  // JMP [RIP+2], and aligned what it reads: POPF may have set AC.
  constexpr u8 kJump[] = {0xff, 0x25, 2, 0, 0, 0};
  u8* way_back = reinterpret_cast<u8*>(kWayBack);
  std::memcpy(way_back, kJump, sizeof kJump);
  store<u64>(way_back + 8, reinterpret_cast<u64>(&kite_silicon_exit));
  return mprotect(way_back, kPageSize, PROT_READ | PROT_EXEC) == 0;
}

// What the protocol needs.
constexpr int kSystemCalls[] = {SYS_rt_sigreturn, SYS_read,     SYS_write,
                                SYS_exit_group,   SYS_mprotect, SYS_arch_prctl};

}  // namespace

void serve_batches(NativeShared& the_shared, int commands, int answers) {
  shared = &the_shared;
  if (!map_control()) _exit(1);
  mprotect(reinterpret_cast<void*>(kCodeBase), kCodeSize, PROT_READ | PROT_EXEC);
  isa::catch_signals(on_signal);
  isa::allow_only(kSystemCalls);
  // From the library's functions only those that have been called before, which the dynamic linker
  // has found by now: it needs FS, which from here on belongs to the cases.
  begin_batch();
  Outcome scratch;
  note_image(&shared->pool.images[0], scratch);
  collect_changes(reinterpret_cast<u8*>(kLastBase), shared->pool, 0, scratch);
  set_bases();
  u8 word = 0;
  const u64 at = reinterpret_cast<u64>(&word);
  while (bare_call(SYS_read, static_cast<u64>(commands), at, 1) == 1) {
    begin_batch();
    for (u32 n = shared->next; n < shared->end; shared->next = ++n)
      run_case(shared->cases[n], shared->outcomes[n]);
    if (bare_call(SYS_write, static_cast<u64>(answers), at, 1) != 1) break;
  }
  bare_call(SYS_exit_group, 0, 0, 0);
  __builtin_unreachable();
}

}  // namespace kite::oracle
