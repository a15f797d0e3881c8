// Processor: one processor's wiring: vCPU thread, local APIC, and what lies between them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "accel/accelerator.h"
#include "devices/irq/apic_bus.h"
#include "devices/irq/local_apic.h"
#include "machine/vcpu_thread.h"

namespace kite {

// The board's end of a local APIC's wires. Both may be absent.
struct InterruptSources {
  std::function<std::optional<u8>()> acknowledge_external = {};  // the 8259 behind LINT0
  std::function<void(u8 vector)> end_of_interrupt = {};          // to every I/O APIC
};

// Binds a LocalApic to the vCPU on whose thread it is used, in both directions.
class Processor : public InterruptPort, private LocalApicWiring {
 public:
  Processor(unsigned index, VcpuThread::Owner& owner, std::string name = {})
      : thread_(index, owner, std::move(name)) {}

  VcpuThread& thread() { return thread_; }
  LocalApic* apic() { return apic_; }
  // The wiring, to construct a LocalApic with; then the LocalApic.
  LocalApicWiring& wiring(InterruptSources sources);
  void connect(LocalApic& apic) { apic_ = &apic; }

  // The vCPU's port, or null where the board has no interrupt controller.
  InterruptPort* port() { return apic_ != nullptr ? this : nullptr; }

 private:
  // InterruptPort
  bool pending() override { return apic_->pending(); }
  std::optional<u8> acknowledge() override { return apic_->acknowledge(); }
  u8 cr8() override { return apic_->cr8(); }
  void set_cr8(u8 value) override { apic_->set_cr8(value); }
  bool read_msr(u32 index, u64& value) override { return apic_->read_msr(index, value); }
  bool write_msr(u32 index, u64 value) override { return apic_->write_msr(index, value); }
  void set_tsc_offset(i64 offset) override { apic_->set_tsc_offset(offset); }

  // LocalApicWiring
  void interrupt_changed() override { thread_.signal(Signal::kInterrupt); }
  void nmi() override { thread_.signal(Signal::kNmi); }
  void init() override { thread_.signal(Signal::kInit); }
  void start_up(u8 vector) override { thread_.signal(Signal::kSipi, vector); }
  std::optional<u8> acknowledge_external() override;
  void end_of_interrupt(u8 vector) override;

  VcpuThread thread_;
  LocalApic* apic_ = nullptr;
  InterruptSources sources_;
};

// What stands at FEE00000h: for a processor its own local APIC, for every other bus master the
// place MSIs are written to.
class LocalApicWindow : public IoHandler {
 public:
  LocalApicWindow(std::vector<LocalApic*> apics, ApicBus& bus)
      : apics_(std::move(apics)), bus_(bus) {}
  u64 read(u64 offset, unsigned size) override { return target().read(offset, size); }
  void write(u64 offset, u64 value, unsigned size) override { target().write(offset, value, size); }

 private:
  IoHandler& target();
  std::vector<LocalApic*> apics_;  // by the processor's index
  ApicBus& bus_;
};

}  // namespace kite
