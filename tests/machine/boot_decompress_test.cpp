#include <fmt/format.h>
#include <gtest/gtest.h>

#include "boot_images.h"

namespace kite {
namespace {

using test::Bytes;

class EveryCompression : public testing::TestWithParam<Compression> {};

TEST_P(EveryCompression, IsRecognisedAndGivesBackWhatWasCompressed) {
  const auto content = test::sample(300'000);
  const auto packed = test::linux_payload(GetParam(), content);
  ASSERT_EQ(identify_compression(packed), GetParam());
  const auto unpacked = decompress(GetParam(), packed, "it", 1 * MiB);
  ASSERT_TRUE(unpacked) << unpacked.error().message;
  EXPECT_EQ(*unpacked, content);
}

TEST_P(EveryCompression, AnExpectedSizeThatLiesMakesNoDifference) {
  const auto content = test::sample(300'000);
  const auto packed = test::linux_payload(GetParam(), content);
  for (const u64 expected : {u64{0}, u64{1}, u64{300'000}, ~u64{0}}) {
    const auto unpacked = decompress(GetParam(), packed, "it", 1 * MiB, expected);
    ASSERT_TRUE(unpacked) << unpacked.error().message;
    EXPECT_EQ(*unpacked, content);
  }
}

TEST_P(EveryCompression, ABombIsStoppedAtTheLimit) {
  const auto packed = test::linux_payload(GetParam(), Bytes(40 * MiB));
  const auto unpacked = decompress(GetParam(), packed, "bomb", 1 * MiB);
  ASSERT_FALSE(unpacked);
  EXPECT_EQ(unpacked.error().kind, ErrorKind::kData);
  EXPECT_EQ(unpacked.error().message,
            "bomb: decompresses to more than the 1 MiB the guest's RAM can take");
}

TEST_P(EveryCompression, EveryTruncationIsAnErrorOrShorter) {
  const auto content = test::sample(2000);
  const auto packed = test::compress(GetParam(), content);
  for (u64 size = 0; size < packed.size(); size += 19) {
    const auto unpacked = decompress(GetParam(), std::span(packed).first(size), "it", 1 * MiB);
    // Only lz4's legacy frame does not say where it ends.
    EXPECT_LE(unpacked ? unpacked->size() : 0, content.size());
    EXPECT_FALSE(unpacked && unpacked->size() < content.size() && GetParam() != Compression::kLz4)
        << size;
  }
}

TEST_P(EveryCompression, ABrokenStreamNeverDoesHarm) {
  const auto packed = test::compress(GetParam(), test::sample(5000));
  for (u64 at = 0; at < packed.size(); at += 41) {
    auto broken = packed;
    broken[at] ^= 0x55;
    const auto unpacked = decompress(GetParam(), broken, "it", 1 * MiB);
    EXPECT_TRUE(unpacked || unpacked.error().kind == ErrorKind::kData);
  }
}

INSTANTIATE_TEST_SUITE_P(Boot, EveryCompression,
                         testing::Values(Compression::kGzip, Compression::kXz, Compression::kLzma,
                                         Compression::kBzip2, Compression::kZstd,
                                         Compression::kLz4),
                         [](const auto& info) {
                           return std::string(compression_name(info.param));
                         });

TEST(Decompress, Lz4BlocksFollowEachOtherUpToTheAppendedSize) {
  for (const u64 size : {16 * MiB, 17 * MiB}) {
    const auto content = test::sample(size);
    const auto packed = test::linux_payload(Compression::kLz4, content);
    const auto unpacked = decompress(Compression::kLz4, packed, "it", 64 * MiB);
    ASSERT_TRUE(unpacked) << unpacked.error().message;
    EXPECT_TRUE(*unpacked == content);
  }
}

TEST(Decompress, WhatIsNotCompressedIsNotRecognised) {
  EXPECT_FALSE(identify_compression({}));
  EXPECT_FALSE(identify_compression(Bytes{0x7f, 'E', 'L', 'F'}));
}

}  // namespace
}  // namespace kite
