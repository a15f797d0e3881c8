#include "machine/boot/firmware_image.h"

#include <algorithm>

#include "base/bits.h"
#include "machine/boot/read_file.h"

namespace kite {

namespace {

constexpr u64 kGranularity = 64 * KiB, kLargest = 16 * MiB;
constexpr u64 kResetVectorSize = 16;  // FFFFFFF0h to the end (SDM 3A 9.1.4)

}  // namespace

Result<> check_firmware(const std::string& path, const std::vector<u8>& bytes) {
  const u64 size = bytes.size();
  if (size == 0 || size > kLargest || !is_aligned(size, kGranularity))
    return fail(ErrorKind::kData,
                "firmware '{}': {} bytes; a ROM image is a multiple of 64 KiB, 16 MiB at most",
                path, size);
  const auto vector = bytes.end() - static_cast<std::ptrdiff_t>(kResetVectorSize);
  const auto is = [&](u8 filler) {
    return std::all_of(vector, bytes.end(), [filler](u8 byte) { return byte == filler; });
  };
  if (is(0x00) || is(0xff))
    return fail(ErrorKind::kData,
                "firmware '{}': its last 16 bytes, where a processor starts, are "
                "empty",
                path);
  return {};
}

Result<std::vector<u8>> read_firmware(const std::string& path) {
  auto bytes = KITE_TRY(read_file(path, "firmware", GiB));
  KITE_CHECK(check_firmware(path, bytes));
  return bytes;
}

}  // namespace kite
