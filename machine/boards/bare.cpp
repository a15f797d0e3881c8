// The bare board: RAM and the chips a test program talks to. No interrupt controller, no timer.
#include "devices/platform/debug_console.h"
#include "devices/platform/exit_port.h"
#include "devices/serial/uart_16550.h"
#include "machine/boards/addresses.h"
#include "machine/boards/builders.h"
#include "machine/machine_build.h"

namespace kite {

Result<> add_test_ports(MachineBuild& machine, CharBackend& firmware_console) {
  auto& exit_port = machine.chips().add<ExitPort>([&control = machine.control()](u32 status) {
    // The host sees the lowest eight bits of a program's status.
    control.finish(OutcomeKind::kExitValue, static_cast<int>(status & 0xff),
                   fmt::format("the guest ended the run with status {}", status & 0xff));
  });
  const auto* given = find_device(machine.config().devices, DeviceOption::Kind::kDebugExit);
  KITE_CHECK(machine
                 .ports("exit-port", given ? given->port : address::kExitPort,
                        given ? given->ports : ExitPort::kSize, exit_port)
                 .map_error([&](Error error) {
                   if (given) error.kind = ErrorKind::kUsage;  // ports that others have
                   return error;
                 }));

  auto& console = machine.chips().add<DebugConsole>(machine.debug_console());
  KITE_CHECK(machine.ports("debug-console", address::kDebugConsole, DebugConsole::kSize, console));
  auto& firmware = machine.chips().add<DebugConsole>(firmware_console);
  return machine.ports("debug-console", address::kFirmwareDebugConsole, DebugConsole::kSize,
                       firmware);
}

Result<> add_test_ports(MachineBuild& machine) {
  return add_test_ports(machine, machine.debug_console());
}

Result<> build_bare(MachineBuild& machine) {
  machine.ram(address::kRamHoleStart);
  auto& com1 = machine.chips().add<Uart16550>(Line(), machine.serial(), machine.clock());
  KITE_CHECK(machine.ports("com1", address::kCom1, Uart16550::kSize, com1));
  return add_test_ports(machine);
}

}  // namespace kite
