// Runs a machine whose guest is a function.
#pragma once

#include <gtest/gtest.h>

#include "tests/machine/fake_accelerator.h"

namespace kite::test {

// 512 bytes that end in 55AAh: a boot sector, the smallest image there is.
inline std::vector<u8> boot_sector() {
  std::vector<u8> image(512);
  image[510] = 0x55;
  image[511] = 0xaa;
  return image;
}

inline MachineConfig fake_config() {
  MachineConfig config;
  config.accel = "tcg";
  config.memory_size = 16 * MiB;
  config.kernel_image = boot_sector();
  config.timeout = 20 * kSecond;  // a test that hangs fails
  return config;
}

inline NullCharBackend null_serial;

inline Result<std::unique_ptr<Machine>> create_fake(const MachineConfig& config,
                                                    const FakeAccelerator& accelerator) {
  MachineOutside outside;
  outside.serial = &null_serial;
  outside.accelerators = accelerator.kinds();
  return Machine::create(config, std::move(outside));
}

inline Outcome run_fake(const MachineConfig& config, FakeProgram program) {
  FakeAccelerator accelerator(std::move(program));
  auto machine = create_fake(config, accelerator);
  if (!machine) {
    ADD_FAILURE() << machine.error().message;
    return {};
  }
  return (*machine)->run();
}

inline Outcome run_fake(FakeProgram program) {
  return run_fake(fake_config(), std::move(program));
}

}  // namespace kite::test
