#include "base/archive.h"

#include <gtest/gtest.h>

namespace kite {
namespace {

std::vector<u8> saved(u32 value, std::vector<u8> bytes) {
  auto archive = Archive::saving();
  archive.field("value", value);
  archive.bytes("bytes", bytes, 16);
  return archive.stream();
}

TEST(Archive, WhatWasSavedIsLoaded) {
  auto archive = Archive::loading(saved(7, {1, 2, 3}));
  u32 value = 0;
  std::vector<u8> bytes;
  archive.field("value", value);
  archive.bytes("bytes", bytes, 16);
  EXPECT_TRUE(archive.finish());
  EXPECT_EQ(value, 7u);
  EXPECT_EQ(bytes, (std::vector<u8>{1, 2, 3}));
}

TEST(Archive, AWrongNameIsAnErrorThatNamesIt) {
  auto archive = Archive::loading(saved(7, {}));
  u32 value = 1;
  archive.field("other", value);
  EXPECT_EQ(value, 1u);
  ASSERT_FALSE(archive.finish());
  EXPECT_NE(archive.finish().error().message.find("'other'"), std::string::npos);
}

TEST(Archive, EveryTruncationIsAnErrorAndNothingIsReadPastTheEnd) {
  const auto whole = saved(7, {1, 2, 3});
  for (std::size_t length = 0; length < whole.size(); ++length) {
    auto archive = Archive::loading({whole.begin(), whole.begin() + static_cast<long>(length)});
    u32 value = 0;
    std::vector<u8> bytes;
    archive.field("value", value);
    archive.bytes("bytes", bytes, 16);
    EXPECT_FALSE(archive.finish()) << length;
  }
}

TEST(Archive, ALengthBeyondTheLimitIsRefused) {
  auto archive = Archive::loading(saved(7, {1, 2, 3}));
  u32 value = 0;
  std::vector<u8> bytes;
  archive.field("value", value);
  archive.bytes("bytes", bytes, 2);
  EXPECT_FALSE(archive.finish());
}

}  // namespace
}  // namespace kite
