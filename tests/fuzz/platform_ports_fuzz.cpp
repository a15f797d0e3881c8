#include "devices/platform/debug_console.h"
#include "devices/platform/exit_port.h"
#include "devices/platform/port_92.h"
#include "devices/platform/pvpanic.h"
#include "devices/platform/reset_register.h"
#include "devices/platform/test_device.h"
#include "register_script.h"

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::ManualClock clock;
  kite::NullCharBackend nothing;
  kite::DebugConsole console(nothing);
  kite::ExitPort exit_port([](kite::u32) {});
  kite::Port92 port_92(kite::Line([](bool) {}), [] {}), other_port_92(kite::Line(), {});
  kite::Pvpanic pvpanic([](kite::u8) {});
  kite::ResetRegister reset([] {}), other_reset({});
  kite::fuzz::run_script(data, size, console, kite::DebugConsole::kSize, clock);
  kite::fuzz::run_script(data, size, exit_port, kite::ExitPort::kSize, clock);
  kite::fuzz::run_script(data, size, port_92, kite::Port92::kSize, clock);
  kite::fuzz::run_script(data, size, pvpanic, kite::Pvpanic::kSize, clock);
  kite::fuzz::run_script(data, size, reset, kite::ResetRegister::kSize, clock);
  kite::TestDevice tests([](unsigned, bool) {}), other_tests({});
  kite::fuzz::run_script(data, size, tests.register_ports(), kite::TestDevice::kRegisterSize,
                         clock);
  kite::fuzz::run_script(data, size, tests.interrupt_ports(), kite::TestDevice::kInterrupts, clock);
  kite::fuzz::run_script(data, size, tests.memory(), kite::TestDevice::kMemorySize, clock);
  kite::fuzz::move_state(tests, other_tests, data, size);
  kite::fuzz::move_state(port_92, other_port_92, data, size);
  kite::fuzz::move_state(reset, other_reset, data, size);
  return 0;
}
