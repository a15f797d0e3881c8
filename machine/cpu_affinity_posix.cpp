// POSIX knows no way to bind a thread to a processor.
#include "machine/cpu_affinity.h"

namespace kite {

namespace host {

Result<HostCpuSet> allowed_cpus() {
  return fail(ErrorKind::kUnavailable,
              "--cpu-affinity: unavailable: this build of Kite has no way to bind a thread to a "
              "host processor");
}

unsigned configured_cpus() {
  return 1;
}

}  // namespace host

Result<> pin_this_thread(const HostCpuSet& cpus) {
  if (cpus.empty()) return {};
  return tl::unexpected(host::allowed_cpus().error());
}

}  // namespace kite
