#include "base/nearest.h"

#include <gtest/gtest.h>

namespace kite {
namespace {

constexpr std::string_view kNames[] = {"memfd", "shm", "ram", "file", "prealloc"};

TEST(Nearest, FindsTheWordThatWasMeant) {
  EXPECT_EQ(nearest("memdf", kNames), "memfd");
  EXPECT_EQ(nearest("prealoc", kNames), "prealloc");
  EXPECT_EQ(suggestion("shn", kNames), "; did you mean 'shm'?");
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest("keyboard", kNames), "");
  EXPECT_EQ(nearest("", kNames), "");
  EXPECT_EQ(nearest("xyz", kNames), "");
  EXPECT_EQ(suggestion(std::string(1 << 20, 'a'), kNames), "");
}

}  // namespace
}  // namespace kite
