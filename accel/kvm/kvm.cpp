#include "accel/kvm/kvm.h"

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

}  // namespace

Result<> probe_kvm(const std::string& path) {
  auto device = kvm::open_device(path);
  if (!device) return tl::unexpected<Error>(std::move(device).error());
  return {};
}

const AcceleratorKind& kvm_kind() {
  static constexpr AcceleratorKind kKind{"kvm", "the host's processor, by Linux KVM", probe,
                                         create};
  return kKind;
}

}  // namespace kite
