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
    {1, 0, 2},  {1, 0, 3},          {6, 0, 0},          {7, 0, 1},          {7, 0, 2},
    {13, 1, 0}, {0x80000001, 0, 2}, {0x80000001, 0, 3}, {0x80000007, 0, 3}, {0x40000001, 0, 0},
};

// A feature is here when an engine implements it.
constexpr FeatureName kNames[] = {
    {Feature::kSse3, "sse3"},
    {Feature::kSsse3, "ssse3"},
    {Feature::kCx16, "cx16"},
    {Feature::kPcid, "pcid"},
    {Feature::kSse41, "sse4.1"},
    {Feature::kSse42, "sse4.2"},
    {Feature::kX2apic, "x2apic"},
    {Feature::kPopcnt, "popcnt"},
    {Feature::kTscDeadline, "tsc-deadline"},
    {Feature::kXsave, "xsave"},
    {Feature::kRdrand, "rdrand"},
    {Feature::kHypervisor, "hypervisor"},
    {Feature::kFpu, "fpu"},
    {Feature::kDe, "de"},
    {Feature::kPse, "pse"},
    {Feature::kTsc, "tsc"},
    {Feature::kMsr, "msr"},
    {Feature::kPae, "pae"},
    {Feature::kCx8, "cx8"},
    {Feature::kApic, "apic"},
    {Feature::kSep, "sep"},
    {Feature::kPge, "pge"},
    {Feature::kCmov, "cmov"},
    {Feature::kPat, "pat"},
    {Feature::kClflush, "clflush"},
    {Feature::kMmx, "mmx"},
    {Feature::kFxsr, "fxsr"},
    {Feature::kSse, "sse"},
    {Feature::kSse2, "sse2"},
    {Feature::kArat, "arat"},
    {Feature::kFsgsbase, "fsgsbase"},
    {Feature::kSmep, "smep"},
    {Feature::kErms, "erms"},
    {Feature::kInvpcid, "invpcid"},
    {Feature::kSmap, "smap"},
    {Feature::kUmip, "umip"},
    {Feature::kLahfLm, "lahf_lm"},
    {Feature::kSyscall, "syscall"},
    {Feature::kNx, "nx"},
    {Feature::kPage1gb, "pdpe1gb"},
    {Feature::kRdtscp, "rdtscp"},
    {Feature::kLm, "lm"},
    {Feature::kInvtsc, "invtsc"},
    {Feature::kKvmClockOld, "kvmclock-old"},
    {Feature::kKvmClock, "kvmclock"},
    {Feature::kKvmClockStable, "kvmclock-stable"},
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

}  // namespace kite
