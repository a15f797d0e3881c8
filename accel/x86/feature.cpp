#include "accel/x86/feature.h"

namespace kite {
namespace {

struct Word {
  u32 leaf;
  u32 subleaf;
  u8 reg;
};

// By FeatureWord.
constexpr Word kWords[] = {
    {1, 0, 2},          {1, 0, 3},          {6, 0, 0},          {7, 0, 1},
    {7, 0, 2},          {7, 0, 3},          {13, 1, 0},         {0x80000001, 0, 2},
    {0x80000001, 0, 3}, {0x80000007, 0, 3}, {0x80000008, 0, 1}, {0x40000001, 0, 0},
};

// A feature is here when an engine implements it.
constexpr FeatureName kNames[] = {
    {Feature::kSse3, "sse3"},
    {Feature::kPclmulqdq, "pclmulqdq"},
    {Feature::kSsse3, "ssse3"},
    {Feature::kFma, "fma"},
    {Feature::kCx16, "cx16"},
    {Feature::kPcid, "pcid"},
    {Feature::kSse41, "sse4.1"},
    {Feature::kSse42, "sse4.2"},
    {Feature::kX2apic, "x2apic"},
    {Feature::kMovbe, "movbe"},
    {Feature::kPopcnt, "popcnt"},
    {Feature::kTscDeadline, "tsc-deadline"},
    {Feature::kAes, "aes"},
    {Feature::kXsave, "xsave"},
    {Feature::kAvx, "avx"},
    {Feature::kF16c, "f16c"},
    {Feature::kRdrand, "rdrand"},
    {Feature::kHypervisor, "hypervisor"},
    {Feature::kFpu, "fpu"},
    {Feature::kVme, "vme"},
    {Feature::kDe, "de"},
    {Feature::kPse, "pse"},
    {Feature::kTsc, "tsc"},
    {Feature::kMsr, "msr"},
    {Feature::kPae, "pae"},
    {Feature::kMce, "mce"},
    {Feature::kCx8, "cx8"},
    {Feature::kApic, "apic"},
    {Feature::kSep, "sep"},
    {Feature::kMtrr, "mtrr"},
    {Feature::kPge, "pge"},
    {Feature::kMca, "mca"},
    {Feature::kCmov, "cmov"},
    {Feature::kPat, "pat"},
    {Feature::kPse36, "pse36"},
    {Feature::kClflush, "clflush"},
    {Feature::kMmx, "mmx"},
    {Feature::kFxsr, "fxsr"},
    {Feature::kSse, "sse"},
    {Feature::kSse2, "sse2"},
    {Feature::kArat, "arat"},
    {Feature::kFsgsbase, "fsgsbase"},
    {Feature::kTscAdjust, "tsc-adjust"},
    {Feature::kBmi1, "bmi1"},
    {Feature::kAvx2, "avx2"},
    {Feature::kSmep, "smep"},
    {Feature::kBmi2, "bmi2"},
    {Feature::kErms, "erms"},
    {Feature::kInvpcid, "invpcid"},
    {Feature::kRdseed, "rdseed"},
    {Feature::kAdx, "adx"},
    {Feature::kSmap, "smap"},
    {Feature::kClflushopt, "clflushopt"},
    {Feature::kClwb, "clwb"},
    {Feature::kSha, "sha"},
    {Feature::kUmip, "umip"},
    {Feature::kPku, "pku"},
    {Feature::kGfni, "gfni"},
    {Feature::kVaes, "vaes"},
    {Feature::kVpclmulqdq, "vpclmulqdq"},
    {Feature::kLa57, "la57"},
    {Feature::kRdpid, "rdpid"},
    {Feature::kFsrm, "fsrm"},
    {Feature::kSerialize, "serialize"},
    {Feature::kXsaveopt, "xsaveopt"},
    {Feature::kXsavec, "xsavec"},
    {Feature::kXgetbv1, "xgetbv1"},
    {Feature::kLahfLm, "lahf_lm"},
    {Feature::kLzcnt, "lzcnt"},
    {Feature::kPrefetchw, "prefetchw"},
    {Feature::kSyscall, "syscall"},
    {Feature::kNx, "nx"},
    {Feature::kPage1gb, "pdpe1gb"},
    {Feature::kRdtscp, "rdtscp"},
    {Feature::kLm, "lm"},
    {Feature::kInvtsc, "invtsc"},
    {Feature::kWbnoinvd, "wbnoinvd"},
    {Feature::kKvmClockOld, "kvmclock-old"},
    {Feature::kKvmClock, "kvmclock"},
    {Feature::kKvmClockStable, "kvmclock-stable"},
};

constexpr FeatureDependency kDependencies[] = {
    {Feature::kSse, Feature::kFxsr},         {Feature::kSse2, Feature::kSse},
    {Feature::kSse3, Feature::kSse2},        {Feature::kSsse3, Feature::kSse3},
    {Feature::kSse41, Feature::kSsse3},      {Feature::kSse42, Feature::kSse41},
    {Feature::kAes, Feature::kSse2},         {Feature::kPclmulqdq, Feature::kSse2},
    {Feature::kSha, Feature::kSse2},         {Feature::kGfni, Feature::kSse2},
    {Feature::kXsaveopt, Feature::kXsave},   {Feature::kXsavec, Feature::kXsave},
    {Feature::kXgetbv1, Feature::kXsave},    {Feature::kPku, Feature::kXsave},
    {Feature::kPku, Feature::kLm},           {Feature::kAvx, Feature::kXsave},
    {Feature::kAvx, Feature::kSse42},        {Feature::kAvx2, Feature::kAvx},
    {Feature::kFma, Feature::kAvx},          {Feature::kF16c, Feature::kAvx},
    {Feature::kVaes, Feature::kAvx},         {Feature::kVaes, Feature::kAes},
    {Feature::kVpclmulqdq, Feature::kAvx},   {Feature::kVpclmulqdq, Feature::kPclmulqdq},
    {Feature::kCx16, Feature::kCx8},         {Feature::kClflushopt, Feature::kClflush},
    {Feature::kClwb, Feature::kClflush},     {Feature::kPse36, Feature::kPse},
    {Feature::kMca, Feature::kMce},          {Feature::kPcid, Feature::kLm},
    {Feature::kTscDeadline, Feature::kApic}, {Feature::kX2apic, Feature::kApic},
    {Feature::kTscAdjust, Feature::kTsc},    {Feature::kLa57, Feature::kLm},
};

}  // namespace

FeaturePlace place_of(Feature feature) {
  unsigned value = static_cast<unsigned>(feature);
  const Word& word = kWords[value / 32];
  return {word.leaf, word.subleaf, word.reg, static_cast<u8>(value % 32)};
}

std::span<const FeatureName> feature_names() {
  return kNames;
}

std::span<const FeatureDependency> feature_dependencies() {
  return kDependencies;
}

}  // namespace kite
