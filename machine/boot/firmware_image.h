// A firmware file: what a ROM socket takes.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

// 64 KiB to 16 MiB, a multiple of 64 KiB, with something at its reset vector. A missing or
// unreadable file is ErrorKind::kNoInput, one that is no firmware ErrorKind::kData.
Result<std::vector<u8>> read_firmware(const std::string& path);
// The same of bytes that are read already.
Result<> check_firmware(const std::string& path, const std::vector<u8>& bytes);

}  // namespace kite
