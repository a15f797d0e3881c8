// The pc board from a guest's side: ROM and RAM below 1 MiB, PCI, and what firmware is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/machine/boot_images.h"
#include "tests/machine/run_fake.h"

namespace kite::test {
namespace {

// 128 KiB: each byte says which 4 KiB page of the ROM it is in.
class PcBoard : public testing::Test {
 protected:
  PcBoard() : path_(testing::TempDir() + "kite-pc-board-" + std::to_string(::getpid())) {
    std::vector<char> rom(128 * KiB);
    for (std::size_t i = 0; i < rom.size(); ++i) rom[i] = static_cast<char>(0x40 + i / 4096);
    write(rom);
  }
  ~PcBoard() override { std::filesystem::remove(path_); }
  void write(const std::vector<char>& bytes) {
    std::ofstream(path_, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  MachineConfig config() const {
    MachineConfig config = fake_config();
    config.machine = "pc";
    config.kernel_image.clear();
    config.firmware = path_;
    return config;
  }
  static void set_pam(FakeVcpu& vcpu, u8 offset, u8 value) {
    vcpu.out(0xcf8, 0x80000000 | (offset & 0xfcu), 4);
    vcpu.out(static_cast<u16>(0xcfc + (offset & 3)), value, 1);
  }
  std::string path_;
};

Result<Exit> stop(FakeVcpu& vcpu) {
  vcpu.out(0xf4, 0);
  return vcpu.spin();
}

TEST_F(PcBoard, StartsAtTheResetVectorAndTheRomIsInBothPlaces) {
  const Outcome outcome = run_fake(config(), [](FakeVcpu& vcpu) {
    EXPECT_EQ(vcpu.state_.rip, 0xfff0u);
    EXPECT_EQ(vcpu.state_.segments[kCs].base, 0xffff0000u);
    EXPECT_EQ(vcpu.memory().read_value(0xfffffff0, 1), 0x5fu);
    EXPECT_EQ(vcpu.memory().read_value(0xfffe0000, 1), 0x40u);
    EXPECT_EQ(vcpu.memory().read_value(0xffff0, 1), 0x5fu);
    EXPECT_EQ(vcpu.memory().read_value(0xe0000, 1), 0x40u);
    EXPECT_EQ(vcpu.memory().read_value(0xc0000, 2), 0xffffu);
    EXPECT_EQ(vcpu.memory().read_value(0xb8000, 2), 0xffffu);
    vcpu.memory().write_value(0xfffffff0, 0, 1);
    vcpu.memory().write_value(0xffff0, 0, 1);
    EXPECT_EQ(vcpu.memory().read_value(0xffff0, 1), 0x5fu);
    return stop(vcpu);
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kExitValue) << outcome.reason;
}

TEST_F(PcBoard, PamPutsRamInThePlaceOfTheRom) {
  run_fake(config(), [](FakeVcpu& vcpu) {
    AddressSpace& memory = vcpu.memory();
    set_pam(vcpu, 0x59, 0x20);  // write to RAM, read from ROM
    memory.write_value(0xf0000, 0x12, 1);
    memory.write_value(0xffff8, 0x1122334455667788, 8);
    EXPECT_EQ(memory.read_value(0xf0000, 1), 0x50u);
    set_pam(vcpu, 0x59, 0x10);  // read from RAM only
    EXPECT_EQ(memory.read_value(0xf0000, 1), 0x12u);
    EXPECT_EQ(memory.read_value(0xffff8, 8), 0x1122334455667788u);
    memory.write_value(0xf0000, 0x34, 1);
    EXPECT_EQ(memory.read_value(0xf0000, 1), 0x12u);
    set_pam(vcpu, 0x59, 0x30);
    memory.write_value(0xf0000, 0x34, 1);
    EXPECT_EQ(memory.read_value(0xf0000, 1), 0x34u);
    set_pam(vcpu, 0x5a, 0x02);  // C0000h, where there is no ROM
    memory.write_value(0xc0000, 0x77, 1);
    EXPECT_EQ(memory.read_value(0xc0000, 1), 0xffu);
    set_pam(vcpu, 0x5a, 0x01);
    EXPECT_EQ(memory.read_value(0xc0000, 1), 0x77u);
    return stop(vcpu);
  });
}

TEST_F(PcBoard, AResetShowsTheRomAgainAndKeepsRam) {
  int boots = 0;
  run_fake(config(), [&](FakeVcpu& vcpu) -> Result<Exit> {
    boots = vcpu.boots;
    EXPECT_EQ(vcpu.memory().read_value(0xffff0, 1), 0x5fu);
    if (vcpu.boots == 2) {
      EXPECT_EQ(vcpu.memory().read_value(0x5000, 1), 0xabu);
      return stop(vcpu);
    }
    vcpu.memory().write_value(0x5000, 0xab, 1);
    set_pam(vcpu, 0x59, 0x30);
    vcpu.memory().write_value(0xffff0, 0, 1);
    vcpu.out(0xcf9, 0x06);
    return vcpu.spin();
  });
  EXPECT_EQ(boots, 2);
}

TEST_F(PcBoard, TellsFirmwareHowMuchMemoryThereIs) {
  run_fake(config(), [](FakeVcpu& vcpu) {
    const auto cmos = [&](u8 index) {
      vcpu.out(0x70, index);
      return vcpu.in(0x71);
    };
    EXPECT_EQ(cmos(0x30) | cmos(0x31) << 8, 15u * 1024);
    EXPECT_EQ(cmos(0x5f), 0u);
    vcpu.out(0x510, 0, 2);
    EXPECT_EQ(vcpu.in(0x511), u32{'Q'});
    vcpu.out(0xcf8, 0x80000800, 4);
    EXPECT_EQ(vcpu.in(0xcfc, 4), 0x70008086u);
    return stop(vcpu);
  });
}

TEST_F(PcBoard, WithoutFirmwareItStartsAKernelAndTheBiosAreaIsRam) {
  MachineConfig direct = config();
  direct.firmware.clear();
  direct.kernel_image = boot_sector();
  run_fake(direct, [](FakeVcpu& vcpu) {
    EXPECT_EQ(vcpu.state_.rip, 0x7c00u);
    EXPECT_EQ(vcpu.memory().read_value(0xe0000, 8), 0x2052545020445352u);  // "RSD PTR "
    return stop(vcpu);
  });
}

// As EDK II does it: at B000h, with the PIIX4's sleep type.
TEST_F(PcBoard, UefiFirmwarePowersOff) {
  const Outcome outcome = run_fake(config(), [](FakeVcpu& vcpu) {
    vcpu.out(0xb004, 0x2000, 2);
    return vcpu.spin();
  });
  EXPECT_EQ(outcome.kind, OutcomeKind::kPowerOff) << outcome.reason;
}

TEST_F(PcBoard, FirmwareIsGivenTheKernelAndARomThatStartsIt) {
  MachineConfig with_kernel = config();
  with_kernel.kernel_image = bz_image(sample(5000));
  with_kernel.append = "quiet";
  run_fake(with_kernel, [](FakeVcpu& vcpu) {
    const auto item = [&](u16 key) {
      u32 value = 0;
      vcpu.out(0x510, key, 2);
      for (unsigned i = 0; i < 4; ++i) value |= vcpu.in(0x511) << (8 * i);
      return value;
    };
    EXPECT_EQ(item(0x16), 0x10000u);  // where the setup code belongs
    EXPECT_EQ(item(0x07), 0x100000u);
    EXPECT_EQ(item(0x14), 6u);  // the command line, with its NUL
    EXPECT_EQ(item(0x0b), 0u);  // no initrd
    return stop(vcpu);
  });
}

void expect_error(const MachineConfig& config, ErrorKind kind, const char* words) {
  FakeAccelerator accelerator([](FakeVcpu& vcpu) { return stop(vcpu); });
  auto machine = create_fake(config, accelerator);
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().kind, kind) << machine.error().message;
  EXPECT_THAT(machine.error().message, testing::HasSubstr(words));
}

TEST_F(PcBoard, AKernelThatFirmwareCannotStartIsOneLine) {
  MachineConfig bad = config();
  bad.kernel_image = boot_sector();
  expect_error(bad, ErrorKind::kData, "with --firmware a Linux bzImage or a multiboot kernel is expected");
  bad.kernel_image.clear();
  bad.kernel = "/nonexistent/kernel";
  expect_error(bad, ErrorKind::kNoInput, "/nonexistent/kernel");
  bad.kernel.clear();
  bad.append = "quiet";
  expect_error(bad, ErrorKind::kUsage, "--append");
}

TEST_F(PcBoard, ABadFirmwareFileIsOneLine) {
  MachineConfig bad = config();
  write(std::vector<char>(1000));
  expect_error(bad, ErrorKind::kData, "64 KiB");
  write(std::vector<char>(17 * MiB, 1));
  expect_error(bad, ErrorKind::kData, "16 MiB");
  write(std::vector<char>(64 * KiB));
  expect_error(bad, ErrorKind::kData, "empty");
  bad.firmware = "/nonexistent";
  expect_error(bad, ErrorKind::kNoInput, "/nonexistent");
  bad.firmware = std::string("/");
  expect_error(bad, ErrorKind::kNoInput, "directory");
  bad.machine = "microvm";
  expect_error(bad, ErrorKind::kUsage, "--machine pc");
}

}  // namespace
}  // namespace kite::test
