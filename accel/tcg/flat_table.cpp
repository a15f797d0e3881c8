#include "accel/tcg/flat_table.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace kite::tcg {

Result<FlatTable> FlatTable::create() {
  constexpr std::size_t kBytes = kWords * sizeof(u64);
  void* at = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED)
    return fail(ErrorKind::kUnavailable, "{} GiB of address space for a table: {}", kBytes / GiB,
                std::strerror(errno));
  return FlatTable(static_cast<u64*>(at));
}

FlatTable::~FlatTable() {
  if (words_) munmap(words_, kWords * sizeof(u64));
}

Result<FlatTables> FlatTables::create() {
  FlatTables made;
  for (Pair& pair : made.tables_) {
    pair.read = KITE_TRY(FlatTable::create());
    pair.write = KITE_TRY(FlatTable::create());
  }
  return made;
}

void FlatTables::fill(unsigned privilege, u64 linear, u64 tag, u64 addend, bool read, bool write) {
  if (!read && !write) return;
  if (filled_.size() == kMost || writable_.size() == kMost) flush();
  Pair& pair = tables_[privilege];
  if (pair.read.word(linear) != addend || !read) filled_.push_back({linear, tag, privilege});
  if (write && pair.write.word(linear) != addend) writable_.push_back({linear, tag, privilege});
  pair.read.set(linear, read ? addend : 0);
  pair.write.set(linear, write ? addend : 0);
}

void FlatTables::clear(const Filled& filled) {
  tables_[filled.privilege].read.set(filled.linear, 0);
  tables_[filled.privilege].write.set(filled.linear, 0);
}

void FlatTables::flush() {
  for (const Filled& filled : filled_) clear(filled);
  filled_.clear();
  writable_.clear();
}

void FlatTables::flush_page(u64 linear) {
  for (Pair& pair : tables_) {
    pair.read.set(linear, 0);
    pair.write.set(linear, 0);
  }
}

}  // namespace kite::tcg
