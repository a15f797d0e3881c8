// CPUID's leaves of topology, for any number of processors, as AMD's and Intel's have them.
#include <gtest/gtest.h>

#include <bit>
#include <set>

#include "accel/x86/topology.h"

namespace kite {
namespace {

constexpr u32 kCounts[] = {1, 2, 3, 4, 5, 7, 8, 12, 63, 64, 65, 200, 255};

CpuModel amd() {
  return *find_cpu_model("x86-64-v2");
}

// An Intel processor with a cache of each level, shared by two threads and by sixteen cores.
CpuModel intel() {
  CpuModel model = amd();
  model.from_host = true;
  for (CpuidEntry& entry : model.cpuid)
    if (entry.leaf == 0) entry.value = {0x1f, 0x756e6547, 0x6c65746e, 0x49656e69};  // GenuineIntel
  for (u32 level = 1; level <= 3; ++level)
    model.cpuid.push_back(
        {4, level - 1, {15u << 26 | 1u << 14 | level << 5 | 3, 0x1c0003f, 63, 0}});
  model.cpuid.push_back({4, 3, {}});
  return model;
}

// The package, the core and the thread of an APIC ID, by the widths in leaf 0Bh (SDM 3A 9.9.5).
struct Place {
  u32 package, core, thread;
  auto operator<=>(const Place&) const = default;
};
Place place_by_leaf_b(const CpuModel& model, const CpuidContext& vcpu) {
  const CpuidLeaf threads = model.leaf(11, 0, vcpu), cores = model.leaf(11, 1, vcpu);
  EXPECT_EQ(threads.ecx, 0x100u);
  EXPECT_EQ(cores.ecx, 0x201u);
  EXPECT_EQ(cores.ebx, vcpu.cpus);
  EXPECT_EQ(threads.ebx, 1u);
  EXPECT_EQ(model.leaf(11, 2, vcpu).ecx, 2u) << "no further level";
  EXPECT_EQ(cores.edx, vcpu.apic_id);
  const u32 id = threads.edx, width = threads.eax;
  return {id >> cores.eax, (id >> width) & ((1u << (cores.eax - width)) - 1),
          id & ((1u << width) - 1)};
}

TEST(Topology, EveryProcessorIsACoreOfItsOwnInOnePackage) {
  for (const CpuModel& model : {amd(), intel()}) {
    for (u32 cpus : kCounts) {
      std::set<Place> places;
      for (u32 id = 0; id < cpus; ++id) {
        const Place place = place_by_leaf_b(model, {.apic_id = id, .cpus = cpus});
        EXPECT_EQ(place.package, 0u) << id << " of " << cpus;
        EXPECT_EQ(place.thread, 0u);
        places.insert(place);
        EXPECT_EQ(model.leaf(1, 0, {.apic_id = id, .cpus = cpus}).ebx >> 24, id);
      }
      EXPECT_EQ(places.size(), cpus);
    }
  }
}

TEST(Topology, AmdCountsTheProcessors) {
  for (u32 cpus : kCounts) {
    const CpuidContext first{.cpus = cpus};
    EXPECT_EQ(amd().leaf(1, 0, first).ebx >> 16 & 0xff, cpus);
    EXPECT_EQ(amd().leaf(1, 0, first).edx >> 28 & 1, cpus > 1 ? 1u : 0u);          // HTT
    EXPECT_EQ(amd().leaf(0x80000001, 0, first).ecx >> 1 & 1, cpus > 1 ? 1u : 0u);  // CmpLegacy
    const u32 sizes = amd().leaf(0x80000008, 0, first).ecx;
    EXPECT_EQ(sizes & 0xff, cpus - 1);  // NC
    const u32 id_size = sizes >> 12 & 15;
    EXPECT_GE(1u << id_size, cpus);
    EXPECT_LT(cpus == 1 ? 0 : 1u << (id_size - 1), cpus) << "wider than it must be";
    EXPECT_EQ(amd().leaf(4, 0, first), CpuidLeaf{});
    EXPECT_EQ(amd().leaf(0x8000001e, 0, first), CpuidLeaf{});
  }
}

TEST(Topology, AmdWithTopologyExtensionsNamesCoreAndNode) {
  CpuModel zen = amd();
  zen.cpuid.push_back({0x8000001e, {}, {7, 0x103, 0x105, 0}});
  for (u32 level = 1; level <= 3; ++level)
    zen.cpuid.push_back({0x8000001d, level, {15u << 14 | level << 5 | 3, 0x1c0003f, 63, 0}});
  const CpuidContext third{.apic_id = 2, .cpus = 5};
  EXPECT_EQ(zen.leaf(0x8000001e, 0, third), (CpuidLeaf{2, 2, 0, 0}));
  EXPECT_EQ(zen.leaf(0x8000001d, 1, third).eax >> 14 & 0xfff, 0u);
  EXPECT_EQ(zen.leaf(0x8000001d, 3, third).eax >> 14 & 0xfff, 4u);
  EXPECT_EQ(zen.leaf(0x8000001d, 3, third).ebx, 0x1c0003fu);
}

// Powers of two, because Intel tells how many identifiers there could be.
TEST(Topology, IntelCountsIdentifiers) {
  for (u32 cpus : kCounts) {
    const CpuidContext first{.cpus = cpus};
    const u32 identifiers = std::bit_ceil(cpus);
    EXPECT_EQ(intel().leaf(1, 0, first).ebx >> 16 & 0xff, std::min(identifiers, 255u)) << cpus;
    EXPECT_EQ(intel().leaf(0x80000008, 0, first).ecx, 0u);
    for (u32 cache = 0; cache < 3; ++cache) {
      const CpuidLeaf leaf = intel().leaf(4, cache, first);
      EXPECT_EQ(leaf.eax >> 26, std::min(identifiers - 1, 63u)) << cpus;
      EXPECT_EQ(leaf.eax >> 14 & 0xfff, cache == 2 ? identifiers - 1 : 0) << cpus;
      EXPECT_EQ(leaf.eax & 0x3fff, (cache + 1) << 5 | 3);
      EXPECT_EQ(leaf.ebx, 0x1c0003fu);
    }
    EXPECT_EQ(intel().leaf(4, 3, first), CpuidLeaf{});
  }
}

}  // namespace
}  // namespace kite
