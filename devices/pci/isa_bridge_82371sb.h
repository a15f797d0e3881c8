// IsaBridge82371sb: function 0 of the PIIX3: the PCI-to-ISA bridge, which routes PCI's interrupts.
#pragma once

#include "base/line.h"
#include "devices/pci/pci_function.h"

namespace kite {

// Intel 82371SB data sheet 2.2. The reset control register is a chip of its own (ResetRegister).
class IsaBridge82371sb : public PciFunction {
 public:
  static constexpr unsigned kPirqs = 4;
  using Irqs = std::array<Line, 16>;  // the 8259s' inputs; those PCI may not have are never driven

  explicit IsaBridge82371sb(Irqs irqs);

  // PIRQ[A:D]# asserted or not by one of 32 sources; the wire is the or of them all.
  void set_pirq(unsigned pirq, unsigned source, bool asserted);

  std::string_view name() const override { return "82371SB"; }
  void reset() override;
  void transfer(Archive& archive) override;

 private:
  void config_changed() override;

  Irqs irqs_;
  std::mutex lines_mutex_;  // guards what follows
  std::array<u32, kPirqs> asserted_{};
  u16 driven_ = 0;  // the IRQs that are high
};

}  // namespace kite
