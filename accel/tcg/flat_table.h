// FlatTable: translations as translated code reads them: one load tells where a linear page is in
// the host's memory.
//
// Two words for each page, at twice its number modulo 2^32. The even word is the host's address
// less the linear one, or 0: not known, look on the slow way. The odd word is the same for the
// first byte of an access that goes on in the next page: both pages' even word if that is one, else
// 0. An access of n bytes at `a` adds the page numbers of its first and of its last byte: inside a
// page that is the even word, across two the odd one, and so both are one load without a branch.
//
// There are no tags: linear addresses 8 TiB apart share a word. What is filled for the one leads
// the other 8 TiB, or a multiple, away from guest memory, where AliasGuard has seen to it that
// nothing is mapped: the access faults and is made on the slow way.
//
// The table is address space (32 GiB) rather than memory: the host gives pages as they are filled.
// Where there is not so much of it: HashedTable.
#pragma once

#include <utility>

#include "base/bits.h"
#include "base/result.h"
#include "base/types.h"

namespace kite::tcg {

class FlatTable {
 public:
  static constexpr std::size_t kWords = std::size_t{1} << 32;
  static constexpr std::size_t kBytes = kWords * sizeof(u64);

  static Result<FlatTable> create();
  FlatTable() = default;
  ~FlatTable();
  FlatTable(FlatTable&& other) noexcept : words_(std::exchange(other.words_, nullptr)) {}
  FlatTable& operator=(FlatTable&& other) noexcept {
    std::swap(words_, other.words_);
    return *this;
  }

  // For translated code's table register.
  u8* base() const { return reinterpret_cast<u8*>(words_); }
  // As translated code does, for an access to all from `first` to `last`: what is to be added to
  // its address for the host's; 0: not known.
  static u64 look_up(const u8* base, u64 first, u64 last) {
    return reinterpret_cast<const u64*>(base)[(first / kPageSize + last / kPageSize) % kWords];
  }

  // Of a page; 0: none.
  u64 word(u64 linear) const { return words_[linear / kPageSize * 2 % kWords]; }
  // The even word, and what that makes of the odd ones on both sides.
  void set(u64 linear, u64 word) {
    const u64 even = linear / kPageSize * 2;
    words_[even % kWords] = word;
    words_[(even - 1) % kWords] = both(even - 2, even);
    words_[(even + 1) % kWords] = both(even, even + 2);
  }

 private:
  explicit FlatTable(u64* words) : words_(words) {}
  // Not at 4 GiB, where 32-bit code goes on at 0.
  u64 both(u64 even, u64 next) const {
    const u64 word = words_[even % kWords];
    return word == words_[next % kWords] && next != 4 * GiB / kPageSize * 2 ? word : 0;
  }
  u64* words_ = nullptr;
};

}  // namespace kite::tcg
