// The loader script, carried out as a firmware would.
#include "firmware/acpi_loader.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>
#include <span>

#include "base/bits.h"

namespace kite {
namespace {

struct Placed {
  Gpa address = 0;
  std::vector<u8> bytes;
};
using Files = std::map<std::string, Placed>;

std::string name_at(const u8* at) {
  return std::string(reinterpret_cast<const char*>(at));
}

u8 sum(std::span<const u8> bytes) {
  return static_cast<u8>(std::accumulate(bytes.begin(), bytes.end(), 0u));
}

void add_pointer(Files& files, const u8* command) {
  Placed& in = files.at(name_at(command + 4));
  const Gpa base = files.at(name_at(command + 60)).address;
  const u32 offset = load<u32>(command + 116);
  const u8 size = command[120];
  ASSERT_LE(offset + size, in.bytes.size());
  u64 value = 0;
  std::memcpy(&value, &in.bytes[offset], size);
  value += base;
  std::memcpy(&in.bytes[offset], &value, size);
}

void add_checksum(Files& files, const u8* command) {
  auto& bytes = files.at(name_at(command + 4)).bytes;
  const u32 offset = load<u32>(command + 60), start = load<u32>(command + 64),
            length = load<u32>(command + 68);
  ASSERT_LE(start + length, bytes.size());
  ASSERT_LT(offset, bytes.size());
  EXPECT_EQ(bytes[offset], 0) << "EDK II, which does not subtract, gets a wrong sum";
  bytes[offset] =
      static_cast<u8>(bytes[offset] - sum(std::span<const u8>(bytes).subspan(start, length)));
}

struct AcpiLoader : testing::Test {
  static constexpr Gpa kTables = 0x7ff0000, kRsdp = 0xf5a10;
  Files files;

  void SetUp() override {
    AcpiFacts facts;
    facts.cpus = {{.apic_id = 0}};
    facts.ioapics = {{}};
    facts.has_pci = true;
    auto made = acpi_files(facts, 64 * KiB);
    ASSERT_TRUE(made);
    files[kAcpiTablesFile] = {kTables, made->tables};
    files[kAcpiRsdpFile] = {kRsdp, made->rsdp};
    ASSERT_EQ(made->loader.size() % 128, 0u);
    for (u64 at = 0; at < made->loader.size(); at += 128) {
      const u8* command = &made->loader[at];
      switch (load<u32>(command)) {
        case 1:
          EXPECT_TRUE(files.contains(name_at(command + 4)));
          break;
        case 2:
          add_pointer(files, command);
          break;
        case 3:
          add_checksum(files, command);
          break;
        default:
          ADD_FAILURE() << "command " << load<u32>(command);
      }
    }
  }
  std::span<const u8> table(Gpa address) {
    const auto& bytes = files[kAcpiTablesFile].bytes;
    EXPECT_GE(address, kTables);
    EXPECT_LT(address - kTables, bytes.size() - 8);
    const auto rest = std::span<const u8>(bytes).subspan(address - kTables);
    return rest.first(load<u32>(&rest[4]));
  }
  static std::string signature(std::span<const u8> table) {
    return std::string(table.begin(), table.begin() + 4);
  }
};

TEST_F(AcpiLoader, EveryTableIsFoundFromTheRsdpAndSumsToZero) {
  const auto& rsdp = files[kAcpiRsdpFile].bytes;
  EXPECT_EQ(sum(std::span<const u8>(rsdp).first(20)), 0);
  EXPECT_EQ(sum(rsdp), 0);
  const auto rsdt = table(load<u32>(&rsdp[16])), xsdt = table(load<u64>(&rsdp[24]));
  EXPECT_EQ(signature(rsdt), "RSDT");
  EXPECT_EQ(signature(xsdt), "XSDT");
  EXPECT_EQ(sum(rsdt), 0);
  EXPECT_EQ(sum(xsdt), 0);
  std::string found;
  for (u64 at = 36; at < xsdt.size(); at += 8) {
    const auto each = table(load<u64>(&xsdt[at]));
    EXPECT_EQ(load<u32>(&rsdt[36 + (at - 36) / 2]), load<u64>(&xsdt[at]));
    EXPECT_EQ(sum(each), 0) << signature(each);
    found += signature(each) + " ";
  }
  EXPECT_EQ(found, "FACP APIC HPET SSDT ");
}

TEST_F(AcpiLoader, TheFadtPointsToFacsAndDsdt) {
  const auto& rsdp = files[kAcpiRsdpFile].bytes;
  const auto xsdt = table(load<u64>(&rsdp[24]));
  const auto fadt = table(load<u64>(&xsdt[36]));
  EXPECT_EQ(signature(table(load<u32>(&fadt[36]))), "FACS");
  EXPECT_EQ(load<u32>(&fadt[36]) % 64, 0u);
  EXPECT_EQ(signature(table(load<u32>(&fadt[40]))), "DSDT");
  EXPECT_EQ(load<u64>(&fadt[140]), load<u32>(&fadt[40]));
}

}  // namespace
}  // namespace kite
