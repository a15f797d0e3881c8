#include "accel/tcg/tcg.h"

#include <algorithm>
#include <mutex>

#include "accel/tcg/vcpu.h"

namespace kite {

namespace {

// Makes interpreted processors and tells them when the memory map changes.
class TcgAccelerator final : public Accelerator, private MemoryListener {
 public:
  explicit TcgAccelerator(const AcceleratorConfig& config)
      : config_(config), decoder_(config.model) {
    config_.memory.add_listener(*this);
  }
  ~TcgAccelerator() override {
    vcpus_.clear();  // gone by now; leaving tells of one more change of memory
    config_.memory.remove_listener(*this);
  }

  std::string_view name() const override { return "tcg"; }

  Result<std::unique_ptr<Vcpu>> create_vcpu(const VcpuConfig& vcpu) override {
    auto made = std::make_unique<tcg::TcgVcpu>(config_, vcpu, decoder_);
    std::lock_guard lock(mutex_);
    vcpus_.push_back(made.get());
    return made;
  }

 private:
  void memory_changed(const FlatView&, const FlatView&) override {
    std::lock_guard lock(mutex_);
    for (tcg::TcgVcpu* vcpu : vcpus_) vcpu->memory_changed();
  }

  AcceleratorConfig config_;
  tcg::Decoder decoder_;
  std::mutex mutex_;  // guards vcpus_
  std::vector<tcg::TcgVcpu*> vcpus_;
};

Result<> always_usable() {
  return {};
}

Result<std::unique_ptr<Accelerator>> create(const AcceleratorConfig& config) {
  return std::make_unique<TcgAccelerator>(config);
}

}  // namespace

const AcceleratorKind& tcg_kind() {
  static const AcceleratorKind kind{"tcg", "Kite's own engine, on every host", &always_usable,
                                    &create};
  return kind;
}

}  // namespace kite
