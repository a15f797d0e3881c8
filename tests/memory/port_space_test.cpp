#include "memory/port_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kite {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Ports : public IoHandler {
 public:
  u64 read(u64 offset, unsigned size) override {
    accesses.push_back(fmt::format("r{}/{}", offset, size));
    return 0xa0a0'a0a0'a0a0'a0a0 + offset;
  }
  void write(u64 offset, u64 value, unsigned size) override {
    accesses.push_back(fmt::format("w{}/{}={:x}", offset, size, value));
  }
  std::vector<std::string> accesses;
};

TEST(PortSpace, PortsNobodyOwnsReadAllOnesAndSwallowWrites) {
  PortSpace ports;
  EXPECT_EQ(ports.in(0x80, 1), 0xffu);
  EXPECT_EQ(ports.in(0x80, 2), 0xffffu);
  EXPECT_EQ(ports.in(0xffff, 4), 0xffff'ffffu);
  ports.out(0x80, 1, 4);
}

TEST(PortSpace, AnAccessInsideOneDeviceArrivesWhole) {
  PortSpace ports;
  Ports chip;
  ASSERT_TRUE(ports.map("chip", 0x600, 8, chip));
  EXPECT_EQ(ports.in(0x604, 4), 0xa0a0'a0a4u);
  ports.out(0x601, 0xabcd'1234, 2);
  EXPECT_THAT(chip.accesses, ElementsAre("r4/4", "w1/2=1234"));
}

TEST(PortSpace, AnAccessThatNoSingleDeviceCoversIsSplitIntoBytes) {
  PortSpace ports;
  Ports low, high;
  ASSERT_TRUE(ports.map("low", 0x20, 2, low));
  ASSERT_TRUE(ports.map("high", 0x22, 1, high));
  EXPECT_EQ(ports.in(0x21, 4), 0xffff'a0a1u);
  ports.out(0x21, 0x4433'2211, 4);
  EXPECT_THAT(low.accesses, ElementsAre("r1/1", "w1/1=11"));
  EXPECT_THAT(high.accesses, ElementsAre("r0/1", "w0/1=22"));
}

TEST(PortSpace, AnAccessPastTheLastPortGoesOnAtZero) {
  PortSpace ports;
  Ports first, last;
  ASSERT_TRUE(ports.map("first", 0, 1, first));
  ASSERT_TRUE(ports.map("last", 0xffff, 1, last));
  EXPECT_EQ(ports.in(0xffff, 2), 0xa0a0u);
}

TEST(PortSpace, OverlappingPortsAreAnErrorThatNamesBothOwners) {
  PortSpace ports;
  Ports chip;
  ASSERT_TRUE(ports.map("uart", 0x3f8, 8, chip));
  ASSERT_TRUE(ports.map("below", 0x3f0, 8, chip));
  for (auto [first, count] : {std::pair<u16, u32>{0x3f7, 2}, {0x3ff, 1}, {0, 0x10000}}) {
    auto result = ports.map("other", first, count, chip);
    ASSERT_FALSE(result);
    EXPECT_THAT(result.error().message, HasSubstr("'other'"));
    EXPECT_TRUE(testing::Value(result.error().message, HasSubstr("'uart'")) ||
                testing::Value(result.error().message, HasSubstr("'below'")));
  }
  EXPECT_EQ(ports.entries().size(), 2u);
  EXPECT_EQ(ports.entries()[0].name, "below");
}

TEST(PortSpace, PortsBeyondTheLastOneAreAnError) {
  PortSpace ports;
  Ports chip;
  EXPECT_FALSE(ports.map("chip", 0xffff, 2, chip));
  EXPECT_FALSE(ports.map("chip", 0, 0, chip));
  EXPECT_FALSE(ports.map("chip", 1, 0xffff'ffff, chip));
  EXPECT_TRUE(ports.map("chip", 0, 0x10000, chip));
}

}  // namespace
}  // namespace kite
