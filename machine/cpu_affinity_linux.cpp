#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "machine/cpu_affinity.h"

namespace kite {
namespace {

// Big enough for any kernel: sched_getaffinity() fails where the mask is smaller than the kernel's.
constexpr unsigned kMaskCpus = 8192;

// A cpu_set_t of kMaskCpus processors; the type itself has room for 1024.
class Mask {
 public:
  Mask() : bits_(CPU_ALLOC(kMaskCpus), [](cpu_set_t* bits) { CPU_FREE(bits); }) {
    if (bits_) CPU_ZERO_S(size(), bits_.get());
  }
  static std::size_t size() { return CPU_ALLOC_SIZE(kMaskCpus); }
  cpu_set_t* get() { return bits_.get(); }
  void add(unsigned cpu) { CPU_SET_S(cpu, size(), bits_.get()); }
  bool has(unsigned cpu) const { return CPU_ISSET_S(cpu, size(), bits_.get()); }

 private:
  std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> bits_;
};

}  // namespace

namespace host {

Result<HostCpuSet> allowed_cpus() {
  Mask mask;
  if (!mask.get() || ::sched_getaffinity(0, Mask::size(), mask.get()) != 0)
    return fail_errno(ErrorKind::kUnavailable, mask.get() ? errno : ENOMEM,
                      "--cpu-affinity: the host does not say which processors may be used");
  HostCpuSet cpus;
  for (unsigned cpu = 0; cpu < kMaskCpus; ++cpu)
    if (mask.has(cpu)) cpus.push_back(cpu);
  return cpus;
}

unsigned configured_cpus() {
  const long count = ::sysconf(_SC_NPROCESSORS_CONF);
  return count > 0 ? static_cast<unsigned>(count) : 1;
}

}  // namespace host

Result<> pin_this_thread(const HostCpuSet& cpus) {
  if (cpus.empty()) return {};
  Mask mask;
  if (!mask.get()) return fail(ErrorKind::kUnavailable, "--cpu-affinity: out of memory");
  for (unsigned cpu : cpus) mask.add(cpu);
  const int error = ::pthread_setaffinity_np(::pthread_self(), Mask::size(), mask.get());
  if (error == 0) return {};
  return fail_errno(ErrorKind::kUnavailable, error,
                    fmt::format("--cpu-affinity: host processor {}", cpus.front()));
}

}  // namespace kite
