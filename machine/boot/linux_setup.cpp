#include "machine/boot/linux_setup.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "machine/boot/formats.h"

namespace kite {

namespace {

constexpr u64 kSetupSects = 0x1f1, kSyssize = 0x1f4, kHeaderLength = 0x201, kMagic = 0x202,
              kVersion = 0x206, kKernelVersion = 0x20e, kLoadFlags = 0x211, kInitrdAddrMax = 0x22c,
              kXloadFlags = 0x236, kCmdlineSize = 0x238, kPayloadOffset = 0x248,
              kPayloadLength = 0x24c, kPrefAddress = 0x258, kInitSize = 0x260, kHeaderEnd = 0x264;
constexpr u64 kSector = 512;
constexpr u8 kLoadedHigh = 1;

std::string kernel_version_string(std::span<const u8> file) {
  const u64 start = u64{load<u16>(&file[kKernelVersion])} + kSector;
  std::string text;
  for (u64 i = start; start != kSector && i < file.size() && text.size() < 64; ++i) {
    const char c = static_cast<char>(file[i]);
    if (c <= ' ' || c > '~') break;
    text += c;
  }
  return text;
}

void read_optional_fields(std::span<const u8> file, LinuxSetup& header) {
  if (header.version >= 0x203) header.initrd_addr_max = load<u32>(&file[kInitrdAddrMax]);
  if (header.version >= 0x206) header.cmdline_size = load<u32>(&file[kCmdlineSize]);
  if (header.version >= 0x20c) header.xloadflags = load<u16>(&file[kXloadFlags]);
  if (header.version < 0x20a) return;
  header.pref_address = load<u64>(&file[kPrefAddress]);
  header.init_size = load<u32>(&file[kInitSize]);
}

Result<> find_parts(std::span<const u8> file, const std::string& name, LinuxSetup& header) {
  const u64 sectors = file[kSetupSects] ? file[kSetupSects] : 4;
  const u64 setup_size = (sectors + 1) * kSector;
  const u64 wanted = setup_size + u64{load<u32>(&file[kSyssize])} * 16;
  if (setup_size >= file.size())
    return fail(ErrorKind::kData, "{}: truncated bzImage: {} bytes, and the setup alone is {}",
                name, file.size(), setup_size);
  header.setup = file.first(setup_size);
  header.kernel = file.subspan(setup_size);
  // The last paragraph may be cut off, and signed images have something after the kernel.
  if (wanted > align_up(file.size(), 16))
    return fail(ErrorKind::kData, "{}: truncated bzImage: {} bytes of {}", name, file.size(),
                wanted);
  if (header.version < 0x208) return {};
  const u64 offset = load<u32>(&file[kPayloadOffset]), length = load<u32>(&file[kPayloadLength]);
  if (offset > header.kernel.size() || length > header.kernel.size() - offset)
    return fail(ErrorKind::kData, "{}: broken bzImage: the payload ends beyond the file's end",
                name);
  header.payload = header.kernel.subspan(offset, length);
  return {};
}

}  // namespace

bool is_linux_image(std::span<const u8> file) {
  return file.size() >= kMagic + 4 && std::memcmp(&file[kMagic], "HdrS", 4) == 0;
}

Result<LinuxSetup> parse_linux_setup(std::span<const u8> file, const std::string& name) {
  if (file.size() < kHeaderEnd)
    return fail(ErrorKind::kData, "{}: truncated bzImage: {} bytes", name, file.size());
  LinuxSetup header;
  header.version = load<u16>(&file[kVersion]);
  if (header.version < 0x200 || !(file[kLoadFlags] & kLoadedHigh))
    return fail(ErrorKind::kData, "{}: zImage of boot protocol {}.{:02}, a bzImage was expected",
                name, header.version >> 8, header.version & 0xff);
  header.kernel_version = kernel_version_string(file);
  const u64 end = std::min<u64>(kMagic + file[kHeaderLength], file.size());
  header.raw = file.subspan(kSetupSects, end - kSetupSects);
  read_optional_fields(file, header);
  KITE_CHECK(find_parts(file, name, header));
  return header;
}

}  // namespace kite
