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
#pragma once

#include <array>
#include <utility>
#include <vector>

#include "base/bits.h"
#include "base/result.h"
#include "base/types.h"

namespace kite::tcg {

class FlatTable {
 public:
  static constexpr std::size_t kWords = std::size_t{1} << 32;

  static Result<FlatTable> create();
  FlatTable() = default;
  ~FlatTable();
  FlatTable(FlatTable&& other) noexcept : words_(std::exchange(other.words_, nullptr)) {}
  FlatTable& operator=(FlatTable&& other) noexcept {
    std::swap(words_, other.words_);
    return *this;
  }

  u64* words() const { return words_; }
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

// The tables of one address space: for loads and for stores, by Privilege.
class FlatTables {
 public:
  static constexpr unsigned kPrivileges = 3;

  static Result<FlatTables> create();

  u64* reads(unsigned privilege) const { return tables_[privilege].read.words(); }
  u64* writes(unsigned privilege) const { return tables_[privilege].write.words(); }

  // `tag` is TlbEntry::page: physical address, global, protection key.
  void fill(unsigned privilege, u64 linear, u64 tag, u64 addend, bool read, bool write);
  void flush();
  // Drops what `test(linear page, tag)` wants.
  template <class Test>
  void flush_if(const Test& test) {
    std::erase_if(filled_, [&](const Filled& filled) {
      if (!test(filled.linear, filled.tag)) return false;
      clear(filled);
      return true;
    });
  }
  void flush_page(u64 linear);
  // Withdraws permission to store.
  template <class Test>
  void protect_if(const Test& test) {
    std::erase_if(writable_, [&](const Filled& filled) {
      if (!test(filled.linear, filled.tag)) return false;
      tables_[filled.privilege].write.set(filled.linear, 0);
      return true;
    });
  }

 private:
  struct Pair {
    FlatTable read, write;
  };
  struct Filled {
    u64 linear;
    u64 tag;
    u32 privilege;
  };
  void clear(const Filled& filled);

  static constexpr std::size_t kMost = 1 << 16;  // of noted pages; then all are forgotten

  std::array<Pair, kPrivileges> tables_;
  std::vector<Filled> filled_, writable_;
};

}  // namespace kite::tcg
