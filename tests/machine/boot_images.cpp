#include "boot_images.h"

#include <bzlib.h>
#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <stdexcept>

#include "base/bits.h"

namespace kite::test {

namespace {

void check(bool ok) {
  if (!ok) throw std::runtime_error("the test's own compression failed");
}

Bytes compress_gzip(const Bytes& content) {
  z_stream stream = {};
  check(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&stream, content.size()));
  stream.next_in = const_cast<Bytef*>(content.data());
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  check(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Bytes compress_lzma(const Bytes& content, bool xz) {
  lzma_options_lzma options = {};
  check(!lzma_lzma_preset(&options, 6));
  lzma_filter filters[] = {
      {LZMA_FILTER_X86, nullptr}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  lzma_stream stream = LZMA_STREAM_INIT;
  check((xz ? lzma_stream_encoder(&stream, filters, LZMA_CHECK_CRC32)
            : lzma_alone_encoder(&stream, &options)) == LZMA_OK);
  Bytes out(content.size() + content.size() / 2 + 1024);
  stream.next_in = content.data();
  stream.avail_in = content.size();
  stream.next_out = out.data();
  stream.avail_out = out.size();
  check(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END);
  out.resize(stream.total_out);
  lzma_end(&stream);
  return out;
}

Bytes compress_bzip2(const Bytes& content) {
  Bytes out(content.size() + content.size() / 100 + 1024);
  auto size = static_cast<unsigned>(out.size());
  check(BZ2_bzBuffToBuffCompress(reinterpret_cast<char*>(out.data()), &size,
                                 const_cast<char*>(reinterpret_cast<const char*>(content.data())),
                                 static_cast<unsigned>(content.size()), 9, 0, 0) == BZ_OK);
  out.resize(size);
  return out;
}

Bytes compress_zstd(const Bytes& content) {
  Bytes out(ZSTD_compressBound(content.size()));
  const auto size = ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 3);
  check(!ZSTD_isError(size));
  out.resize(size);
  return out;
}

// Not insert(): GCC 12 sees an overflow in it where the size is known.
void append(Bytes& bytes, std::span<const u8> more) {
  const auto at = bytes.size();
  bytes.resize(at + more.size());
  std::copy(more.begin(), more.end(), bytes.begin() + static_cast<long>(at));
}

void append_u32(Bytes& bytes, u64 value) {
  bytes.resize(bytes.size() + 4);
  store<u32>(&bytes[bytes.size() - 4], static_cast<u32>(value));
}

Bytes compress_lz4(const Bytes& content) {
  constexpr u64 kBlock = 8 * MiB;
  Bytes out;
  append_u32(out, 0x184c2102);
  for (u64 at = 0; at < content.size(); at += kBlock) {
    const int size = static_cast<int>(std::min(kBlock, content.size() - at));
    Bytes block(static_cast<u64>(LZ4_compressBound(size)));
    const int packed = LZ4_compress_default(reinterpret_cast<const char*>(&content[at]),
                                            reinterpret_cast<char*>(block.data()), size,
                                            static_cast<int>(block.size()));
    check(packed > 0);
    append_u32(out, static_cast<u64>(packed));
    append(out, std::span(block).first(static_cast<u64>(packed)));
  }
  return out;
}

constexpr u64 kNotesSize = 20;  // one Xen note with a 4-byte description

// Header, two program headers, notes, then the content at 200h.
constexpr u64 kContentOffset = 0x200, kNotesOffset = 0x180;

void put_ident(Bytes& file, u8 elf_class) {
  const u8 ident[] = {0x7f, 'E', 'L', 'F', elf_class, 1, 1};
  std::copy(std::begin(ident), std::end(ident), file.begin());
  store<u16>(&file[16], 2);  // ET_EXEC
  store<u32>(&file[20], 1);
}

void put_64(Bytes& file, const ElfOptions& options, u64 size) {
  put_ident(file, 2);
  store<u16>(&file[18], options.machine ? options.machine : 62);
  store<u64>(&file[24], options.entry);
  store<u64>(&file[32], 64);
  store<u16>(&file[54], 56);
  store<u16>(&file[56], options.pvh_note ? 2 : 1);
  const u64 load_header[] = {1 | u64{7} << 32,
                             kContentOffset,
                             options.linear,
                             options.physical,
                             size,
                             size + options.extra_memory,
                             0x1000};
  const u64 note_header[] = {4, kNotesOffset, 0, 0, kNotesSize, kNotesSize, 4};
  std::memcpy(&file[64], load_header, 56);
  std::memcpy(&file[64 + 56], note_header, 56);
}

void put_32(Bytes& file, const ElfOptions& options, u64 size) {
  put_ident(file, 1);
  store<u16>(&file[18], options.machine ? options.machine : 3);
  store<u32>(&file[24], static_cast<u32>(options.entry));
  store<u32>(&file[28], 52);
  store<u16>(&file[42], 32);
  store<u16>(&file[44], options.pvh_note ? 2 : 1);
  const auto u = [](u64 value) { return static_cast<u32>(value); };
  const u32 load_header[] = {1,
                             kContentOffset,
                             u(options.linear),
                             u(options.physical),
                             u(size),
                             u(size + options.extra_memory),
                             7,
                             0x1000};
  const u32 note_header[] = {4, kNotesOffset, 0, 0, kNotesSize, kNotesSize, 4, 4};
  std::memcpy(&file[52], load_header, 32);
  std::memcpy(&file[52 + 32], note_header, 32);
}

}  // namespace

Bytes compress(Compression kind, const Bytes& content) {
  switch (kind) {
    case Compression::kGzip:
      return compress_gzip(content);
    case Compression::kXz:
      return compress_lzma(content, true);
    case Compression::kLzma:
      return compress_lzma(content, false);
    case Compression::kBzip2:
      return compress_bzip2(content);
    case Compression::kZstd:
      return compress_zstd(content);
    case Compression::kLz4:
      return compress_lz4(content);
  }
  return {};
}

Bytes elf(const ElfOptions& options, const Bytes& content) {
  Bytes file(kContentOffset);
  if (options.is_64_bit)
    put_64(file, options, content.size());
  else
    put_32(file, options, content.size());
  const u32 note[] = {4, 4, 18, 0x006e6558, options.pvh_entry};  // "Xen", PHYS32_ENTRY
  std::memcpy(&file[kNotesOffset], note, sizeof note);
  append(file, content);
  return file;
}

Bytes linux_payload(Compression kind, const Bytes& content) {
  auto payload = compress(kind, content);
  if (kind != Compression::kGzip) append_u32(payload, content.size());
  return payload;
}

Bytes bz_image(const Bytes& payload, const BzImageOptions& options) {
  constexpr u64 kSetup = 2 * 512, kCode = 1024;
  Bytes file(kSetup + kCode);
  append(file, payload);
  file.resize(align_up(file.size(), 16));
  file[0x1f1] = 1;
  store<u32>(&file[0x1f4], static_cast<u32>((file.size() - kSetup) / 16));
  store<u16>(&file[0x1fe], 0xaa55);
  store<u16>(&file[0x200], 0x66eb);  // a jump over the header: its end
  std::memcpy(&file[0x202], "HdrS", 4);
  store<u16>(&file[0x206], options.version);
  store<u16>(&file[0x20e], 0x100);
  std::memcpy(&file[0x300], "6.1.0-test (builder)", 21);
  file[0x211] = 1;
  store<u32>(&file[0x22c], options.initrd_addr_max);
  store<u16>(&file[0x236], options.xloadflags);
  store<u32>(&file[0x238], options.cmdline_size);
  store<u32>(&file[0x248], kCode);
  store<u32>(&file[0x24c], static_cast<u32>(payload.size()));
  store<u64>(&file[0x258], options.pref_address);
  store<u32>(&file[0x260], options.init_size);
  return file;
}

Bytes multiboot(u32 flags, const std::vector<u32>& more, u64 offset, u64 size) {
  Bytes file(size);
  store<u32>(&file[offset], 0x1badb002);
  store<u32>(&file[offset + 4], flags);
  store<u32>(&file[offset + 8], 0 - 0x1badb002 - flags);
  for (u64 i = 0; i < more.size(); ++i) store<u32>(&file[offset + 12 + 4 * i], more[i]);
  return file;
}

Bytes sample(u64 size) {
  Bytes bytes(size);
  u32 state = 1;
  for (auto& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<u8>(state >> 28);
  }
  return bytes;
}

BootRequest request_for(std::span<const u8> kernel, u64 ram) {
  BootRequest request;
  request.kernel_name = "test-kernel";
  request.kernel = kernel;
  request.initrd_name = "test-initrd";
  request.command_line = "console=ttyS0";
  request.memory_map = e820_map(pc_ram_windows(ram, 3 * GiB));
  request.rsdp = 0xe0000;
  return request;
}

const LoadPiece* piece_at(const BootPlan& plan, Gpa address) {
  for (const auto& piece : plan.pieces)
    if (address - piece.address < piece.size) return &piece;
  return nullptr;
}

}  // namespace kite::test
