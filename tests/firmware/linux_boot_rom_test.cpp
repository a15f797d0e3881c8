// The option ROM by the rules that firmware takes it by; tests/boot runs it.
#include "firmware/linux_boot_rom.h"

#include <gtest/gtest.h>

#include <string>

#include "base/bits.h"

namespace kite {
namespace {

u8 sum(std::span<const u8> bytes) {
  u8 total = 0;
  for (const u8 byte : bytes) total = static_cast<u8>(total + byte);
  return total;
}

constexpr FwCfgCopy kCopies[] = {{0x18, 0x3c00, 0x10000}, {0x11, 0x876543, 0x100000}};

TEST(LinuxBootRom, HasTheHeadersOfABootDevice) {
  const auto rom = linux_boot_rom(kCopies, 0x10000);
  ASSERT_EQ(rom.size(), 512u);
  EXPECT_EQ(load<u16>(rom.data()), 0xaa55);
  EXPECT_EQ(rom[2], 1);
  EXPECT_EQ(sum(rom), 0);
  const u16 pnp = load<u16>(&rom[0x1a]);
  EXPECT_EQ(std::string(rom.begin() + pnp, rom.begin() + pnp + 4), "$PnP");
  EXPECT_EQ(sum(std::span(rom).subspan(pnp, 32)), 0);
  EXPECT_NE(load<u16>(&rom[pnp + 26u]), 0);  // bootstrap entry vector
  const u16 product = load<u16>(&rom[pnp + 16u]);
  EXPECT_STREQ(reinterpret_cast<const char*>(&rom[product]), "Linux kernel");
}

TEST(LinuxBootRom, HoldsItsRequestsInFwCfgsByteOrder) {
  const auto rom = linux_boot_rom(kCopies, 0x10000);
  const std::vector<u8> second = {0, 0x11, 0, 0x0a, 0, 0x87, 0x65, 0x43, 0, 0, 0, 0, 0, 0x10, 0, 0};
  EXPECT_EQ(std::vector<u8>(rom.begin() + 0xb0, rom.begin() + 0xc0), second);
}

TEST(LinuxBootRom, TakesNoMoreRequestsThanItHasRoomFor) {
  const std::vector<FwCfgCopy> many(100, kCopies[0]);
  EXPECT_EQ(linux_boot_rom(many, 0x10000),
            linux_boot_rom(std::span(many).first(kMostFwCfgCopies), 0x10000));
}

}  // namespace
}  // namespace kite
