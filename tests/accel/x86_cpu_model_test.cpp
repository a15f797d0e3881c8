#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "accel/x86/cpu_model.h"
#include "accel/x86/missing_features.h"
#include "accel/x86/registers.h"

namespace kite {
namespace {

CpuModel model(std::string_view text) {
  auto found = find_cpu_model(text);
  EXPECT_TRUE(found.has_value()) << text;
  return found.value_or(CpuModel{});
}

TEST(CpuModel, EveryListedNameIsAModel) {
  for (std::string_view name : cpu_model_names()) EXPECT_EQ(model(name).name, name);
  EXPECT_EQ(cpu_model_names().front(), "x86-64-v2");
}

TEST(CpuModel, Version2HasWhatItsNameSays) {
  CpuModel v2 = model("x86-64-v2");
  for (Feature feature :
       {Feature::kCmov, Feature::kCx8, Feature::kFpu, Feature::kFxsr, Feature::kMmx,
        Feature::kSyscall, Feature::kSse2, Feature::kCx16, Feature::kLahfLm, Feature::kPopcnt,
        Feature::kSse3, Feature::kSse41, Feature::kSse42, Feature::kSsse3}) {
    EXPECT_TRUE(v2.has(feature)) << static_cast<int>(feature);
  }
  EXPECT_FALSE(v2.has(Feature::kAvx));
  EXPECT_TRUE(v2.has(Feature::kVme));
}

TEST(CpuModel, Version3HasWhatItsNameSaysAndNoMore) {
  const CpuModel v3 = model("x86-64-v3");
  for (Feature feature : {Feature::kAvx, Feature::kAvx2, Feature::kBmi1, Feature::kBmi2,
                          Feature::kF16c, Feature::kFma, Feature::kLzcnt, Feature::kMovbe,
                          Feature::kXsave, Feature::kSse42, Feature::kPopcnt, Feature::kCx16})
    EXPECT_TRUE(v3.has(feature)) << static_cast<int>(feature);
  for (Feature feature :
       {Feature::kAes, Feature::kSha, Feature::kAdx, Feature::kPku, Feature::kVaes, Feature::kGfni})
    EXPECT_FALSE(v3.has(feature)) << static_cast<int>(feature);
  EXPECT_EQ(v3.xcr0_bits(), xcr0::kX87 | xcr0::kSse | xcr0::kAvx);
}

// Without both it compares the TSC with another clock twice a second for ever
// (arch/x86/kernel/tsc.c, check_system_tsc_reliable).
TEST(CpuModel, LinuxTrustsTheTsc) {
  for (std::string_view name : {"x86-64-v2", "x86-64-v3", "max"}) {
    EXPECT_TRUE(model(name).has(Feature::kInvtsc)) << name;
    EXPECT_TRUE(model(name).has(Feature::kTscAdjust)) << name;
  }
}

TEST(CpuModel, MaxHasEveryFeatureThatHasAName) {
  for (const FeatureName& known : feature_names())
    EXPECT_TRUE(model("max").has(known.feature)) << known.name;
}

TEST(CpuModel, CpuidReadsAsAnAmdProcessorOfFamily15Model107) {
  CpuModel v2 = model("x86-64-v2");
  CpuidLeaf vendor = v2.leaf(0, 0);
  EXPECT_EQ(vendor.eax, 13u);
  EXPECT_EQ(vendor.ebx, 0x68747541u);  // "Auth"
  EXPECT_EQ(vendor.edx, 0x69746e65u);  // "enti"
  EXPECT_EQ(vendor.ecx, 0x444d4163u);  // "cAMD"
  u32 signature = v2.leaf(1, 0).eax;
  EXPECT_EQ((signature >> 8) & 15, 15u);
  EXPECT_EQ(((signature >> 12) & 0xf0) | ((signature >> 4) & 15), 107u);
  EXPECT_EQ((v2.leaf(1, 0).ebx >> 8) & 0xff, 8u);
}

TEST(CpuModel, TheBrandStringNamesTheModel) {
  CpuModel v2 = model("x86-64-v2");
  char brand[49] = {};
  for (u32 i = 0; i < 3; ++i) {
    CpuidLeaf leaf = v2.leaf(0x80000002 + i, 0);
    std::memcpy(brand + 16 * i, &leaf, 16);
  }
  EXPECT_STREQ(brand, "Kite x86-64-v2 processor");
}

TEST(CpuModel, FeaturesAreAddedAndTakenAway) {
  CpuModel changed = model("qemu64,+popcnt,-x2apic,+invtsc");
  EXPECT_TRUE(changed.has(Feature::kPopcnt));
  EXPECT_FALSE(changed.has(Feature::kX2apic));
  EXPECT_EQ(changed.leaf(0x80000007, 0).edx, 1u << 8);
  EXPECT_FALSE(model("x86-64-v2,-sse4_2").has(Feature::kSse42));
}

TEST(CpuModel, WithoutXsaveThereIsNothingToSave) {
  EXPECT_EQ(model("qemu64").xcr0_bits(), 0u);
  EXPECT_EQ(model("x86-64-v2").xcr0_bits(), xcr0::kX87 | xcr0::kSse);
  EXPECT_EQ(model("x86-64-v2,-xsave").leaf(13, 0), CpuidLeaf{});
}

TEST(CpuModel, WhatAFeatureIsBuiltOnComesAndGoesWithIt) {
  const CpuModel with = model("qemu64,+avx2,+vaes,+pku");
  for (Feature base : {Feature::kAvx, Feature::kXsave, Feature::kSse42, Feature::kAes})
    EXPECT_TRUE(with.has(base)) << static_cast<int>(base);
  const CpuModel without = model("qemu64,+avx2,+fma,+f16c,+vaes,+vpclmulqdq,+bmi2,-avx");
  for (Feature gone : {Feature::kAvx, Feature::kAvx2, Feature::kFma, Feature::kF16c, Feature::kVaes,
                       Feature::kVpclmulqdq})
    EXPECT_FALSE(without.has(gone)) << static_cast<int>(gone);
  for (Feature stays : {Feature::kXsave, Feature::kAes, Feature::kPclmulqdq, Feature::kBmi2})
    EXPECT_TRUE(without.has(stays)) << static_cast<int>(stays);
  EXPECT_FALSE(model("qemu64,+avx2,+pku,-xsave").has(Feature::kAvx2));
  EXPECT_FALSE(model("qemu64,+avx2,+pku,-xsave").has(Feature::kPku));
}

TEST(CpuModel, NoModelHasAFeatureWithoutWhatItIsBuiltOn) {
  for (std::string_view name : cpu_model_names())
    for (const FeatureDependency& rule : feature_dependencies())
      EXPECT_TRUE(!model(name).has(rule.feature) || model(name).has(rule.base)) << name;
}

TEST(CpuModel, TheXsaveLeafDescribesTheAreaAndFollowsXcr0) {
  const CpuModel wide = model("x86-64-v2,+avx,+pku,+xsavec");
  EXPECT_EQ(wide.leaf(13, 0), (CpuidLeaf{0x207, 576, 840, 0}));
  EXPECT_EQ(wide.leaf(13, 2), (CpuidLeaf{256, 576, 0, 0}));
  EXPECT_EQ(wide.leaf(13, 9), (CpuidLeaf{8, 832, 0, 0}));
  EXPECT_EQ(wide.leaf(13, 0, {.xcr0 = 1}).ebx, 576u);
  EXPECT_EQ(wide.leaf(13, 0, {.xcr0 = 7}).ebx, 832u);
  EXPECT_EQ(wide.leaf(13, 0, {.xcr0 = 0x203}).ebx, 840u);
  EXPECT_EQ(wide.leaf(13, 1, {.xcr0 = 0x203}).ebx, 584u);  // compacted
  EXPECT_EQ(wide.leaf(13, 1, {.xcr0 = 0x207}).ebx, 840u);
  EXPECT_EQ(wide.xcr0_bits(), xcr0::kX87 | xcr0::kSse | xcr0::kAvx | xcr0::kPkru);
  EXPECT_EQ(model("x86-64-v2,+avx,-avx").leaf(13, 2), CpuidLeaf{});
}

TEST(CpuModel, TheTopologyLeafComesWithX2apicAndTellsTheWholeApicId) {
  const CpuModel v2 = model("x86-64-v2");
  const CpuidContext third = {.apic_id = 2, .cpus = 3};
  EXPECT_EQ(v2.leaf(11, 0, third), (CpuidLeaf{0, 1, 0x100, 2}));
  EXPECT_EQ(v2.leaf(11, 1, third), (CpuidLeaf{2, 3, 0x201, 2}));
  EXPECT_EQ(v2.leaf(11, 2, third), (CpuidLeaf{0, 0, 2, 2}));
  EXPECT_EQ(v2.leaf(11, 7, third), (CpuidLeaf{0, 0, 7, 2}));
  EXPECT_EQ(v2.leaf(11, 1, {}), (CpuidLeaf{0, 1, 0x201, 0}));
  EXPECT_EQ(model("x86-64-v2,-x2apic").leaf(11, 1, third), CpuidLeaf{});
}

TEST(CpuModel, ProtectionKeysShowWhetherTheSystemHasThemOn) {
  const CpuModel keys = model("x86-64-v2,+pku");
  EXPECT_TRUE(keys.cr4_bits() & cr4::kPke);
  EXPECT_EQ(keys.leaf(7, 0, {.cr4 = 0}).ecx & (3 << 3), 1u << 3);
  EXPECT_EQ(keys.leaf(7, 0, {.cr4 = cr4::kPke}).ecx & (3 << 3), 3u << 3);
}

TEST(CpuModel, LinearAddressesAreAsWideAsTheLevelsOfPagingAllow) {
  EXPECT_EQ(model("max").leaf(0x80000008, 0).eax, 57u << 8 | 40);
  EXPECT_TRUE(model("max").cr4_bits() & cr4::kLa57);
  EXPECT_EQ(model("max,-la57").leaf(0x80000008, 0).eax, 48u << 8 | 40);
  EXPECT_EQ(model("x86-64-v3").leaf(0x80000008, 0).eax, 48u << 8 | 40);
}

TEST(CpuModel, AmdRepeatsLeaf1InTheExtendedLeaf) {
  CpuModel v2 = model("x86-64-v2");
  EXPECT_TRUE(v2.leaf(0x80000001, 0).edx & 1);  // FPU
  EXPECT_FALSE(model("x86-64-v2,-pge").leaf(0x80000001, 0).edx & (1u << 13));
  EXPECT_FALSE(model("qemu64").leaf(0x80000001, 0).edx & (1u << 26));
}

TEST(CpuModel, ErrorsNameTheClosestName) {
  auto wrong_model = find_cpu_model("x86-64-v9");
  ASSERT_FALSE(wrong_model);
  EXPECT_EQ(wrong_model.error().kind, ErrorKind::kUsage);
  EXPECT_NE(wrong_model.error().message.find("'x86-64-v2'"), std::string::npos);
  auto wrong_feature = find_cpu_model("max,+popcmt");
  ASSERT_FALSE(wrong_feature);
  EXPECT_NE(wrong_feature.error().message.find("'popcnt'"), std::string::npos);
  EXPECT_FALSE(find_cpu_model("max,popcnt"));
  EXPECT_FALSE(find_cpu_model("max,"));
  EXPECT_FALSE(find_cpu_model(""));
}

TEST(CpuModel, TheVcpusOwnBitsAreFilledIn) {
  CpuModel v2 = model("x86-64-v2");
  CpuidLeaf leaf = v2.leaf(1, 0, {.apic_id = 3, .cr4 = cr4::kOsxsave});
  EXPECT_EQ(leaf.ebx >> 24, 3u);
  EXPECT_TRUE(leaf.ecx & (1u << 27));
  EXPECT_FALSE(v2.leaf(1, 0).ecx & (1u << 27));
}

TEST(CpuModel, ControlRegisterBitsFollowTheFeatures) {
  CpuModel v2 = model("x86-64-v2");
  EXPECT_TRUE(v2.cr4_bits() & cr4::kSmap);
  EXPECT_FALSE(v2.cr4_bits() & (cr4::kLa57 | cr4::kPke));
  EXPECT_FALSE(model("qemu64").cr4_bits() & (cr4::kSmap | cr4::kOsxsave | cr4::kPcide));
  EXPECT_FALSE(model("x86-64-v2,-nx").efer_bits() & efer::kNxe);
}

// No steal time, no asynchronous page faults, no hypercalls: what the interpreter would have to do
// as well (Linux Documentation/virt/kvm/x86/cpuid.rst).
TEST(CpuModel, OfKvmsOwnFeaturesEveryModelHasTheClockOnly) {
  for (std::string_view name : cpu_model_names())
    EXPECT_EQ(find_cpu_model(name)->leaf(0x40000001, 0),
              (CpuidLeaf{1 << 0 | 1 << 3 | 1 << 24, 0, 0, 0}))
        << name;
}

TEST(CpuModel, LeavesNobodyDefinedAreZero) {
  CpuModel v2 = model("x86-64-v2");
  EXPECT_EQ(v2.leaf(4, 0), CpuidLeaf{});
  EXPECT_EQ(v2.leaf(7, 1), CpuidLeaf{});
  EXPECT_EQ(v2.leaf(13, 2), CpuidLeaf{});
  EXPECT_EQ(v2.leaf(0x8000001d, 0), CpuidLeaf{});
}

TEST(Feature, EveryNameAndEveryPlaceIsUnique) {
  std::set<std::string_view> names;
  std::set<Feature> features;
  for (const FeatureName& known : feature_names()) {
    EXPECT_TRUE(names.insert(known.name).second) << known.name;
    EXPECT_TRUE(features.insert(known.feature).second) << known.name;
  }
}

TEST(CpuModel, AGuestMissesFeaturesAndComponentsOfTheXsaveAreaThatLieElsewhere) {
  const CpuModel seen = model("x86-64-v2,+avx,+pku");
  EXPECT_TRUE(missing_features(seen, seen).empty());
  EXPECT_TRUE(missing_features(seen, model("max")).empty());
  EXPECT_EQ(missing_features(seen, model("x86-64-v2,+avx")), std::vector<std::string>{"pku"});
  CpuModel elsewhere = seen;
  for (CpuidEntry& entry : elsewhere.cpuid)
    if (entry.leaf == 13 && entry.subleaf == 9) entry.value.ebx = 2688;  // as Intel's processors
  EXPECT_EQ(missing_features(seen, elsewhere),
            std::vector<std::string>{"xsave-component-9-at-0x340"});
}

TEST(CpuModel, AGuestMissesWhatHasNoNameHere) {
  const CpuModel v2 = model("x86-64-v2");
  CpuModel with_avx512 = v2;
  for (CpuidEntry& entry : with_avx512.cpuid)
    if (entry.leaf == 7) entry.value.ebx |= 1u << 16;  // AVX512F
  EXPECT_EQ(missing_features(with_avx512, v2).size(), 1u);
  EXPECT_TRUE(missing_features(with_avx512, with_avx512).empty());
}

TEST(CpuModel, SeveralProcessorsAreTheCoresOfOnePackage) {
  const CpuModel v2 = model("x86-64-v2");
  const CpuidContext third{.apic_id = 2, .cpus = 5};
  EXPECT_EQ(v2.leaf(1, 0, third).ebx >> 24, 2u);
  EXPECT_EQ(v2.leaf(1, 0, third).ebx >> 16 & 0xff, 5u);
  EXPECT_EQ(v2.leaf(1, 0, third).edx >> 28 & 1, 1u);     // HTT
  EXPECT_EQ(v2.leaf(0x80000001, 0, third).ecx & 2, 2u);  // CmpLegacy
  EXPECT_EQ(v2.leaf(0x80000008, 0, third).ecx, 3u << 12 | 4u);
  const CpuidContext alone{.apic_id = 0};
  EXPECT_EQ(v2.leaf(1, 0, alone).ebx >> 16 & 0xff, 1u);
  EXPECT_EQ(v2.leaf(1, 0, alone).edx >> 28 & 1, 0u);
  EXPECT_EQ(v2.leaf(0x80000008, 0, alone).ecx, 0u);
}

}  // namespace
}  // namespace kite
