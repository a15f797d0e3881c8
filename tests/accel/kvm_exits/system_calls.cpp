#include "tests/accel/kvm_exits/system_calls.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>
#include <cstring>

namespace kite::test {

namespace {

constexpr int kRefused = 77;  // the child may not be traced
constexpr long kMarker = SYS_getppid;

[[noreturn]] void be_traced(const std::function<int()>& body) {
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(kRefused);
  ::raise(SIGSTOP);
  ::_exit(body());
}

u64 register_of(pid_t child, std::size_t offset) {
  return static_cast<u64>(::ptrace(PTRACE_PEEKUSER, child, offset, nullptr));
}

std::pair<long, u64> call_of(pid_t child) {
  const auto number = static_cast<long>(register_of(child, offsetof(user_regs_struct, orig_rax)));
  return {number, number == SYS_ioctl ? register_of(child, offsetof(user_regs_struct, rsi)) : 0};
}

// A system call stops the child twice: on its way in and on its way out.
class Counter {
 public:
  void stopped(pid_t child, SystemCalls& calls) {
    inside_ = !inside_;
    if (!inside_) return;
    const auto call = call_of(child);
    if (call.first == kMarker)
      ++marks_;
    else if (marks_ == 1)
      ++calls.counts[call];
  }

 private:
  bool inside_ = false;
  int marks_ = 0;
};

void follow(pid_t child, SystemCalls& calls) {
  Counter counter;
  constexpr int kSystemCallStop = SIGTRAP | 0x80;  // with PTRACE_O_TRACESYSGOOD
  for (int signal = 0;;) {
    int status = 0;
    if (::ptrace(PTRACE_SYSCALL, child, nullptr, signal) != 0 ||
        ::waitpid(child, &status, 0) != child) {
      calls.refused = std::string("the child is lost: ") + std::strerror(errno);
      return;
    }
    if (WIFEXITED(status)) calls.status = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) calls.status = 128 + WTERMSIG(status);
    if (!WIFSTOPPED(status)) return;
    signal = WSTOPSIG(status) == kSystemCallStop ? 0 : WSTOPSIG(status);
    if (signal == 0) counter.stopped(child, calls);
  }
}

}  // namespace

void mark() {
  ::syscall(kMarker);
}

SystemCalls count_system_calls(const std::function<int()>& body) {
  SystemCalls calls;
  const pid_t child = ::fork();
  if (child == 0) be_traced(body);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) {
    calls.refused = std::string("fork or waitpid: ") + std::strerror(errno);
  } else if (!WIFSTOPPED(status)) {
    calls.refused = "ptrace is not allowed here";
  } else if (::ptrace(PTRACE_SETOPTIONS, child, nullptr,
                      PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) {
    calls.refused = std::string("ptrace options: ") + std::strerror(errno);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
  } else {
    follow(child, calls);
  }
  return calls;
}

}  // namespace kite::test
