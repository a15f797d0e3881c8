// Feature: a CPUID feature bit, named, with its place in CPUID.
#pragma once

#include <span>
#include <string_view>

#include "base/types.h"

namespace kite {

// A 32-bit register of a CPUID leaf that is made of feature bits.
enum class FeatureWord : u8 {
  k1Ecx,
  k1Edx,
  k6Eax,
  k7Ebx,
  k7Ecx,
  k7Edx,
  kD1Eax,
  kExtended1Ecx,  // leaf 80000001h
  kExtended1Edx,
  kExtended7Edx,  // leaf 80000007h
  kExtended8Ebx,  // leaf 80000008h
  kKvmEax,        // leaf 40000001h
};

constexpr u16 feature_at(FeatureWord word, unsigned bit) {
  return static_cast<u16>(static_cast<unsigned>(word) * 32 + bit);
}

// The value is the place. The names stand in feature.cpp; a bit is a feature once it is there.
// Listed is what the engines know; a bit nobody implements has no name and cannot be asked for.
enum class Feature : u16 {
  kSse3 = feature_at(FeatureWord::k1Ecx, 0),
  kPclmulqdq = feature_at(FeatureWord::k1Ecx, 1),
  kSsse3 = feature_at(FeatureWord::k1Ecx, 9),
  kFma = feature_at(FeatureWord::k1Ecx, 12),
  kCx16 = feature_at(FeatureWord::k1Ecx, 13),
  kPcid = feature_at(FeatureWord::k1Ecx, 17),
  kSse41 = feature_at(FeatureWord::k1Ecx, 19),
  kSse42 = feature_at(FeatureWord::k1Ecx, 20),
  kX2apic = feature_at(FeatureWord::k1Ecx, 21),
  kMovbe = feature_at(FeatureWord::k1Ecx, 22),
  kPopcnt = feature_at(FeatureWord::k1Ecx, 23),
  kTscDeadline = feature_at(FeatureWord::k1Ecx, 24),
  kAes = feature_at(FeatureWord::k1Ecx, 25),
  kXsave = feature_at(FeatureWord::k1Ecx, 26),
  kAvx = feature_at(FeatureWord::k1Ecx, 28),
  kF16c = feature_at(FeatureWord::k1Ecx, 29),
  kRdrand = feature_at(FeatureWord::k1Ecx, 30),
  kHypervisor = feature_at(FeatureWord::k1Ecx, 31),

  kFpu = feature_at(FeatureWord::k1Edx, 0),
  kVme = feature_at(FeatureWord::k1Edx, 1),
  kDe = feature_at(FeatureWord::k1Edx, 2),
  kPse = feature_at(FeatureWord::k1Edx, 3),
  kTsc = feature_at(FeatureWord::k1Edx, 4),
  kMsr = feature_at(FeatureWord::k1Edx, 5),
  kPae = feature_at(FeatureWord::k1Edx, 6),
  kMce = feature_at(FeatureWord::k1Edx, 7),
  kCx8 = feature_at(FeatureWord::k1Edx, 8),
  kApic = feature_at(FeatureWord::k1Edx, 9),
  kSep = feature_at(FeatureWord::k1Edx, 11),
  kMtrr = feature_at(FeatureWord::k1Edx, 12),
  kPge = feature_at(FeatureWord::k1Edx, 13),
  kMca = feature_at(FeatureWord::k1Edx, 14),
  kCmov = feature_at(FeatureWord::k1Edx, 15),
  kPat = feature_at(FeatureWord::k1Edx, 16),
  kPse36 = feature_at(FeatureWord::k1Edx, 17),
  kClflush = feature_at(FeatureWord::k1Edx, 19),
  kMmx = feature_at(FeatureWord::k1Edx, 23),
  kFxsr = feature_at(FeatureWord::k1Edx, 24),
  kSse = feature_at(FeatureWord::k1Edx, 25),
  kSse2 = feature_at(FeatureWord::k1Edx, 26),

  kArat = feature_at(FeatureWord::k6Eax, 2),

  kFsgsbase = feature_at(FeatureWord::k7Ebx, 0),
  kTscAdjust = feature_at(FeatureWord::k7Ebx, 1),
  kBmi1 = feature_at(FeatureWord::k7Ebx, 3),
  kAvx2 = feature_at(FeatureWord::k7Ebx, 5),
  kSmep = feature_at(FeatureWord::k7Ebx, 7),
  kBmi2 = feature_at(FeatureWord::k7Ebx, 8),
  kErms = feature_at(FeatureWord::k7Ebx, 9),
  kInvpcid = feature_at(FeatureWord::k7Ebx, 10),
  kRdseed = feature_at(FeatureWord::k7Ebx, 18),
  kAdx = feature_at(FeatureWord::k7Ebx, 19),
  kSmap = feature_at(FeatureWord::k7Ebx, 20),
  kClflushopt = feature_at(FeatureWord::k7Ebx, 23),
  kClwb = feature_at(FeatureWord::k7Ebx, 24),
  kSha = feature_at(FeatureWord::k7Ebx, 29),
  kUmip = feature_at(FeatureWord::k7Ecx, 2),
  kPku = feature_at(FeatureWord::k7Ecx, 3),
  kGfni = feature_at(FeatureWord::k7Ecx, 8),
  kVaes = feature_at(FeatureWord::k7Ecx, 9),
  kVpclmulqdq = feature_at(FeatureWord::k7Ecx, 10),
  kLa57 = feature_at(FeatureWord::k7Ecx, 16),
  kRdpid = feature_at(FeatureWord::k7Ecx, 22),
  kFsrm = feature_at(FeatureWord::k7Edx, 4),
  kSerialize = feature_at(FeatureWord::k7Edx, 14),

  kXsaveopt = feature_at(FeatureWord::kD1Eax, 0),
  kXsavec = feature_at(FeatureWord::kD1Eax, 1),
  kXgetbv1 = feature_at(FeatureWord::kD1Eax, 2),

  kLahfLm = feature_at(FeatureWord::kExtended1Ecx, 0),
  kLzcnt = feature_at(FeatureWord::kExtended1Ecx, 5),
  kPrefetchw = feature_at(FeatureWord::kExtended1Ecx, 8),
  kSyscall = feature_at(FeatureWord::kExtended1Edx, 11),
  kNx = feature_at(FeatureWord::kExtended1Edx, 20),
  kPage1gb = feature_at(FeatureWord::kExtended1Edx, 26),
  kRdtscp = feature_at(FeatureWord::kExtended1Edx, 27),
  kLm = feature_at(FeatureWord::kExtended1Edx, 29),

  kInvtsc = feature_at(FeatureWord::kExtended7Edx, 8),

  kWbnoinvd = feature_at(FeatureWord::kExtended8Ebx, 9),

  kKvmClockOld = feature_at(FeatureWord::kKvmEax, 0),
  kKvmClock = feature_at(FeatureWord::kKvmEax, 3),
  kKvmClockStable = feature_at(FeatureWord::kKvmEax, 24),
};

struct FeaturePlace {
  u32 leaf;
  u32 subleaf;
  u8 reg;  // 0 EAX … 3 EDX
  u8 bit;
};
FeaturePlace place_of(Feature feature);

struct FeatureName {
  Feature feature;
  std::string_view name;  // as after + and -
};
// Every feature a model may have, in the order of CPUID.
std::span<const FeatureName> feature_names();

// What a feature is built on: without `base` no processor has `feature`, and software that finds
// the one takes the other for granted (SDM 1 14.3, 13.2; Linux arch/x86/kernel/cpu/cpuid-deps.c).
struct FeatureDependency {
  Feature feature;
  Feature base;
};
std::span<const FeatureDependency> feature_dependencies();

}  // namespace kite
