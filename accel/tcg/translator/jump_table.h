// JumpTable: translated code by linear address, for branches whose target is not known before.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include "base/types.h"

namespace kite::tcg {

// Looked up by translated code itself (BlockWriter::find_indirect): the entry of the low 16 bits of
// address + context, good if that + tag is 0. The context is a number that no guest can guess, of
// its own for each address space, mode and time between two flushes; so nothing is ever cleared for
// those, and no address that a guest makes up matches the entry of another context. It is a number
// of pages, and not 0: for a context of 0, too, there is no entry.
class JumpTable {
 public:
  struct Entry {
    u64 tag = 0;
    const u8* code = nullptr;  // where the target's linear address is expected in kAddress

    u64 linear(u64 context) const { return 0 - (tag + context); }
  };

  JumpTable();

  Entry* entries() { return entries_.data(); }
  void add(u64 linear, u64 context, const u8* code);
  // The code of something that has been added lies on this linear page, too.
  void note(u64 linear) { noted_[hash(linear)] = true; }
  // Forgets the code of a block at this offset of a page.
  void forget_code(unsigned offset, const u8* code);
  void clear();
  // Has something been added for this linear page since clear() or the last yes? Then every
  // context must become a new one.
  bool may_have_page(u64 linear) const { return noted_[hash(linear)]; }
  void forget_notes() { noted_.assign(noted_.size(), false); }
  // A context for these, which is the same each time.
  u64 context(u64 address_space, u16 mode) const;
  void renew_contexts() { ++generation_; }

 private:
  static constexpr unsigned kEntries = 1 << 16;
  // Its tag belongs to a number that is looked up elsewhere.
  static Entry nothing(std::size_t index) { return {index == 0 ? u64{1} : 0, nullptr}; }
  static unsigned hash(u64 linear) { return static_cast<unsigned>(linear / kPageSize % 65536); }

  std::vector<Entry> entries_;
  std::vector<bool> noted_;
  std::array<u64, 2> secret_;
  u64 generation_ = 0;
};

}  // namespace kite::tcg
