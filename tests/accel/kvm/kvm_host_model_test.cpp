// `--cpu host` under KVM, made of what made-up and real hosts say they support.
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include "accel/kvm/cpuid.h"
#include "accel/kvm/host_model.h"
#include "accel/kvm/kvm.h"

namespace kite::kvm {
namespace {

kvm_cpuid_entry2 entry(u32 leaf, CpuidLeaf value) {
  kvm_cpuid_entry2 raw{};
  raw.function = leaf;
  raw.eax = value.eax;
  raw.ebx = value.ebx;
  raw.ecx = value.ecx;
  raw.edx = value.edx;
  return raw;
}
kvm_cpuid_entry2 entry(u32 leaf, u32 subleaf, CpuidLeaf value) {
  kvm_cpuid_entry2 raw = entry(leaf, value);
  raw.index = subleaf;
  raw.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
  return raw;
}

// Every bit of every feature word set, with all state components up to 18.
std::vector<kvm_cpuid_entry2> everything(bool intel) {
  constexpr u32 kAll = ~0u;
  std::vector<kvm_cpuid_entry2> list = {
      intel ? entry(0, {0x1f, 0x756e6547, 0x6c65746e, 0x49656e69})
            : entry(0, {0x10, 0x68747541, 0x444d4163, 0x69746e65}),
      entry(1, {0xc06f2, 0x07100800, kAll, kAll}),
      entry(6, {kAll, 2, 9, 0}),
      entry(7, 0, {2, kAll, kAll, kAll}),
      entry(7, 1, {kAll, 0, 0, kAll}),
      entry(10, {0x7300404, 0, 0, 0x603}),
      entry(11, 1, {7, 120, 0x201, 7}),
      entry(13, 0, {0x602e7, 0xa88, 0x2b00, 0}),
      entry(13, 1, {0x1f, 0x988, 0x1800, 0}),
      entry(13, 2, {256, 576, 0, 0}),
      entry(13, 5, {64, 1088, 0, 0}),
      entry(13, 6, {512, 1152, 0, 0}),
      entry(13, 7, {1024, 1664, 0, 0}),
      entry(13, 9, {8, 2688, 0, 0}),
      entry(13, 12, {24, 0, 1, 0}),
      entry(13, 17, {64, 2752, 2, 0}),
      entry(13, 18, {8192, 2816, 6, 0}),
      entry(20, 0, {1, 2, 3, 4}),
      entry(31, 1, {7, 120, 0x201, 7}),
      entry(0x40000000, {0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d}),
      entry(0x40000001, {kAll, 0, 0, 1}),
      entry(0x80000000, {0x80000022, 0, 0, 0}),
      entry(0x80000001, {0, 0, kAll, kAll}),
      entry(0x80000002, {0x6c616552, 0, 0, 0}),
      entry(0x80000007, {0, 0, 0, 0}),
      entry(0x80000008, {0x343934, kAll, 0x7077, 0}),
      entry(0x8000000a, {1, 0x8000, 0, kAll}),
      entry(0x8000001e, {7, 0x103, 0, 0}),
  };
  if (intel) list.push_back(entry(4, 2, {15u << 26 | 15u << 14 | 0x163, 0x1c0003f, 63, 0}));
  return list;
}

bool bit_of(u32 word, unsigned number) {
  return word >> number & 1;
}

TEST(KvmHostModel, HasTheHostsMakerFamilyBrandAndFeatures) {
  for (bool intel : {true, false}) {
    const CpuModel model = host_model(everything(intel), *find_cpu_model("host"));
    EXPECT_TRUE(model.from_host);
    EXPECT_EQ(model.leaf(0, 0).ebx, intel ? 0x756e6547u : 0x68747541u);
    EXPECT_EQ(model.leaf(1, 0).eax, 0xc06f2u);
    EXPECT_EQ(model.leaf(0x80000002, 0).eax, 0x6c616552u);
    EXPECT_EQ(model.physical_address_bits, 52u);
    for (unsigned avx512 : {16, 17, 28, 30, 31}) EXPECT_TRUE(bit_of(model.leaf(7, 0).ebx, avx512));
    EXPECT_TRUE(bit_of(model.leaf(7, 0).edx, 26)) << "IBRS";
    EXPECT_TRUE(model.has(Feature::kAvx2));
    EXPECT_TRUE(model.has(Feature::kInvtsc)) << "Kite's own doing";
    EXPECT_TRUE(model.has(Feature::kArat));
    EXPECT_TRUE(model.has(Feature::kHypervisor));
  }
}

TEST(KvmHostModel, WhatX86StateDoesNotHoldIsHidden) {
  const CpuModel model = host_model(everything(true), *find_cpu_model("host"));
  EXPECT_FALSE(bit_of(model.leaf(1, 0).ecx, 5)) << "VMX";
  EXPECT_FALSE(bit_of(model.leaf(1, 0).ecx, 15)) << "PDCM";
  EXPECT_FALSE(bit_of(model.leaf(7, 0).ebx, 14)) << "MPX";
  EXPECT_FALSE(bit_of(model.leaf(7, 0).ecx, 7)) << "CET_SS";
  EXPECT_FALSE(bit_of(model.leaf(7, 0).edx, 24)) << "AMX-TILE";
  EXPECT_FALSE(bit_of(model.leaf(0x80000001, 0).ecx, 2)) << "SVM";
  for (u32 leaf : {10u, 20u, 31u, 0x8000000au}) EXPECT_EQ(model.leaf(leaf, 0), CpuidLeaf{}) << leaf;
  EXPECT_EQ(model.leaf(31, 1), CpuidLeaf{});
}

TEST(KvmHostModel, TheXsaveLeafHasTheHostsPlacesOfTheComponentsThatAreLeft) {
  const CpuModel model = host_model(everything(true), *find_cpu_model("host"));
  EXPECT_EQ(model.leaf(13, 0), (CpuidLeaf{0x2e7, 2696, 2696, 0}));
  EXPECT_EQ(model.leaf(13, 1), (CpuidLeaf{0xf, 0, 0, 0}));
  EXPECT_EQ(model.leaf(13, 9), (CpuidLeaf{8, 2688, 0, 0}));
  EXPECT_EQ(model.leaf(13, 18), CpuidLeaf{});
  EXPECT_EQ(model.leaf(13, 12), CpuidLeaf{});
  EXPECT_EQ(model.xcr0_bits(), 0x2e7u);
  const CpuModel plain = host_model(everything(true), *find_cpu_model("host,-avx,-pku"));
  EXPECT_EQ(plain.leaf(13, 0), (CpuidLeaf{3, 576, 576, 0}));
  EXPECT_FALSE(bit_of(plain.leaf(7, 0).ebx, 16)) << "AVX-512 without AVX";
  const CpuModel none = host_model(everything(true), *find_cpu_model("host,-xsave"));
  EXPECT_FALSE(none.defines(13));
}

TEST(KvmHostModel, TheTopologyIsTheMachines) {
  const CpuModel intel = host_model(everything(true), *find_cpu_model("host"));
  const CpuidContext third{.apic_id = 2, .cpus = 3};
  EXPECT_EQ(intel.leaf(1, 0, third).ebx, 0x02040800u);
  EXPECT_EQ(intel.leaf(1, 0, {}).ebx, 0x00010800u);
  EXPECT_FALSE(bit_of(intel.leaf(1, 0, {}).edx, 28)) << "HTT";
  EXPECT_EQ(intel.leaf(11, 1, third).ebx, 3u);
  EXPECT_EQ(intel.leaf(4, 2, third).eax, 3u << 26 | 3u << 14 | 0x163);
  const CpuModel amd = host_model(everything(false), *find_cpu_model("host"));
  EXPECT_EQ(amd.leaf(0x80000008, 0, third).ecx, 2u << 12 | 2u);
  EXPECT_EQ(amd.leaf(0x80000008, 0, {}).ecx, 0u);
  EXPECT_EQ(amd.leaf(0x8000001e, 0, third), (CpuidLeaf{2, 2, 0, 0}));
  EXPECT_EQ(amd.leaf(0x80000008, 0).eax, 0x3934u);
}

TEST(KvmHostModel, OfKvmsOwnFeaturesAGuestGetsTheClockOnly) {
  const CpuModel model = host_model(everything(true), *find_cpu_model("host"));
  EXPECT_EQ(model.leaf(0x40000000, 0).eax, 0x40000010u);
  EXPECT_EQ(model.leaf(0x40000001, 0), (CpuidLeaf{1 << 0 | 1 << 3 | 1 << 24, 0, 0, 0}));
}

TEST(KvmHostModel, EveryLeafThatTellsTheFrequencyTellsTheSame) {
  constexpr u64 kKhz = 2'899'999;
  const CpuModel model = host_model(everything(true), *find_cpu_model("host"));
  CpuidTable table = cpuid_of(model, {}, kKhz);
  int told = 0;
  for (const kvm_cpuid_entry2& raw : table.entries()) {
    u64 hz = 0;
    if (raw.function == 0x15) hz = u64{raw.ecx} * raw.ebx / raw.eax;
    if (raw.function == 0x16) hz = u64{raw.eax} * 1'000'000 + kKhz % 1000 * 1000;
    if (raw.function == 0x40000010) hz = u64{raw.eax} * 1000;
    if (hz == 0) continue;
    EXPECT_EQ(hz, kKhz * 1000) << std::hex << raw.function;
    ++told;
  }
  EXPECT_EQ(told, 3);
  const CpuModel amd = host_model(everything(false), *find_cpu_model("host"));
  EXPECT_FALSE(amd.defines(0x15));
}

// Of this host: nothing that its KVM does not support, but for what Kite and KVM provide.
TEST(KvmHostModel, OnThisHostNothingIsThereThatKvmDoesNotSupport) {
  if (auto usable = probe_kvm(); !usable) GTEST_SKIP() << usable.error().message;
  const Result<Device> device = open_device("/dev/kvm");
  ASSERT_TRUE(device);
  CpuidTable table(256);
  table.raw().nent = 256;
  ASSERT_EQ(::ioctl(device->fd.get(), KVM_GET_SUPPORTED_CPUID, &table.raw()), 0);
  std::vector<std::string_view> missing;
  const Result<CpuModel> model = usable_model(*device, *find_cpu_model("host"), true, missing);
  ASSERT_TRUE(model);
  EXPECT_TRUE(missing.empty()) << missing.front();
  for (const kvm_cpuid_entry2& host : table.entries()) {
    if (host.function != 7) continue;
    const CpuidLeaf guest = model->leaf(7, host.index);
    EXPECT_EQ(guest.ebx & ~host.ebx, 0u);
    EXPECT_EQ(guest.ecx & ~host.ecx, 0u);
    EXPECT_EQ(guest.edx & ~host.edx, 0u);
  }
  EXPECT_TRUE(model->has(Feature::kLm));
}

// KVM would lose what the guest writes to IA32_TSC_DEADLINE, unless it has the local APIC itself.
TEST(KvmCpuid, TscDeadlineModeIsOfferedWithKvmsLocalApicOnly) {
  if (auto usable = probe_kvm(); !usable) GTEST_SKIP() << usable.error().message;
  const Result<Device> device = open_device("/dev/kvm");
  ASSERT_TRUE(device);
  for (const char* name : {"x86-64-v2", "host"}) {
    std::vector<std::string_view> missing;
    const Result<CpuModel> with = usable_model(*device, *find_cpu_model(name), true, missing);
    const Result<CpuModel> without = usable_model(*device, *find_cpu_model(name), false, missing);
    ASSERT_TRUE(with && without);
    EXPECT_EQ(with->has(Feature::kTscDeadline), device->capabilities.tsc_deadline) << name;
    EXPECT_FALSE(without->has(Feature::kTscDeadline)) << name;
  }
}

}  // namespace
}  // namespace kite::kvm
