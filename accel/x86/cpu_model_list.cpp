#include "accel/x86/cpu_model_list.h"

namespace kite {
namespace {

// A feature stands here only when the interpreter has all of it: every model runs under every
// accelerator, and what KVM's host cannot give is left out there by name.

// What an AMD processor of family 15 has, QEMU's qemu64 without the parts Kite does not have.
constexpr Feature kBaseline[] = {
    Feature::kFpu,        Feature::kDe,       Feature::kPse,         Feature::kTsc,
    Feature::kMsr,        Feature::kPae,      Feature::kCx8,         Feature::kApic,
    Feature::kSep,        Feature::kPge,      Feature::kCmov,        Feature::kPat,
    Feature::kClflush,    Feature::kMmx,      Feature::kFxsr,        Feature::kSse,
    Feature::kSse2,       Feature::kSse3,     Feature::kCx16,        Feature::kX2apic,
    Feature::kSyscall,    Feature::kNx,       Feature::kLm,          Feature::kLahfLm,
    Feature::kArat,       Feature::kKvmClock, Feature::kKvmClockOld, Feature::kKvmClockStable,
    Feature::kHypervisor, Feature::kVme,      Feature::kPse36,       Feature::kMtrr,
    Feature::kMce,        Feature::kMca,
};

// The micro-architecture level x86-64-v2 (x86-64 psABI 3.1.1), and what spares a kernel flushes,
// exits and calibration.
constexpr Feature kVersion2[] = {
    Feature::kSsse3,  Feature::kSse41,     Feature::kSse42,   Feature::kPopcnt,
    Feature::kPcid,   Feature::kInvpcid,   Feature::kXsave,   Feature::kTscDeadline,
    Feature::kRdrand, Feature::kRdtscp,    Feature::kPage1gb, Feature::kFsgsbase,
    Feature::kSmep,   Feature::kSmap,      Feature::kUmip,    Feature::kErms,
    Feature::kInvtsc, Feature::kTscAdjust,
};

// What the level x86-64-v3 adds (x86-64 psABI 3.1.1), and what makes switching tasks cheaper.
constexpr Feature kVersion3[] = {
    Feature::kAvx,   Feature::kAvx2,     Feature::kFma,    Feature::kF16c,
    Feature::kMovbe, Feature::kLzcnt,    Feature::kBmi1,   Feature::kBmi2,
    Feature::kFsrm,  Feature::kXsaveopt, Feature::kXsavec, Feature::kXgetbv1,
};

// Everything else.
constexpr Feature kBeyond[] = {
    Feature::kAdx,  Feature::kRdseed,    Feature::kRdpid,      Feature::kClflushopt,
    Feature::kClwb, Feature::kSerialize, Feature::kWbnoinvd,   Feature::kPrefetchw,
    Feature::kAes,  Feature::kPclmulqdq, Feature::kSha,        Feature::kGfni,
    Feature::kPku,  Feature::kVaes,      Feature::kVpclmulqdq, Feature::kLa57,
};

constexpr std::span<const Feature> kAll[] = {kBaseline, kVersion2, kVersion3, kBeyond};
constexpr std::span<const std::span<const Feature>> kLevels(kAll);

constexpr NamedCpuModel kModels[] = {
    {"x86-64-v2", "Kite x86-64-v2 processor", kLevels.first(2)},
    {"x86-64-v3", "Kite x86-64-v3 processor", kLevels.first(3)},
    {"qemu64", "Kite baseline x86-64 processor", kLevels.first(1)},
    {"max", "Kite processor with everything", kLevels},
    {"host", "Kite processor with everything", kLevels},
};

}  // namespace

std::span<const NamedCpuModel> named_cpu_models() {
  return kModels;
}

}  // namespace kite
