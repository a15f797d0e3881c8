// The bits of the control, debug and flags registers, by the manual's names (SDM 3A 2.5, 17.2; 1
// 3.4.3).
#pragma once

#include "base/bits.h"
#include "base/types.h"

namespace kite {

// RFLAGS. Bit 1 always reads as one.
namespace rflags {
inline constexpr u64 kCf = bit(0);
inline constexpr u64 kFixed = bit(1);
inline constexpr u64 kPf = bit(2);
inline constexpr u64 kAf = bit(4);
inline constexpr u64 kZf = bit(6);
inline constexpr u64 kSf = bit(7);
inline constexpr u64 kTf = bit(8);
inline constexpr u64 kIf = bit(9);
inline constexpr u64 kDf = bit(10);
inline constexpr u64 kOf = bit(11);
inline constexpr unsigned kIoplShift = 12;
inline constexpr u64 kIopl = u64{3} << kIoplShift;
inline constexpr u64 kNt = bit(14);
inline constexpr u64 kRf = bit(16);
inline constexpr u64 kVm = bit(17);
inline constexpr u64 kAc = bit(18);
inline constexpr u64 kVif = bit(19);
inline constexpr u64 kVip = bit(20);
inline constexpr u64 kId = bit(21);
// The six that arithmetic writes.
inline constexpr u64 kArithmetic = kCf | kPf | kAf | kZf | kSf | kOf;
}  // namespace rflags

namespace cr0 {
inline constexpr u64 kPe = bit(0);
inline constexpr u64 kMp = bit(1);
inline constexpr u64 kEm = bit(2);
inline constexpr u64 kTs = bit(3);
inline constexpr u64 kEt = bit(4);  // always one
inline constexpr u64 kNe = bit(5);
inline constexpr u64 kWp = bit(16);
inline constexpr u64 kAm = bit(18);
inline constexpr u64 kNw = bit(29);
inline constexpr u64 kCd = bit(30);
inline constexpr u64 kPg = bit(31);
inline constexpr u64 kDefined = kPe | kMp | kEm | kTs | kEt | kNe | kWp | kAm | kNw | kCd | kPg;
}  // namespace cr0

// PKRU: two bits for each of the sixteen protection keys (SDM 3A 4.6.2).
namespace pkru {
inline constexpr u32 kAccessDisable = 1;
inline constexpr u32 kWriteDisable = 2;
constexpr u32 rights(u32 value, unsigned key) {
  return value >> (2 * key) & 3;
}
}  // namespace pkru

// Which of these a processor lets the guest set follows from its features: CpuModel::cr4_bits().
namespace cr4 {
inline constexpr u64 kVme = bit(0);
inline constexpr u64 kPvi = bit(1);
inline constexpr u64 kTsd = bit(2);
inline constexpr u64 kDe = bit(3);
inline constexpr u64 kPse = bit(4);
inline constexpr u64 kPae = bit(5);
inline constexpr u64 kMce = bit(6);
inline constexpr u64 kPge = bit(7);
inline constexpr u64 kPce = bit(8);
inline constexpr u64 kOsfxsr = bit(9);
inline constexpr u64 kOsxmmexcpt = bit(10);
inline constexpr u64 kUmip = bit(11);
inline constexpr u64 kLa57 = bit(12);
inline constexpr u64 kVmxe = bit(13);
inline constexpr u64 kSmxe = bit(14);
inline constexpr u64 kFsgsbase = bit(16);
inline constexpr u64 kPcide = bit(17);
inline constexpr u64 kOsxsave = bit(18);
inline constexpr u64 kSmep = bit(20);
inline constexpr u64 kSmap = bit(21);
inline constexpr u64 kPke = bit(22);
}  // namespace cr4

// CR3 (SDM 3A 4.5).
namespace cr3 {
inline constexpr u64 kPwt = bit(3);
inline constexpr u64 kPcd = bit(4);
inline constexpr u64 kPcid = 0xfff;       // with CR4.PCIDE
inline constexpr u64 kNoFlush = bit(63);  // of the value written, with CR4.PCIDE; never stored
}  // namespace cr3

namespace efer {
inline constexpr u64 kSce = bit(0);
inline constexpr u64 kLme = bit(8);
inline constexpr u64 kLma = bit(10);
inline constexpr u64 kNxe = bit(11);
inline constexpr u64 kSvme = bit(12);
inline constexpr u64 kFfxsr = bit(14);
}  // namespace efer

// XCR0 (SDM 1 13.3).
namespace xcr0 {
inline constexpr u64 kX87 = bit(0);  // always one
inline constexpr u64 kSse = bit(1);
inline constexpr u64 kAvx = bit(2);
inline constexpr u64 kPkru = bit(9);
}  // namespace xcr0

namespace dr6 {
inline constexpr u64 kB0 = bit(0);  // B0…B3 follow each other
inline constexpr u64 kBd = bit(13);
inline constexpr u64 kBs = bit(14);
inline constexpr u64 kBt = bit(15);
inline constexpr u64 kFixed = 0xffff0ff0;  // bits that read as one
}  // namespace dr6

namespace dr7 {
inline constexpr u64 kL0 = bit(0);  // L0 G0 L1 G1 L2 G2 L3 G3
inline constexpr u64 kEnables = 0xff;
inline constexpr u64 kLe = bit(8);
inline constexpr u64 kGe = bit(9);
inline constexpr u64 kFixed = bit(10);  // reads as one
inline constexpr u64 kGd = bit(13);
// R/W0 stands in bits 17..16, LEN0 in 19..18, and so on.
enum Condition : u8 { kExecute = 0, kWrite = 1, kIo = 2, kReadWrite = 3 };
constexpr u8 condition(u64 value, unsigned n) {
  return static_cast<u8>((value >> (16 + 4 * n)) & 3);
}
constexpr u8 length_field(u64 value, unsigned n) {
  return static_cast<u8>((value >> (18 + 4 * n)) & 3);
}
constexpr bool enabled(u64 value, unsigned n) {
  return (value >> (2 * n)) & 3;
}
}  // namespace dr7

// MXCSR (SDM 1 10.2.3).
namespace mxcsr {
inline constexpr u32 kIe = 1 << 0;
inline constexpr u32 kDe = 1 << 1;
inline constexpr u32 kZe = 1 << 2;
inline constexpr u32 kOe = 1 << 3;
inline constexpr u32 kUe = 1 << 4;
inline constexpr u32 kPe = 1 << 5;
inline constexpr u32 kDaz = 1 << 6;
inline constexpr unsigned kMaskShift = 7;  // IM DM ZM OM UM PM
inline constexpr unsigned kRcShift = 13;
inline constexpr u32 kFz = 1 << 15;
inline constexpr u32 kDefined = 0xffff;
inline constexpr u32 kDefault = 0x1f80;
}  // namespace mxcsr

}  // namespace kite
