// The shm back end: POSIX shared memory whose name is gone before anybody can see it.
//
// Space is reserved at once (posix_fallocate) unless reserve=off: a container's /dev/shm has 64 MB,
// two guests can each fit while both do not, and the store that finds the mount full is a SIGBUS.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "memory/backend_kinds.h"
#include "memory/mapping.h"

namespace kite {

namespace {

// No signal may end the process between the name's creation and its removal.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

Result<UniqueFd> open_unnamed(const BackendConfig& config) {
#ifdef SHM_ANON  // FreeBSD: an object that never has a name
  UniqueFd fd(::shm_open(SHM_ANON, O_RDWR, 0));
  if (fd.valid()) return fd;
#else
  // A name can only be taken by what another process of this pid left behind.
  constexpr int kAttempts = 100;
  static std::atomic<u32> counter{0};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    // macOS allows 31 characters.
    const std::string name = fmt::format("/kite-{}-shm-{}", ::getpid(), counter++);
    SignalsBlocked blocked;
    UniqueFd fd(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0));
    if (fd.valid()) {
      ::shm_unlink(name.c_str());
      return fd;
    }
    if (errno != EEXIST) break;
  }
#endif
  return fail_errno(ErrorKind::kUnavailable, errno, size_text(config) + ": shm_open failed");
}

}  // namespace

Result<HostMemory> allocate_shm(const BackendConfig& config) {
  if (!config.share.value_or(true))
    return fail(ErrorKind::kUsage, "{}: can't create shm backend with share=off",
                option_text(config, "share", "off"));
  KITE_CHECK(check_alignment(config, -1));
  KITE_CHECK(check_total_memory(config));
  MapRequest request;
  request.fd = KITE_TRY(open_unnamed(config));
  request.shared = true;
  KITE_CHECK(set_size(config, request.fd.get(), config.size));
  KITE_CHECK(reserve_space(config, request.fd.get(), 0, ErrorKind::kUnavailable));
  return map_memory(config, std::move(request));
}

}  // namespace kite
