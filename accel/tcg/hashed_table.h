// HashedTable: translations as translated code reads them, where a FlatTable finds no room: 1 MiB
// of address space in place of 32 GiB, and no guest memory that must have emptiness around it.
//
// An entry for each value of the page number's low 16 bits; pages 256 MiB apart take it from each
// other. It has the page that it is for, so nothing else is ever reached by it. `tag` is 0 less the
// page's address: the tag plus the address of an access's last byte is the byte's offset in that
// page, and anything from 4096 on says that it is another page, or that the access goes beyond its
// end. So here, too, one comparison answers both questions:
//
//     SHRX  v, address, table      the number of the page
//     MOVZX v, v16
//     LEA   v, [v + v]
//     MOV   s, [table + v * 8 + tag]
//     LEA   s, [address + s + bytes - 1]
//     SHRX  s, s, table
//     JRCXZ found                  s is RCX
//     MOV   v, nothing             an entry of which the word is 0
//   found:
//     MOV   s, [table + v * 8 + word]
//
// None of these touches the flags. The register with the table's address is the count of the
// shifts, too: translated code's base is 12 bytes beyond a place that is a multiple of 64, and a
// shift looks at the low six bits of its count.
//
// An entry that is all zero is none: what it could be for, page 0 and what runs over into it, has
// other entries, the first and the last. These two are given tags that fit nothing that has them.
#pragma once

#include <utility>

#include "base/bits.h"
#include "base/result.h"
#include "base/types.h"

namespace kite::tcg {

class HashedTable {
 public:
  static constexpr unsigned kShift = 12;  // of an address to its page's number
  // From base(), of entry 0. Entries are 16 bytes.
  static constexpr i32 kTag = -static_cast<i32>(kShift), kWord = kTag + 8;
  static constexpr unsigned kEntries = 1 << 16;  // and another one behind them: nothing

  static Result<HashedTable> create();
  HashedTable() = default;
  ~HashedTable();
  HashedTable(HashedTable&& other) noexcept : entries_(std::exchange(other.entries_, nullptr)) {}
  HashedTable& operator=(HashedTable&& other) noexcept {
    std::swap(entries_, other.entries_);
    return *this;
  }

  // As FlatTable's.
  u8* base() const { return reinterpret_cast<u8*>(entries_) + kShift; }
  static u64 look_up(const u8* base, u64 first, u64 last) {
    const Entry& entry = reinterpret_cast<const Entry*>(base - kShift)[index(first)];
    return (last + entry.tag) >> kShift ? 0 : entry.word;
  }
  u64 word(u64 linear) const { return look_up(base(), linear, linear); }
  void set(u64 linear, u64 word);

 private:
  struct Entry {
    u64 tag;
    u64 word;
  };
  static constexpr std::size_t kBytes = kEntries * sizeof(Entry) + kPageSize;

  explicit HashedTable(Entry* entries);
  static unsigned index(u64 linear) { return static_cast<unsigned>(linear / kPageSize % kEntries); }
  static u64 tag(u64 linear) { return 0 - align_down(linear, kPageSize); }
  static Entry empty(unsigned index) {
    const bool is_edge = index == 0 || index == kEntries - 1;
    return {is_edge ? tag(kEntries / 2 * kPageSize) : 0, 0};
  }
  Entry* entries_ = nullptr;
};

}  // namespace kite::tcg
