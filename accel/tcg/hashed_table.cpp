#include "accel/tcg/hashed_table.h"

#include <cerrno>

#include "accel/tcg/zero_pages.h"

namespace kite::tcg {

Result<HashedTable> HashedTable::create() {
  void* at = zero_pages::map(kBytes);
  if (at == nullptr)
    return fail_errno(ErrorKind::kUnavailable, errno,
                      fmt::format("{} KiB for a table", kBytes / KiB));
  return HashedTable(static_cast<Entry*>(at));
}

HashedTable::HashedTable(Entry* entries) : entries_(entries) {
  for (unsigned i : {0u, kEntries - 1}) entries_[i] = empty(i);
}

HashedTable::~HashedTable() {
  if (entries_) zero_pages::unmap(entries_, kBytes);
}

void HashedTable::set(u64 linear, u64 word) {
  Entry& entry = entries_[index(linear)];
  if (word)
    entry = {tag(linear), word};
  else if (entry.tag == tag(linear))
    entry = empty(index(linear));
}

}  // namespace kite::tcg
