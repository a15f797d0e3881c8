// What every board with a PC's chips has: interrupt controllers, timers, serial port, keyboard,
// power management (microvm.cpp).
#pragma once

#include "devices/platform/acpi_pm.h"
#include "devices/platform/reset_register.h"
#include "devices/time/rtc_mc146818.h"
#include "machine/board_interrupts.h"
#include "machine/boards/addresses.h"
#include "machine/machine_build.h"

namespace kite {

// 8259 pair, I/O APIC and local APICs.
Result<BoardInterrupts*> add_interrupt_controllers(MachineBuild& machine);
// 8254 with port 61h, RTC, HPET. The RTC's alarm can end a sleep.
Result<RtcMc146818*> add_timers(MachineBuild& machine, BoardInterrupts& isa, AcpiPm& pm);
Result<> add_serial_and_keyboard(MachineBuild& machine, BoardInterrupts& isa);
// ACPI's fixed hardware, and port 92h.
Result<AcpiPm*> add_power_management(MachineBuild& machine, BoardInterrupts& isa);
// Port CF9h, which the board maps.
ResetRegister& add_reset_register(MachineBuild& machine);
Result<> add_pvpanic(MachineBuild& machine);
// Where `--device` asks for it.
Result<> add_test_device(MachineBuild& machine, BoardInterrupts& isa);
// The chips above, as ACPI is told of them.
AcpiFacts pc_acpi_facts(MachineBuild& machine);

}  // namespace kite
