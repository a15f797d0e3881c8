// x87 and SIMD registers to and from KVM.
#pragma once

#include <array>

#include "accel/kvm/device.h"
#include "accel/x86/state.h"
#include "base/result.h"

namespace kite::kvm {

class FpuTransfer {
 public:
  // How large KVM's XSAVE area is, and where its components stand.
  void find(int vm_fd, const Device& device);
  void read(int fd, FpuState& fpu) const;
  // `with_xcr0`: else XCR0 is there already.
  Result<> write(int fd, const FpuState& fpu, bool with_xcr0 = true) const;

 private:
  static constexpr unsigned kMostBytes = 16384;
  bool has_area_ = false;
  bool has_xcr0_ = false;
  unsigned size_ = 0;                     // of KVM_GET_XSAVE2's area; 0: KVM_GET_XSAVE's 4096 bytes
  std::array<unsigned, 10> places_ = {};  // by the component's number; 0: not there
};

}  // namespace kite::kvm
