// bzImage: the compressed kernel inside is decompressed here and entered at its own 64-bit (or
// 32-bit) entry, which saves the guest from doing it and needs neither its setup code nor a BIOS.
#include <algorithm>

#include "base/bits.h"
#include "firmware/layout.h"
#include "firmware/linux_zero_page.h"
#include "machine/boot/decompress.h"
#include "machine/boot/formats.h"
#include "machine/boot/linux_setup.h"

namespace kite {

namespace {

constexpr u16 kKernel64 = 1;  // xloadflags: there is a 64-bit entry at 200h
constexpr u64 kEntry64 = 0x200;

Result<X86State> add_environment(PlanBuilder& builder, const LinuxSetup& header, EntryMode mode,
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

std::string describe(const LinuxSetup& header, std::string_view how) {
  return fmt::format("bzImage {}, {}", header.kernel_version, how);
}

// The decompressed kernel, at the addresses it was linked for. Relocations for other addresses
// follow the ELF file in the payload and are not needed then. `startup_64` wants identity-mapped
// page tables, the flat segments and the zero page's address in RSI; `startup_32` of 32-bit kernels
// the same without paging, in ESI.
Result<BootPlan> plan_elf_payload(PlanBuilder& builder, const LinuxSetup& header,
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
Result<BootPlan> plan_self_extracting(PlanBuilder& builder, const LinuxSetup& header) {
  const bool is_64_bit = header.xloadflags & kKernel64;
  const u64 preferred = std::min<u64>(header.pref_address, 4 * GiB);
  const u64 end = std::max(kLinuxProtectedModeLoad + header.kernel.size(),
                           std::max<u64>(preferred, kLinuxProtectedModeLoad) + header.init_size);
  KITE_CHECK(builder.add("the kernel", kLinuxProtectedModeLoad, header.kernel,
                         end - kLinuxProtectedModeLoad));
  const auto mode = is_64_bit ? EntryMode::kLong : EntryMode::kProtected;
  const auto state = KITE_TRY(
      add_environment(builder, header, mode, kLinuxProtectedModeLoad + (is_64_bit ? kEntry64 : 0)));
  return builder.finish(
      describe(header, is_64_bit ? "self-extracting, 64-bit" : "self-extracting, 32-bit"), state);
}

}  // namespace

Result<BootPlan> plan_linux_image(PlanBuilder& builder, std::span<const u8> file) {
  const auto header = KITE_TRY(parse_linux_setup(file, builder.name()));
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
