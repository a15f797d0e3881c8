// BootProgram: puts what the guest starts from into RAM, at power-on and again at every reset.
#pragma once

#include <string>

#include "accel/x86/state.h"
#include "base/fixed_name.h"
#include "base/result.h"
#include "machine/config.h"
#include "machine/machine_build.h"
#include "memory/address_space.h"

namespace kite {

// Firmware tables, kernel, initrd and command line. Files are read anew each time: a copy kept for
// the next reset would cost as much memory as the kernel and the initrd together.
class BootProgram {
 public:
  BootProgram(const MachineConfig& config, const FirmwareFacts& firmware, AddressSpace& memory)
      : config_(config),
        firmware_(firmware),
        memory_(memory),
        kernel_(config.kernel, FixedName::Use::kRead),
        initrd_(config.initrd, FixedName::Use::kRead) {}

  // The state in which the boot processor enters it.
  Result<X86State> load();

  // The state in which the boot processor goes on behind suspend to RAM: the firmware's reset
  // vector, or where the guest's FACS says. Nowhere: load().
  Result<X86State> resume();

  // "bzImage 6.1.0, xz, 64-bit ELF"
  const std::string& description() const { return description_; }

 private:
  Result<Gpa> write_tables();
  Result<> check_low_memory() const;

  const MachineConfig& config_;
  const FirmwareFacts& firmware_;
  AddressSpace& memory_;
  const FixedName kernel_, initrd_;
  std::string description_;
  Gpa facs_ = 0;
};

}  // namespace kite
