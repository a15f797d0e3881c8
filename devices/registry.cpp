#include "devices/registry.h"

#include <array>

namespace kite {

namespace {

constexpr std::array<DeviceKind, 15> kDevices = {{
    {"82093AA", "system", "I/O interrupt controller (IOAPIC)"},
    {"8254", "system", "programmable interval timer, with the speaker's port 61h"},
    {"8259", "system", "pair of 8259A interrupt controllers"},
    {"acpi_pm", "system", "ACPI fixed hardware: power management timer, buttons, sleep states"},
    {"debug_console", "system", "port that prints each byte written to it (E9h, 402h)"},
    {"exit_port", "system", "port that ends the run with (value << 1) | 1 as exit status"},
    {"hpet", "system", "high precision event timer"},
    {"i8042", "system", "PC/AT keyboard controller: A20 gate, reset line, nothing plugged in"},
    {"local-apic", "system", "a processor's interrupt controller: xAPIC, x2APIC, TSC-deadline"},
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
