#include "devices/registry.h"

#include <array>

namespace kite {

namespace {

constexpr std::array<DeviceKind, 22> kDevices = {{
    {"82093AA", "system", "I/O interrupt controller (IOAPIC)"},
    {"82371AB-pm", "pci", "PIIX4 power management: where ACPI's registers are"},
    {"82371SB", "pci", "PIIX3 PCI-to-ISA bridge: interrupt routing"},
    {"82371SB-ide", "pci", "PIIX3 IDE: configuration space of the two channels"},
    {"82441FX", "pci", "440FX host bridge: RAM in place of the ROM below 1 MiB"},
    {"8254", "system", "programmable interval timer, with the speaker's port 61h"},
    {"8259", "system", "pair of 8259A interrupt controllers"},
    {"acpi_pm", "system", "ACPI fixed hardware: power management timer, buttons, sleep states"},
    {"debug_console", "system", "port that prints each byte written to it (E9h, 402h)"},
    {"exit_port", "system", "port that ends the run with (value << 1) | 1 as exit status"},
    {"fw_cfg", "system", "firmware configuration: what the machine has (510h, DMA at 514h)"},
    {"hpet", "system", "high precision event timer"},
    {"i8042", "system", "PC/AT keyboard controller: A20 gate, reset line, nothing plugged in"},
    {"ide", "system", "IDE channel with two places: ATA disk, ATAPI CD-ROM (1F0h, 170h)"},
    {"local-apic", "system", "a processor's interrupt controller: xAPIC, x2APIC, TSC-deadline"},
    {"pci-host", "system", "PCI configuration mechanism #1 (CF8h, CFCh)"},
    {"port_92", "system", "system control port A: fast A20 gate and reset (92h)"},
    {"pvpanic", "system", "port on which a guest reports its kernel panic (505h)"},
    {"reset_register", "system", "reset control register (CF9h)"},
    {"rtc_mc146818", "system", "MC146818 real-time clock with 128 bytes of CMOS RAM"},
    {"test_device", "system",
     "what test programs expect of QEMU's pc-testdev (--device pc-testdev)"},
    {"uart_16550", "system", "PC16550D serial port with FIFOs (COM1)"},
}};

}  // namespace

std::span<const DeviceKind> device_kinds() {
  return kDevices;
}

}  // namespace kite
