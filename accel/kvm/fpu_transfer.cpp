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

// Where PKRU stands, which KVM_GET_XSAVE leaves to the host's processor (Linux
// Documentation/virt/kvm/api.rst). 0: nowhere.
unsigned pkru_place() {
  unsigned size, offset, ecx, edx;
  if (!__get_cpuid_count(13, 9, &size, &offset, &ecx, &edx) || size == 0) return 0;
  return offset + sizeof(u32) <= sizeof(kvm_xsave) ? offset : 0;
}

void unpack(const u8* area, FpuState& fpu) {
  const u64 present = load<u64>(area + kXstateBv);
  const FpuState initial{.fcw = 0x37f, .xcr0 = fpu.xcr0};
  FpuState read = initial;
  if (present & xcr0::kX87) {
    read.fcw = load<u16>(area + kFcw);
    read.fsw = load<u16>(area + kFsw);
    read.ftw = area[kFtw];
    read.fop = load<u16>(area + kFop);
    read.fip = load<u64>(area + kFip);
    read.fdp = load<u64>(area + kFdp);
    for (unsigned i = 0; i < 8; ++i) std::copy_n(area + kSt + 16 * i, 16, read.st[i].begin());
  }
  if (present & xcr0::kSse) {
    for (unsigned i = 0; i < 16; ++i) std::copy_n(area + kXmm + 16 * i, 16, read.zmm[i].begin());
  }
  if (present & xcr0::kAvx) {
    for (unsigned i = 0; i < 16; ++i)
      std::copy_n(area + kYmmUpper + 16 * i, 16, read.zmm[i].begin() + 16);
  }
  if (const unsigned place = pkru_place(); place && (present & xcr0::kPkru))
    read.pkru = load<u32>(area + place);
  read.mxcsr = load<u32>(area + kMxcsr);
  fpu = read;
}

void pack(const FpuState& fpu, u8* area) {
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
  if (fpu.xcr0 & xcr0::kAvx) {
    present |= xcr0::kAvx;
    for (unsigned i = 0; i < 16; ++i)
      std::copy_n(fpu.zmm[i].begin() + 16, 16, area + kYmmUpper + 16 * i);
  }
  if (const unsigned place = pkru_place(); place && fpu.pkru) {
    present |= xcr0::kPkru;
    store<u32>(area + place, fpu.pkru);
  }
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

void read_fpu(int fd, const Device& device, FpuState& fpu) {
  if (device.capabilities.xcrs) {
    kvm_xcrs xcrs{};
    if (::ioctl(fd, KVM_GET_XCRS, &xcrs) >= 0 && xcrs.nr_xcrs > 0) fpu.xcr0 = xcrs.xcrs[0].value;
  }
  if (device.capabilities.xsave) {
    kvm_xsave area{};
    if (::ioctl(fd, KVM_GET_XSAVE, &area) < 0) return;
    unpack(reinterpret_cast<const u8*>(area.region), fpu);
  } else {
    kvm_fpu raw{};
    if (::ioctl(fd, KVM_GET_FPU, &raw) >= 0) from_kvm(raw, fpu);
  }
}

Result<> write_fpu(int fd, const Device& device, const FpuState& fpu) {
  int result = 0;
  if (device.capabilities.xsave) {
    kvm_xsave area{};
    pack(fpu, reinterpret_cast<u8*>(area.region));
    result = ::ioctl(fd, KVM_SET_XSAVE, &area);
  } else {
    kvm_fpu raw = to_kvm(fpu);
    result = ::ioctl(fd, KVM_SET_FPU, &raw);
  }
  if (result < 0) return fail_errno(ErrorKind::kInternal, errno, "KVM refuses a vCPU's FPU state");
  if (!device.capabilities.xcrs) return {};
  kvm_xcrs xcrs{};
  xcrs.nr_xcrs = 1;
  xcrs.xcrs[0].value = fpu.xcr0;
  if (::ioctl(fd, KVM_SET_XCRS, &xcrs) < 0) {
    return fail_errno(ErrorKind::kInternal, errno, fmt::format("KVM refuses XCR0 {:#x}", fpu.xcr0));
  }
  return {};
}

}  // namespace kite::kvm
