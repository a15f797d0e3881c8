// Decompression of kernel images on the host: gzip, xz, lzma, bzip2, zstd and Linux's lz4.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace kite {

enum class Compression { kGzip, kXz, kLzma, kBzip2, kZstd, kLz4 };

std::string_view compression_name(Compression compression);

// By the magic number at the start; nothing for what is not compressed.
std::optional<Compression> identify_compression(std::span<const u8> bytes);

// Decompresses one stream, of which `bytes` may be longer: what follows is ignored, as Linux and
// gzip ignore padding. `name` is for messages. More than `limit` bytes of output, a broken or a
// truncated stream are ErrorKind::kData. `expected_size` only saves reallocations; it may lie.
Result<std::vector<u8>> decompress(Compression compression, std::span<const u8> bytes,
                                   std::string_view name, u64 limit, u64 expected_size = 0);

}  // namespace kite
