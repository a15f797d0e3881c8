// bzImage: the compressed kernel inside is decompressed here and entered at its own 64-bit (or
// 32-bit) entry, which saves the guest from doing it and needs neither its setup code nor a BIOS.
// Offsets and words are those of Linux's Documentation/arch/x86/boot.rst.
#include <algorithm>
#include <cstring>

#include "base/bits.h"
#include "firmware/layout.h"
#include "firmware/linux_zero_page.h"
#include "machine/boot/decompress.h"
#include "machine/boot/formats.h"

namespace kite {

namespace {

constexpr u64 kSetupSects = 0x1f1, kSyssize = 0x1f4, kHeaderLength = 0x201, kMagic = 0x202,
              kVersion = 0x206, kKernelVersion = 0x20e, kLoadFlags = 0x211, kInitrdAddrMax = 0x22c,
              kXloadFlags = 0x236, kCmdlineSize = 0x238, kPayloadOffset = 0x248,
              kPayloadLength = 0x24c, kPrefAddress = 0x258, kInitSize = 0x260, kHeaderEnd = 0x264;
constexpr u64 kSector = 512;
constexpr u8 kLoadedHigh = 1;
constexpr u16 kKernel64 = 1;  // xloadflags: there is a 64-bit entry at 200h
constexpr Gpa kProtectedModeLoad = 1 * MiB;
constexpr u64 kEntry64 = 0x200;
constexpr u32 kOldInitrdAddrMax = 0x37ffffff;  // before protocol 2.03
constexpr u32 kOldCmdlineSize = 255;           // before protocol 2.06

// The setup header's fields, with the defaults of the versions that did not have them.
struct SetupHeader {
  u16 version = 0;
  std::string kernel_version;
  std::span<const u8> raw;      // from 1F1h on, for the zero page
  std::span<const u8> kernel;   // the protected-mode part
  std::span<const u8> payload;  // the compressed kernel; empty before protocol 2.08
  u32 initrd_addr_max = kOldInitrdAddrMax;
  u32 cmdline_size = kOldCmdlineSize;
  u16 xloadflags = 0;
  Gpa pref_address = kProtectedModeLoad;
  u64 init_size = 0;
};

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

void read_optional_fields(std::span<const u8> file, SetupHeader& header) {
  if (header.version >= 0x203) header.initrd_addr_max = load<u32>(&file[kInitrdAddrMax]);
  if (header.version >= 0x206) header.cmdline_size = load<u32>(&file[kCmdlineSize]);
  if (header.version >= 0x20c) header.xloadflags = load<u16>(&file[kXloadFlags]);
  if (header.version < 0x20a) return;
  header.pref_address = load<u64>(&file[kPrefAddress]);
  header.init_size = load<u32>(&file[kInitSize]);
}

Result<> find_parts(std::span<const u8> file, const std::string& name, SetupHeader& header) {
  const u64 sectors = file[kSetupSects] ? file[kSetupSects] : 4;
  const u64 setup_size = (sectors + 1) * kSector;
  const u64 wanted = setup_size + u64{load<u32>(&file[kSyssize])} * 16;
  if (setup_size >= file.size())
    return fail(ErrorKind::kData, "{}: truncated bzImage: {} bytes, and the setup alone is {}",
                name, file.size(), setup_size);
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

Result<SetupHeader> parse_header(std::span<const u8> file, const std::string& name) {
  if (file.size() < kHeaderEnd)
    return fail(ErrorKind::kData, "{}: truncated bzImage: {} bytes", name, file.size());
  SetupHeader header;
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

Result<X86State> add_environment(PlanBuilder& builder, const SetupHeader& header, EntryMode mode,
                                 Gpa entry) {
  LinuxZeroPageFacts facts;
  facts.setup_header = header.raw;
  facts.memory_map = builder.request().memory_map;
  facts.rsdp = builder.request().rsdp;
  facts.command_line = KITE_TRY(builder.add_command_line(header.cmdline_size));
  KITE_CHECK(builder.add_tables(mode));
  facts.initrd = KITE_TRY(builder.add_initrd(header.initrd_addr_max));
  facts.initrd_size = builder.request().initrd.size();
  KITE_CHECK(builder.add("the zero page", layout::kZeroPage, linux_zero_page(facts)));
  auto state = entry_state(mode, entry);
  state.gpr[kRsi] = layout::kZeroPage;
  return state;
}

std::string describe(const SetupHeader& header, std::string_view how) {
  return fmt::format("bzImage {}, {}", header.kernel_version, how);
}

// The decompressed kernel, at the addresses it was linked for. Relocations for other addresses
// follow the ELF file in the payload and are not needed then. `startup_64` wants identity-mapped
// page tables, the flat segments and the zero page's address in RSI; `startup_32` of 32-bit kernels
// the same without paging, in ESI.
Result<BootPlan> plan_elf_payload(PlanBuilder& builder, const SetupHeader& header,
                                  std::span<const u8> payload, std::string_view compression) {
  const auto image = KITE_TRY(parse_elf(payload, builder.name() + ", decompressed"));
  KITE_CHECK(add_elf(builder, image));
  const auto mode = image.is_64_bit ? EntryMode::kLong : EntryMode::kProtected;
  const auto state = KITE_TRY(add_environment(builder, header, mode, image.physical(image.entry)));
  return builder.finish(
      describe(header, fmt::format("{}, {}-bit ELF", compression, image.is_64_bit ? 64 : 32)),
      state);
}

// An unknown payload decompresses itself: the protected-mode part at 1 MiB, and free room from
// there to the end of what the kernel needs at its preferred address.
Result<BootPlan> plan_self_extracting(PlanBuilder& builder, const SetupHeader& header) {
  const bool is_64_bit = header.xloadflags & kKernel64;
  const u64 preferred = std::min<u64>(header.pref_address, 4 * GiB);
  const u64 end = std::max(kProtectedModeLoad + header.kernel.size(),
                           std::max<u64>(preferred, kProtectedModeLoad) + header.init_size);
  KITE_CHECK(
      builder.add("the kernel", kProtectedModeLoad, header.kernel, end - kProtectedModeLoad));
  const auto mode = is_64_bit ? EntryMode::kLong : EntryMode::kProtected;
  const auto state = KITE_TRY(
      add_environment(builder, header, mode, kProtectedModeLoad + (is_64_bit ? kEntry64 : 0)));
  return builder.finish(
      describe(header, is_64_bit ? "self-extracting, 64-bit" : "self-extracting, 32-bit"), state);
}

}  // namespace

bool is_linux_image(std::span<const u8> file) {
  return file.size() >= kMagic + 4 && std::memcmp(&file[kMagic], "HdrS", 4) == 0;
}

Result<BootPlan> plan_linux_image(PlanBuilder& builder, std::span<const u8> file) {
  const auto header = KITE_TRY(parse_header(file, builder.name()));
  const auto compression = identify_compression(header.payload);
  if (!compression) return plan_self_extracting(builder, header);
  // Every compressor's output ends with the uncompressed size (gzip's own, else appended).
  const auto size = header.payload.last(4);
  auto kernel = KITE_TRY(decompress(*compression, header.payload, builder.name(),
                                    builder.decompression_limit(), load<u32>(size.data())));
  if (!is_elf(kernel)) return plan_self_extracting(builder, header);
  return plan_elf_payload(builder, header, builder.keep(std::move(kernel)),
                          compression_name(*compression));
}

}  // namespace kite
