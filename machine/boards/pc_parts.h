// What every board with a PC's chips has: interrupt controllers, timers, serial port, keyboard,
// power management (microvm.cpp).
#pragma once

#include <atomic>

#include "devices/irq/io_apic.h"
#include "devices/irq/pic_8259.h"
#include "devices/platform/acpi_pm.h"
#include "devices/platform/reset_register.h"
#include "devices/time/rtc_mc146818.h"
#include "machine/boards/addresses.h"
#include "machine/machine_build.h"

namespace kite {

// The sixteen ISA interrupt wires, each to both interrupt controllers.
struct IsaInterrupts {
  Pic8259Pair* pic = nullptr;
  IoApic* io_apic = nullptr;
  // The HPET stands in for the 8254 and the RTC ("legacy replacement", HPET 1.0a 2.3.8).
  std::atomic<bool> hpet_replaces{false};

  void set(unsigned irq, bool level) {
    pic->set_irq(irq, level);
    io_apic->set_irq(irq == irq::kTimer ? irq::kTimerInput : irq, level);
  }
  Line line(unsigned irq) {
    return Line([this, irq](bool level) { set(irq, level); });
  }
  // A wire that the HPET may take over.
  Line replaceable_line(unsigned irq) {
    return Line([this, irq](bool level) {
      if (!hpet_replaces.load()) set(irq, level);
    });
  }
};

// 8259 pair, I/O APIC and local APICs.
Result<IsaInterrupts*> add_interrupt_controllers(MachineBuild& machine);
// 8254 with port 61h, RTC, HPET.
Result<RtcMc146818*> add_timers(MachineBuild& machine, IsaInterrupts& isa);
Result<> add_serial_and_keyboard(MachineBuild& machine, IsaInterrupts& isa);
// ACPI's fixed hardware, and port 92h.
Result<AcpiPm*> add_power_management(MachineBuild& machine, IsaInterrupts& isa);
// Port CF9h, which the board maps.
ResetRegister& add_reset_register(MachineBuild& machine);
Result<> add_pvpanic(MachineBuild& machine);
// Where `--device` asks for it.
Result<> add_test_device(MachineBuild& machine, IsaInterrupts& isa);
// The chips above, as ACPI is told of them.
AcpiFacts pc_acpi_facts(MachineBuild& machine);

}  // namespace kite
