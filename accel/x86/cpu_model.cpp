#include "accel/x86/cpu_model.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "accel/x86/cpu_model_list.h"
#include "accel/x86/registers.h"
#include "accel/x86/topology.h"
#include "accel/x86/xsave_layout.h"
#include "base/bits.h"
#include "base/nearest.h"

namespace kite {
namespace {

constexpr u32 kApicHz = 1'000'000'000;  // what KVM's own local APIC counts at

u32& register_of(CpuidLeaf& leaf, u8 reg) {
  u32* const registers[] = {&leaf.eax, &leaf.ebx, &leaf.ecx, &leaf.edx};
  return *registers[reg];
}

CpuidLeaf text_leaf(u32 eax, const char (&vendor)[13]) {  // EBX EDX ECX, leaf 0's order
  return {eax, load<u32>(vendor), load<u32>(vendor + 8), load<u32>(vendor + 4)};
}

void add_brand(std::vector<CpuidEntry>& cpuid, std::string_view brand) {
  char text[48] = {};
  std::memcpy(text, brand.data(), std::min<std::size_t>(brand.size(), 47));
  for (u32 i = 0; i < 3; ++i) {
    const char* part = text + 16 * i;
    cpuid.push_back(
        {0x80000002 + i,
         {},
         {load<u32>(part), load<u32>(part + 4), load<u32>(part + 8), load<u32>(part + 12)}});
  }
}

// Everything but the feature bits. AMD's cache leaves, because the vendor is AMD (APM 3 E.4.4).
std::vector<CpuidEntry> skeleton(const CpuModel& model, std::string_view brand) {
  std::vector<CpuidEntry> cpuid = {
      {0, {}, text_leaf(13, "AuthenticAMD")},
      // EBX: CLFLUSH of 8 quadwords, one logical processor; the APIC ID is the vCPU's.
      {1, {}, {kProcessorSignature, 8 << 8 | 1 << 16, 0, 0}},
      {6, {}, {}},
      {7, 0, {}},
      {11, 0, {}},
      {11, 1, {}},
      {11, 2, {}},
      {13, 0, {}},
      {13, 1, {}},
      {13, 2, {}},
      {13, 9, {}},
      {0x40000000, {}, {0x40000010, load<u32>("KVMK"), load<u32>("VMKV"), load<u32>("M\0\0")}},
      {0x40000001, {}, {}},
      {0x40000010, {}, {static_cast<u32>(model.tsc_hz / 1000), kApicHz / 1000, 0, 0}},
      {0x80000000, {}, text_leaf(0x80000008, "AuthenticAMD")},
      {0x80000001, {}, {kProcessorSignature, 0, 0, 0}},
      {0x80000005, {}, {0x01ff01ff, 0x01ff01ff, 0x40020140, 0x40020140}},  // L1 64 KiB, 2-way
      {0x80000006, {}, {0, 0x42004200, 0x02008140, 0}},                    // L2 512 KiB, 16-way
      {0x80000007, {}, {}},
      {0x80000008, {}, {model.physical_address_bits, 0, 0, 0}},
  };
  add_brand(cpuid, brand);
  return cpuid;
}

// Other emulators' spellings.
std::string_view canonical_feature(std::string_view name) {
  constexpr std::array<std::string_view, 2> kAliases[] = {
      {"sse4_1", "sse4.1"},
      {"sse4_2", "sse4.2"},
      {"sse4-1", "sse4.1"},
      {"sse4-2", "sse4.2"},
      {"pni", "sse3"},
      {"tsc_deadline", "tsc-deadline"},
      {"lahf-lm", "lahf_lm"},
      {"cmpxchg16b", "cx16"},
      {"constant_tsc", "invtsc"},
      {"abm", "lzcnt"},
      {"sha_ni", "sha"},
      {"sha-ni", "sha"},
      {"bmi", "bmi1"},
      {"pclmul", "pclmulqdq"},
      {"3dnowprefetch", "prefetchw"},
      {"tsc_adjust", "tsc-adjust"},
  };
  for (const auto& [alias, meant] : kAliases) {
    if (name == alias) return meant;
  }
  return name;
}

Result<> apply_feature(CpuModel& model, std::string_view word) {
  bool sign = !word.empty() && (word[0] == '+' || word[0] == '-');
  if (!sign) {
    return fail(ErrorKind::kUsage, "--cpu: '{}' is neither +feature nor -feature", word);
  }
  std::string_view name = canonical_feature(word.substr(1));
  for (const FeatureName& known : feature_names()) {
    if (known.name != name) continue;
    model.set(known.feature, word[0] == '+');
    model.changes.push_back({known.feature, word[0] == '+'});
    return {};
  }
  std::vector<std::string_view> names;
  for (const FeatureName& known : feature_names()) names.push_back(known.name);
  return fail(ErrorKind::kUsage, "--cpu: no feature '{}'{}", name, suggestion(name, names));
}

CpuModel make(const NamedCpuModel& named) {
  CpuModel model;
  model.name = named.name;
  model.is_host = named.name == "host";
  model.cpuid = skeleton(model, named.brand);
  for (std::span<const Feature> list : named.features)
    for (Feature feature : list) model.set(feature, true);
  return model;
}

// Leaf 0Dh: what XSAVE saves and where, or nothing (SDM 2A "CPUID"). The sizes for what XCR0 has
// enabled are the vCPU's.
void describe_xsave(CpuModel& model) {
  const bool present = model.has(Feature::kXsave);
  u64 components = present ? xcr0::kX87 | xcr0::kSse : 0;
  if (model.has(Feature::kAvx)) components |= xcr0::kAvx;
  if (model.has(Feature::kPku)) components |= xcr0::kPkru;
  for (CpuidEntry& entry : model.cpuid) {
    if (entry.leaf != 13) continue;
    if (entry.subleaf == 0) {
      const u32 size = present ? xsave::standard_size(components) : 0;
      entry.value = {static_cast<u32>(components), present ? xsave::kExtendedAt : 0, size, 0};
    }
    for (const xsave::Component& c : xsave::kComponents) {
      if (entry.subleaf != c.number) continue;
      entry.value = {};
      if (components & c.mask()) entry.value = {c.size, c.standard_offset, 0, 0};
    }
  }
}

void describe_address_bits(CpuModel& model) {
  for (CpuidEntry& entry : model.cpuid)
    if (entry.leaf == 0x80000008)
      entry.value.eax = model.linear_address_bits() << 8 | model.physical_address_bits;
}

}  // namespace

CpuidLeaf CpuModel::leaf(u32 leaf, u32 subleaf) const {
  for (const CpuidEntry& entry : cpuid) {
    if (entry.leaf == leaf && (!entry.subleaf || *entry.subleaf == subleaf)) return entry.value;
  }
  return {};
}

CpuidLeaf CpuModel::leaf(u32 leaf, u32 subleaf, const CpuidContext& vcpu) const {
  CpuidLeaf value = this->leaf(leaf, subleaf);
  describe_topology(*this, leaf, subleaf, vcpu, value);
  if (leaf == 1 && (vcpu.cr4 & cr4::kOsxsave)) value.ecx |= 1u << 27;             // OSXSAVE
  if (leaf == 7 && subleaf == 0 && (vcpu.cr4 & cr4::kPke)) value.ecx |= 1u << 4;  // OSPKE
  if (leaf == 13 && has(Feature::kXsave)) {
    if (subleaf == 0) value.ebx = xsave::standard_size(vcpu.xcr0);
    if (subleaf == 1 && has(Feature::kXsavec)) value.ebx = xsave::compacted_size(vcpu.xcr0);
  }
  return value;
}

bool CpuModel::defines(u32 leaf) const {
  return std::ranges::find(cpuid, leaf, &CpuidEntry::leaf) != cpuid.end();
}

bool CpuModel::has(Feature feature) const {
  FeaturePlace place = place_of(feature);
  CpuidLeaf value = leaf(place.leaf, place.subleaf);
  return (register_of(value, place.reg) >> place.bit) & 1;
}

void CpuModel::set(Feature feature, bool present) {
  FeaturePlace place = place_of(feature);
  u32 mask = 1u << place.bit;
  // AMD repeats these bits of leaf 1 in leaf 80000001h (APM 3 E.4.2).
  constexpr u32 kRepeated = 0x0183f3ff;
  for (CpuidEntry& entry : cpuid) {
    bool own = entry.leaf == place.leaf && (!entry.subleaf || *entry.subleaf == place.subleaf);
    bool repeated =
        place.leaf == 1 && place.reg == 3 && entry.leaf == 0x80000001 && follows_amd(*this);
    if (!own && !(repeated && (mask & kRepeated))) continue;
    u32& word = register_of(entry.value, place.reg);
    word = present ? word | mask : word & ~mask;
  }
  if (!from_host) {
    describe_xsave(*this);
    describe_address_bits(*this);
  }
  for (const FeatureDependency& rule : feature_dependencies()) {
    if (present && rule.feature == feature && !has(rule.base)) set(rule.base, true);
    if (!present && rule.base == feature && has(rule.feature)) set(rule.feature, false);
  }
}

u64 CpuModel::cr4_bits() const {
  struct Rule {
    Feature feature;
    u64 bits;
  };
  constexpr Rule kRules[] = {
      {Feature::kVme, cr4::kVme | cr4::kPvi},
      {Feature::kTsc, cr4::kTsd},
      {Feature::kDe, cr4::kDe},
      {Feature::kPse, cr4::kPse},
      {Feature::kPae, cr4::kPae},
      {Feature::kMce, cr4::kMce},
      {Feature::kPge, cr4::kPge},
      {Feature::kFxsr, cr4::kOsfxsr},
      {Feature::kSse, cr4::kOsxmmexcpt},
      {Feature::kUmip, cr4::kUmip},
      {Feature::kFsgsbase, cr4::kFsgsbase},
      {Feature::kPcid, cr4::kPcide},
      {Feature::kXsave, cr4::kOsxsave},
      {Feature::kSmep, cr4::kSmep},
      {Feature::kSmap, cr4::kSmap},
      {Feature::kPku, cr4::kPke},
      {Feature::kLa57, cr4::kLa57},
  };
  u64 bits = cr4::kPce;  // RDPMC itself finds no counter; every processor since the P6 has the bit
  for (const Rule& rule : kRules) {
    if (has(rule.feature)) bits |= rule.bits;
  }
  return bits;
}

u64 CpuModel::efer_bits() const {
  u64 bits = 0;
  if (has(Feature::kSyscall)) bits |= efer::kSce;
  if (has(Feature::kLm)) bits |= efer::kLme | efer::kLma;
  if (has(Feature::kNx)) bits |= efer::kNxe;
  return bits;
}

u64 CpuModel::xcr0_bits() const {
  CpuidLeaf state = leaf(13, 0);
  return u64{state.edx} << 32 | state.eax;
}

bool has_unnamed_features(const CpuModel& model) {
  // Of the registers whose bits stand for instructions; OSXSAVE and OSPKE follow CR4.
  constexpr u32 kOsxsave = 1 << 27, kOspke = 1 << 4;
  CpuidLeaf one = model.leaf(1, 0), seven = model.leaf(7, 0), far = model.leaf(0x80000001, 0);
  const CpuidLeaf more = model.leaf(7, 1);
  one.ecx &= ~kOsxsave;
  seven.ecx &= ~kOspke;
  for (const FeatureName& named : feature_names()) {
    const FeaturePlace place = place_of(named.feature);
    CpuidLeaf* leaf = place.leaf == 1            ? &one
                      : place.leaf == 7          ? &seven
                      : place.leaf == 0x80000001 ? &far
                                                 : nullptr;
    if (leaf != nullptr && place.subleaf == 0)
      register_of(*leaf, place.reg) &= ~(u32{1} << place.bit);
  }
  return (one.ecx | seven.ebx | seven.ecx | seven.edx | far.ecx | more.eax | more.edx) != 0;
}

std::vector<std::string_view> cpu_model_names() {
  std::vector<std::string_view> names;
  for (const NamedCpuModel& named : named_cpu_models()) names.push_back(named.name);
  return names;
}

Result<CpuModel> find_cpu_model(std::string_view text) {
  std::string_view name = text.substr(0, text.find(','));
  const std::span<const NamedCpuModel> models = named_cpu_models();
  const auto named = std::ranges::find(models, name, &NamedCpuModel::name);
  if (named == models.end()) {
    return fail(ErrorKind::kUsage, "--cpu: no model '{}'{}", name,
                suggestion(name, cpu_model_names()));
  }
  CpuModel model = make(*named);
  std::string_view rest = text.substr(name.size());
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the comma
    std::string_view word = rest.substr(0, rest.find(','));
    KITE_CHECK(apply_feature(model, word));
    rest.remove_prefix(word.size());
  }
  return model;
}

}  // namespace kite
