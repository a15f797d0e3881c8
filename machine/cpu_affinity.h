// CpuAffinity: which of the host's processors each vCPU's thread may run on (`--cpu-affinity`).
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"

namespace kite {

// Numbers of host processors, ascending, none twice.
using HostCpuSet = std::vector<unsigned>;

// One set for each vCPU, or a single one for all of them; empty: wherever the host's scheduler
// likes.
struct CpuAffinity {
  std::vector<HostCpuSet> sets;

  // The set of a vCPU; empty: any.
  HostCpuSet of(unsigned vcpu) const;
};

// "SET[:SET…]", where a SET is a list such as 0,2-4. Errors (kUsage) name the option and the word.
Result<CpuAffinity> parse_cpu_affinity(std::string_view text);

// Can this host do it? Errors name the host processor that does not exist, or that this process may
// not use (cpuset cgroup, taskset), and are kUnavailable; kUsage where the number of sets is not
// that of vCPUs.
Result<> check_cpu_affinity(const CpuAffinity& affinity, unsigned vcpus);

// Pins the calling thread. An empty set changes nothing.
Result<> pin_this_thread(const HostCpuSet& cpus);

// What the host's side of it answers: cpu_affinity_linux.cpp, cpu_affinity_posix.cpp.
namespace host {
// Those this process may use; an error where the host has no such thing.
Result<HostCpuSet> allowed_cpus();
// Processors of the host, whoever may use them.
unsigned configured_cpus();
}  // namespace host

}  // namespace kite
