// A kernel for firmware to start: its parts, and what boot.rst asks of the setup header.
#include "machine/boot/firmware_kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bits.h"
#include "tests/machine/boot_images.h"

namespace kite::test {
namespace {

using testing::HasSubstr;

FirmwareKernel planned(const BootRequest& request, Gpa ram_end = 64 * MiB) {
  auto plan = plan_firmware_kernel(request, ram_end);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? *plan : FirmwareKernel{};
}

TEST(FirmwareKernel, TheFileIsPartedAndTheHeaderFilledIn) {
  const Bytes image = bz_image(sample(5000)), initrd = sample(3000);
  BootRequest request = request_for(image);
  request.initrd = initrd;
  request.command_line = "quiet";
  const FirmwareKernel plan = planned(request);
  const Bytes& setup = plan.setup.bytes;
  ASSERT_GE(setup.size(), 0x264u);
  Bytes whole = setup;
  whole.insert(whole.end(), plan.kernel.bytes.begin(), plan.kernel.bytes.end());
  EXPECT_EQ(whole.size(), image.size());
  EXPECT_TRUE(std::equal(plan.kernel.bytes.begin(), plan.kernel.bytes.end(),
                         image.end() - static_cast<long>(plan.kernel.bytes.size())));
  EXPECT_EQ(plan.kernel.address, 1 * MiB);
  EXPECT_EQ(setup[0x210], 0xff);                                   // type_of_loader
  EXPECT_NE(setup[0x211] & 0x80, 0);                               // CAN_USE_HEAP
  EXPECT_EQ(load<u16>(&setup[0x224]), 0xfe00);                     // heap_end_ptr
  EXPECT_EQ(load<u32>(&setup[0x228]), plan.command_line.address);  // cmd_line_ptr
  EXPECT_EQ(load<u32>(&setup[0x218]), plan.initrd.address);        // ramdisk_image
  EXPECT_EQ(load<u32>(&setup[0x21c]), initrd.size());              // ramdisk_size
  EXPECT_EQ(plan.command_line.bytes, (Bytes{'q', 'u', 'i', 'e', 't', 0}));
  EXPECT_EQ(plan.initrd.bytes, initrd);
}

TEST(FirmwareKernel, TheInitrdLeavesTheEndOfRamToTheFirmware) {
  const Bytes image = bz_image(sample(5000)), initrd = sample(3000);
  BootRequest request = request_for(image);
  request.initrd = initrd;
  EXPECT_EQ(planned(request).initrd.address, 63 * MiB - 4096);
  const Bytes low = bz_image(sample(5000), {.initrd_addr_max = 0x2ffffff});
  request.kernel = low;
  EXPECT_EQ(planned(request).initrd.address, 0x3000000u - 4096);
}

// The code that enters it is tested by what it enters (tests/boot).
TEST(FirmwareKernel, AMultibootKernelIsPartedAsKiteWouldLoadIt) {
  const Bytes initrd = sample(3000);
  const Bytes image =
      multiboot(1 << 16, {0x200100, 0x200000, 0x201000, 0x203000, 0x200004}, 0x100, 0x1800);
  BootRequest request = request_for(image);
  request.initrd = initrd;
  const FirmwareKernel plan = planned(request);
  EXPECT_EQ(plan.description, "multiboot 1");
  EXPECT_TRUE(plan.kernel.bytes.empty());
  ASSERT_FALSE(plan.others.empty());
  EXPECT_EQ(plan.others[0].address, 0x200000u);
  EXPECT_EQ(plan.others[0].bytes.size(), 0x3000u);  // with what is to be zeros
  EXPECT_TRUE(std::equal(image.begin(), image.begin() + 0x1000, plan.others[0].bytes.begin()));
  const auto has_initrd = [&](const FirmwareKernel::Part& part) {
    return part.bytes == initrd && part.address == 63 * MiB - 4096;  // the last MiB is firmware's
  };
  EXPECT_TRUE(std::ranges::any_of(plan.others, has_initrd));
}

TEST(FirmwareKernel, AMultibootKernelMayNotLieWhereItsEntryCodeOrTheFirmwareIs) {
  for (const u32 at : {0x10000u, 0x3f00000u}) {
    const Bytes image = multiboot(1 << 16, {at, at, at + 0x1000, 0, at}, 0, 0x1000);
    EXPECT_FALSE(plan_firmware_kernel(request_for(image), 64 * MiB)) << at;
  }
}

TEST(FirmwareKernel, WhatDoesNotFitIsNamed) {
  const Bytes image = bz_image(sample(5000), {.cmdline_size = 20}), initrd = sample(3000);
  BootRequest request = request_for(image);
  request.command_line = std::string(21, 'x');
  auto plan = plan_firmware_kernel(request, 64 * MiB);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("21 characters"));
  request.command_line.clear();
  request.initrd = initrd;
  plan = plan_firmware_kernel(request, 18 * MiB);  // the kernel is to run at 16 MiB
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("do not fit into 18 MiB"));
  plan = plan_firmware_kernel(request, 1 * MiB);
  ASSERT_FALSE(plan);
}

TEST(FirmwareKernel, EveryTruncationAndTooOldAProtocolIsAnError) {
  const Bytes image = bz_image(sample(5000));
  for (u64 size = 0; size + 16 < image.size(); size += 101) {
    const auto plan = plan_firmware_kernel(request_for(std::span(image).first(size)), 64 * MiB);
    EXPECT_FALSE(plan) << size;
  }
  const Bytes old = bz_image(sample(5000), {.version = 0x201});
  EXPECT_FALSE(plan_firmware_kernel(request_for(old), 64 * MiB));
}

}  // namespace
}  // namespace kite::test
