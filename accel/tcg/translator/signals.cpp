#include "accel/tcg/translator/signals.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>

#include "accel/tcg/translator/fault_context.h"
#include "base/bits.h"

namespace kite::tcg {
namespace {

// Constant from install() on, but for `spent`.
struct Previous {
  int signal;
  struct sigaction action;
  std::atomic<bool> spent;  // SA_RESETHAND, and it has been called
};
constinit std::array<Previous, 3> previous = {
    {{SIGSEGV, {}, false}, {SIGBUS, {}, false}, {SIGFPE, {}, false}}};

constinit thread_local FaultSignals::Claim claim = nullptr;
constinit thread_local void* claim_context = nullptr;

// A fault comes again, now to its end, when the handler has returned.
void take_default(int signal, const siginfo_t& info) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal, &action, nullptr);
  if (!fault_context::is_fault(info)) ::raise(signal);
}

void call(const struct sigaction& action, int signal, siginfo_t* info, void* context) {
  sigset_t blocked = action.sa_mask;
  if ((action.sa_flags & SA_NODEFER) == 0) ::sigaddset(&blocked, signal);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);  // until the return from our own handler
  if ((action.sa_flags & SA_SIGINFO) != 0)
    action.sa_sigaction(signal, info, context);
  else
    action.sa_handler(signal);
}

void pass_on(int signal, siginfo_t* info, void* context) {
  Previous& before = *std::ranges::find(previous, signal, &Previous::signal);
  const struct sigaction& action = before.action;
  if (action.sa_handler == SIG_IGN && !fault_context::is_fault(*info)) return;
  // A fault is never ignored: the host would come back to the same instruction for ever.
  if (action.sa_handler == SIG_DFL || action.sa_handler == SIG_IGN || before.spent)
    return take_default(signal, *info);
  if ((action.sa_flags & SA_RESETHAND) != 0) before.spent = true;
  call(action, signal, info, context);
}

// Nobody is asked about a fault of the claim itself.
const u8* ask_claimant(int signal, const siginfo_t& info, const void* context) {
  const FaultSignals::Claim asked = claim;
  if (asked == nullptr || !fault_context::is_fault(info)) return nullptr;
  claim = nullptr;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const u8* next = asked(claim_context, fault_context::pc(context), signal);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  claim = asked;
  return next;
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  const u8* next = ask_claimant(signal, *info, context);
  if (next != nullptr)
    fault_context::go_on_at(context, next);
  else
    pass_on(signal, info, context);
  errno = saved_errno;
}

// SA_NODEFER: a fault of the claim itself goes to the handler before us, instead of ending the
// process without a word.
void take_over(Previous& before) {
  ::sigaction(before.signal, nullptr, &before.action);
  const bool ignored = before.action.sa_handler == SIG_IGN;
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER |
                    (ignored ? SA_RESTART : before.action.sa_flags & SA_RESTART);
  ::sigemptyset(&action.sa_mask);
  ::sigaction(before.signal, &action, nullptr);
}

// Of this thread, unless somebody else (a sanitizer) has given it one. Goes with the thread.
class AlternateStack {
 public:
  AlternateStack() {
    stack_t now{};
    if (::sigaltstack(nullptr, &now) == 0 && (now.ss_flags & SS_DISABLE) == 0) return;
    memory_ = ::mmap(nullptr, kGuard + kSize, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (memory_ == MAP_FAILED) return;
    stack_t stack{};
    stack.ss_sp = static_cast<u8*>(memory_) + kGuard;
    stack.ss_size = kSize;
    ::mprotect(stack.ss_sp, kSize, PROT_READ | PROT_WRITE);
    ::sigaltstack(&stack, nullptr);
  }
  ~AlternateStack() {
    if (memory_ == MAP_FAILED) return;
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    none.ss_size = kSize;  // macOS looks at it all the same
    ::sigaltstack(&none, nullptr);
    ::munmap(memory_, kGuard + kSize);
  }
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;

 private:
  // Registers of AVX-512 and AMX make a signal's frame 11 KiB; a handler before us may print.
  static constexpr std::size_t kSize = 128 * KiB, kGuard = 64 * KiB;
  void* memory_ = MAP_FAILED;
};

}  // namespace

void FaultSignals::install() {
  [[maybe_unused]] static const bool once = [] {
    for (Previous& before : previous) take_over(before);
    return true;
  }();
}

FaultSignals::Claimant::Claimant(void* context, Claim of_this)
    : outer_claim_(claim), outer_context_(claim_context) {
  [[maybe_unused]] thread_local const AlternateStack stack;
  install();
  claim = nullptr;  // never one's function with the other's context
  std::atomic_signal_fence(std::memory_order_seq_cst);
  claim_context = context;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  claim = of_this;
}

FaultSignals::Claimant::~Claimant() {
  claim = nullptr;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  claim_context = outer_context_;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  claim = outer_claim_;
}

}  // namespace kite::tcg
