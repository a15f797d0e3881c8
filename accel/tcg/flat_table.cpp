#include "accel/tcg/flat_table.h"

#include <cerrno>

#include "accel/tcg/zero_pages.h"

namespace kite::tcg {

Result<FlatTable> FlatTable::create() {
  void* at = zero_pages::map(kBytes);
  if (at == nullptr)
    return fail_errno(ErrorKind::kUnavailable, errno,
                      fmt::format("{} GiB of address space for a table", kBytes / GiB));
  return FlatTable(static_cast<u64*>(at));
}

FlatTable::~FlatTable() {
  if (words_) zero_pages::unmap(words_, kBytes);
}

}  // namespace kite::tcg
