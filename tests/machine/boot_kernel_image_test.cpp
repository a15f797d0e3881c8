#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/bits.h"
#include "boot_images.h"
#include "firmware/layout.h"
#include "firmware/pvh.h"
#include "machine/boot/kernel_image.h"
#include "memory/backend.h"

namespace kite {
namespace {

using test::Bytes;
using test::piece_at;
using test::request_for;

std::string error_of(const BootRequest& request) {
  const auto plan = plan_boot(request);
  if (plan) return "planned: " + plan->description;
  EXPECT_EQ(plan.error().kind, ErrorKind::kData);
  EXPECT_EQ(plan.error().message.find('\n'), std::string::npos);
  return plan.error().message;
}

std::string error_of(const Bytes& kernel) {
  return error_of(request_for(kernel));
}

std::span<const u8> zero_page(const BootPlan& plan) {
  return piece_at(plan, layout::kZeroPage)->bytes;
}

class BzImageOf : public testing::TestWithParam<Compression> {};

TEST_P(BzImageOf, IsEnteredAtTheElfEntryInsideWithTheZeroPageInRsi) {
  const auto content = test::sample(100'000);
  auto vmlinux = test::elf({}, content);
  vmlinux.resize(vmlinux.size() + 500);  // the relocations
  const auto image = test::bz_image(test::linux_payload(GetParam(), vmlinux));
  const auto plan = plan_boot(request_for(image));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->description,
            fmt::format("bzImage 6.1.0-test, {}, 64-bit ELF", compression_name(GetParam())));
  const auto* kernel = piece_at(*plan, 0x1000000);
  ASSERT_NE(kernel, nullptr);
  EXPECT_TRUE(
      std::equal(kernel->bytes.begin(), kernel->bytes.end(), content.begin(), content.end()));
  EXPECT_EQ(kernel->size, content.size() + 0x2000);
  EXPECT_EQ(plan->entry.rip, 0x1000000u);
  EXPECT_EQ(plan->entry.gpr[kRsi], layout::kZeroPage);
}

INSTANTIATE_TEST_SUITE_P(Boot, BzImageOf,
                         testing::Values(Compression::kGzip, Compression::kXz, Compression::kLzma,
                                         Compression::kBzip2, Compression::kZstd,
                                         Compression::kLz4),
                         [](const auto& info) {
                           return std::string(compression_name(info.param));
                         });

Bytes small_bz_image(const test::BzImageOptions& options = {}) {
  return test::bz_image(test::linux_payload(Compression::kGzip, test::elf({}, test::sample(5000))),
                        options);
}

TEST(BzImage, TheProcessorIsInLongModeWithIdentityMappedPagesAndLinuxsSelectors) {
  const auto image = small_bz_image();
  const auto plan = plan_boot(request_for(image));
  ASSERT_TRUE(plan);
  const auto& state = plan->entry;
  EXPECT_EQ(state.efer, 0x500u);
  EXPECT_EQ(state.cr0 & 0x80000001, 0x80000001u);
  EXPECT_EQ(state.cr4 & 0x20, 0x20u);
  EXPECT_EQ(state.segments[kCs].selector, 0x10);
  EXPECT_TRUE(state.segments[kCs].l);
  EXPECT_EQ(state.segments[kDs].selector, 0x18);
  EXPECT_EQ(state.rflags & 0x200, 0u);
  const auto* gdt = piece_at(*plan, state.gdtr.base);
  ASSERT_NE(gdt, nullptr);
  EXPECT_EQ(load<u64>(&gdt->bytes[0x10]), 0x00af9b000000ffffu);
  EXPECT_EQ(load<u64>(&gdt->bytes[0x18]), 0x00cf93000000ffffu);
  const auto* tables = piece_at(*plan, state.cr3);
  ASSERT_NE(tables, nullptr);
  EXPECT_EQ(load<u64>(&tables->bytes[0]), state.cr3 + 0x1003);
  EXPECT_EQ(load<u64>(&tables->bytes[0x2000 + 8 * 2047]), 2047 * 2 * MiB + 0x83);
}

TEST(BzImage, TheZeroPageTellsCommandLineInitrdMapAndRsdp) {
  const auto image = small_bz_image();
  const auto initrd = test::sample(12345);
  auto request = request_for(image);
  request.initrd = initrd;
  const auto plan = plan_boot(request);
  ASSERT_TRUE(plan);
  const auto page = zero_page(*plan);
  const auto* line = piece_at(*plan, load<u32>(&page[0x228]));
  ASSERT_NE(line, nullptr);
  EXPECT_STREQ(reinterpret_cast<const char*>(line->bytes.data()), "console=ttyS0");
  const Gpa place = load<u32>(&page[0x218]);
  EXPECT_EQ(place, align_down(64 * MiB - 12345, kPageSize));
  EXPECT_EQ(load<u32>(&page[0x21c]), 12345u);
  ASSERT_NE(piece_at(*plan, place), nullptr);
  EXPECT_EQ(piece_at(*plan, place)->bytes.data(), initrd.data());
  EXPECT_EQ(page[0x1e8], request.memory_map.size());
  EXPECT_EQ(load<u64>(&page[0x70]), 0xe0000u);
}

TEST(BzImage, TheInitrdStaysBelowTheHeadersLimit) {
  const auto image = small_bz_image({.initrd_addr_max = 0x2ffffff});
  const auto initrd = test::sample(5000);
  auto request = request_for(image);
  request.initrd = initrd;
  const auto plan = plan_boot(request);
  ASSERT_TRUE(plan);
  EXPECT_EQ(load<u32>(&zero_page(*plan)[0x218]), 0x3000000u - 0x2000);
}

TEST(BzImage, TheInitrdStaysBelow4GiBAndOffTheKernel) {
  const auto image = small_bz_image({.initrd_addr_max = 0xffffffff});
  const Bytes initrd(40 * MiB);
  auto request = request_for(image, 8 * GiB);
  request.initrd = initrd;
  auto plan = plan_boot(request);
  ASSERT_TRUE(plan);
  EXPECT_EQ(load<u32>(&zero_page(*plan)[0x218]), 3 * GiB - 40 * MiB);
  request = request_for(image, 64 * MiB);
  request.initrd = std::span(initrd).first(48 * MiB - 0x2000 - 0x2000);
  plan = plan_boot(request);
  ASSERT_TRUE(plan);
  EXPECT_GE(load<u32>(&zero_page(*plan)[0x218]), 0x1000000u + 5000 + 0x2000);
}

TEST(BzImage, AnInitrdLargerThanRamIsAnErrorThatSaysBoth) {
  const auto image = small_bz_image();
  const Bytes initrd(64 * MiB);
  auto request = request_for(image);
  request.initrd = initrd;
  EXPECT_EQ(error_of(request),
            "initrd 'test-initrd' of 64 MiB does not fit into the machine's RAM (63 MiB) beside "
            "kernel 'test-kernel'");
}

TEST(BzImage, ACommandLineLongerThanTheHeaderAllowsIsAnError) {
  const auto image = small_bz_image({.cmdline_size = 20});
  auto request = request_for(image);
  request.command_line = std::string(21, 'x');
  EXPECT_EQ(error_of(request),
            "command line of 21 characters: kernel 'test-kernel' takes at most 20");
  request.command_line.pop_back();
  EXPECT_TRUE(plan_boot(request));
}

TEST(BzImage, A32BitKernelInsideIsEnteredInProtectedMode) {
  const auto vmlinux = test::elf({.is_64_bit = false, .linear = 0xc1000000}, test::sample(5000));
  const auto image = test::bz_image(test::linux_payload(Compression::kXz, vmlinux));
  const auto plan = plan_boot(request_for(image));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->entry.rip, 0x1000000u);
  EXPECT_EQ(plan->entry.efer, 0u);
  EXPECT_EQ(plan->entry.cr0, 0x11u);
  EXPECT_TRUE(plan->entry.segments[kCs].db);
  EXPECT_EQ(plan->entry.gpr[kRsi], layout::kZeroPage);
}

TEST(BzImage, AnUnknownPayloadExtractsItself) {
  const auto image = test::bz_image(test::sample(5000));
  const auto plan = plan_boot(request_for(image));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->description, "bzImage 6.1.0-test, self-extracting, 64-bit");
  EXPECT_EQ(plan->entry.rip, 1 * MiB + 0x200);
  const auto* kernel = piece_at(*plan, 1 * MiB);
  ASSERT_NE(kernel, nullptr);
  EXPECT_EQ(kernel->bytes.data(), image.data() + 1024);
  EXPECT_GE(kernel->address + kernel->size, 0x1100000u);  // init_size at the preferred address
}

TEST(BzImage, AnOldKernelIsEnteredAtItsBeginningIn32BitMode) {
  const auto image = test::bz_image(test::sample(5000), {.version = 0x204});
  const auto plan = plan_boot(request_for(image));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->entry.rip, 1 * MiB);
  EXPECT_EQ(plan->entry.efer, 0u);
}

TEST(BzImage, EveryTruncationIsAnErrorOfOneLine) {
  const auto image = small_bz_image();
  for (u64 size = 0x206; size + 16 <= image.size(); size += 13) {
    const Bytes part(image.begin(), image.begin() + static_cast<long>(size));
    EXPECT_NE(error_of(part).find("truncated"), std::string::npos) << size << error_of(part);
  }
}

TEST(BzImage, APayloadBeyondTheFileIsAnError) {
  auto image = small_bz_image();
  store<u32>(&image[0x24c], 0xffffffff);
  EXPECT_NE(error_of(image).find("payload ends beyond"), std::string::npos);
  store<u32>(&image[0x248], 0xffffffff);
  EXPECT_NE(error_of(image).find("payload ends beyond"), std::string::npos);
}

TEST(BzImage, ABrokenPayloadIsAnError) {
  auto image = small_bz_image();
  image[1024 + 1024 + 200] ^= 0xff;
  EXPECT_EQ(error_of(image), "kernel 'test-kernel': the gzip data in it is broken");
}

TEST(BzImage, AKernelThatNeedsMoreRamThanThereIsSaysWhereAndHowMuch) {
  const auto image = small_bz_image();
  EXPECT_EQ(error_of(request_for(image, 16 * MiB)),
            "kernel 'test-kernel': a segment wants 1 MiB at 0x1000000, which is no free RAM (the "
            "machine has 15 MiB)");
}

TEST(PvhKernel, IsEnteredIn32BitModeWithTheStartInfoInEbx) {
  const auto kernel = test::elf({.pvh_note = true}, test::sample(5000));
  const auto initrd = test::sample(100);
  auto request = request_for(kernel);
  request.initrd = initrd;
  const auto plan = plan_boot(request);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->description, "64-bit ELF, PVH");
  EXPECT_EQ(plan->entry.rip, 0x1000040u);
  EXPECT_EQ(plan->entry.cr0, 0x11u);
  EXPECT_EQ(plan->entry.gpr[kRbx], layout::kStartInfo);
  const auto info = piece_at(*plan, layout::kStartInfo)->bytes;
  EXPECT_EQ(load<u32>(&info[0]), kPvhMagic);
  EXPECT_EQ(load<u32>(&info[12]), 1u);
}

TEST(PvhKernel, MayBeInACompressedFile) {
  for (const auto kind : {Compression::kGzip, Compression::kXz, Compression::kZstd}) {
    const auto kernel = test::compress(kind, test::elf({.pvh_note = true}, test::sample(5000)));
    const auto plan = plan_boot(request_for(kernel));
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->description, fmt::format("64-bit ELF, PVH, {} file", compression_name(kind)));
  }
}

TEST(PvhKernel, ANoteThatEndsBeyondItsSegmentIsNone) {
  auto kernel = test::elf({.pvh_note = true}, test::sample(500));
  store<u32>(&kernel[0x184], 0xfffffff0);
  EXPECT_NE(error_of(kernel).find("without a PVH note"), std::string::npos);
}

TEST(MultibootKernel, AnElfFileIsEnteredWithMagicAndInformation) {
  auto content = test::multiboot(3, {}, 0x40, 5000);
  const auto kernel = test::elf(
      {.is_64_bit = false, .entry = 0x200010, .physical = 0x200000, .linear = 0x200000}, content);
  const auto initrd = test::sample(100);
  auto request = request_for(kernel);
  request.initrd = initrd;
  const auto plan = plan_boot(request);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->description, "multiboot 1");
  EXPECT_EQ(plan->entry.rip, 0x200010u);
  EXPECT_EQ(plan->entry.gpr[kRax], 0x2badb002u);
  const auto info = piece_at(*plan, plan->entry.gpr[kRbx])->bytes;
  EXPECT_EQ(load<u32>(&info[0]), 0x24du);  // memory, command line, modules, map, loader name
  EXPECT_EQ(load<u32>(&info[4]), 639u);
  EXPECT_EQ(load<u32>(&info[8]), 63u * 1024);
  EXPECT_EQ(load<u32>(&info[16]), layout::kCommandLine);
  EXPECT_EQ(load<u32>(&info[20]), 1u);
  const u64 module = load<u32>(&info[24]) - layout::kStartInfo;
  EXPECT_EQ(load<u32>(&info[module + 4]) - load<u32>(&info[module]), 100u);
  EXPECT_EQ(load<u32>(&info[44]), 3u * 24);
  const u64 map = load<u32>(&info[48]) - layout::kStartInfo;
  EXPECT_EQ(load<u32>(&info[map]), 20u);
  EXPECT_EQ(load<u64>(&info[map + 24 + 4]), 0x9fc00u);
}

TEST(MultibootKernel, AVirtualEntryIsTranslatedToItsPhysicalAddress) {
  const auto kernel = test::elf(
      {.is_64_bit = false, .entry = 0xc0200010, .physical = 0x200000, .linear = 0xc0200000},
      test::multiboot(0, {}, 0x40, 5000));
  const auto plan = plan_boot(request_for(kernel));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->entry.rip, 0x200010u);
}

TEST(MultibootKernel, TheHeadersOwnAddressesAreFollowed) {
  // header at 100h of the file and at 200100h in RAM, loaded from 200000h, BSS to 203000h
  const auto kernel =
      test::multiboot(1 << 16, {0x200100, 0x200000, 0x201000, 0x203000, 0x200004}, 0x100, 0x1800);
  const auto plan = plan_boot(request_for(kernel));
  ASSERT_TRUE(plan) << plan.error().message;
  const auto* piece = piece_at(*plan, 0x200000);
  ASSERT_NE(piece, nullptr);
  EXPECT_EQ(piece->bytes.data(), kernel.data());
  EXPECT_EQ(piece->bytes.size(), 0x1000u);
  EXPECT_EQ(piece->size, 0x3000u);
  EXPECT_EQ(plan->entry.rip, 0x200004u);
}

TEST(MultibootKernel, HostileAddressesAreErrors) {
  const std::vector<std::vector<u32>> hostile = {
      {0x200000, 0x200100, 0, 0, 0},           // the header in front of the load area
      {0x300000, 0x200000, 0, 0, 0},           // more in front of the header than the file has
      {0x200000, 0x200000, 0x100000, 0, 0},    // ends before it begins
      {0x200000, 0x200000, 0xffffffff, 0, 0},  // longer than the file
      {0xffffff00, 0xffffff00, 0, 0, 0},       // no RAM there
      {0x200000, 0x200000, 0, 0xffffffff, 0},  // nor for the BSS
      {0x200000, 0x200000, 0x200000, 0, 0},    // nothing to load
      {0, 0, 0, 0, 0},                         // over the loader's own tables
  };
  for (const auto& addresses : hostile) {
    const auto kernel = test::multiboot(1 << 16, addresses, 0, 0x2000);
    EXPECT_NE(error_of(kernel).find("kernel 'test-kernel': "), std::string::npos);
    EXPECT_EQ(error_of(kernel).find("planned"), std::string::npos) << error_of(kernel);
  }
}

TEST(MultibootKernel, UnknownDemandsAreAnError) {
  EXPECT_NE(error_of(test::multiboot(0x100, {}, 0, 0x2000)).find("unknown demands 0x100"),
            std::string::npos);
}

TEST(FlatImage, ABootSectorIsEnteredInRealModeAt7C00) {
  Bytes sector(1024, 0x90);
  store<u16>(&sector[510], 0xaa55);
  const auto plan = plan_boot(request_for(sector));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->entry.rip, 0x7c00u);
  EXPECT_EQ(plan->entry.segments[kCs].base, 0u);
  EXPECT_EQ(plan->entry.cr0 & 1, 0u);
  EXPECT_EQ(plan->entry.gpr[kRdx], 0x80u);
  EXPECT_EQ(piece_at(*plan, 0x7c00)->size, 1024u);
}

TEST(FlatImage, TheNameBinStandsInForTheSignature) {
  const Bytes code(10, 0xf4);
  auto request = request_for(code);
  EXPECT_NE(error_of(request).find("not a kernel image (it begins with f4 f4"), std::string::npos);
  request.kernel_name = "test.bin";
  EXPECT_TRUE(plan_boot(request));
}

TEST(FlatImage, OneThatReachesTheEbdaIsAnError) {
  Bytes image(640 * KiB, 0);
  store<u16>(&image[510], 0xaa55);
  EXPECT_NE(error_of(image).find("no free RAM"), std::string::npos);
}

TEST(KernelImage, EveryUnusableFileIsSaidToBeWhatItIs) {
  EXPECT_EQ(error_of(Bytes{}), "kernel 'test-kernel': the file is empty");
  const std::string script = "#!/bin/sh\necho\n";
  EXPECT_NE(
      error_of(Bytes(script.begin(), script.end())).find("not a kernel image (it begins with"),
      std::string::npos);
  EXPECT_NE(error_of(test::elf({.machine = 183}, test::sample(100))).find("another processor"),
            std::string::npos);
  EXPECT_NE(error_of(test::elf({}, test::sample(100))).find("without a PVH note or a multiboot"),
            std::string::npos);
  EXPECT_NE(error_of(test::compress(Compression::kGzip, test::sample(999))).find("not a kernel"),
            std::string::npos);
}

TEST(KernelImage, EveryTruncationOfAnElfFileIsAnError) {
  const auto kernel = test::elf({.pvh_note = true}, test::sample(3000));
  for (u64 size = 0; size < kernel.size(); size += 11)
    EXPECT_EQ(
        error_of(Bytes(kernel.begin(), kernel.begin() + static_cast<long>(size))).find("planned"),
        std::string::npos)
        << size;
}

TEST(KernelImage, SegmentsThatOverlapOrWrapAreErrors) {
  auto kernel = test::elf({.physical = ~u64{0} - 0x1000, .pvh_note = true}, test::sample(3000));
  EXPECT_NE(error_of(kernel).find("broken ELF file"), std::string::npos);
  kernel = test::elf({.physical = layout::kCommandLine - 0x1000, .pvh_note = true},
                     test::sample(0x2000));
  EXPECT_NE(error_of(kernel).find("no free RAM"), std::string::npos);
}

TEST(KernelImage, LoadingPutsBytesAndZerosIntoRam) {
  const auto content = test::sample(5000);
  const auto kernel = test::elf({.pvh_note = true}, content);
  const auto plan = plan_boot(request_for(kernel, 32 * MiB));
  ASSERT_TRUE(plan) << plan.error().message;
  BackendConfig config;
  config.kind = "ram";
  config.size = 32 * MiB;
  const auto ram = allocate(config);
  ASSERT_TRUE(ram) << ram.error().message;
  std::fill_n(ram->data() + 0x1000000, 0x10000, u8{0xcc});
  AddressSpace space;
  { AddressSpace::Edit(space).map({0, ram->size(), Region::ram("ram", *ram)}); }
  ASSERT_TRUE(load(*plan, space));
  EXPECT_TRUE(std::equal(content.begin(), content.end(), ram->data() + 0x1000000));
  EXPECT_EQ(ram->data()[0x1000000 + 5000], 0);
  EXPECT_EQ(ram->data()[0x1000000 + 5000 + 0x1fff], 0);
  EXPECT_EQ(ram->data()[0x1000000 + 5000 + 0x2000], 0xcc);
}

}  // namespace
}  // namespace kite
