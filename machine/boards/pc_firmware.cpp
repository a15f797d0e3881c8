#include "machine/boards/pc_firmware.h"

#include <algorithm>

#include "base/bits.h"
#include "firmware/acpi_loader.h"
#include "firmware/layout.h"
#include "firmware/linux_boot_rom.h"
#include "firmware/smbios.h"
#include "machine/boards/addresses.h"
#include "machine/boot/firmware_kernel.h"
#include "machine/boot_files.h"

namespace kite {

namespace {

template <class T>
std::vector<u8> number(T value) {
  std::vector<u8> bytes(sizeof(T));
  store<T>(bytes.data(), value);
  return bytes;
}

// Entries of 20 bytes: start, size, type.
std::vector<u8> e820_file(std::span<const RamWindow> ram) {
  std::vector<u8> file;
  for (const RamWindow& window : ram) {
    const auto at = file.size();
    file.resize(at + 20);
    store<u64>(&file[at], window.start);
    store<u64>(&file[at + 8], window.size);
    store<u32>(&file[at + 16], static_cast<u32>(E820Type::kRam));
  }
  return file;
}

// A byte for each of S0 to S5: bit 7, there is such a state, and SLP_TYP. EDK II keeps memory for
// S3 only where it is told of it.
std::vector<u8> sleep_states() {
  constexpr u8 kThere = 0x80;
  return {kThere, 0, 0, kThere | kAcpiSleepTypeS3, 0, kThere | kAcpiSleepTypeS5};
}

// How firmware knows the option ROM that starts the kernel.
constexpr const char* kBootRom = "genroms/linux";

// OpenFirmware paths (SeaBIOS src/boot.c), one a line: the kernel, then CD-ROMs before disks, each
// in the order of --disk.
std::vector<u8> boot_order(const std::vector<DiskConfig>& disks, bool kernel) {
  std::string text = kernel ? fmt::format("/rom@{}\n", kBootRom) : "";
  for (const bool cdrom : {true, false})
    for (std::size_t i = 0; i < disks.size(); ++i)
      if (disks[i].cdrom == cdrom)
        text += fmt::format("/pci@i0cf8/ide@1,1/drive@{}/disk@{}\n", i / 2, i % 2);
  if (!text.empty()) text.back() = '\0';
  return {text.begin(), text.end()};
}

// The entry point is one file, the structures another; firmware moves both and ties them together.
void add_smbios(MachineBuild& machine, FwCfg::Contents& contents) {
  constexpr u64 kEntryPointSize = 24, kStructures = 16;  // SMBIOS 3.6 5.2.2
  SmbiosFacts facts;
  facts.product = machine.config().machine;
  facts.cpus = machine.config().cpus;
  facts.ram_size = memory_size_of(machine.config());
  const auto bytes = smbios_tables(facts, 0);
  const auto structures = static_cast<std::ptrdiff_t>(load<u64>(&bytes[kStructures]));
  contents.files["etc/smbios/smbios-anchor"].assign(bytes.begin(), bytes.begin() + kEntryPointSize);
  contents.files["etc/smbios/smbios-tables"].assign(bytes.begin() + structures, bytes.end());
}

// Items of our own, which firmware does not take for a Linux kernel.
std::vector<FwCfgCopy> add_multiboot_kernel(const FirmwareKernel& kernel,
                                            FwCfg::Contents& contents) {
  u16 key = 0x8100;
  std::vector<FwCfgCopy> copies;
  const auto add = [&](const FirmwareKernel::Part& part) {
    contents.items[key] = part.bytes;
    copies.push_back({key++, static_cast<u32>(part.bytes.size()), part.address});
  };
  add(kernel.setup);
  for (const FirmwareKernel::Part& part : kernel.others) add(part);
  return copies;
}

// The items by which firmware can also start it in a way of its own.
std::vector<FwCfgCopy> add_linux_kernel(const FirmwareKernel& kernel, FwCfg::Contents& contents) {
  struct Item {
    u16 address, size, data;
  };
  constexpr Item kSetup = {0x16, 0x17, 0x18}, kKernel = {0x07, 0x08, 0x11},
                 kCommandLine = {0x13, 0x14, 0x15}, kInitrd = {0x0a, 0x0b, 0x12};
  std::vector<FwCfgCopy> copies;
  const auto add = [&](const Item& item, const FirmwareKernel::Part& part) {
    const u32 size = static_cast<u32>(part.bytes.size());
    contents.items[item.address] = number<u32>(static_cast<u32>(part.address));
    contents.items[item.size] = number<u32>(size);
    contents.items[item.data] = part.bytes;
    if (size != 0) copies.push_back({item.data, size, part.address});
  };
  add(kSetup, kernel.setup);
  add(kKernel, kernel.kernel);
  add(kCommandLine, kernel.command_line);
  add(kInitrd, kernel.initrd);
  return copies;
}

// The kernel's items, and the ROM that copies them and enters it.
Result<> add_kernel(const FirmwareKernel& kernel, FwCfg::Contents& contents) {
  const auto copies = kernel.others.empty() ? add_linux_kernel(kernel, contents)
                                            : add_multiboot_kernel(kernel, contents);
  if (copies.size() > kMostFwCfgCopies)
    return fail(ErrorKind::kData, "{} of {} parts: with --firmware at most {} are possible",
                kernel.description, copies.size(), kMostFwCfgCopies);
  contents.files[kBootRom] = linux_boot_rom(copies, kernel.setup.address);
  return {};
}

// Nothing where no kernel is given, or no firmware to start it.
Result<std::optional<FirmwareKernel>> read_kernel(MachineBuild& machine) {
  const MachineConfig& config = machine.config();
  if (config.firmware.empty() || (config.kernel.empty() && config.kernel_image.empty()))
    return std::optional<FirmwareKernel>();
  const BootFiles files = KITE_TRY(read_boot_files(config));
  return std::optional(
      KITE_TRY(plan_firmware_kernel(files.request, machine.firmware().ram.front().size)));
}

}  // namespace

Result<FwCfg::Contents> pc_fw_cfg(MachineBuild& machine) {
  constexpr u16 kRamSize = 0x03, kNoGraphic = 0x04, kIrq0Override = 0x8002;
  FwCfg::Contents contents;
  const u16 cpus = static_cast<u16>(machine.config().cpus);
  contents.items[kRamSize] = number<u64>(memory_size_of(machine.config()));
  contents.items[kNoGraphic] = number<u16>(1);
  contents.items[FwCfg::kCpuCount] = number<u16>(cpus);
  contents.items[FwCfg::kMaxCpus] = number<u16>(cpus);
  contents.items[FwCfg::kBootMenu] = number<u16>(1);
  contents.items[kIrq0Override] = number<u8>(1);

  auto acpi = KITE_TRY(acpi_files(*machine.firmware().acpi, layout::kAcpiSize));
  contents.files[kAcpiTablesFile] = std::move(acpi.tables);
  contents.files[kAcpiRsdpFile] = std::move(acpi.rsdp);
  contents.files[kAcpiLoaderFile] = std::move(acpi.loader);
  add_smbios(machine, contents);
  contents.files["etc/e820"] = e820_file(machine.firmware().ram);
  contents.files["etc/sercon-port"] = number<u64>(address::kCom1);  // SeaBIOS's console
  contents.files["etc/boot-fail-wait"] = number<u32>(0xffffffff);   // do not reboot after a failure
  contents.files["etc/system-states"] = sleep_states();
  contents.files["etc/pvpanic-port"] = number<u16>(address::kPvpanic);
  const auto kernel = KITE_TRY(read_kernel(machine));
  if (kernel) {
    KITE_CHECK(add_kernel(*kernel, contents));
    machine.firmware().kernel = kernel->description;
  }
  if (const auto order = boot_order(machine.config().disks, kernel.has_value()); !order.empty())
    contents.files["bootorder"] = order;
  return contents;
}

// The PC/AT's bytes, and the ones that Bochs and QEMU added (SeaBIOS src/hw/rtc.h).
void fill_pc_cmos(MachineBuild& machine, RtcMc146818& rtc) {
  constexpr u8 kEquipment = 0x14, kBase = 0x15, kExtended = 0x17, kExtendedAgain = 0x30,
               kAbove16M = 0x34, kBootFlags = 0x38, kBootOrder = 0x3d, kAbove4G = 0x5b,
               kProcessors = 0x5f;
  const auto put = [&rtc](u8 at, u64 value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i)
      rtc.set_nvram(static_cast<u8>(at + i), static_cast<u8>(value >> (8 * i)));
  };
  u64 below = 0, above = 0;
  for (const RamWindow& window : machine.firmware().ram)
    (window.start < 4 * GiB ? below : above) += window.size;
  const u64 extended = std::min<u64>((below - MiB) / KiB, 0xffff);
  put(kBase, 640, 2);
  put(kExtended, extended, 2);
  put(kExtendedAgain, extended, 2);
  put(kAbove16M, below > 16 * MiB ? std::min<u64>((below - 16 * MiB) / (64 * KiB), 0xffff) : 0, 2);
  put(kAbove4G, above / (64 * KiB), 3);
  put(kEquipment, 0x02, 1);  // a coprocessor
  put(kBootOrder, 0x23, 1);  // CD-ROM, then disk
  put(kBootFlags, 0x01, 1);  // do not look for a diskette's signature
  put(kProcessors, machine.config().cpus - 1, 1);
}

}  // namespace kite
