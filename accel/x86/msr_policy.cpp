#include "accel/x86/msr_policy.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "accel/x86/msr.h"
#include "base/log.h"

namespace kite {

bool is_harmless_msr(u32 index) {
  // The counters that AMD processors have without saying so (APM 2 13.2.1). They count nothing
  // here, and a kernel that reads back another value than it wrote takes it that there are none.
  if (index >= msr::kPerformanceFirst && index <= msr::kPerformanceLast) return true;
  switch (index) {
    case msr::kPlatformId:
    case msr::kBiosUpdateTrigger:
    case msr::kBiosSignatureId:
    case msr::kMcgCap:
    case msr::kMcgStatus:
    case msr::kDebugCtl:
    case msr::kSyscfg:
    case msr::kHwcr:
    case msr::kNorthBridgeConfig:
    case msr::kInterruptPending:
    case msr::kVmCr:
    case msr::kMtrrCap:
      return true;
    default:
      return false;
  }
}

bool log_unknown_msr(std::string_view access, u32 index, std::string_view answer) {
  constexpr std::size_t kMost = 64;
  static std::mutex mutex;  // guards `told`
  static std::vector<u32> told;
  if (!log::enabled(log::Level::kDebug)) return false;
  {
    std::lock_guard lock(mutex);
    if (told.size() == kMost || std::ranges::find(told, index) != told.end()) return false;
    told.push_back(index);
  }
  log::debug("{} of unknown MSR {:#x}: {}", access, index, answer);
  return true;
}

}  // namespace kite
