// What lies a multiple of 8 TiB from guest RAM stays empty.
#include "accel/tcg/translator/alias_guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "accel/tcg/translator/reservation.h"
#include "base/bits.h"
#include "tests/sanitizer.h"

namespace kite::tcg {
namespace {

using testing::HasSubstr;

constexpr u64 kSize = 16 * MiB;
constexpr i64 kTimes[] = {-16, -15, -8, -2, -1, 1, 2, 7, 15, 16};

// Is a page mapped at `address`? msync(2) fails with ENOMEM where none is.
bool is_mapped(u64 address) {
  return ::msync(reinterpret_cast<void*>(address), kPageSize, MS_ASYNC) == 0 || errno != ENOMEM;
}

bool in_user_space(u64 address) {
  return address >= reservation::lowest() && address < reservation::end();
}

u64 alias(u64 address, i64 times) {
  return address + static_cast<u64>(times) * AliasGuard::kDistance;
}

bool ends_by_a_fault(int status) {
  return testing::KilledBySignal(SIGSEGV)(status) || testing::KilledBySignal(SIGBUS)(status);
}

// A stretch of memory, at `at` if the host agrees.
class Stretch {
 public:
  explicit Stretch(u64 size, u64 at = 0) : size_(size) {
    data_ = ::mmap(reinterpret_cast<void*>(at), size, PROT_READ, MAP_PRIVATE | MAP_ANON, -1, 0);
  }
  ~Stretch() { ::munmap(data_, size_); }
  Stretch(const Stretch&) = delete;
  Stretch& operator=(const Stretch&) = delete;
  u64 address() const { return reinterpret_cast<u64>(data_); }
  const u8* data() const { return static_cast<const u8*>(data_); }

 private:
  void* data_;
  const u64 size_;
};

class AliasGuardTest : public testing::Test {
 protected:
  void SetUp() override {
    if (test::kSanitizer) GTEST_SKIP() << "the sanitizer's own memory lies there";
  }
};

TEST_F(AliasGuardTest, NothingCanBeMappedAMultipleAwayAsLongAsItLives) {
  const Stretch ram(kSize);
  {
    Result<AliasGuard> made = AliasGuard::reserve(ram.data(), kSize);
    ASSERT_TRUE(made) << made.error().message;
    const AliasGuard guard = std::move(*made);
    unsigned reserved = 0;
    for (const i64 times : kTimes)
      for (const u64 offset : {u64{0}, kSize / 2, kSize - kPageSize}) {
        const u64 place = alias(ram.address() + offset, times);
        if (!in_user_space(place)) continue;
        ++reserved;
        EXPECT_TRUE(is_mapped(place)) << std::hex << place;
        const Stretch other(kPageSize, place);
        EXPECT_NE(other.address(), place) << "somebody else has got it";
      }
    EXPECT_GE(reserved, 3 * 4u);
    EXPECT_TRUE(is_mapped(ram.address())) << "RAM itself stays";
  }
  for (const i64 times : kTimes)
    EXPECT_FALSE(is_mapped(alias(ram.address(), times))) << "released, " << times;
  EXPECT_TRUE(is_mapped(ram.address()));
}

TEST_F(AliasGuardTest, AnAccessAMultipleAwayFaults) {
  const Stretch ram(kSize);
  const Result<AliasGuard> guard = AliasGuard::reserve(ram.data(), kSize);
  ASSERT_TRUE(guard) << guard.error().message;
  for (const i64 times : kTimes) {
    const auto* place = reinterpret_cast<const volatile u8*>(alias(ram.address(), times));
    EXPECT_EXIT(static_cast<void>(*place), ends_by_a_fault, "") << times;
  }
}

TEST_F(AliasGuardTest, SomethingThatLivesThereIsAnErrorThatNamesIt) {
  const Stretch ram(kSize);
  const i64 times = ram.address() >= 2 * AliasGuard::kDistance ? -2 : 2;
  const u64 place = alias(ram.address() + 5 * MiB, times);
  const Stretch other(3 * kPageSize, place);
  ASSERT_EQ(other.address(), place);
  const Result<AliasGuard> guard = AliasGuard::reserve(ram.data(), kSize);
  ASSERT_FALSE(guard);
  EXPECT_EQ(guard.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(guard.error().message, HasSubstr(fmt::format("something is mapped at {:#x}", place)));
  for (const i64 k : kTimes)
    EXPECT_FALSE(is_mapped(alias(ram.address(), k))) << "what was reserved before stays: " << k;
}

// Near the lowest and the highest address, the aliases are only partly in user space.
TEST_F(AliasGuardTest, WhatIsBeyondUserSpaceNeedsNoReserving) {
  const u64 boundary = 8 * AliasGuard::kDistance;
  const Stretch ram(kSize, boundary - kSize / 2);
  if (ram.address() != boundary - kSize / 2) GTEST_SKIP() << "the host has something at 2^46";
  const Result<AliasGuard> guard = AliasGuard::reserve(ram.data(), kSize);
  if (!guard) GTEST_SKIP() << "programs begin there: " << guard.error().message;
  EXPECT_TRUE(is_mapped(reservation::lowest()));
  EXPECT_TRUE(is_mapped(reservation::end() - kPageSize));
  EXPECT_FALSE(is_mapped(kSize));
}

TEST_F(AliasGuardTest, MovingItKeepsWhatIsReserved) {
  const Stretch ram(kSize), more(kSize);
  Result<AliasGuard> first = AliasGuard::reserve(ram.data(), kSize);
  Result<AliasGuard> second = AliasGuard::reserve(more.data(), kSize);
  ASSERT_TRUE(first && second);
  {
    AliasGuard taken = std::move(*first);
    taken = std::move(*second);
    EXPECT_TRUE(is_mapped(alias(more.address(), -1)));
  }
  EXPECT_FALSE(is_mapped(alias(more.address(), -1)));
}

TEST_F(AliasGuardTest, ALimitOfAddressSpaceIsAnError) {
  const Stretch ram(kSize);
  const auto fail_within_limit = [&ram] {
    const struct rlimit limit { 64 * MiB, 64 * MiB };
    if (::setrlimit(RLIMIT_AS, &limit) != 0) std::exit(2);
    const Result<AliasGuard> guard = AliasGuard::reserve(ram.data(), kSize);
    std::cerr << (guard ? "it succeeded" : guard.error().message) << std::endl;
    std::_Exit(0);
  };
  EXPECT_EXIT(fail_within_limit(), testing::ExitedWithCode(0),
              "a multiple of 8 TiB from guest RAM, cannot be reserved: ");
}

TEST(AliasGuard, MoreThanTheDistanceCannotBeGuarded) {
  const Result<AliasGuard> guard =
      AliasGuard::reserve(reinterpret_cast<const u8*>(u64{1} << 40), AliasGuard::kDistance + 1);
  ASSERT_FALSE(guard);
  EXPECT_EQ(guard.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace kite::tcg
