// IDE from the host's side: the two blocks of registers, an ATA disk, an ATAPI CD-ROM, hostile use.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/bits.h"
#include "devices/storage/ata_disk.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/ide_channel.h"
#include "tests/devices/probes.h"

namespace kite::test {
namespace {

enum Register : u64 { kData, kError, kCount, kLow, kMid, kHigh, kDevice, kStatus };
constexpr u8 kReady = 0x50, kReadyWithData = 0x58, kFailed = 0x51;

// A file whose 512-byte sectors begin with their numbers.
class ImageFile {
 public:
  explicit ImageFile(u64 sectors)
      : path_(testing::TempDir() + "kite-ide-" + std::to_string(::getpid())) {
    std::vector<char> bytes(sectors * 512);
    for (u64 i = 0; i < sectors; ++i) store<u32>(&bytes[i * 512], static_cast<u32>(i));
    std::ofstream(path_, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  ~ImageFile() { std::filesystem::remove(path_); }
  std::unique_ptr<DiskImage> open(bool readonly) const {
    return std::move(*DiskImage::open(path_, readonly));
  }
  u32 number_in(u64 sector) const {
    std::array<u8, 4> bytes{};
    open(true)->read(sector * 512, bytes);
    return load<u32>(bytes.data());
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class Ide : public testing::Test {
 protected:
  static constexpr u64 kSectors = 64;

  void attach(std::unique_ptr<IdeDrive> device_0, std::unique_ptr<IdeDrive> device_1 = nullptr) {
    channel = std::make_unique<IdeChannel>(intrq.line(), std::move(device_0), std::move(device_1));
  }
  void attach_disk(bool readonly = false) {
    attach(std::make_unique<AtaDisk>(file.open(readonly)));
  }
  void attach_cdrom() { attach(nullptr, std::make_unique<AtapiCdrom>(file.open(true))); }

  u8 get(u64 offset) { return static_cast<u8>(channel->command_ports().read(offset, 1)); }
  void put(u64 offset, u8 value) { channel->command_ports().write(offset, value, 1); }
  u8 alternate_status() { return static_cast<u8>(channel->control_ports().read(0, 1)); }
  u16 word() { return static_cast<u16>(channel->command_ports().read(kData, 2)); }
  std::vector<u8> words(unsigned bytes) {
    std::vector<u8> data(bytes);
    for (unsigned i = 0; i + 1 < bytes; i += 2) store<u16>(&data[i], word());
    return data;
  }
  void command(u8 device, u64 lba, u8 count, u8 code) {
    put(kDevice, static_cast<u8>(device | (lba >> 24 & 0xf)));
    put(kCount, count);
    put(kLow, static_cast<u8>(lba));
    put(kMid, static_cast<u8>(lba >> 8));
    put(kHigh, static_cast<u8>(lba >> 16));
    put(kStatus, code);
  }
  // Sends a packet to device 1, with `limit` as the byte count, and returns the status after it.
  u8 packet(std::vector<u8> bytes, u16 limit = 0xfffe) {
    bytes.resize(12);
    put(kDevice, 0xb0);
    put(kMid, static_cast<u8>(limit));
    put(kHigh, static_cast<u8>(limit >> 8));
    put(kStatus, 0xa0);
    EXPECT_EQ(alternate_status(), kReadyWithData);
    EXPECT_EQ(get(kCount), 1);
    for (unsigned i = 0; i < 12; i += 2)
      channel->command_ports().write(kData, load<u16>(&bytes[i]), 2);
    return get(kStatus);
  }
  unsigned byte_count() { return get(kMid) | get(kHigh) << 8; }

  ImageFile file{kSectors};
  WireProbe intrq;
  std::unique_ptr<IdeChannel> channel;
};

constexpr u8 kLbaDevice0 = 0xe0;

TEST_F(Ide, AnEmptyCableIsNotBusyAndHasNoRegisters) {
  attach(nullptr);
  EXPECT_EQ(get(kStatus), 0x7f);
  put(kCount, 0x55);
  EXPECT_EQ(get(kCount), 0x7f);
  put(kStatus, 0xec);
  EXPECT_EQ(word(), 0xffff);
}

TEST_F(Ide, TheSignatureSaysWhatADriveIs) {
  attach(std::make_unique<AtaDisk>(file.open(false)),
         std::make_unique<AtapiCdrom>(file.open(true)));
  EXPECT_EQ(get(kMid) | get(kHigh) << 8, 0);
  EXPECT_EQ(get(kError), 1);
  EXPECT_EQ(get(kStatus), kReady);
  put(kDevice, 0xb0);
  channel->control_ports().write(0, 4, 1);
  EXPECT_EQ(alternate_status(), 0x80);
  channel->control_ports().write(0, 0, 1);
  put(kDevice, 0xb0);
  EXPECT_EQ(get(kMid) | get(kHigh) << 8, 0xeb14);
  EXPECT_EQ(get(kStatus), 0);
}

TEST_F(Ide, DeviceZeroAnswersForAnAbsentDeviceOne) {
  attach_disk();
  put(kDevice, 0xf0);
  EXPECT_EQ(get(kStatus), 0);
  put(kCount, 0x55);
  EXPECT_EQ(get(kCount), 0x55);
  EXPECT_EQ(get(kDevice), 0xf0);
  put(kStatus, 0xec);  // nobody hears it
  EXPECT_EQ(get(kStatus), 0);
  EXPECT_EQ(intrq.rises, 0);
}

TEST_F(Ide, IdentifyNamesTheSize) {
  attach_disk();
  put(kStatus, 0xec);
  EXPECT_TRUE(intrq.level);
  EXPECT_EQ(get(kStatus), kReadyWithData);
  EXPECT_FALSE(intrq.level);
  const auto data = words(512);
  EXPECT_EQ(load<u32>(&data[120]), kSectors);
  EXPECT_EQ(load<u64>(&data[200]), kSectors);
  EXPECT_EQ(std::string(&data[54], &data[58]), "IKET");
  EXPECT_EQ(get(kStatus), kReady);
  EXPECT_EQ(word(), 0xffff);
}

TEST_F(Ide, ReadsSectorBySectorWithAnInterruptEach) {
  attach_disk();
  command(kLbaDevice0, 7, 2, 0x20);
  EXPECT_EQ(intrq.rises, 1);
  EXPECT_EQ(get(kStatus), kReadyWithData);
  EXPECT_EQ(load<u32>(words(512).data()), 7u);
  EXPECT_EQ(intrq.rises, 2);
  EXPECT_EQ(get(kStatus), kReadyWithData);
  EXPECT_EQ(load<u32>(words(512).data()), 8u);
  EXPECT_EQ(intrq.rises, 2);
  EXPECT_EQ(get(kStatus), kReady);
  EXPECT_EQ(get(kLow), 8);
}

TEST_F(Ide, TheDataRegisterTakesThirtyTwoBits) {
  attach_disk();
  command(kLbaDevice0, 9, 1, 0x20);
  EXPECT_EQ(channel->command_ports().read(kData, 4), 9u);
}

TEST_F(Ide, ReadsByCylinderHeadAndSector) {
  attach_disk();
  put(kDevice, 0xa0);
  put(kCount, 1);
  put(kLow, 6);
  put(kMid, 0);
  put(kHigh, 0);
  put(kStatus, 0x20);
  EXPECT_EQ(load<u32>(words(512).data()), 5u);
  put(kLow, 0);  // there is no sector 0
  put(kStatus, 0x20);
  EXPECT_EQ(get(kStatus), kFailed);
  EXPECT_EQ(get(kError), 0x10);
}

TEST_F(Ide, FortyEightBitAddressesAreTwoWritesDeep) {
  attach_disk();
  for (const u8 value : {0, 3}) put(kLow, value);
  for (const u64 offset : {kMid, kHigh}) put(offset, 0), put(offset, 0);
  for (const u8 value : {0, 1}) put(kCount, value);
  put(kDevice, 0x40);
  put(kStatus, 0x24);
  EXPECT_EQ(load<u32>(words(512).data()), 3u);
  put(kLow, 1);  // the older byte: sector 1000003h, far beyond the end
  put(kLow, 3);
  put(kStatus, 0x24);
  EXPECT_EQ(get(kError), 0x10);
  channel->control_ports().write(0, 0x80, 1);
  EXPECT_EQ(get(kLow), 1);
}

TEST_F(Ide, WritesReachTheFile) {
  attach_disk();
  command(kLbaDevice0, 4, 2, 0x30);
  EXPECT_EQ(intrq.rises, 0);
  for (const u32 number : {0x1111u, 0x2222u}) {
    EXPECT_EQ(get(kStatus), kReadyWithData);
    for (unsigned i = 0; i < 128; ++i) channel->command_ports().write(kData, i ? 0 : number, 4);
  }
  EXPECT_EQ(intrq.rises, 2);
  EXPECT_EQ(get(kStatus), kReady);
  EXPECT_EQ(file.number_in(4), 0x1111u);
  EXPECT_EQ(file.number_in(5), 0x2222u);
  put(kStatus, 0xe7);
  EXPECT_EQ(get(kStatus), kReady);
}

TEST_F(Ide, AReadOnlyDiskRefusesWrites) {
  attach_disk(true);
  command(kLbaDevice0, 4, 1, 0x30);
  EXPECT_EQ(get(kStatus), kFailed);
  EXPECT_EQ(get(kError), 0x04);
  EXPECT_EQ(file.number_in(4), 4u);
}

TEST_F(Ide, TheEndOfTheDiskEndsTheCommand) {
  attach_disk();
  command(kLbaDevice0, kSectors, 1, 0x20);
  EXPECT_EQ(get(kError), 0x10);
  command(kLbaDevice0, kSectors - 1, 2, 0x20);
  words(512);
  EXPECT_EQ(get(kStatus), kFailed);
  EXPECT_EQ(get(kError), 0x10);
  command(kLbaDevice0, 1, 1, 0x77);
  EXPECT_EQ(get(kError), 0x04);
}

TEST_F(Ide, NienKeepsTheInterruptAway) {
  attach_disk();
  channel->control_ports().write(0, 2, 1);
  command(kLbaDevice0, 0, 1, 0x20);
  EXPECT_FALSE(intrq.level);
  channel->control_ports().write(0, 0, 1);
  EXPECT_TRUE(intrq.level);
  alternate_status();
  EXPECT_TRUE(intrq.level);
  get(kStatus);
  EXPECT_FALSE(intrq.level);
}

TEST_F(Ide, ASavedTransferGoesOn) {
  attach_disk();
  command(kLbaDevice0, 7, 2, 0x20);
  word();
  IdeChannel other(Line(), std::make_unique<AtaDisk>(file.open(false)), nullptr);
  EXPECT_TRUE(restore(other, saved(*channel)));
  for (unsigned i = 1; i < 256; ++i) other.command_ports().read(kData, 2);
  EXPECT_EQ(other.command_ports().read(kData, 2), 8u);
}

TEST_F(Ide, IdentifyDeviceIsRefusedByAPacketDeviceWithItsSignature) {
  attach_cdrom();
  put(kDevice, 0xb0);
  put(kStatus, 0xec);
  EXPECT_EQ(get(kStatus), kFailed);
  EXPECT_EQ(byte_count(), 0xeb14u);
  put(kStatus, 0xa1);
  EXPECT_EQ(words(512)[1], 0x85);
}

TEST_F(Ide, AReadComesInPiecesOfTheByteCount) {
  attach_cdrom();
  EXPECT_EQ(packet({0x28, 0, 0, 0, 0, 3, 0, 0, 2}, 2048), kReadyWithData);
  for (const u32 block : {3u, 4u}) {
    EXPECT_EQ(get(kStatus), kReadyWithData);
    EXPECT_EQ(get(kCount), 2);
    EXPECT_EQ(byte_count(), 2048u);
    const auto data = words(2048);
    EXPECT_EQ(load<u32>(data.data()), block * 4);
    EXPECT_EQ(load<u32>(&data[1536]), block * 4 + 3);
  }
  EXPECT_EQ(get(kCount), 3);
  EXPECT_EQ(get(kStatus), kReady);
  EXPECT_EQ(intrq.rises, 3);
}

TEST_F(Ide, OddByteCountsDoNotLoseData) {
  attach_cdrom();
  packet({0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 1025);
  EXPECT_EQ(byte_count(), 1024u);
  words(1024);
  EXPECT_EQ(byte_count(), 1024u);
  EXPECT_EQ(load<u32>(words(1024).data()), 2u);
  EXPECT_EQ(get(kStatus), kReady);
}

TEST_F(Ide, CapacityInquiryAndTableOfContents) {
  attach_cdrom();
  packet({0x25});
  EXPECT_EQ(words(8), (std::vector<u8>{0, 0, 0, kSectors / 4 - 1, 0, 0, 8, 0}));
  packet({0x12, 0, 0, 0, 36});
  EXPECT_EQ(words(36)[0], 5);
  packet({0x43, 0, 0, 0, 0, 0, 0, 0, 20});
  EXPECT_EQ(byte_count(), 20u);
  const auto toc = words(20);
  EXPECT_EQ(toc[1], 18);
  EXPECT_EQ(toc[14], 0xaa);
  EXPECT_EQ(toc[19], kSectors / 4);
  packet({0x43, 2, 0, 0, 0, 0, 0, 0, 12});
  EXPECT_EQ(words(12)[10], 2);  // block 0 is at 00:02:00
  packet({0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 28});
  EXPECT_EQ(words(28)[8], 0x2a);
}

TEST_F(Ide, WhatADriveCannotDoIsACheckConditionWithSense) {
  attach_cdrom();
  EXPECT_EQ(packet({0x28, 0, 0, 0, 0, kSectors / 4, 0, 0, 1}), kFailed);
  EXPECT_EQ(get(kError), 0x54);
  EXPECT_EQ(get(kCount), 3);
  packet({0x03, 0, 0, 0, 18});
  auto sense = words(18);
  EXPECT_EQ(sense[2], 5);
  EXPECT_EQ(sense[12], 0x21);
  EXPECT_EQ(packet({0x2a}), kFailed);
  packet({0x03, 0, 0, 0, 18});
  EXPECT_EQ(words(18)[12], 0x20);
  packet({0x03, 0, 0, 0, 18});
  EXPECT_EQ(words(18)[2], 0);
  EXPECT_EQ(packet({0xa8, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}), kFailed);
  EXPECT_EQ(packet({0x28, 0, 0, 0, 0, 0, 0, 0, 0}), kReady);
}

TEST_F(Ide, AFileThatIsCutWhileItIsUsedReadsAsZeros) {
  attach_cdrom();
  std::filesystem::resize_file(file.path(), 2048);
  packet({0x28, 0, 0, 0, 0, 1, 0, 0, 1});
  EXPECT_EQ(words(2048), std::vector<u8>(2048));
  EXPECT_EQ(get(kStatus), kReady);
}

TEST(DiskImage, MissingEmptyAndForeignFilesAreErrors) {
  const auto kind_of = [](const std::string& path) {
    auto opened = DiskImage::open(path, true);
    EXPECT_FALSE(opened) << path;
    return opened ? ErrorKind::kInternal : opened.error().kind;
  };
  EXPECT_EQ(kind_of("/nonexistent/disk"), ErrorKind::kNoInput);
  EXPECT_EQ(kind_of("/"), ErrorKind::kNoInput);
  EXPECT_EQ(kind_of("/dev/null"), ErrorKind::kData);
}

}  // namespace
}  // namespace kite::test
