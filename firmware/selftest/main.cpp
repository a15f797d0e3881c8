// The built-in self-test guest: checks the machine from inside and says what it found on COM1.
#include "firmware/selftest/exit_value.h"
#include "firmware/selftest/selftest.h"

int guest_main() {
  using namespace selftest;
  console_port = 0x3f8;
  print("Kite self-test\n");
  const BootInformation boot = read_boot_information();
  test_memory(boot);
  const Platform platform = discover(boot);
  start_clocks(platform);
  test_features();
  test_paging();
  test_exceptions();
  test_interrupts(platform);
  test_clocks(platform);
  measure_speed();
  print_decimal(checks());
  print(" checks, ");
  print_decimal(failures());
  print(failures() ? " failed: FAIL\n" : " failed: PASS\n");
  return static_cast<int>(failures() ? kite::kSelftestFailed : kite::kSelftestPassed);
}
