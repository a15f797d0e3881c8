// Kernel images made for the tests: the smallest files of each kind.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"
#include "machine/boot/decompress.h"
#include "machine/boot/kernel_image.h"

namespace kite::test {

using Bytes = std::vector<u8>;

// `content` as one stream of the kind; Linux's flavour of each (xz with the x86 filter and CRC32,
// lz4 in the legacy frame).
Bytes compress(Compression kind, const Bytes& content);

struct ElfOptions {
  bool is_64_bit = true;
  u64 entry = 0x1000000;
  Gpa physical = 0x1000000;
  u64 linear = 0xffffffff81000000;
  u64 extra_memory = 0x2000;  // BSS
  bool pvh_note = false;
  u32 pvh_entry = 0x1000040;
  u16 machine = 0;  // 0: the usual one of the class
};
Bytes elf(const ElfOptions& options, const Bytes& content);

struct BzImageOptions {
  u16 version = 0x20f;
  u16 xloadflags = 1;
  u32 cmdline_size = 2047;
  u32 initrd_addr_max = 0x7fffffff;
  u32 init_size = 0x100000;
  u64 pref_address = 0x1000000;
};
// The payload is put after the setup and 1 KiB of protected-mode code.
Bytes bz_image(const Bytes& payload, const BzImageOptions& options = {});
// As Linux's build makes it: compressed, the uncompressed size appended where gzip's is not.
Bytes linux_payload(Compression kind, const Bytes& content);

Bytes multiboot(u32 flags, const std::vector<u32>& more, u64 offset, u64 size);

// Bytes that compress, but not to nothing.
Bytes sample(u64 size);

// A machine of `ram` bytes and this kernel.
BootRequest request_for(std::span<const u8> kernel, u64 ram = 64 * MiB);

// The plan's piece that contains `address`; null if there is none.
const LoadPiece* piece_at(const BootPlan& plan, Gpa address);

}  // namespace kite::test
