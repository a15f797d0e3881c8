#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "tests/isa/support/child.h"

namespace kite::isa {

Result<> Child::start(const std::function<void(int commands, int answers)>& serve) {
  int down[2], up[2];
  if (::pipe(down) < 0) return fail_errno(ErrorKind::kUnavailable, errno, "a pipe");
  UniqueFd child_reads(down[0]), parent_writes(down[1]);
  if (::pipe(up) < 0) return fail_errno(ErrorKind::kUnavailable, errno, "a pipe");
  UniqueFd parent_reads(up[0]), child_writes(up[1]);
  process_ = ::fork();
  if (process_ < 0) return fail_errno(ErrorKind::kUnavailable, errno, "a child process");
  if (process_ == 0) {
    parent_writes.reset();
    parent_reads.reset();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(child_reads.get(), child_writes.get());
    ::_exit(1);
  }
  to_child_ = std::move(parent_writes);
  from_child_ = std::move(parent_reads);
  return {};
}

void Child::stop() {
  if (process_ <= 0) return;
  to_child_.reset();
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
}

bool Child::do_batch() {
  constexpr int kTimeoutMs = 20'000;
  u8 word = 1;
  if (::write(to_child_.get(), &word, 1) != 1) return false;
  pollfd ready{.fd = from_child_.get(), .events = POLLIN, .revents = 0};
  int count = 0;
  do {
    count = ::poll(&ready, 1, kTimeoutMs);
  } while (count < 0 && errno == EINTR);
  return count > 0 && ::read(from_child_.get(), &word, 1) == 1;
}

Result<> map_at(u64 address, u64 size, int sharing) {
  void* wanted = reinterpret_cast<void*>(address);
  void* got = ::mmap(wanted, size, PROT_READ | PROT_WRITE,
                     sharing | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == wanted) return {};
  return fail(ErrorKind::kUnavailable, "the pages at {:#x} are taken in this process", address);
}

void catch_signals(void (*handler)(int, siginfo_t*, void*), int another) {
  alignas(64) static u8 signal_stack[256 * 1024];
  stack_t stack{};
  stack.ss_sp = signal_stack;
  stack.ss_size = sizeof signal_stack;
  ::sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int signal : {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS, SIGSYS, another})
    if (signal) ::sigaction(signal, &action, nullptr);
}

void allow_only(std::span<const int> system_calls) {
  std::vector<sock_filter> rules = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const int number : system_calls) {
    rules.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<u32>(number), 0, 1));
    rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  rules.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP));
  sock_fprog program{.len = static_cast<u16>(rules.size()), .filter = rules.data()};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

}  // namespace kite::isa
