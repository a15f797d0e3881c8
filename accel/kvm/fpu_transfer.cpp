#include "accel/kvm/fpu_transfer.h"

#include <cpuid.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "accel/kvm/abi.h"
#include "accel/x86/registers.h"
#include "base/bits.h"

namespace kite::kvm {
namespace {

// Places in the XSAVE area: the legacy region (SDM 1 table 10-2, 64-bit form), the header (13.4.2)
// and the upper halves of the YMM registers, which stand behind it on every processor.
enum Place : unsigned {
  kFcw = 0,
  kFsw = 2,
  kFtw = 4,
  kFop = 6,
  kFip = 8,
  kFdp = 16,
  kMxcsr = 24,
  kSt = 32,
  kXmm = 160,
  kXstateBv = 512,
  kYmmUpper = 576,
};

// The components of the XSAVE area beyond the legacy region that X86State has (SDM 1 13.1).
enum Component : unsigned { kYmm = 2, kOpmask = 5, kZmmUpper = 6, kHighZmm = 7, kPkruState = 9 };

using Places = std::array<unsigned, 10>;

void unpack(const u8* area, const Places& places, FpuState& fpu) {
  const u64 present = load<u64>(area + kXstateBv);
  const auto component = [&](Component number) {
    return (present >> number & 1) && places[number] ? area + places[number] : nullptr;
  };
  FpuState read{.fcw = 0x37f, .xcr0 = fpu.xcr0};
  if (present & xcr0::kX87) {
    read.fcw = load<u16>(area + kFcw);
    read.fsw = load<u16>(area + kFsw);
    read.ftw = area[kFtw];
    read.fop = load<u16>(area + kFop);
    read.fip = load<u64>(area + kFip);
    read.fdp = load<u64>(area + kFdp);
    for (unsigned i = 0; i < 8; ++i) std::copy_n(area + kSt + 16 * i, 16, read.st[i].begin());
  }
  if (present & xcr0::kSse)
    for (unsigned i = 0; i < 16; ++i) std::copy_n(area + kXmm + 16 * i, 16, read.zmm[i].begin());
  if (const u8* at = component(kYmm))
    for (unsigned i = 0; i < 16; ++i) std::copy_n(at + 16 * i, 16, read.zmm[i].begin() + 16);
  if (const u8* at = component(kOpmask))
    for (unsigned i = 0; i < 8; ++i) read.k[i] = load<u64>(at + 8 * i);
  if (const u8* at = component(kZmmUpper))
    for (unsigned i = 0; i < 16; ++i) std::copy_n(at + 32 * i, 32, read.zmm[i].begin() + 32);
  if (const u8* at = component(kHighZmm))
    for (unsigned i = 0; i < 16; ++i) std::copy_n(at + 64 * i, 64, read.zmm[16 + i].begin());
  if (const u8* at = component(kPkruState)) read.pkru = load<u32>(at);
  read.mxcsr = load<u32>(area + kMxcsr);
  fpu = read;
}

// Only components that XCR0 has on may be marked as present, but PKRU, which KVM takes always.
void pack(const FpuState& fpu, const Places& places, u8* area) {
  store<u16>(area + kFcw, fpu.fcw);
  store<u16>(area + kFsw, fpu.fsw);
  area[kFtw] = fpu.ftw;
  store<u16>(area + kFop, fpu.fop);
  store<u64>(area + kFip, fpu.fip);
  store<u64>(area + kFdp, fpu.fdp);
  store<u32>(area + kMxcsr, fpu.mxcsr);
  for (unsigned i = 0; i < 8; ++i) std::copy_n(fpu.st[i].begin(), 16, area + kSt + 16 * i);
  for (unsigned i = 0; i < 16; ++i) std::copy_n(fpu.zmm[i].begin(), 16, area + kXmm + 16 * i);
  u64 present = xcr0::kX87 | xcr0::kSse;
  const auto component = [&](Component number, bool wanted) -> u8* {
    if (!wanted || !places[number]) return nullptr;
    present |= u64{1} << number;
    return area + places[number];
  };
  const auto on = [&](Component number) { return (fpu.xcr0 >> number & 1) != 0; };
  if (u8* at = component(kYmm, on(kYmm)))
    for (unsigned i = 0; i < 16; ++i) std::copy_n(fpu.zmm[i].begin() + 16, 16, at + 16 * i);
  if (u8* at = component(kOpmask, on(kOpmask)))
    for (unsigned i = 0; i < 8; ++i) store<u64>(at + 8 * i, fpu.k[i]);
  if (u8* at = component(kZmmUpper, on(kZmmUpper)))
    for (unsigned i = 0; i < 16; ++i) std::copy_n(fpu.zmm[i].begin() + 32, 32, at + 32 * i);
  if (u8* at = component(kHighZmm, on(kHighZmm)))
    for (unsigned i = 0; i < 16; ++i) std::copy_n(fpu.zmm[16 + i].begin(), 64, at + 64 * i);
  if (u8* at = component(kPkruState, fpu.pkru != 0)) store<u32>(at, fpu.pkru);
  store<u64>(area + kXstateBv, present);
}

kvm_fpu to_kvm(const FpuState& fpu) {
  kvm_fpu raw{};
  raw.fcw = fpu.fcw;
  raw.fsw = fpu.fsw;
  raw.ftwx = fpu.ftw;
  raw.last_opcode = fpu.fop;
  raw.last_ip = fpu.fip;
  raw.last_dp = fpu.fdp;
  raw.mxcsr = fpu.mxcsr;
  for (unsigned i = 0; i < 8; ++i) std::copy_n(fpu.st[i].begin(), 16, raw.fpr[i]);
  for (unsigned i = 0; i < 16; ++i) std::copy_n(fpu.zmm[i].begin(), 16, raw.xmm[i]);
  return raw;
}

void from_kvm(const kvm_fpu& raw, FpuState& fpu) {
  fpu.fcw = raw.fcw;
  fpu.fsw = raw.fsw;
  fpu.ftw = raw.ftwx;
  fpu.fop = raw.last_opcode;
  fpu.fip = raw.last_ip;
  fpu.fdp = raw.last_dp;
  fpu.mxcsr = raw.mxcsr;
  for (unsigned i = 0; i < 8; ++i) std::copy_n(raw.fpr[i], 16, fpu.st[i].begin());
  for (unsigned i = 0; i < 16; ++i) std::copy_n(raw.xmm[i], 16, fpu.zmm[i].begin());
}

}  // namespace

// The places are those of the host's processor (Linux Documentation/virt/kvm/api.rst,
// KVM_GET_XSAVE).
void FpuTransfer::find(int vm_fd, const Device& device) {
  has_area_ = device.capabilities.xsave;
  has_xcr0_ = device.capabilities.xcrs;
  const int size = ::ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);
  size_ = size > static_cast<int>(sizeof(kvm_xsave)) ? static_cast<unsigned>(size) : 0;
  if (size_ > kMostBytes) size_ = 0;
  const unsigned bytes = size_ ? size_ : sizeof(kvm_xsave);
  places_ = {};
  for (unsigned number : {kYmm, kOpmask, kZmmUpper, kHighZmm, kPkruState}) {
    unsigned length = 0, offset = 0, ecx, edx;
    if (!__get_cpuid_count(13, number, &length, &offset, &ecx, &edx) || length == 0) continue;
    if (offset + length <= bytes) places_[number] = offset;
  }
  if (!places_[kYmm]) places_[kYmm] = kYmmUpper;
}

void FpuTransfer::read(int fd, FpuState& fpu) const {
  if (has_xcr0_) {
    kvm_xcrs xcrs{};
    if (::ioctl(fd, KVM_GET_XCRS, &xcrs) >= 0 && xcrs.nr_xcrs > 0) fpu.xcr0 = xcrs.xcrs[0].value;
  }
  if (has_area_) {
    alignas(64) std::array<u8, kMostBytes> area;
    if (::ioctl(fd, size_ ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, area.data()) < 0) return;
    unpack(area.data(), places_, fpu);
  } else {
    kvm_fpu raw{};
    if (::ioctl(fd, KVM_GET_FPU, &raw) >= 0) from_kvm(raw, fpu);
  }
}

Result<> FpuTransfer::write(int fd, const FpuState& fpu, bool with_xcr0) const {
  int result = 0;
  if (has_area_) {
    alignas(64) std::array<u8, kMostBytes> area = {};
    pack(fpu, places_, area.data());
    result = ::ioctl(fd, KVM_SET_XSAVE, area.data());
  } else {
    kvm_fpu raw = to_kvm(fpu);
    result = ::ioctl(fd, KVM_SET_FPU, &raw);
  }
  if (result < 0) return fail_errno(ErrorKind::kInternal, errno, "KVM refuses a vCPU's FPU state");
  if (!has_xcr0_ || !with_xcr0) return {};
  kvm_xcrs xcrs{};
  xcrs.nr_xcrs = 1;
  xcrs.xcrs[0].value = fpu.xcr0;
  if (::ioctl(fd, KVM_SET_XCRS, &xcrs) < 0) {
    return fail_errno(ErrorKind::kInternal, errno, fmt::format("KVM refuses XCR0 {:#x}", fpu.xcr0));
  }
  return {};
}

}  // namespace kite::kvm
