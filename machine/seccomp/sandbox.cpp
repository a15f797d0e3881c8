#include "machine/sandbox.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>

#include "base/fixed_name.h"
#include "machine/seccomp/calls.h"
#include "machine/seccomp/filter.h"

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1
#endif

namespace kite::sandbox {
namespace {

// The handler must not ask libseccomp, which allocates: the names are looked up beforehand.
constexpr int kCalls = 512;
constexpr std::size_t kLongestName = 24;
std::array<std::array<char, kLongestName>, kCalls> names;
u32 native_architecture = 0;

std::atomic<void (*)()> last_act{nullptr};
thread_local Thread this_thread = Thread::kIo;

struct Filters {
  Program io, vcpu;
};
std::mutex filters_mutex;        // guards `filters`
std::optional<Filters> filters;  // never changes once it is there

void look_up_names() {
  native_architecture = seccomp_arch_native();
  for (int call = 0; call < kCalls; ++call) {
    char* name = seccomp_syscall_resolve_num_arch(native_architecture, call);
    if (name == nullptr) continue;
    std::strncpy(names[static_cast<std::size_t>(call)].data(), name, kLongestName - 1);
    std::free(name);
  }
}

// A line on stderr, made where nothing may be allocated.
class Line {
 public:
  Line& add(std::string_view text) {
    const std::size_t count = std::min(text.size(), bytes_.size() - used_);
    std::memcpy(bytes_.data() + used_, text.data(), count);
    used_ += count;
    return *this;
  }
  Line& add(int number) {
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return add({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  void write() const {
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, bytes_.data(), used_);
  }

 private:
  std::array<char, 200> bytes_;
  std::size_t used_ = 0;
};

void on_forbidden_call(int, siginfo_t* info, void*) {
  if (info->si_code != SYS_SECCOMP) {  // somebody sent the signal
    ::signal(SIGSYS, SIG_DFL);
    ::raise(SIGSYS);
    return;
  }
  if (void (*act)() = last_act.load()) act();
  const int call = info->si_syscall;
  const bool known = info->si_arch == native_architecture && call >= 0 && call < kCalls;
  const char* name = known ? names[static_cast<std::size_t>(call)].data() : "";
  Line line;
  line.add("kite: sandbox: ")
      .add(this_thread == Thread::kVcpu ? "a vCPU's thread" : "the I/O thread")
      .add(" asked for system call ")
      .add(*name != '\0' ? name : "of another architecture")
      .add(" (")
      .add(call)
      .add("), or asked it for something, that it may not have\n")
      .write();
  ::_exit(static_cast<int>(ErrorKind::kInternal));
}

// SA_NODEFER: a call in the handler that is forbidden itself must not come back as a plain death.
Result<> install_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_forbidden_call;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  ::sigemptyset(&action.sa_mask);
  if (::sigaction(SIGSYS, &action, nullptr) != 0)
    return fail_errno(ErrorKind::kInternal, errno, "no sandbox: no handler of SIGSYS");
  return {};
}

Result<Program> make_program(Thread kind) {
  FilterBuilder builder;
  allow_calls(kind, builder);
  return builder.finish();
}

}  // namespace

std::string why_not() {
  // EFAULT: the kernel knows filters, and this is none.
  if (::prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, nullptr, 0, 0) < 0 && errno == EFAULT)
    return "";
  return "the host's kernel has no seccomp filters";
}

Result<> prepare() {
  std::lock_guard lock(filters_mutex);
  if (filters) return {};
  if (std::string reason = why_not(); !reason.empty())
    return fail(ErrorKind::kUnavailable, "no sandbox: {}", reason);
  name_files();
  KITE_CHECK(fixed_names::seal());
  Filters made;
  made.io = KITE_TRY(make_program(Thread::kIo));
  made.vcpu = KITE_TRY(make_program(Thread::kVcpu));
  look_up_names();
  KITE_CHECK(install_handler());
  filters = std::move(made);
  return {};
}

Result<> enter(Thread kind) {
  KITE_CHECK(prepare());
  this_thread = kind;
  return load(kind == Thread::kVcpu ? filters->vcpu : filters->io);
}

void before_the_end(void (*act)()) {
  last_act.store(act);
}

}  // namespace kite::sandbox
