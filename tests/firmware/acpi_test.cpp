#include "firmware/acpi.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <numeric>
#include <string>

#include "base/bits.h"
#include "firmware/acpi_parts.h"
#include "firmware/layout.h"

namespace kite {
namespace {

AcpiFacts two_processors() {
  AcpiFacts facts;
  facts.cpus = {{.apic_id = 0}, {.apic_id = 1}};
  facts.ioapics = {{.id = 2}};
  facts.overrides = {{.irq = 0, .gsi = 2}, {.irq = 9, .gsi = 9, .level = true}};
  facts.virtio_mmio = {{.address = 0xfeb00000, .gsi = 16}};
  return facts;
}

u8 sum(std::span<const u8> bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), u8{0},
                         [](u8 a, u8 b) { return static_cast<u8>(a + b); });
}

std::string signature(std::span<const u8> table) {
  return {reinterpret_cast<const char*>(table.data()), 4};
}

// The tables as a kernel finds them, from the RSDP on.
class Found {
 public:
  explicit Found(const AcpiFacts& facts)
      : tables_(*acpi_tables(facts, layout::kAcpi, layout::kAcpiSize)) {
    const auto xsdt = at(load<u64>(&tables_.bytes[24]));
    for (u64 i = 36; i + 8 <= xsdt.size(); i += 8) {
      const auto table = at(load<u64>(&xsdt[i]));
      by_signature_[signature(table)] = table;
    }
    by_signature_["XSDT"] = xsdt;
    by_signature_["RSDT"] = at(load<u32>(&tables_.bytes[16]));
    by_signature_["DSDT"] = at(load<u32>(&by_signature_["FACP"][40]));
    by_signature_["FACS"] = at(load<u32>(&by_signature_["FACP"][36]));
  }

  std::span<const u8> rsdp() const { return std::span(tables_.bytes).first(36); }
  const std::map<std::string, std::span<const u8>>& all() const { return by_signature_; }
  std::span<const u8> operator[](const std::string& name) const {
    const auto found = by_signature_.find(name);
    return found == by_signature_.end() ? std::span<const u8>() : found->second;
  }

 private:
  std::span<const u8> at(Gpa address) const {
    const auto rest = std::span(tables_.bytes).subspan(address - layout::kAcpi);
    return rest.first(load<u32>(&rest[4]));
  }

  AcpiTables tables_;
  std::map<std::string, std::span<const u8>> by_signature_;
};

TEST(Acpi, EveryTableIsFoundFromTheRsdpAndSumsToZero) {
  const Found found(two_processors());
  EXPECT_EQ(sum(found.rsdp().first(20)), 0);
  EXPECT_EQ(sum(found.rsdp()), 0);
  EXPECT_EQ(found.rsdp()[15], 2);
  for (const auto* name : {"FACP", "APIC", "HPET", "SSDT", "DSDT", "XSDT", "RSDT"}) {
    ASSERT_FALSE(found[name].empty()) << name;
    EXPECT_EQ(signature(found[name]), name);
    EXPECT_EQ(sum(found[name]), 0) << name;
  }
}

TEST(Acpi, TheRsdtAndTheXsdtNameTheSameTables) {
  const Found found(two_processors());
  const auto rsdt = found["RSDT"], xsdt = found["XSDT"];
  ASSERT_EQ((rsdt.size() - 36) / 4, (xsdt.size() - 36) / 8);
  for (u64 i = 0; i < (rsdt.size() - 36) / 4; ++i)
    EXPECT_EQ(load<u32>(&rsdt[36 + 4 * i]), load<u64>(&xsdt[36 + 8 * i]));
}

TEST(Acpi, TheFadtNamesThePortsAndTheReset) {
  auto facts = two_processors();
  facts.gpe0_port = 0x60c;
  const Found found(facts);
  const auto fadt = found["FACP"];
  ASSERT_EQ(fadt.size(), 276u);
  EXPECT_EQ(fadt[8], 6);
  EXPECT_EQ(load<u16>(&fadt[46]), 9);                 // SCI_INT
  EXPECT_EQ(load<u32>(&fadt[48]), 0u);                // SMI_CMD
  EXPECT_EQ(load<u32>(&fadt[56]), 0x600u);            // PM1a_EVT_BLK
  EXPECT_EQ(load<u32>(&fadt[64]), 0x604u);            // PM1a_CNT_BLK
  EXPECT_EQ(load<u32>(&fadt[76]), 0x608u);            // PM_TMR_BLK
  EXPECT_EQ(load<u32>(&fadt[80]), 0x60cu);            // GPE0_BLK
  EXPECT_EQ(fadt[88], 4);                             // PM1_EVT_LEN
  EXPECT_EQ(fadt[89], 2);                             // PM1_CNT_LEN
  EXPECT_EQ(fadt[91], 4);                             // PM_TMR_LEN
  EXPECT_EQ(fadt[92], 4);                             // GPE0_BLK_LEN
  EXPECT_EQ(load<u32>(&fadt[112]) & (1u << 20), 0u);  // not hardware-reduced
  EXPECT_NE(load<u32>(&fadt[112]) & (1u << 10), 0u);  // RESET_REG_SUP
  EXPECT_EQ(fadt[116], 1);                            // RESET_REG: I/O space, 8 bits
  EXPECT_EQ(fadt[117], 8);
  EXPECT_EQ(load<u64>(&fadt[120]), 0xcf9u);
  EXPECT_EQ(fadt[128], 6);                                 // RESET_VALUE
  EXPECT_EQ(load<u64>(&fadt[140]), load<u32>(&fadt[40]));  // X_DSDT
  EXPECT_EQ(load<u64>(&fadt[152]), 0x600u);                // X_PM1a_EVT_BLK
  EXPECT_EQ(load<u64>(&fadt[212]), 0x608u);                // X_PM_TMR_BLK
}

TEST(Acpi, TheFacsIsAlignedTo64Bytes) {
  const Found found(two_processors());
  EXPECT_EQ(signature(found["FACS"]), "FACS");
  EXPECT_EQ(load<u32>(&found["FACP"][36]) % 64, 0u);
}

TEST(Acpi, TheMadtListsProcessorsIoapicsAndOverrides) {
  const Found found(two_processors());
  const auto madt = found["APIC"];
  EXPECT_EQ(load<u32>(&madt[36]), 0xfee00000u);
  EXPECT_EQ(load<u32>(&madt[40]), 1u);  // PCAT_COMPAT
  std::vector<std::vector<u8>> entries;
  for (u64 i = 44; i < madt.size(); i += madt[i + 1]) {
    ASSERT_GE(madt[i + 1], 2);
    ASSERT_LE(i + madt[i + 1], madt.size());
    entries.emplace_back(madt.begin() + static_cast<long>(i),
                         madt.begin() + static_cast<long>(i + madt[i + 1]));
  }
  ASSERT_EQ(entries.size(), 6u);
  EXPECT_EQ(entries[0], (std::vector<u8>{0, 8, 0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(entries[1], (std::vector<u8>{0, 8, 1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(entries[2], (std::vector<u8>{1, 12, 2, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0}));
  EXPECT_EQ(entries[3], (std::vector<u8>{2, 10, 0, 0, 2, 0, 0, 0, 5, 0}));   // edge, high
  EXPECT_EQ(entries[4], (std::vector<u8>{2, 10, 0, 9, 9, 0, 0, 0, 13, 0}));  // level, high
  EXPECT_EQ(entries[5], (std::vector<u8>{4, 6, 0xff, 0, 0, 1}));
}

TEST(Acpi, AnApicIdBeyond8BitsGetsAnX2apicEntry) {
  AcpiFacts facts;
  facts.cpus = {{.apic_id = 0}, {.apic_id = 300}};
  const Found found(facts);
  const auto madt = found["APIC"];
  EXPECT_EQ(madt[44 + 8], 9);
  EXPECT_EQ(load<u32>(&madt[44 + 8 + 4]), 300u);
}

TEST(Acpi, WithoutAnHpetThereIsNoHpetTable) {
  auto facts = two_processors();
  facts.hpet.reset();
  EXPECT_TRUE(Found(facts)["HPET"].empty());
}

TEST(Acpi, ManyProcessorsFitAndTooManyAreAnError) {
  AcpiFacts facts;
  for (u32 i = 0; i < 255; ++i) facts.cpus.push_back({.apic_id = i});
  EXPECT_TRUE(acpi_tables(facts, layout::kAcpi, layout::kAcpiSize));
  const auto failed = acpi_tables(facts, layout::kAcpi, 4096);
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("255 processors"), std::string::npos);
}

// What a run of iasl prints; nothing if the program is not there.
std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return text;
  std::array<char, 4096> part;
  while (const auto count = std::fread(part.data(), 1, part.size(), pipe))
    text.append(part.data(), count);
  ::pclose(pipe);
  return text;
}

class Disassembled : public testing::Test {
 protected:
  void SetUp() override {
    if (output_of("iasl -v").find("ASL") == std::string::npos)
      GTEST_SKIP() << "iasl is not installed";
    std::string folder = testing::TempDir() + "/kite-acpi-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override {
    for (const auto& file : files_) ::unlink((folder_ + "/" + file).c_str());
    if (!folder_.empty()) ::rmdir(folder_.c_str());
  }

  // The ASL of `name`, which may refer to what the other table defines.
  std::string disassemble(const Found& found, const std::string& name, const std::string& other) {
    for (const auto& table : {name, other}) {
      std::ofstream file(folder_ + "/" + table + ".dat", std::ios::binary);
      file.write(reinterpret_cast<const char*>(found[table].data()),
                 static_cast<std::streamsize>(found[table].size()));
      files_.push_back(table + ".dat");
    }
    const std::string command = "cd '" + folder_ + "' && timeout 20 iasl -vs ";
    const std::string external = other == name ? "" : "-e " + other + ".dat ";
    said_ = output_of(command + external + "-d " + name + ".dat");
    files_.push_back(name + ".dsl");
    std::ifstream listing(folder_ + "/" + name + ".dsl");
    return {std::istreambuf_iterator<char>(listing), {}};
  }

  std::string folder_;
  std::vector<std::string> files_;
  std::string said_;
};

TEST_F(Disassembled, TheSsdtHasProcessorsAndTransports) {
  const Found found(two_processors());
  const auto listing = disassemble(found, "SSDT", "SSDT");
  EXPECT_NE(listing.find("Device (C001)"), std::string::npos) << said_ << listing;
  EXPECT_NE(listing.find("0xFEB00000"), std::string::npos);
  EXPECT_EQ(listing.find("Unknown"), std::string::npos);
}

TEST_F(Disassembled, TheDsdtSaysTheFacts) {
  auto facts = two_processors();
  facts.serial = {true, false, true, false};
  facts.has_rtc = false;
  facts.has_pci = true;
  const auto listing = disassemble(Found(facts), "DSDT", "DSDT");
  for (const auto* name :
       {"FCOM, 0x00000005", "FRTC, 0x00000000", "FKBC, 0x00000001", "FPIC, 0x00000001",
        "FHPT, 0xFED00000", "FPCI, 0x00000001", "FPVP, 0x00000505"})
    EXPECT_NE(listing.find("Name (" + std::string(name) + ")"), std::string::npos)
        << name << said_ << listing;
  EXPECT_EQ(listing.find("External"), std::string::npos) << "SeaBIOS cannot read on from there";
}

TEST_F(Disassembled, TheDsdtHasSoftOffAndTheBoardsDevices) {
  const auto listing = disassemble(Found(two_processors()), "DSDT", "DSDT");
  EXPECT_NE(listing.find("_S5"), std::string::npos) << said_;
  EXPECT_NE(listing.find("_S3"), std::string::npos);
  for (const auto* id : {"PNP0501", "PNP0B00", "PNP0303", "PNP0103", "QEMU0001", "PNP0C0F", "_PRT"})
    EXPECT_NE(listing.find(id), std::string::npos) << id;
}

TEST_F(Disassembled, TheFadtAndTheMadtAreUnderstood) {
  const Found found(two_processors());
  const auto fadt = disassemble(found, "FACP", "FACP");
  EXPECT_NE(fadt.find("PM1A Control Block Address : 00000604"), std::string::npos) << fadt;
  EXPECT_NE(fadt.find("Hardware Reduced (V5) : 0"), std::string::npos);
  EXPECT_NE(fadt.find("Reset Register Supported (V2) : 1"), std::string::npos);
  EXPECT_NE(fadt.find("RTC wake not in fixed reg space (V1) : 0"), std::string::npos) << fadt;
  const auto madt = disassemble(found, "APIC", "APIC");
  EXPECT_NE(madt.find("[I/O APIC]"), std::string::npos) << madt;
  EXPECT_NE(madt.find("[Interrupt Source Override]"), std::string::npos);
  EXPECT_EQ(madt.find("Unknown"), std::string::npos);
}

}  // namespace
}  // namespace kite
