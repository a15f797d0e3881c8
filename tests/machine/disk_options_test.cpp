#include "machine/disk_options.h"

#include <gtest/gtest.h>

namespace kite {
namespace {

TEST(DiskOptions, AnIsoIsACdromAndReadOnly) {
  const auto disk = parse_disk("/images/a.iso");
  ASSERT_TRUE(disk);
  EXPECT_EQ(disk->path, "/images/a.iso");
  EXPECT_TRUE(disk->cdrom);
  EXPECT_TRUE(disk->readonly);
}

TEST(DiskOptions, AnythingElseIsADisk) {
  const auto disk = parse_disk("a.img");
  ASSERT_TRUE(disk);
  EXPECT_FALSE(disk->cdrom);
  EXPECT_FALSE(disk->readonly);
}

TEST(DiskOptions, MediaAndReadonlyAreWhatIsSaid) {
  const auto cdrom = parse_disk("a.img,media=cdrom,readonly=off");
  ASSERT_TRUE(cdrom);
  EXPECT_TRUE(cdrom->cdrom);
  EXPECT_TRUE(cdrom->readonly);
  const auto disk = parse_disk("a.iso,media=disk,readonly=on");
  ASSERT_TRUE(disk);
  EXPECT_FALSE(disk->cdrom);
  EXPECT_TRUE(disk->readonly);
}

TEST(DiskOptions, AWordThatIsNoneIsNamed) {
  for (const char* text : {"a.img,media=tape", "a.img,cache=none", "a.img,readonly=perhaps"}) {
    const auto disk = parse_disk(text);
    ASSERT_FALSE(disk) << text;
    EXPECT_EQ(disk.error().kind, ErrorKind::kUsage);
    EXPECT_NE(disk.error().message.find("media=cdrom"), std::string::npos);
  }
  EXPECT_FALSE(parse_disk(",media=disk"));
}

}  // namespace
}  // namespace kite
