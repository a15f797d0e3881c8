// The microvm board: what a kernel without a PCI bus needs, and nothing else.
//
//   8254 ─── IRQ 0 ┐                     ┌─ 8259 pair ── INTR ── LINT0 ┐
//   RTC ──── IRQ 8 ┼── ISA interrupts ───┤                             local APIC ── vCPU
//   COM1 ─── IRQ 4 │   (IRQ 0 is input 2 └─ I/O APIC ──── messages ────┘
//   i8042 ── 1, 12 │    of the I/O APIC)        │
//   ACPI ─── IRQ 9 ┘                     HPET ──┘ (inputs 16–23; or as IRQ 0 and 8)
//
// The A20 gates of i8042 and port 92h lead nowhere: address line 20 always passes.
#include <chrono>

#include "base/log.h"
#include "devices/input/i8042.h"
#include "devices/irq/apic_bus.h"
#include "devices/irq/io_apic.h"
#include "devices/irq/pic_8259.h"
#include "devices/platform/acpi_pm.h"
#include "devices/platform/port_92.h"
#include "devices/platform/pvpanic.h"
#include "devices/platform/reset_register.h"
#include "devices/platform/test_device.h"
#include "devices/serial/uart_16550.h"
#include "devices/time/hpet.h"
#include "devices/time/pit_8254.h"
#include "devices/time/rtc_mc146818.h"
#include "machine/boards/addresses.h"
#include "machine/boards/builders.h"
#include "machine/boards/pc_parts.h"
#include "machine/machine_build.h"

namespace kite {
namespace {

std::function<void()> reset_by(MachineBuild& machine, const char* source) {
  return [&control = machine.control(), source] { control.request_reset(source); };
}

}  // namespace

// What the kernel's KVM has, too, so that a machine can be moved between accelerators: an I/O APIC
// without EOI register, local APICs without CMCI and without a way to keep EOIs from it.
Result<BoardInterrupts*> add_interrupt_controllers(MachineBuild& machine) {
  BoardInterrupts& isa = machine.interrupts();
  auto& chips = isa.chips;
  chips.bus = &machine.chips().join<ApicBus>();
  chips.local_apics = machine.local_apics(
      address::kLocalApic, *chips.bus,
      {.acknowledge_external = [&chips]() -> std::optional<u8> { return chips.pic->acknowledge(); },
       .end_of_interrupt = [&chips](u8 vector) { chips.io_apic->eoi(vector); }});

  LocalApic& boot_apic = *chips.local_apics.front();
  chips.pic = &machine.chips().add<Pic8259Pair>(
      Line([&boot_apic](bool level) { boot_apic.set_lint(0, level); }));
  KITE_CHECK(machine.ports("8259", address::kPicMaster, 2, chips.pic->master_ports()));
  KITE_CHECK(machine.ports("8259", address::kPicSlave, 2, chips.pic->slave_ports()));
  KITE_CHECK(machine.ports("8259", address::kElcr, 2, chips.pic->elcr_ports()));

  chips.io_apic = &machine.chips().add<IoApic>(u8{0}, IoApic::Version::k11, *chips.bus);
  machine.mmio("io-apic", address::kIoApic, IoApic::kSize, *chips.io_apic);
  return &isa;
}

namespace {

Hpet::Wiring hpet_wiring(BoardInterrupts& isa) {
  Hpet::Wiring wiring;
  constexpr unsigned kFirstInput = 16;  // the inputs above the ISA interrupts belong to nobody else
  for (unsigned input = kFirstInput; input < IoApic::kInputs; input++) {
    wiring.route_mask |= 1u << input;
    wiring.routes[input] = isa.line(input);
  }
  wiring.legacy_irq0 = isa.line(irq::kTimer);
  wiring.legacy_irq8 = isa.line(irq::kRtc);
  wiring.legacy_replacement = Line([&isa](bool level) { isa.set_hpet_replaces(level); });
  return wiring;
}

i64 time_of_day() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Result<RtcMc146818*> add_timers(MachineBuild& machine, BoardInterrupts& isa, AcpiPm& pm) {
  ChipSet& chips = machine.chips();
  auto& pit = chips.add<Pit8254>(machine.clock(), isa.replaceable_line(irq::kTimer));
  isa.chips.pit = &pit;
  KITE_CHECK(machine.ports("8254", address::kPit, 4, pit));
  KITE_CHECK(machine.ports("port-61h", address::kSystemControlB, 1, pit.port_61()));

  Line irq8([isa_irq = isa.replaceable_line(irq::kRtc), &pm](bool level) {
    isa_irq.set(level);
    pm.set_rtc(level);
  });
  auto& rtc = chips.add<RtcMc146818>(std::move(irq8), machine.clock(), time_of_day());
  KITE_CHECK(machine.ports("rtc", address::kRtc, RtcMc146818::kSize, rtc));

  auto& hpet = chips.add<Hpet>(machine.clock(), hpet_wiring(isa));
  machine.mmio("hpet", address::kHpet, Hpet::kSize, hpet);
  return &rtc;
}

Result<> add_serial_and_keyboard(MachineBuild& machine, BoardInterrupts& isa) {
  ChipSet& chips = machine.chips();
  auto& com1 = chips.add<Uart16550>(isa.line(irq::kCom1), machine.serial(), machine.clock());
  KITE_CHECK(machine.ports("com1", address::kCom1, Uart16550::kSize, com1));

  auto& keyboard = chips.add<I8042>(I8042::Wires{.irq1 = isa.line(irq::kKeyboard),
                                                 .irq12 = isa.line(irq::kAuxiliary),
                                                 .a20 = Line(),
                                                 .on_reset = reset_by(machine, "the i8042")});
  KITE_CHECK(machine.ports("i8042", address::kI8042Data, 1, keyboard.data_port()));
  return machine.ports("i8042", address::kI8042Command, 1, keyboard.command_port());
}

namespace {

// Firmware knows the PIIX4 and does not ask \_S5: 0 is soft-off there (82371AB 7.2.3, SUS_TYP).
constexpr u8 kPiix4SoftOff = 0;

static_assert(kAcpiSleepTypeS3 == AcpiPm::kSuspendToRam);

// A processor that executes anything behind this OUT may do harm: it expects not to come back.
void suspend_to_ram(RunControl& control) {
  static log::Limiter limiter;
  if (limiter.allow())
    log::info("the guest suspends to RAM, until an alarm or the monitor's `wake`");
  control.request_sleep();
  if (VcpuThread* thread = VcpuThread::current()) thread->fall_asleep();
}

std::function<void(u8)> sleep_action(RunControl& control) {
  return [&control](u8 type) {
    if (type == kAcpiSleepTypeS5 || type == kPiix4SoftOff) {
      control.finish(OutcomeKind::kPowerOff, "the guest powered off");
    } else if (type == kAcpiSleepTypeS3) {
      suspend_to_ram(control);
    } else {
      static log::Limiter limiter;
      if (limiter.allow()) log::debug("acpi: sleep type {} is not one that \\_Sx names", type);
    }
  };
}

}  // namespace

Result<AcpiPm*> add_power_management(MachineBuild& machine, BoardInterrupts& isa) {
  ChipSet& chips = machine.chips();
  auto& pm = chips.add<AcpiPm>(isa.line(irq::kSci), machine.clock(), AcpiPm::TimerWidth::k24,
                               sleep_action(machine.control()),
                               [&control = machine.control()] { control.request_wake(); });
  KITE_CHECK(machine.ports("acpi-pm", address::kAcpiPm, AcpiPm::kSize, pm));

  auto& port_92 = chips.add<Port92>(Line(), reset_by(machine, "port 92h"));
  KITE_CHECK(machine.ports("port-92h", address::kPort92, Port92::kSize, port_92));
  return &pm;
}

ResetRegister& add_reset_register(MachineBuild& machine) {
  return machine.chips().add<ResetRegister>(reset_by(machine, "the reset register"));
}

Result<> add_pvpanic(MachineBuild& machine) {
  const bool ends = machine.config().end_on_panic;
  auto& panic = machine.chips().add<Pvpanic>([&control = machine.control(), ends](u8 events) {
    if ((events & Pvpanic::kPanicked) != 0 && ends) {
      control.finish(OutcomeKind::kPanic, "the guest's kernel panicked (pvpanic)");
      return;
    }
    static log::Limiter limiter;
    if (limiter.allow()) log::warning("the guest's kernel panicked and goes on by itself");
  });
  return machine.ports("pvpanic", address::kPvpanic, Pvpanic::kSize, panic);
}

Result<> add_test_device(MachineBuild& machine, BoardInterrupts& isa) {
  if (!find_device(machine.config().devices, DeviceOption::Kind::kTestDevice)) return {};
  auto& chip = machine.chips().add<TestDevice>(
      [&isa](unsigned number, bool level) { isa.set(number, level); });
  KITE_CHECK(machine.ports("test-device", TestDevice::kRegisterPort, TestDevice::kRegisterSize,
                           chip.register_ports()));
  KITE_CHECK(machine.ports("test-device-byte", TestDevice::kByteRegisterPort, 1,  // E9h is taken
                           chip.register_ports()));
  KITE_CHECK(machine.ports("test-device-flush", TestDevice::kFlushPort, TestDevice::kRegisterSize,
                           chip.flush_port()));
  machine.mmio("test-device", TestDevice::kMemory, TestDevice::kMemorySize, chip.memory());
  return machine.ports("test-device-irq", TestDevice::kInterruptPort, TestDevice::kInterrupts,
                       chip.interrupt_ports());
}

AcpiFacts pc_acpi_facts(MachineBuild& machine) {
  AcpiFacts facts;
  for (unsigned index = 0; index < machine.config().cpus; index++) {
    facts.cpus.push_back({.apic_id = index});
  }
  facts.lapic_address = address::kLocalApic;
  facts.ioapics = {{.id = 0, .address = address::kIoApic, .gsi_base = 0}};
  facts.overrides = {
      {.irq = irq::kTimer, .gsi = irq::kTimerInput},
      {.irq = irq::kSci, .gsi = irq::kSci, .level = true},
  };
  facts.sci_irq = irq::kSci;
  facts.pm1_event_port = address::kAcpiPm + AcpiPm::kPm1aEvent;
  facts.pm1_control_port = address::kAcpiPm + AcpiPm::kPm1aControl;
  facts.pm_timer_port = address::kAcpiPm + AcpiPm::kPmTimer;
  facts.reset = AcpiFacts::Reset{address::kResetRegister, ResetRegister::kResetValue};
  facts.hpet = address::kHpet;
  facts.pvpanic_port = address::kPvpanic;
  return facts;
}

Result<> build_microvm(MachineBuild& machine) {
  machine.ram(address::kRamHoleStart);
  BoardInterrupts& isa = *KITE_TRY(add_interrupt_controllers(machine));
  AcpiPm& pm = *KITE_TRY(add_power_management(machine, isa));
  KITE_CHECK(add_timers(machine, isa, pm));
  KITE_CHECK(add_serial_and_keyboard(machine, isa));
  KITE_CHECK(machine.ports("reset", address::kPciConfigAddress, 4,
                           add_reset_register(machine).config_address_ports()));
  KITE_CHECK(add_pvpanic(machine));
  KITE_CHECK(add_test_ports(machine));
  KITE_CHECK(add_test_device(machine, isa));
  machine.firmware().acpi = pc_acpi_facts(machine);
  return {};
}

}  // namespace kite
