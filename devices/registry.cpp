#include "devices/registry.h"

#include <array>

namespace kite {

namespace {

constexpr std::array<DeviceKind, 14> kDevices = {{
    {"acpi_pm", "system",
     "ACPI fixed hardware: power management timer, power button, sleep states"},
    {"debug_console", "system", "port that prints each byte written to it (E9h, 402h)"},
    {"exit_port", "system", "port that ends the run with (value << 1) | 1 as exit status"},
    {"hpet", "system", "high precision event timer"},
    {"i8042", "system",
     "PC/AT keyboard controller: A20 gate and reset line, no keyboard plugged in"},
    {"ioapic", "system", "82093AA I/O interrupt controller"},
    {"lapic", "system", "local interrupt controller of a processor: xAPIC, x2APIC, TSC-deadline"},
    {"pic_8259", "system", "pair of 8259A interrupt controllers"},
    {"pit_8254", "system", "8254 programmable interval timer, with port 61h"},
    {"port_92", "system", "system control port A: fast A20 gate and reset (92h)"},
    {"pvpanic", "system", "port on which a guest reports its kernel panic (505h)"},
    {"reset_register", "system", "reset control register (CF9h)"},
    {"rtc_mc146818", "system", "MC146818 real-time clock with 128 bytes of CMOS RAM"},
    {"uart_16550", "system", "PC16550D serial port with FIFOs (COM1 to COM4)"},
}};

}  // namespace

std::span<const DeviceKind> device_kinds() {
  return kDevices;
}

}  // namespace kite
