// Accesses to memory that other threads use at the same time.
#include "memory/guest_access.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>

namespace kite {
namespace {

struct Bytes16 {
  u64 low, high;
  bool operator==(const Bytes16&) const = default;
};

template <class T>
void round_trip(const T& value) {
  alignas(16) std::array<u8, 64> memory{};
  for (unsigned at = 0; at < 17; ++at) {
    memory.fill(0xee);
    guest_store<T>(&memory[at], value);
    EXPECT_EQ(guest_load<T>(&memory[at]), value) << sizeof(T) << " bytes at " << at;
    EXPECT_EQ(memory[at + sizeof(T)], 0xee);
    if (at) {
      EXPECT_EQ(memory[at - 1], 0xee);
    }
    T copy;
    guest_read_value(&copy, &memory[at], sizeof copy);
    EXPECT_EQ(copy, value);
    memory.fill(0);
    guest_write_value(&memory[at], &value, sizeof value);
    EXPECT_EQ(guest_load<T>(&memory[at]), value);
  }
}

TEST(GuestAccess, EverySizeAtEveryAlignment) {
  round_trip<u8>(0x12);
  round_trip<u16>(0x1234);
  round_trip<u32>(0x12345678);
  round_trip<u64>(0x123456789abcdef0);
  round_trip<Bytes16>({1, 2});
  round_trip<std::array<u8, 10>>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  round_trip<std::array<u8, 32>>({1, 2, 3});
}

TEST(GuestAccess, BlocksAreCopiedMovedAndFilled) {
  std::array<u8, 600> memory{}, copy{};
  for (std::size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<u8>(i * 7);
  guest_read(copy.data(), memory.data() + 3, 500);
  EXPECT_TRUE(std::equal(copy.begin(), copy.begin() + 500, memory.begin() + 3));
  guest_write(memory.data() + 1, copy.data(), 500);
  EXPECT_TRUE(std::equal(copy.begin(), copy.begin() + 500, memory.begin() + 1));
  guest_move(memory.data(), memory.data() + 1, 500);
  EXPECT_TRUE(std::equal(copy.begin(), copy.begin() + 500, memory.begin()));
  guest_fill(memory.data() + 5, 0xab, 300);
  EXPECT_EQ(memory[4], copy[4]);
  for (std::size_t i = 5; i < 305; ++i) EXPECT_EQ(memory[i], 0xab);
  EXPECT_EQ(memory[305], copy[305]);
}

template <class T>
void exchange(const T& before, const T& after, const T& other) {
  alignas(16) T memory = before;
  T expected = other;
  EXPECT_FALSE(guest_compare_exchange<T>(&memory, expected, after));
  EXPECT_EQ(expected, before);
  EXPECT_TRUE(guest_compare_exchange<T>(&memory, expected, after));
  EXPECT_EQ(memory, after);
}

TEST(GuestAccess, CompareExchangeOfEverySize) {
  exchange<u8>(1, 2, 3);
  exchange<u16>(1, 2, 3);
  exchange<u32>(1, 2, 3);
  exchange<u64>(1, 2, 3);
  if constexpr (kLargestGuestExchange >= 16) exchange<Bytes16>({1, 2}, {3, 4}, {1, 3});
}

// Message passing on an x86: who sees the flag sees what was stored before it.
TEST(GuestAccess, StoresAreSeenInOrder) {
  alignas(64) u64 data = 0;
  alignas(64) u64 flag = 0;
  u64 seen = 0;
  std::thread reader([&] {
    while (guest_load<u64>(&flag) == 0) std::this_thread::yield();
    seen = guest_load<u64>(&data);
  });
  guest_store<u64>(&data, 42);
  guest_store<u64>(&flag, 1);
  reader.join();
  EXPECT_EQ(seen, 42u);
}

}  // namespace
}  // namespace kite
