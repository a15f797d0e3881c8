#include "accel/kvm/kvm.h"

#include <algorithm>

#include "accel/kvm/accelerator.h"
#include "accel/kvm/device.h"

namespace kite {
namespace {

Result<> probe() {
  return probe_kvm();
}

Result<std::unique_ptr<Accelerator>> create(const AcceleratorConfig& config) {
  return kvm::KvmAccelerator::create(config);
}

// xAPIC identifiers are 0 to 254.
unsigned max_cpus() {
  constexpr u32 kMostInXapicMode = 255;
  auto device = kvm::open_device("/dev/kvm");
  return device ? std::min(device->capabilities.max_vcpus, kMostInXapicMode) : 1;
}

}  // namespace

Result<> probe_kvm(const std::string& path) {
  auto device = kvm::open_device(path);
  if (!device) return tl::unexpected<Error>(std::move(device).error());
  return {};
}

const AcceleratorKind& kvm_kind() {
  static constexpr AcceleratorKind kKind{"kvm", "the host's processor, by Linux KVM", probe, create,
                                         max_cpus};
  return kKind;
}

}  // namespace kite
