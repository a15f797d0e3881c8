// The PIIX's functions that have configuration space but nothing behind it that moves: IDE and
// power management. Their registers are chips of their own, at fixed ports.
#pragma once

#include "devices/pci/pci_function.h"

namespace kite {

// Function 1 of the PIIX3 (82371SB data sheet 2.3). Both channels decode the compatibility ports,
// and there is no bus master: the programming interface says so.
class PiixIde : public PciFunction {
 public:
  PiixIde();
  std::string_view name() const override { return "82371SB-ide"; }
};

// The power management function of the PIIX4 (82371AB data sheet 7), as every firmware and kernel
// expects it beside a PIIX3. PMBA is fixed, SMBus absent, and the APM control port's SMI stands as
// enabled, which tells firmware not to install a handler: there is no system management mode.
class Piix4PowerManagement : public PciFunction {
 public:
  // `base` is what PMBA reads: where the board put the registers. `irq` is SCI.
  Piix4PowerManagement(u16 base, u8 irq);
  std::string_view name() const override { return "82371AB-pm"; }
};

}  // namespace kite
