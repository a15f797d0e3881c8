#include "accel/tcg/fast_tables.h"

#include "accel/tcg/zero_pages.h"

namespace kite::tcg {

Result<FastTable> FastTable::create(TableKind kind) {
  if (kind == TableKind::kFlat) return FastTable(KITE_TRY(FlatTable::create()));
  return FastTable(KITE_TRY(HashedTable::create()));
}

Result<FastTables> FastTables::create(TableKind kind) {
  FastTables made;
  for (unsigned privilege = 0; privilege < kPrivileges; ++privilege) {
    Pair& pair = made.tables_[privilege];
    pair.read = KITE_TRY(FastTable::create(kind));
    pair.write = KITE_TRY(FastTable::create(kind));
    made.bases_.reads[privilege] = pair.read.base();
    made.bases_.writes[privilege] = pair.write.base();
  }
  return made;
}

// A stretch for each processor: AliasGuard leaves no larger one than 8 TiB.
bool FastTables::flat_ones_fit(unsigned address_spaces, unsigned processors) {
  const std::size_t bytes = 2 * kPrivileges * address_spaces * FlatTable::kBytes;
  std::vector<void*> stretches;
  while (stretches.size() < processors) {
    void* at = zero_pages::map(bytes);
    if (at == nullptr) break;
    stretches.push_back(at);
  }
  for (void* at : stretches) zero_pages::unmap(at, bytes);
  return stretches.size() == processors;
}

void FastTables::fill(unsigned privilege, u64 linear, u64 tag, u64 addend, bool read, bool write) {
  if (!read && !write) return;
  if (is_full()) flush();
  Pair& pair = tables_[privilege];
  if (pair.read.word(linear) != addend || !read) filled_.push_back({linear, tag, privilege});
  if (write && pair.write.word(linear) != addend) writable_.push_back({linear, tag, privilege});
  pair.read.set(linear, read ? addend : 0);
  pair.write.set(linear, write ? addend : 0);
}

void FastTables::clear(const Filled& filled) {
  tables_[filled.privilege].read.set(filled.linear, 0);
  tables_[filled.privilege].write.set(filled.linear, 0);
}

void FastTables::flush() {
  for (const Filled& filled : filled_) clear(filled);
  filled_.clear();
  writable_.clear();
}

void FastTables::flush_page(u64 linear) {
  for (Pair& pair : tables_) {
    pair.read.set(linear, 0);
    pair.write.set(linear, 0);
  }
}

}  // namespace kite::tcg
