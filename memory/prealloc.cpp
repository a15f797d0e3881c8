// Preallocation: every page of a mapping is provided before the guest starts.
//
// Where the host can populate a mapping by itself it does, and says so when it cannot. Elsewhere
// each page is touched, by an atomic or with 0 so that contents survive even while another process
// writes to them. A page the host cannot provide then raises SIGBUS; for the time of the touching a
// handler turns that into a jump out of the loop of the thread that met it. Any other SIGBUS goes
// where it went before.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/bits.h"
#include "memory/host_features.h"
#include "memory/mapping.h"

namespace kite {

namespace {

constexpr u64 kLeastPerThread = 4 * MiB;

thread_local sigjmp_buf touch_failed;
thread_local volatile std::sig_atomic_t touching = 0;
struct sigaction previous_action;

void on_sigbus(int signal, siginfo_t* info, void* context) {
  if (touching) siglongjmp(touch_failed, 1);
  if (previous_action.sa_flags & SA_SIGINFO)
    previous_action.sa_sigaction(signal, info, context);
  else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN)
    previous_action.sa_handler(signal);
  else
    ::sigaction(SIGBUS, &previous_action, nullptr);  // and the store is tried again, to be fatal
}

class SigbusGuard {
 public:
  SigbusGuard() : lock_(mutex()) {
    struct sigaction action {};
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &previous_action);
  }
  ~SigbusGuard() { ::sigaction(SIGBUS, &previous_action, nullptr); }
  SigbusGuard(const SigbusGuard&) = delete;
  SigbusGuard& operator=(const SigbusGuard&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  std::unique_lock<std::mutex> lock_;  // one preallocation at a time owns the signal
};

// No object with a destructor may live here: the handler jumps out.
bool touch_pages(u8* data, u64 size, u64 page_size, bool writable) {
  if (sigsetjmp(touch_failed, 1) != 0) {
    touching = 0;
    return false;
  }
  touching = 1;
  for (u64 at = 0; at < size; at += page_size) {
    if (writable)
      std::atomic_ref<u8>(data[at]).fetch_or(0, std::memory_order_relaxed);
    else
      static_cast<void>(*static_cast<const volatile u8*>(data + at));
  }
  touching = 0;
  return true;
}

bool provide(u8* data, u64 size, u64 page_size, bool writable) {
  const int problem = host::populate(data, size, writable);
  if (problem == ENOSYS) return touch_pages(data, size, page_size, writable);
  return problem == 0;
}

}  // namespace

bool preallocate(u8* data, u64 size, u64 page_size, u32 threads, bool writable) {
  SigbusGuard guard;
  const u64 wanted = std::max<u64>(1, std::min<u64>(threads, size / kLeastPerThread));
  const u64 part = align_up((size + wanted - 1) / wanted, page_size);
  std::atomic<bool> good{true};
  auto provide_from = [&](u64 start) {
    if (!provide(data + start, std::min(part, size - start), page_size, writable)) good = false;
  };
  std::vector<std::thread> helpers;
  for (u64 start = part; start < size; start += part) {
    try {
      helpers.emplace_back(provide_from, start);
    } catch (const std::system_error&) {
      provide_from(start);  // no more threads to be had: this one does the work
    }
  }
  provide_from(0);
  for (auto& helper : helpers) helper.join();
  return good;
}

}  // namespace kite
