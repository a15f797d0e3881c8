// read_file: a whole input file, a pipe included.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

// `what` names it in messages ("kernel", "initrd"). Missing or unreadable is ErrorKind::kNoInput;
// empty, or more than `limit` bytes, is ErrorKind::kData.
Result<std::vector<u8>> read_file(const char* path, const std::string& what, u64 limit);

inline Result<std::vector<u8>> read_file(const std::string& path, const std::string& what,
                                         u64 limit) {
  return read_file(path.c_str(), what, limit);
}

}  // namespace kite
