// Exception vectors: which push an error code, and how two of them combine (SDM 3A 6.3.1, 6.15).
#pragma once

#include <string_view>

#include "base/types.h"

namespace kite {

enum Vector : u8 {
  kDivideError = 0,
  kDebugException = 1,
  kNmiInterrupt = 2,
  kBreakpoint = 3,
  kOverflow = 4,
  kBoundRange = 5,
  kInvalidOpcode = 6,
  kDeviceNotAvailable = 7,
  kDoubleFault = 8,
  kInvalidTss = 10,
  kSegmentNotPresent = 11,
  kStackFault = 12,
  kGeneralProtection = 13,
  kPageFault = 14,
  kX87FloatingPoint = 16,
  kAlignmentCheck = 17,
  kMachineCheck = 18,
  kSimdFloatingPoint = 19,
  kControlProtection = 21,
};

inline constexpr u8 kExceptionVectors = 32;  // the manual keeps them for exceptions

constexpr bool pushes_error_code(u8 vector) {
  constexpr u32 kWith = 1u << kDoubleFault | 1u << kInvalidTss | 1u << kSegmentNotPresent |
                        1u << kStackFault | 1u << kGeneralProtection | 1u << kPageFault |
                        1u << kAlignmentCheck | 1u << kControlProtection;
  return vector < 32 && ((kWith >> vector) & 1);
}

// The mnemonic, "#GP" for 13; "INT" where the vector is no exception.
constexpr std::string_view vector_name(u8 vector) {
  constexpr std::string_view kNames[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM",
                                         "#DF", "INT", "#TS", "#NP", "#SS", "#GP", "#PF", "INT",
                                         "#MF", "#AC", "#MC", "#XM", "INT", "#CP"};
  return vector < sizeof kNames / sizeof kNames[0] ? kNames[vector] : "INT";
}

// Table 6-5: the classes whose combination makes a double fault.
constexpr bool is_contributory(u8 vector) {
  return vector == kDivideError || (vector >= kInvalidTss && vector <= kGeneralProtection) ||
         vector == kControlProtection;
}
enum class Combination { kSerial, kDoubleFault, kShutdown };
// What happens when `second` is raised while `first` is being delivered.
constexpr Combination combine(u8 first, u8 second) {
  bool second_counts = is_contributory(second) || second == kPageFault;
  if (first == kDoubleFault) {
    return second_counts ? Combination::kShutdown : Combination::kSerial;
  }
  if (is_contributory(first) && is_contributory(second)) return Combination::kDoubleFault;
  if (first == kPageFault && second_counts) return Combination::kDoubleFault;
  return Combination::kSerial;
}

// Error codes that hold a selector (SDM 3A 6.13).
namespace selector_error {
inline constexpr u32 kExternal = 1 << 0;
inline constexpr u32 kIdt = 1 << 1;
inline constexpr u32 kLdt = 1 << 2;
}  // namespace selector_error

}  // namespace kite
