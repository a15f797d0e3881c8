#include "accel/tcg/translator/alias_guard.h"

#include <algorithm>
#include <cerrno>

#include "accel/tcg/translator/reservation.h"
#include "base/bits.h"

namespace kite::tcg {

namespace {

// The first page in [start, end) where something is mapped, which there is.
u64 first_mapped(u64 start, u64 end) {
  while (end - start > kPageSize) {
    const u64 middle = align_up(start + (end - start) / 2, kPageSize);
    const bool empty = reservation::reserve(start, middle - start) == 0;
    if (empty) reservation::release(start, middle - start);
    (empty ? start : end) = middle;
  }
  return start;
}

}  // namespace

Result<AliasGuard> AliasGuard::reserve(const u8* address, std::size_t size) {
  if (size > kDistance)
    return fail(ErrorKind::kUnavailable, "{} bytes of guest RAM are more than 8 TiB", size);
  const i64 start = static_cast<i64>(align_down(reinterpret_cast<u64>(address), kPageSize));
  const i64 end = static_cast<i64>(align_up(reinterpret_cast<u64>(address) + size, kPageSize));
  const i64 lowest = static_cast<i64>(reservation::lowest());
  const i64 highest = static_cast<i64>(reservation::end());
  AliasGuard guard;
  for (i64 k = -kMost; k <= kMost; ++k) {
    const i64 offset = k * static_cast<i64>(kDistance);
    const i64 from = std::max(start + offset, lowest), to = std::min(end + offset, highest);
    if (k == 0 || from >= to) continue;
    KITE_CHECK(guard.reserve_range({static_cast<u64>(from), static_cast<u64>(to)}));
  }
  return guard;
}

Result<> AliasGuard::reserve_range(Range range) {
  const int problem = reservation::reserve(range.start, range.end - range.start);
  if (problem == 0) {
    reserved_.push_back(range);
    return {};
  }
  const std::string what = fmt::format("{:#x} to {:#x}, a multiple of 8 TiB from guest RAM,",
                                       range.start, range.end - 1);
  if (problem == EEXIST)
    return fail(ErrorKind::kUnavailable, "{} is not empty: something is mapped at {:#x}", what,
                first_mapped(range.start, range.end));
  return fail_errno(ErrorKind::kUnavailable, problem, what + " cannot be reserved");
}

AliasGuard::~AliasGuard() {
  for (const Range& range : reserved_) reservation::release(range.start, range.end - range.start);
}

}  // namespace kite::tcg
