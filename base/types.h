// The integer types and units every room shares.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kite {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i8 = std::int8_t;
using i16 = std::int16_t;
using i32 = std::int32_t;
using i64 = std::int64_t;
__extension__ using u128 = unsigned __int128;
__extension__ using i128 = __int128;

using Gpa = u64;    // guest physical address
using Gva = u64;    // guest linear address
using Nanos = i64;  // nanoseconds of a Clock: a point since its start, or a duration

inline constexpr Nanos kNever = INT64_MAX;
inline constexpr Nanos kMicrosecond = 1000;
inline constexpr Nanos kMillisecond = 1000 * kMicrosecond;
inline constexpr Nanos kSecond = 1000 * kMillisecond;

inline constexpr u64 KiB = 1024;
inline constexpr u64 MiB = 1024 * KiB;
inline constexpr u64 GiB = 1024 * MiB;

inline constexpr u64 kPageSize = 4096;  // the guest's smallest page

}  // namespace kite
