#include "machine/boot/kernel_image.h"

#include <algorithm>

#include "base/bits.h"
#include "firmware/layout.h"
#include "machine/boot/decompress.h"
#include "machine/boot/formats.h"

namespace kite {

namespace {

constexpr u64 kSectorSize = 512;
constexpr u16 kBootSignature = 0xaa55;
constexpr u8 kFirstHardDisk = 0x80;
constexpr std::string_view kExpected =
    "expected a bzImage, an ELF kernel with a PVH note or a multiboot header, or a boot sector";

bool is_boot_sector(std::span<const u8> file) {
  return file.size() >= kSectorSize && load<u16>(&file[kSectorSize - 2]) == kBootSignature;
}

// As a PC's firmware enters a boot sector: at 0000:7C00, the drive's number in DL. There are no
// BIOS services, so the whole file is loaded, not just its first sector.
Result<BootPlan> plan_flat(PlanBuilder& builder, std::span<const u8> file) {
  KITE_CHECK(builder.add("the flat image", layout::kFlatImage, file, file.size()));
  auto state = entry_state(EntryMode::kReal, layout::kFlatImage);
  state.gpr[kRdx] = kFirstHardDisk;
  return builder.finish("flat image, real mode at 7C00h", state);
}

std::string first_bytes(std::span<const u8> file) {
  std::string text;
  for (u8 byte : file.first(std::min<u64>(file.size(), 8)))
    text += fmt::format("{}{:02x}", text.empty() ? "" : " ", byte);
  return text;
}

Result<BootPlan> plan_elf(PlanBuilder& builder, std::span<const u8> file) {
  const auto image = KITE_TRY(parse_elf(file, builder.name()));
  if (image.pvh_entry) return plan_pvh(builder, image);
  if (is_multiboot(file)) return plan_multiboot(builder, file);
  return fail(ErrorKind::kData,
              "{}: ELF executable without a PVH note or a multiboot header; {} (a Linux vmlinux "
              "needs CONFIG_PVH, or give its bzImage)",
              builder.name(), kExpected);
}

Result<BootPlan> plan_uncompressed(PlanBuilder& builder, std::span<const u8> file) {
  if (is_linux_image(file)) return plan_linux_image(builder, file);
  if (is_elf(file)) return plan_elf(builder, file);
  if (is_multiboot(file)) return plan_multiboot(builder, file);
  if (is_boot_sector(file) || builder.request().kernel_name.ends_with(".bin"))
    return plan_flat(builder, file);
  return fail(ErrorKind::kData, "{}: not a kernel image (it begins with {}); {}", builder.name(),
              first_bytes(file), kExpected);
}

// A kernel in a compressed file, as the BSDs install them.
Result<BootPlan> plan_compressed(PlanBuilder& builder, Compression compression) {
  const auto& file = builder.request().kernel;
  const auto kernel = builder.keep(
      KITE_TRY(decompress(compression, file, builder.name(), builder.decompression_limit())));
  auto plan = KITE_TRY(plan_uncompressed(builder, kernel));
  plan.description += fmt::format(", {} file", compression_name(compression));
  return plan;
}

}  // namespace

Result<BootPlan> plan_boot(const BootRequest& request) {
  PlanBuilder builder(request);
  const auto& file = request.kernel;
  if (file.empty()) return fail(ErrorKind::kData, "{}: the file is empty", builder.name());
  // A boot sector may begin with any bytes, also a compressor's.
  const auto compression = is_boot_sector(file) ? std::nullopt : identify_compression(file);
  if (compression) return plan_compressed(builder, *compression);
  return plan_uncompressed(builder, file);
}

Result<> load(const BootPlan& plan, AddressSpace& memory) {
  for (const auto& piece : plan.pieces) {
    const auto ram = memory.ram(piece.address, piece.size, true);
    if (ram.size() != piece.size)
      return fail(ErrorKind::kInternal, "no RAM at {:#x}, where the memory map says there is some",
                  piece.address);
    const auto end = std::copy(piece.bytes.begin(), piece.bytes.end(), ram.begin());
    std::fill(end, ram.end(), u8{0});
  }
  return {};
}

}  // namespace kite
