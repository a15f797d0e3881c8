#include "tests/isa/host/native_child.h"

#include <asm/prctl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "accel/x86/registers.h"
#include "tests/isa/support/child.h"
#include "tests/isa/support/gregs.h"

namespace kite::isa {
namespace {

constexpr u64 kSettable = rflags::kArithmetic | rflags::kTf | rflags::kDf | rflags::kRf;

NativeShared* shared = nullptr;
bool running = false;  // between the first case and the last
greg_t saved_gregs[NGREG];
struct _libc_fpstate saved_fp;

void load_case(ucontext_t& context, const Case& test) {
  greg_t* gregs = context.uc_mcontext.gregs;
  for (unsigned i = 0; i < 16; ++i) gregs[kGregs[i]] = static_cast<greg_t>(test.registers.gpr[i]);
  gregs[REG_RIP] = static_cast<greg_t>(test.registers.rip);
  const u64 flags = static_cast<u64>(gregs[REG_EFL]) & ~(kSettable | rflags::kAc);
  const u64 step = test.single_step ? rflags::kTf : 0;
  gregs[REG_EFL] = static_cast<greg_t>(flags | (test.registers.rflags & kSettable) | step);
  struct _libc_fpstate& fp = *context.uc_mcontext.fpregs;
  const VectorRegisters& vectors = test.vectors;
  std::memcpy(fp._xmm, vectors.xmm.data(), sizeof vectors.xmm);
  std::memcpy(fp._st, vectors.st.data(), sizeof vectors.st);
  fp.mxcsr = vectors.mxcsr;
  fp.cwd = vectors.fcw;
  fp.swd = vectors.fsw;
  fp.ftw = vectors.ftw;
  // XSTATE_BV of the XSAVE header behind: x87 and SSE are not in their initial state, the upper
  // halves of YMM are.
  u64& present = reinterpret_cast<u64*>(&fp)[64];
  present = (present | xcr0::kX87 | xcr0::kSse) & ~xcr0::kAvx;
}

void note_outcome(const ucontext_t& context, Outcome& outcome) {
  const greg_t* gregs = context.uc_mcontext.gregs;
  outcome.vector = static_cast<u8>(gregs[REG_TRAPNO]);
  outcome.error_code = static_cast<u32>(gregs[REG_ERR]);
  outcome.cr2 = static_cast<u64>(gregs[REG_CR2]);
  for (unsigned i = 0; i < 16; ++i) outcome.registers.gpr[i] = static_cast<u64>(gregs[kGregs[i]]);
  outcome.registers.rip = static_cast<u64>(gregs[REG_RIP]);
  outcome.registers.rflags = static_cast<u64>(gregs[REG_EFL]);
  const struct _libc_fpstate& fp = *context.uc_mcontext.fpregs;
  std::memcpy(outcome.vectors.xmm.data(), fp._xmm, sizeof fp._xmm);
  std::memcpy(outcome.vectors.st.data(), fp._st, sizeof fp._st);
  outcome.vectors.mxcsr = fp.mxcsr;
  outcome.vectors.fcw = fp.cwd;
  outcome.vectors.fsw = fp.swd;
  outcome.vectors.ftw = static_cast<u8>(fp.ftw);
  collect_changes(reinterpret_cast<u64*>(kDataBase), outcome);
}

void on_signal(int, siginfo_t*, void* raw) {
  // POPF may have left AC set, which would trap this handler's own accesses, and NT and ID, which
  // returning from a signal leaves as they are.
  asm volatile("pushfq; andq $~0x244000, (%%rsp); popfq" ::: "cc", "memory");
  auto& context = *static_cast<ucontext_t*>(raw);
  u32 n = shared->next.load(std::memory_order_relaxed);
  if (!running) {
    running = true;
    std::memcpy(saved_gregs, context.uc_mcontext.gregs, sizeof saved_gregs);
    std::memcpy(&saved_fp, context.uc_mcontext.fpregs, sizeof saved_fp);
  } else {
    note_outcome(context, shared->outcomes[n]);
    shared->next.store(++n, std::memory_order_relaxed);
  }
  if (n < shared->end) return load_case(context, shared->cases[n]);
  running = false;
  std::memcpy(context.uc_mcontext.gregs, saved_gregs, sizeof saved_gregs);
  std::memcpy(context.uc_mcontext.fpregs, &saved_fp, sizeof saved_fp);
}

// What the protocol needs.
constexpr int kSystemCalls[] = {SYS_rt_sigreturn, SYS_read,   SYS_write,  SYS_exit_group,
                                SYS_tgkill,       SYS_getpid, SYS_gettid, SYS_rt_sigprocmask};

}  // namespace

void serve_batches(NativeShared& the_shared, int commands, int answers) {
  shared = &the_shared;
  ::syscall(SYS_arch_prctl, ARCH_SET_GS, kDataBase);
  mprotect(reinterpret_cast<void*>(kCodeBase), kCodeSize, PROT_READ | PROT_EXEC);
  catch_signals(on_signal, SIGUSR1);
  allow_only(kSystemCalls);
  u8 word = 0;
  while (::read(commands, &word, 1) == 1) {
    if (shared->next.load() < shared->end) raise(SIGUSR1);
    if (::write(answers, &word, 1) != 1) break;
  }
  _exit(0);
}

}  // namespace kite::isa
