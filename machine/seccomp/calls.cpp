#include "machine/seccomp/calls.h"

#include <fcntl.h>
#include <linux/prctl.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/fixed_name.h"
#ifdef KITE_HAS_KVM
#include "accel/kvm/requests.h"
#endif

namespace kite::sandbox {
namespace {

constexpr u64 kLow = 0xffffffff;  // of an argument that the kernel takes as 32 bits

// What the C and C++ libraries need in any thread, and the signal handlers of the command line.
void allow_for_libraries(FilterBuilder& filter) {
  for (const int call : {SCMP_SYS(read),
                         SCMP_SYS(write),
                         SCMP_SYS(writev),
                         SCMP_SYS(lseek),
                         SCMP_SYS(close),
                         SCMP_SYS(fstat),
                         SCMP_SYS(futex),
                         SCMP_SYS(exit),
                         SCMP_SYS(exit_group),
                         SCMP_SYS(brk),
                         SCMP_SYS(rt_sigaction),
                         SCMP_SYS(rt_sigprocmask),
                         SCMP_SYS(rt_sigreturn),
                         SCMP_SYS(sigaltstack),
                         SCMP_SYS(restart_syscall),
                         SCMP_SYS(clock_gettime),
                         SCMP_SYS(clock_getres),
                         SCMP_SYS(clock_nanosleep),
                         SCMP_SYS(nanosleep),
                         SCMP_SYS(gettimeofday),
                         SCMP_SYS(time),
                         SCMP_SYS(getpid),
                         SCMP_SYS(gettid),
                         SCMP_SYS(getpgrp),
                         SCMP_SYS(getpgid),
                         SCMP_SYS(sched_yield),
                         SCMP_SYS(sched_getaffinity),
                         SCMP_SYS(getcpu),
                         SCMP_SYS(getrandom),
                         SCMP_SYS(membarrier),
                         SCMP_SYS(rseq),
                         SCMP_SYS(set_robust_list),
                         SCMP_SYS(getrusage),
                         SCMP_SYS(sysinfo)})  // by qsort(), which asks how much memory there is
    filter.allow(call);
  filter.allow(SCMP_SYS(tgkill), {When::masked(0, kLow, static_cast<u64>(::getpid()))});
  filter.allow(SCMP_SYS(newfstatat), {When::masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH)});
  filter.allow(SCMP_SYS(prctl), {When::masked(0, kLow, PR_SET_NAME)});
#ifdef PR_SET_VMA
  filter.allow(SCMP_SYS(prctl), {When::masked(0, kLow, PR_SET_VMA)});
#endif
  // glibc's malloc() looks into /proc/sys/vm and /sys/devices when it pleases, and does without.
  filter.refuse(SCMP_SYS(open), EACCES, {When::masked(1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)});
  filter.refuse(SCMP_SYS(openat), EACCES,
                {When::masked(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)});
  // A terminal is restored, and given back while the process is stopped.
  for (const u64 request : {TCGETS, TCSETS, TCSETSW, TIOCGPGRP})
    filter.allow(SCMP_SYS(ioctl), {When::masked(1, kLow, request)});
}

// Memory, but none that can be executed, and nothing in place of the fixed names.
void allow_memory(FilterBuilder& filter) {
  const u64 names = fixed_names::end();
  const When no_code = When::masked(2, PROT_EXEC, 0);
  for (const int call : {SCMP_SYS(munmap), SCMP_SYS(madvise)})
    names == 0 ? filter.allow(call) : filter.allow(call, {When::above(0, names - 1)});
  for (const int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) {
    names == 0 ? filter.allow(call, {no_code})
               : filter.allow(call, {When::above(0, names - 1), no_code});
  }
  if (names == 0) {
    filter.allow(SCMP_SYS(mremap), {When::masked(3, MREMAP_FIXED, 0)});
    return;
  }
  filter.allow(SCMP_SYS(mmap), {When::equal(0, 0), no_code, When::masked(3, MAP_FIXED, 0)});
  filter.allow(SCMP_SYS(mremap), {When::above(0, names - 1), When::masked(3, MREMAP_FIXED, 0)});
}

// Disk images are read and written by the vCPU that asks for it, as KVM's timers belong to it.
void allow_machine(FilterBuilder& filter) {
  for (const int call : {SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev),
                         SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(timer_create),
                         SCMP_SYS(timer_settime), SCMP_SYS(timer_gettime), SCMP_SYS(timer_delete)})
    filter.allow(call);
#ifdef KITE_HAS_KVM
  for (const unsigned long request : kvm::machine_requests())
    filter.allow(SCMP_SYS(ioctl), {When::masked(1, kLow, request)});
#endif
}

// `first` and `second`: the positions of the two names.
void allow_rename(FilterBuilder& filter, int call, unsigned first, unsigned second) {
  for (const fixed_names::Entry& from : fixed_names::entries())
    for (const fixed_names::Entry& to : fixed_names::entries())
      if (from.use == FixedName::Use::kReplace && to.use == FixedName::Use::kReplace &&
          from.place != to.place)
        filter.allow(call, {When::equal(first, reinterpret_cast<u64>(from.place)),
                            When::equal(second, reinterpret_cast<u64>(to.place))});
}

// How a file is opened, if at all.
std::optional<u64> access_of(FixedName::Use use) {
  switch (use) {
    case FixedName::Use::kRead:
      return O_RDONLY;
    case FixedName::Use::kReadWrite:
      return O_RDWR;
    case FixedName::Use::kReplace:
      return O_WRONLY | O_CREAT | O_TRUNC;
    case FixedName::Use::kRemove:
      break;
  }
  return std::nullopt;
}

bool removes(FixedName::Use use) {
  return use == FixedName::Use::kReplace || use == FixedName::Use::kRemove;
}

void allow_fixed_names(FilterBuilder& filter) {
  for (const fixed_names::Entry& entry : fixed_names::entries()) {
    const u64 place = reinterpret_cast<u64>(entry.place);
    const std::optional<u64> access = access_of(entry.use);
    if (access) {
      constexpr u64 kMask = O_ACCMODE | O_CREAT | O_TRUNC;
      filter.allow_first(SCMP_SYS(open), {When::equal(0, place), When::masked(1, kMask, *access)});
      filter.allow_first(SCMP_SYS(openat),
                         {When::equal(1, place), When::masked(2, kMask, *access)});
    }
    if (!removes(entry.use)) continue;
    filter.allow(SCMP_SYS(unlink), {When::equal(0, place)});
    filter.allow(SCMP_SYS(unlinkat), {When::equal(1, place), When::masked(2, kLow, 0)});
  }
  allow_rename(filter, SCMP_SYS(rename), 0, 1);
  allow_rename(filter, SCMP_SYS(renameat), 1, 3);
  allow_rename(filter, SCMP_SYS(renameat2), 1, 3);
}

// clone3 takes its flags in memory, where no filter sees them; clone, which the library then uses,
// in a register.
void allow_threads(FilterBuilder& filter) {
  constexpr u64 kThread = CLONE_THREAD | CLONE_VM | CLONE_SIGHAND;
  constexpr u64 kMore = CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE;
  filter.allow(SCMP_SYS(clone), {When::masked(0, kThread | kMore, kThread)});
  filter.refuse(SCMP_SYS(clone3), ENOSYS);
  filter.allow(SCMP_SYS(prlimit64), {When::equal(2, 0)});  // how large a stack is
}

void allow_io(FilterBuilder& filter) {
  for (const int call :
       {SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(recvfrom),
        SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(shutdown),
        SCMP_SYS(getsockopt), SCMP_SYS(eventfd2), SCMP_SYS(pipe2)})
    filter.allow(call);
  for (const u64 command : {F_GETFD, F_SETFD, F_GETFL, F_SETFL})
    filter.allow(SCMP_SYS(fcntl), {When::masked(1, kLow, command)});
#ifdef KITE_HAS_KVM
  for (const unsigned long request : kvm::creation_requests())
    filter.allow(SCMP_SYS(ioctl), {When::masked(1, kLow, request)});
#endif
}

}  // namespace

// Another accelerator may be wanted once the machine runs.
void name_files() {
#ifdef KITE_HAS_KVM
  kvm::name_files();
#endif
}

void allow_calls(Thread kind, FilterBuilder& filter) {
  allow_for_libraries(filter);
  allow_memory(filter);
  allow_machine(filter);
#ifdef KITE_HAS_KVM
  const u64 run = kvm::machine_requests().front();
  filter.allow_first(SCMP_SYS(ioctl), {When::masked(1, kLow, run)});
#endif
  if (kind == Thread::kVcpu) return;
  allow_io(filter);
  allow_fixed_names(filter);
  allow_threads(filter);
}

}  // namespace kite::sandbox
