// The pc board: a PC of the late nineties, as firmware and every operating system know it.
//
//   vCPU ── 82441FX ──┬── RAM, and below 1 MiB RAM in place of ROM (PAM registers)
//                     └── PCI bus 0: 0.0 82441FX
//                                    1.0 82371SB (ISA: everything the microvm board has, ROM,
//                                    fw_cfg) 1.1 IDE     (two channels, interrupts 14 and 15) 1.3
//                                    82371AB (power management, interrupt 9)
//
// The A20 gates of i8042 and port 92h lead nowhere: address line 20 always passes.
#include <algorithm>

#include "base/bits.h"
#include "devices/host/log_char_backend.h"
#include "devices/pci/isa_bridge_82371sb.h"
#include "devices/pci/pci_host.h"
#include "devices/pci/piix_functions.h"
#include "devices/platform/acpi_pm.h"
#include "devices/storage/ata_disk.h"
#include "devices/storage/atapi_cdrom.h"
#include "devices/storage/ide_channel.h"
#include "machine/boards/builders.h"
#include "machine/boards/pc_firmware.h"
#include "machine/boards/pc_parts.h"
#include "machine/boards/shadow_memory.h"
#include "machine/boot/firmware_image.h"

namespace kite {
namespace {

// Legacy video memory without a display: reads are all ones.
struct NobodyThere : IoHandler {
  u64 read(u64, unsigned size) override { return mask_of_bytes(size); }
  void write(u64, u64, unsigned) override {}
};

// Tells the firmware what kind of reset it meets, as QEMU's boards do: SeaBIOS (src/resume.c) and
// EDK II know the number.
class ShutdownStatus : public Device {
 public:
  explicit ShutdownStatus(RtcMc146818& rtc) : rtc_(rtc) {}
  std::string_view name() const override { return "shutdown_status"; }
  void reset() override {}
  void reset_after_sleep() override { rtc_.set_nvram(kShutdownStatus, kResume); }
  void transfer(Archive&) override {}

 private:
  static constexpr u8 kShutdownStatus = 0x0f, kResume = 0xfe;
  RtcMc146818& rtc_;
};

// The ROM, which ends at 4 GiB. Empty: the board has none, and RAM in its place from the start.
Result<const HostMemory*> add_rom(MachineBuild& machine) {
  auto& rom = machine.chips().join<HostMemory>();
  const std::string& path = machine.config().firmware;
  if (path.empty()) return &rom;
  const auto bytes = KITE_TRY(read_firmware(path));
  BackendConfig backend;
  backend.kind = "ram";
  backend.size = bytes.size();
  rom = KITE_TRY(allocate(backend));
  std::copy(bytes.begin(), bytes.end(), rom.data());
  machine.edit().map({.start = 4 * GiB - rom.size(),
                      .size = rom.size(),
                      .region = Region::rom("firmware", rom),
                      .priority = 1});
  return &rom;
}

Result<HostBridge82441fx*> add_memory(MachineBuild& machine) {
  machine.ram(address::kRamHoleStart);
  if (machine.firmware().ram.front().size < MiB)
    return fail(ErrorKind::kUsage, "--memory: this board needs the first 1 MiB");
  auto& vga = machine.chips().join<NobodyThere>();
  machine.mmio("vga", address::kVgaWindow, address::kVgaWindowSize, vga);
  const HostMemory& rom = *KITE_TRY(add_rom(machine));
  auto& shadow = machine.chips().join<ShadowMemory>(machine.memory(), machine.ram_memory(), rom);
  auto& bridge = machine.chips().add<HostBridge82441fx>(
      [&shadow](const HostBridge82441fx::Segments& segments) { shadow.remap(segments); },
      rom.size() == 0);
  shadow.map(machine.edit(), bridge.segments());
  return &bridge;
}

Result<> add_pci(MachineBuild& machine, HostBridge82441fx& bridge, BoardInterrupts& isa) {
  ChipSet& chips = machine.chips();
  auto& host = chips.add<PciHost>(&add_reset_register(machine));
  KITE_CHECK(machine.ports("pci-config", address::kPciConfigAddress, PciHost::kAddressSize,
                           host.address_ports()));
  KITE_CHECK(
      machine.ports("pci-config", address::kPciConfigData, PciHost::kDataSize, host.data_ports()));
  IsaBridge82371sb::Irqs irqs;
  for (unsigned irq = 0; irq < irqs.size(); ++irq) irqs[irq] = isa.line(irq);
  host.plug(0, 0, bridge);
  host.plug(1, 0, chips.add<IsaBridge82371sb>(std::move(irqs)));
  host.plug(1, 1, chips.add<PiixIde>());
  host.plug(1, 3, chips.add<Piix4PowerManagement>(address::kAcpiPm, u8{irq::kSci}));
  return {};
}

Result<std::unique_ptr<IdeDrive>> make_drive(const MachineConfig& config, std::size_t place) {
  if (place >= config.disks.size()) return std::unique_ptr<IdeDrive>();
  const DiskConfig& disk = config.disks[place];
  auto image = KITE_TRY(DiskImage::open(disk.path, disk.readonly));
  constexpr u64 kSector = 512;
  if (image->size() < kSector)
    return fail(ErrorKind::kData, "disk '{}': {} bytes, less than one sector", disk.path,
                image->size());
  if (disk.cdrom) return std::unique_ptr<IdeDrive>(new AtapiCdrom(std::move(image)));
  return std::unique_ptr<IdeDrive>(new AtaDisk(std::move(image)));
}

Result<> add_ide_channel(MachineBuild& machine, BoardInterrupts& isa, std::size_t first_place,
                         u16 command_port, u16 control_port, unsigned irq) {
  auto device_0 = KITE_TRY(make_drive(machine.config(), first_place));
  auto device_1 = KITE_TRY(make_drive(machine.config(), first_place + 1));
  auto& channel =
      machine.chips().add<IdeChannel>(isa.line(irq), std::move(device_0), std::move(device_1));
  KITE_CHECK(machine.ports("ide", command_port, IdeChannel::kCommandSize, channel.command_ports()));
  return machine.ports("ide", control_port, IdeChannel::kControlSize, channel.control_ports());
}

Result<> add_ide(MachineBuild& machine, BoardInterrupts& isa) {
  KITE_CHECK(add_ide_channel(machine, isa, 0, address::kIdePrimary, address::kIdePrimaryControl,
                             irq::kIdePrimary));
  return add_ide_channel(machine, isa, 2, address::kIdeSecondary, address::kIdeSecondaryControl,
                         irq::kIdeSecondary);
}

// Port 402h, where firmware prints what it does, leads to --debug-console or else to the log.
Result<> add_consoles(MachineBuild& machine) {
  if (machine.config().debug_console.kind != CharConfig::Kind::kNull)
    return add_test_ports(machine);
  return add_test_ports(machine, machine.chips().join<LogCharBackend>("firmware"));
}

Result<> add_fw_cfg(MachineBuild& machine) {
  auto& chip = machine.chips().add<FwCfg>(machine.memory(), KITE_TRY(pc_fw_cfg(machine)));
  KITE_CHECK(machine.ports("fw_cfg", address::kFwCfg, FwCfg::kPortsSize, chip.ports()));
  return machine.ports("fw_cfg", address::kFwCfgDma, FwCfg::kDmaSize, chip.dma_ports());
}

}  // namespace

Result<> build_pc(MachineBuild& machine) {
  HostBridge82441fx& bridge = *KITE_TRY(add_memory(machine));
  BoardInterrupts& isa = *KITE_TRY(add_interrupt_controllers(machine));
  AcpiPm& pm = *KITE_TRY(add_power_management(machine, isa));
  RtcMc146818& rtc = *KITE_TRY(add_timers(machine, isa, pm));
  machine.chips().add<ShutdownStatus>(rtc);
  KITE_CHECK(add_serial_and_keyboard(machine, isa));
  KITE_CHECK(machine.ports("acpi-pm-edk2", address::kAcpiPmOfEdk2, AcpiPm::kSize, pm));
  KITE_CHECK(add_pci(machine, bridge, isa));
  KITE_CHECK(add_ide(machine, isa));
  KITE_CHECK(add_pvpanic(machine));
  KITE_CHECK(add_consoles(machine));
  KITE_CHECK(add_test_device(machine, isa));
  machine.firmware().acpi = pc_acpi_facts(machine);
  machine.firmware().acpi->has_pci = true;
  // Where the DSDT's interrupt links can lead: level-triggered, as PCI's are.
  for (const u8 number : {u8{5}, u8{10}, u8{11}})
    machine.firmware().acpi->overrides.push_back({.irq = number, .gsi = number, .level = true});
  fill_pc_cmos(machine, rtc);
  return add_fw_cfg(machine);
}

}  // namespace kite
