// AliasGuard: keeps empty what an access to guest RAM reaches when it is off by a multiple of 8
// TiB.
//
// The flat TLB is indexed by some bits of a page's number, and its entries are differences that are
// added to the guest's address. An address that shares the index with another page, or is not
// canonical, so lands a multiple of 8 TiB (2^43) away from guest RAM. There must be nothing: the
// access then faults, and the fault handler looks more closely. Around each stretch of guest RAM
// these places are reserved as long as the guard lives, so that no later mapping of the host comes
// to lie there.
#pragma once

#include <cstddef>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite::tcg {

class AliasGuard {
 public:
  static constexpr u64 kDistance = u64{1} << 43;  // bytes
  static constexpr i64 kMost = 16;                // times that, below and above

  // Reserves every [address + k * kDistance, + size) with k from -kMost to kMost but 0, as far as
  // it lies in user space; what the host gives to nobody (the lowest and the highest pages) needs
  // no reserving. The range is rounded to whole pages. An error (kUnavailable) names the address
  // where something is mapped already, or says that the host gives no more address space.
  static Result<AliasGuard> reserve(const u8* address, std::size_t size);

  AliasGuard(AliasGuard&& other) noexcept : reserved_(std::move(other.reserved_)) {
    other.reserved_.clear();
  }
  AliasGuard& operator=(AliasGuard&& other) noexcept {
    reserved_.swap(other.reserved_);
    return *this;
  }
  ~AliasGuard();

 private:
  struct Range {
    u64 start, end;
  };
  AliasGuard() = default;
  Result<> reserve_range(Range range);

  std::vector<Range> reserved_;
};

}  // namespace kite::tcg
