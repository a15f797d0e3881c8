// Access to guest memory that several vCPUs and the host's threads use at the same time.
//
// A naturally aligned access of 1, 2, 4 or 8 bytes is single-copy atomic (SDM 3A 8.1.1), one of 16
// bytes too where the host has AVX, and accesses keep the order of an x86 (SDM 3A 8.2.2: only a
// load may pass an older store). An x86 host gives both with plain instructions, so all that is
// needed is that the compiler makes one instruction of each access: hence volatile. Other hosts,
// and ThreadSanitizer, which must see who synchronizes with whom, get atomic loads that acquire and
// stores that release, which is the same order; there a misaligned access goes byte by byte, as an
// x86 is free to do with one that crosses a cache line.
#pragma once

#include <bit>
#include <cstring>
#include <type_traits>

#include "base/types.h"

#if defined(__SANITIZE_THREAD__)
#define KITE_GUEST_ACCESS_ATOMIC 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KITE_GUEST_ACCESS_ATOMIC 1
#endif
#endif
#if !defined(__x86_64__) && !defined(KITE_GUEST_ACCESS_ATOMIC)
#define KITE_GUEST_ACCESS_ATOMIC 1
#endif

namespace kite {

namespace detail {

template <std::size_t N>
struct GuestWord;
template <>
struct GuestWord<1> {
  using Type = u8;
};
template <>
struct GuestWord<2> {
  using Type = u16;
};
template <>
struct GuestWord<4> {
  using Type = u32;
};
template <>
struct GuestWord<8> {
  using Type = u64;
};

#ifdef KITE_GUEST_ACCESS_ATOMIC

template <class U>
U load_guest_word(const void* from) {
  if (reinterpret_cast<std::uintptr_t>(from) % sizeof(U) == 0)
    return __atomic_load_n(static_cast<const U*>(from), __ATOMIC_ACQUIRE);
  U value = 0;
  for (unsigned i = 0; i < sizeof(U); ++i)
    value = static_cast<U>(
        value |
        static_cast<U>(U{__atomic_load_n(static_cast<const u8*>(from) + i, __ATOMIC_ACQUIRE)}
                       << (8 * i)));
  return value;
}

template <class U>
void store_guest_word(void* to, U value) {
  if (reinterpret_cast<std::uintptr_t>(to) % sizeof(U) == 0)
    return __atomic_store_n(static_cast<U*>(to), value, __ATOMIC_RELEASE);
  for (unsigned i = 0; i < sizeof(U); ++i)
    __atomic_store_n(static_cast<u8*>(to) + i, static_cast<u8>(value >> (8 * i)), __ATOMIC_RELEASE);
}

#else

// Types that may lie anywhere and alias anything. Not a template: the attributes of a dependent
// type get lost.
typedef u16 AnyU16 __attribute__((aligned(1), may_alias));
typedef u32 AnyU32 __attribute__((aligned(1), may_alias));
typedef u64 AnyU64 __attribute__((aligned(1), may_alias));
typedef long long AnyU128 __attribute__((vector_size(16), aligned(1), may_alias));

template <class U>
[[gnu::always_inline]] inline U load_guest_word(const void* from) {
  if constexpr (sizeof(U) == 1) return *static_cast<const volatile u8*>(from);
  if constexpr (sizeof(U) == 2) return *static_cast<const volatile AnyU16*>(from);
  if constexpr (sizeof(U) == 4) return *static_cast<const volatile AnyU32*>(from);
  if constexpr (sizeof(U) == 8) return *static_cast<const volatile AnyU64*>(from);
}

template <class U>
[[gnu::always_inline]] inline void store_guest_word(void* to, U value) {
  if constexpr (sizeof(U) == 1) *static_cast<volatile u8*>(to) = value;
  if constexpr (sizeof(U) == 2) *static_cast<volatile AnyU16*>(to) = value;
  if constexpr (sizeof(U) == 4) *static_cast<volatile AnyU32*>(to) = value;
  if constexpr (sizeof(U) == 8) *static_cast<volatile AnyU64*>(to) = value;
}

#endif

template <std::size_t N>
inline constexpr bool is_guest_word = N == 1 || N == 2 || N == 4 || N == 8;

// Words of the guest's alignment, in ascending order; `step` copies one.
template <class Step>
void by_guest_words(const u8* guest, std::size_t size, Step step) {
  for (std::size_t done = 0; done < size;) {
    const auto at = reinterpret_cast<std::uintptr_t>(guest + done);
    std::size_t word = 8;
    while (word > size - done || at % word != 0) word /= 2;
    step(done, word);
    done += word;
  }
}

}  // namespace detail

// The bytes of guest memory [from, from + size) into memory that is the caller's own.
inline void guest_read(void* to, const void* from, std::size_t size) {
#ifdef KITE_GUEST_ACCESS_ATOMIC
  using namespace detail;
  auto* out = static_cast<u8*>(to);
  const auto* in = static_cast<const u8*>(from);
  by_guest_words(in, size, [&](std::size_t at, std::size_t word) {
    u64 value = word == 8   ? load_guest_word<u64>(in + at)
                : word == 4 ? load_guest_word<u32>(in + at)
                : word == 2 ? load_guest_word<u16>(in + at)
                            : load_guest_word<u8>(in + at);
    std::memcpy(out + at, &value, word);
  });
#else
  std::memcpy(to, from, size);
#endif
}

// The caller's own bytes into guest memory.
inline void guest_write(void* to, const void* from, std::size_t size) {
#ifdef KITE_GUEST_ACCESS_ATOMIC
  using namespace detail;
  auto* out = static_cast<u8*>(to);
  const auto* in = static_cast<const u8*>(from);
  by_guest_words(out, size, [&](std::size_t at, std::size_t word) {
    u64 value = 0;
    std::memcpy(&value, in + at, word);
    if (word == 8) store_guest_word<u64>(out + at, value);
    if (word == 4) store_guest_word<u32>(out + at, static_cast<u32>(value));
    if (word == 2) store_guest_word<u16>(out + at, static_cast<u16>(value));
    if (word == 1) store_guest_word<u8>(out + at, static_cast<u8>(value));
  });
#else
  std::memcpy(to, from, size);
#endif
}

// One value of any trivially copyable type, at any alignment.
template <class T>
[[gnu::always_inline]] inline T guest_load(const void* from) {
  static_assert(std::is_trivially_copyable_v<T>);
  if constexpr (detail::is_guest_word<sizeof(T)>) {
    return std::bit_cast<T>(
        detail::load_guest_word<typename detail::GuestWord<sizeof(T)>::Type>(from));
  } else {
    T value;
#ifndef KITE_GUEST_ACCESS_ATOMIC
    if constexpr (sizeof(T) == 16) {
      const auto vector = *static_cast<const volatile detail::AnyU128*>(from);
      std::memcpy(&value, &vector, 16);
      return value;
    }
#endif
    guest_read(&value, from, sizeof value);
    return value;
  }
}

template <class T>
[[gnu::always_inline]] inline void guest_store(void* to, const std::type_identity_t<T>& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  if constexpr (detail::is_guest_word<sizeof(T)>) {
    using Word = typename detail::GuestWord<sizeof(T)>::Type;
    detail::store_guest_word<Word>(to, std::bit_cast<Word>(value));
  } else {
#ifndef KITE_GUEST_ACCESS_ATOMIC
    if constexpr (sizeof(T) == 16) {
      detail::AnyU128 vector;
      std::memcpy(&vector, &value, 16);
      *static_cast<volatile detail::AnyU128*>(to) = vector;
      return;
    }
#endif
    guest_write(to, &value, sizeof value);
  }
}

// As guest_read and guest_write, but a size that is a power of two up to 16 is one access.
inline void guest_read_value(void* to, const void* from, unsigned size) {
  const auto put = [to](const auto& value) { std::memcpy(to, &value, sizeof value); };
  switch (size) {
    case 1:
      return put(guest_load<u8>(from));
    case 2:
      return put(guest_load<u16>(from));
    case 4:
      return put(guest_load<u32>(from));
    case 8:
      return put(guest_load<u64>(from));
    case 16:
      return put(guest_load<u128>(from));
    default:
      return guest_read(to, from, size);
  }
}

inline void guest_write_value(void* to, const void* from, unsigned size) {
  const auto get = [from]<class T>(T value) {
    std::memcpy(&value, from, sizeof value);
    return value;
  };
  switch (size) {
    case 1:
      return guest_store<u8>(to, get(u8{}));
    case 2:
      return guest_store<u16>(to, get(u16{}));
    case 4:
      return guest_store<u32>(to, get(u32{}));
    case 8:
      return guest_store<u64>(to, get(u64{}));
    case 16:
      return guest_store<u128>(to, get(u128{}));
    default:
      return guest_write(to, from, size);
  }
}

// Guest memory to guest memory, in ascending order; if they overlap, `to` lies below.
inline void guest_move(void* to, const void* from, std::size_t size) {
#ifdef KITE_GUEST_ACCESS_ATOMIC
  u8 buffer[256];
  for (std::size_t done = 0; done < size;) {
    const std::size_t part = size - done < sizeof buffer ? size - done : sizeof buffer;
    guest_read(buffer, static_cast<const u8*>(from) + done, part);
    guest_write(static_cast<u8*>(to) + done, buffer, part);
    done += part;
  }
#else
  std::memmove(to, from, size);
#endif
}

inline void guest_fill(void* to, u8 value, std::size_t size) {
#ifdef KITE_GUEST_ACCESS_ATOMIC
  u8 buffer[256];
  std::memset(buffer, value, sizeof buffer);
  for (std::size_t done = 0; done < size; done += sizeof buffer)
    guest_write(static_cast<u8*>(to) + done, buffer,
                size - done < sizeof buffer ? size - done : sizeof buffer);
#else
  std::memset(to, value, size);
#endif
}

// `count` times the value, each element as by guest_store() or in one piece with its neighbours.
template <class T>
void guest_fill_with(void* to, T value, std::size_t count) {
#if defined(__x86_64__) && !defined(KITE_GUEST_ACCESS_ATOMIC)
  if constexpr (sizeof(T) == 8) {
    asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    return;
  } else if constexpr (sizeof(T) == 4) {
    asm volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(value) : "memory");
    return;
  }
#endif
  auto* at = static_cast<u8*>(to);
  for (std::size_t i = 0; i < count; ++i) guest_store<T>(at + i * sizeof(T), value);
}

// Can guest_compare_exchange() do this size without a lock?
#ifdef __x86_64__
inline constexpr std::size_t kLargestGuestExchange = 16;
#else
inline constexpr std::size_t kLargestGuestExchange = 8;
#endif

#ifdef __x86_64__
namespace detail {
// __sync rather than __atomic: the latter would be a call that may take a lock.
[[gnu::target("cx16")]] inline u128 exchange_guest_pair(void* at, u128 expected, u128 desired) {
  return __sync_val_compare_and_swap(static_cast<u128*>(at), expected, desired);
}
}  // namespace detail
#endif

// Naturally aligned, 1 to kLargestGuestExchange bytes, a full barrier. False: `expected` is now
// what was found.
template <class T>
bool guest_compare_exchange(void* at, T& expected, const std::type_identity_t<T>& desired) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kLargestGuestExchange);
#ifdef __x86_64__
  if constexpr (sizeof(T) == 16) {
    const u128 wanted = std::bit_cast<u128>(expected);
    const u128 found = detail::exchange_guest_pair(at, wanted, std::bit_cast<u128>(desired));
    expected = std::bit_cast<T>(found);
    return found == wanted;
  }
#endif
  if constexpr (sizeof(T) <= 8) {
    using Word = typename detail::GuestWord<sizeof(T)>::Type;
    Word wanted = std::bit_cast<Word>(expected);
    const bool done =
        __atomic_compare_exchange_n(static_cast<Word*>(at), &wanted, std::bit_cast<Word>(desired),
                                    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    expected = std::bit_cast<T>(wanted);
    return done;
  }
}

}  // namespace kite
