// Programs that find out for themselves what machine they are on: SeaBIOS, GRUB, memtest86+.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/types.h"
#include "tests/boot/linux_guest.h"
#include "tests/paths.h"

namespace kite::test {
namespace {

using testing::HasSubstr;

constexpr const char* kBios = "seabios/bios-256k.bin";
constexpr const char* kOvmf = "ovmf/OVMF.fd";
constexpr const char* kMemtest = "memtest/memtest86+x64.bin";

#define SKIP_WITHOUT(file) \
  if (find_guest(file).empty()) GTEST_SKIP() << (file) << ": " << how_to_get_kernels();

std::string words_of(const ProgramRun& run) {
  return "stdout:\n" + run.out + "\nstderr:\n" + run.err;
}

// On the interpreter, so that every host runs the same test.
ProgramRun run_until(const std::string& expected, std::vector<std::string> options,
                     const std::vector<Reply>& replies = {}) {
  constexpr int kLimit = 250;
  std::vector<std::string> words = {paths::kProgram, "run",       "--accel",
                                    "tcg",           "--timeout", std::to_string(kLimit)};
  if (!expected.empty()) words.insert(words.end(), {"--expect", expected});
  words.insert(words.end(), options.begin(), options.end());
  return run_program(words, kLimit + 20, replies);
}

// A file of this process's, as long as this.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& name, const std::string& contents)
      : path_(testing::TempDir() + "kite-" + name + "-" + std::to_string(::getpid())) {
    std::ofstream(path_, std::ios::binary) << contents;
  }
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A disk whose first sector ends the run with status 2 * value + 1.
TemporaryFile boot_sector(u8 value = 1) {
  // mov ax, 0e4bh; int 10h (teletype 'K'); mov al, value; out 0f4h, al; jmp $
  std::string disk("\xb8\x4b\x0e\xcd\x10\xb0?\xe6\xf4\xeb\xfe", 11);
  disk[6] = static_cast<char>(value);
  disk.resize(510);
  disk += "\x55\xaa";
  disk.resize(64 * 1024);
  return TemporaryFile("boot-sector-" + std::to_string(value), disk);
}

class SeaBios : public testing::TestWithParam<const char*> {};

TEST_P(SeaBios, StartsFromItsRomAndFindsNothingToBoot) {
  SKIP_WITHOUT(GetParam());
  const ProgramRun run = run_until(
      "No bootable device", {"--memory", "64M", "--verbose", "--firmware", find_guest(GetParam())});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("Press ESC for boot menu"));
  EXPECT_THAT(run.err, HasSubstr("firmware: Found QEMU fw_cfg")) << "port 402h is not in the log";
  EXPECT_THAT(run.err, HasSubstr("Copying SMBIOS 3.0"));
  EXPECT_THAT(run.err, testing::Not(HasSubstr("parse error")));
}

INSTANTIATE_TEST_SUITE_P(Every, SeaBios,
                         testing::Values("seabios/bios.bin", "seabios/bios-256k.bin"),
                         [](const auto& info) {
                           return std::string(info.index == 0 ? "of_128_KiB" : "of_256_KiB");
                         });

// Escape at the prompt, then the number of an entry, both typed at the serial port.
TEST(SeaBiosMenu, ListsTheDrivesAndBootsTheOneThatIsChosen) {
  SKIP_WITHOUT(kBios);
  const TemporaryFile first = boot_sector(1), second = boot_sector(2);
  const ProgramRun run = run_until("",
                                   {"--memory", "64M", "--firmware", find_guest(kBios), "--disk",
                                    first.path(), "--disk", second.path()},
                                   {{"Press ESC for boot menu", "\x1b"}, {"2. ", "2"}});
  EXPECT_EQ(run.status, 5) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("Select boot device:"));
  EXPECT_THAT(run.out, HasSubstr("1. ata0-0: KITE HARDDISK"));
  EXPECT_THAT(run.out, HasSubstr("2. ata0-1: KITE HARDDISK"));
}

TEST(SeaBiosMenu, BootsASectorFromTheFirstDriveWhenNoKeyComes) {
  SKIP_WITHOUT(kBios);
  const TemporaryFile first = boot_sector(1), second = boot_sector(2);
  const ProgramRun run = run_until("", {"--memory", "64M", "--firmware", find_guest(kBios),
                                        "--disk", first.path(), "--disk", second.path()});
  EXPECT_EQ(run.status, 3) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("Booting from Hard Disk"));
}

// The kernel decompresses itself, and asks the firmware for the memory map and the tables.
TEST(SeaBiosKernel, IsStartedWithItsInitrdAndCommandLineBeforeAnyDrive) {
  SKIP_WITHOUT(kBios);
  SKIP_WITHOUT("linux-cloud/vmlinuz");
  SKIP_WITHOUT("initramfs.gz");
  const TemporaryFile disk = boot_sector();
  const ProgramRun run =
      run_until("ACPI: RSDP 0x0*F",
                {"--memory", "256M", "--firmware", find_guest(kBios), "--disk", disk.path(),
                 "--initrd", find_guest("initramfs.gz"), "--append",
                 "console=ttyS0 earlyprintk=ttyS0 panic=-1", find_guest("linux-cloud/vmlinuz")});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.err, HasSubstr("; bzImage 6."));
  EXPECT_THAT(run.out, HasSubstr("Booting from ROM"));
  EXPECT_THAT(run.out, HasSubstr("Command line: console=ttyS0 earlyprintk=ttyS0 panic=-1"));
  EXPECT_THAT(run.out, HasSubstr("RAMDISK: [mem 0x0fe0"));
}

TEST(SeaBiosKernel, StandsInTheBootMenuBesideTheDrives) {
  SKIP_WITHOUT(kBios);
  SKIP_WITHOUT("linux-cloud/vmlinuz");
  const TemporaryFile disk = boot_sector();
  const ProgramRun run = run_until("",
                                   {"--memory", "64M", "--firmware", find_guest(kBios), "--disk",
                                    disk.path(), find_guest("linux-cloud/vmlinuz")},
                                   {{"Press ESC for boot menu", "\x1b"}, {"2. ", "2"}});
  EXPECT_EQ(run.status, 3) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("1. Linux kernel"));
}

// A kernel of 54 bytes whose status tells the first letter of its command line: 'a' is 1.
TemporaryFile multiboot_kernel() {
  constexpr u32 kMagic = 0x1badb002, kFlags = 1 << 16, kLoad = 0x100000, kEntry = kLoad + 32;
  const u32 header[] = {kMagic, kFlags, 0 - kMagic - kFlags, kLoad, kLoad, 0, 0, kEntry};
  // cmp eax, 2badb002h; jne bad; mov esi, [ebx + 16]; mov al, [esi]; sub al, 61h; out 0f4h, al
  // bad: mov al, 63h; out 0f4h, al; jmp $
  const std::string code(
      "\x3d\x02\xb0\xad\x2b\x75\x09\x8b\x73\x10\x8a\x06\x2c\x61\xe6\xf4"
      "\xb0\x63\xe6\xf4\xeb\xfe",
      22);
  return TemporaryFile("multiboot",
                       std::string(reinterpret_cast<const char*>(header), sizeof header) + code);
}

TEST(SeaBiosKernel, MayBeAMultibootKernelWithItsCommandLine) {
  SKIP_WITHOUT(kBios);
  const TemporaryFile kernel = multiboot_kernel();
  const ProgramRun run = run_until(
      "", {"--memory", "64M", "--firmware", find_guest(kBios), "--append", "c", kernel.path()});
  EXPECT_EQ(run.status, 5) << words_of(run);
  EXPECT_THAT(run.err, HasSubstr("; multiboot 1"));
  EXPECT_THAT(run.out, HasSubstr("Booting from ROM"));
}

// Four times the code of SeaBIOS, in long mode: it looks for the kernel in fw_cfg itself and starts
// it as an EFI program.
TEST(SeaBiosKernel, SuspendsToRamAndSeaBiosWakesIt) {
  SKIP_WITHOUT(kBios);
  if (find_kernel(Kernel::kCloud).empty()) GTEST_SKIP() << how_to_get_kernels();
  const ProgramRun run =
      boot({.action = "suspend",
            .options = {"--verbose", "--cpus", "2", "--firmware", find_guest(kBios)}});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("back from suspend to RAM")) << words_of(run);
  EXPECT_THAT(run.err, HasSubstr("firmware: Jump to resume vector"));
}

TEST(Ovmf, StartsAKernelAsAnEfiProgram) {
  SKIP_WITHOUT(kOvmf);
  SKIP_WITHOUT("linux-cloud/vmlinuz");
  SKIP_WITHOUT("initramfs.gz");
  const ProgramRun run = run_until(
      "ACPI: SSDT.*KITESSDT",
      {"--memory", "256M", "--firmware", find_guest(kOvmf), "--initrd", find_guest("initramfs.gz"),
       "--append", "console=ttyS0 earlyprintk=ttyS0", find_guest("linux-cloud/vmlinuz")});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("EFI stub: Loaded initrd"));
  EXPECT_THAT(run.out, HasSubstr("efi: EFI v2.70 by EDK II"));
  EXPECT_THAT(run.out, testing::ContainsRegex("ACPI: FACP.*KITEFACP"));
}

TEST(Grub, ShowsItsMenuAndStartsLinuxWhichPowersOff) {
  SKIP_WITHOUT(kBios);
  SKIP_WITHOUT("grub/linux.iso");
  const ProgramRun run = run_until("", {"--memory", "256M", "--firmware", find_guest(kBios),
                                        "--disk", find_guest("grub/linux.iso")});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("GNU GRUB"));
  EXPECT_THAT(run.out, HasSubstr("Kite boot test"));
  EXPECT_THAT(run.out, HasSubstr("kite: user space is up"));
  EXPECT_THAT(run.out, HasSubstr("Interrupt link LNKA configured for IRQ 10"));
  for (const auto& complaint : kernel_complaints())
    EXPECT_THAT(run.out, testing::Not(HasSubstr(complaint))) << run.out;
}

TEST(Grub, StartsMemtest86Plus) {
  SKIP_WITHOUT(kBios);
  SKIP_WITHOUT("grub/memtest.iso");
  const ProgramRun run =
      run_until("Memtest86. v[0-9]", {"--memory", "64M", "--firmware", find_guest(kBios), "--disk",
                                      find_guest("grub/memtest.iso") + ",media=cdrom,readonly=on"});
  EXPECT_EQ(run.status, 0) << words_of(run);
}

TEST(Memtest86Plus, TestsTheMemoryAndFindsNoErrors) {
  SKIP_WITHOUT(kMemtest);
  // The sixth of its tests, or a later one: it may be over before the screen is drawn. What the
  // five before found stands there.
  const ProgramRun run =
      run_until("#([5-9]|10) ", {"--machine", "pc", "--memory", "8M", "--fail-on", "Errors: *[1-9]",
                                 "--append", "console=ttyS0,115200", find_guest(kMemtest)});
  EXPECT_EQ(run.status, 0) << words_of(run);
  EXPECT_THAT(run.out, HasSubstr("Errors: 0"));
}

}  // namespace
}  // namespace kite::test
