// FastTables: one address space's translations for translated code: what it may load from and store
// to without asking, by Privilege.
#pragma once

#include <array>
#include <utility>
#include <variant>
#include <vector>

#include "accel/tcg/flat_table.h"
#include "accel/tcg/hashed_table.h"

namespace kite::tcg {

// How translated code finds a page: a processor has one kind.
enum class TableKind : u8 { kFlat, kHashed };

// One of them: a FlatTable or a HashedTable. No caller is in a hurry: translated code itself knows
// which it is.
class FastTable {
 public:
  static Result<FastTable> create(TableKind kind);
  FastTable() = default;
  static u64 look_up(TableKind kind, const u8* base, u64 first, u64 last) {
    return kind == TableKind::kFlat ? FlatTable::look_up(base, first, last)
                                    : HashedTable::look_up(base, first, last);
  }

  u8* base() const {
    return std::visit([](const auto& table) { return table.base(); }, table_);
  }
  u64 word(u64 linear) const {
    return std::visit([=](const auto& table) { return table.word(linear); }, table_);
  }
  void set(u64 linear, u64 word) {
    std::visit([=](auto& table) { table.set(linear, word); }, table_);
  }

 private:
  template <class Table>
  explicit FastTable(Table table) : table_(std::move(table)) {}
  std::variant<FlatTable, HashedTable> table_;
};

// For translated code's table register, by Privilege.
struct FastBases {
  static constexpr unsigned kPrivileges = 3;
  std::array<u8*, kPrivileges> reads = {}, writes = {};
};

class FastTables {
 public:
  static constexpr unsigned kPrivileges = FastBases::kPrivileges;

  static Result<FastTables> create(TableKind kind);
  // Has the host address space for the flat tables of so many address spaces of so many processors?
  static bool flat_ones_fit(unsigned address_spaces, unsigned processors);

  const FastBases& bases() const { return bases_; }

  // `tag` is TlbEntry::page: physical address, global, protection key.
  void fill(unsigned privilege, u64 linear, u64 tag, u64 addend, bool read, bool write);
  // The next fill() forgets all that was filled before.
  bool is_full() const { return filled_.size() == kMost || writable_.size() == kMost; }
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
    FastTable read, write;
  };
  struct Filled {
    u64 linear;
    u64 tag;
    u32 privilege;
  };
  void clear(const Filled& filled);

  static constexpr std::size_t kMost = 1 << 16;  // of noted pages; then all are forgotten

  std::array<Pair, kPrivileges> tables_;
  FastBases bases_;
  std::vector<Filled> filled_, writable_;
};

}  // namespace kite::tcg
