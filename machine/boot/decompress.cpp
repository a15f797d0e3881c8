// Every library is driven the same way: a step takes what is left of the input and the free room of
// the output, and says whether the stream goes on, has ended, or is broken.
#include "machine/boot/decompress.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>

#include "base/bits.h"

namespace kite {

namespace {

enum class Step { kMore, kEnd, kBroken };

// Where a step reads and writes; it advances both.
struct Cursor {
  std::span<const u8> in;
  std::span<u8> out;

  void took(u64 input, u64 output) {
    in = in.subspan(input);
    out = out.subspan(output);
  }
};

// What the input may claim about its output is believed only as far as kernels compress (about 6
// times; zeros compress better, but those may reallocate).
constexpr u64 kBelievableRatio = 16;
constexpr u64 kFirstRoom = 64 * KiB;
constexpr u32 kLz4LegacyMagic = 0x184c2102;
constexpr u64 kLz4BlockSize = 8 * MiB;  // of the legacy frame (lz4_Frame_format.md)
constexpr u64 kLzmaMemoryLimit = 512 * MiB;

unsigned clamp_to_unsigned(u64 size) {
  return static_cast<unsigned>(std::min<u64>(size, UINT_MAX));
}

class Gzip {
 public:
  Gzip() { ready_ = inflateInit2(&stream_, 15 + 16) == Z_OK; }  // 16: a gzip header is wanted
  ~Gzip() {
    if (ready_) inflateEnd(&stream_);
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;

  Step step(Cursor& cursor) {
    if (!ready_) return Step::kBroken;
    stream_.next_in = const_cast<Bytef*>(cursor.in.data());
    const auto in = stream_.avail_in = clamp_to_unsigned(cursor.in.size());
    stream_.next_out = cursor.out.data();
    const auto out = stream_.avail_out = clamp_to_unsigned(cursor.out.size());
    const int status = inflate(&stream_, Z_NO_FLUSH);
    cursor.took(in - stream_.avail_in, out - stream_.avail_out);
    if (status == Z_STREAM_END) return Step::kEnd;
    return status == Z_OK || status == Z_BUF_ERROR ? Step::kMore : Step::kBroken;
  }

 private:
  z_stream stream_ = {};
  bool ready_;
};

// .xz with the x86 filter Linux uses, and .lzma.
class Lzma {
 public:
  explicit Lzma(Compression kind) {
    ready_ = (kind == Compression::kXz ? lzma_stream_decoder(&stream_, kLzmaMemoryLimit, 0)
                                       : lzma_alone_decoder(&stream_, kLzmaMemoryLimit)) == LZMA_OK;
  }
  ~Lzma() { lzma_end(&stream_); }
  Lzma(const Lzma&) = delete;
  Lzma& operator=(const Lzma&) = delete;

  Step step(Cursor& cursor) {
    if (!ready_) return Step::kBroken;
    stream_.next_in = cursor.in.data();
    stream_.avail_in = cursor.in.size();
    stream_.next_out = cursor.out.data();
    stream_.avail_out = cursor.out.size();
    const auto status = lzma_code(&stream_, LZMA_RUN);
    cursor.took(cursor.in.size() - stream_.avail_in, cursor.out.size() - stream_.avail_out);
    if (status == LZMA_STREAM_END) return Step::kEnd;
    return status == LZMA_OK || status == LZMA_BUF_ERROR ? Step::kMore : Step::kBroken;
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ready_;
};

class Bzip2 {
 public:
  Bzip2() { ready_ = BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK; }
  ~Bzip2() {
    if (ready_) BZ2_bzDecompressEnd(&stream_);
  }
  Bzip2(const Bzip2&) = delete;
  Bzip2& operator=(const Bzip2&) = delete;

  Step step(Cursor& cursor) {
    if (!ready_) return Step::kBroken;
    stream_.next_in = const_cast<char*>(reinterpret_cast<const char*>(cursor.in.data()));
    const auto in = stream_.avail_in = clamp_to_unsigned(cursor.in.size());
    stream_.next_out = reinterpret_cast<char*>(cursor.out.data());
    const auto out = stream_.avail_out = clamp_to_unsigned(cursor.out.size());
    const int status = BZ2_bzDecompress(&stream_);
    cursor.took(in - stream_.avail_in, out - stream_.avail_out);
    if (status == BZ_STREAM_END) return Step::kEnd;
    return status == BZ_OK ? Step::kMore : Step::kBroken;
  }

 private:
  bz_stream stream_ = {};
  bool ready_;
};

class Zstd {
 public:
  Step step(Cursor& cursor) {
    if (!stream_) return Step::kBroken;
    ZSTD_inBuffer in = {cursor.in.data(), cursor.in.size(), 0};
    ZSTD_outBuffer out = {cursor.out.data(), cursor.out.size(), 0};
    const auto status = ZSTD_decompressStream(stream_.get(), &out, &in);
    cursor.took(in.pos, out.pos);
    if (ZSTD_isError(status)) return Step::kBroken;
    return status == 0 ? Step::kEnd : Step::kMore;
  }

 private:
  struct Free {
    void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
  };
  // Linux compresses with windows of up to 128 MiB (zstd --ultra -22), the library's default limit.
  std::unique_ptr<ZSTD_DStream, Free> stream_{ZSTD_createDStream()};
};

// The legacy frame of `lz4 -l`: the magic, then blocks of at most 8 MiB, each after its compressed
// length. Nothing marks the end; Linux appends the kernel's size, so a length that is no block's
// ends the stream.
class Lz4 {
 public:
  Step step(Cursor& cursor) {
    if (position_ < block_.size()) return drain(cursor);
    if (first_) {
      if (cursor.in.size() < 4 || load<u32>(cursor.in.data()) != kLz4LegacyMagic)
        return Step::kBroken;
      cursor.took(4, 0);
      first_ = false;
    }
    if (ended_ || cursor.in.size() <= 4) return Step::kEnd;
    const u64 length = load<u32>(cursor.in.data());
    if (length == 0 || length > static_cast<u64>(LZ4_compressBound(kLz4BlockSize)))
      return Step::kEnd;
    if (length > cursor.in.size() - 4) return Step::kBroken;
    return decode(cursor, length);
  }

 private:
  Step decode(Cursor& cursor, u64 length) {
    block_.resize(kLz4BlockSize);
    const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(cursor.in.data() + 4),
                                         reinterpret_cast<char*>(block_.data()),
                                         static_cast<int>(length), static_cast<int>(kLz4BlockSize));
    if (size < 0) return Step::kBroken;
    cursor.took(4 + length, 0);
    ended_ = static_cast<u64>(size) < kLz4BlockSize;  // only the last block is short
    block_.resize(static_cast<u64>(size));
    position_ = 0;
    return drain(cursor);
  }

  Step drain(Cursor& cursor) {
    const u64 count = std::min<u64>(block_.size() - position_, cursor.out.size());
    std::copy_n(block_.begin() + static_cast<std::ptrdiff_t>(position_), count, cursor.out.begin());
    position_ += count;
    cursor.took(0, count);
    return ended_ && position_ == block_.size() ? Step::kEnd : Step::kMore;
  }

  bool first_ = true, ended_ = false;
  std::vector<u8> block_;
  u64 position_ = 0;
};

template <class Decoder>
Result<std::vector<u8>> run(Decoder&& decoder, Compression kind, std::span<const u8> bytes,
                            std::string_view name, u64 limit, u64 expected_size) {
  const u64 believable = std::min(limit, bytes.size() * kBelievableRatio + kFirstRoom);
  // One byte more than expected, so that a stream of exactly that size ends without growing.
  std::vector<u8> output(std::min(std::max(expected_size + 1, kFirstRoom), believable));
  u64 filled = 0;
  Cursor cursor{bytes, output};
  for (;;) {
    const u64 input_left = cursor.in.size(), room = cursor.out.size();
    const auto step = decoder.step(cursor);
    filled += room - cursor.out.size();
    if (step == Step::kEnd) break;
    if (step == Step::kBroken)
      return fail(ErrorKind::kData, "{}: the {} data in it is broken", name,
                  compression_name(kind));
    if (!cursor.out.empty()) {
      // Neither input taken nor output made, with room for it: the input ended too early.
      if (cursor.in.size() == input_left && cursor.out.size() == room)
        return fail(ErrorKind::kData, "{}: the {} data in it is truncated", name,
                    compression_name(kind));
      continue;
    }
    if (filled >= limit)
      return fail(ErrorKind::kData,
                  "{}: decompresses to more than the {} MiB the guest's RAM can take", name,
                  limit / MiB);
    output.resize(std::min(limit, filled * 2));
    cursor.out = std::span(output).subspan(filled);
  }
  output.resize(filled);
  return output;
}

bool starts_with(std::span<const u8> bytes, std::initializer_list<u8> magic) {
  return bytes.size() >= magic.size() && std::equal(magic.begin(), magic.end(), bytes.begin());
}

}  // namespace

std::string_view compression_name(Compression compression) {
  static constexpr std::array<std::string_view, 6> kNames = {"gzip",  "xz",   "lzma",
                                                             "bzip2", "zstd", "lz4"};
  return kNames[static_cast<std::size_t>(compression)];
}

std::optional<Compression> identify_compression(std::span<const u8> bytes) {
  if (starts_with(bytes, {0x1f, 0x8b, 0x08})) return Compression::kGzip;
  if (starts_with(bytes, {0xfd, '7', 'z', 'X', 'Z', 0})) return Compression::kXz;
  if (starts_with(bytes, {'B', 'Z', 'h'})) return Compression::kBzip2;
  if (starts_with(bytes, {0x28, 0xb5, 0x2f, 0xfd})) return Compression::kZstd;
  if (starts_with(bytes, {0x02, 0x21, 0x4c, 0x18})) return Compression::kLz4;
  // .lzma has no magic; this is the usual property byte and a dictionary of a power of two from 64
  // KiB up, which is also what Linux goes by.
  if (starts_with(bytes, {0x5d, 0, 0})) return Compression::kLzma;
  return std::nullopt;
}

Result<std::vector<u8>> decompress(Compression compression, std::span<const u8> bytes,
                                   std::string_view name, u64 limit, u64 expected_size) {
  expected_size = std::min(expected_size, limit);
  const auto with = [&](auto&& decoder) {
    return run(decoder, compression, bytes, name, limit, expected_size);
  };
  switch (compression) {
    case Compression::kGzip:
      return with(Gzip());
    case Compression::kXz:
    case Compression::kLzma:
      return with(Lzma(compression));
    case Compression::kBzip2:
      return with(Bzip2());
    case Compression::kZstd:
      return with(Zstd());
    case Compression::kLz4:
      return with(Lz4());
  }
  return fail(ErrorKind::kInternal, "{}: unknown compression", name);
}

}  // namespace kite
