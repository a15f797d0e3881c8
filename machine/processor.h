// Processor: one processor's wiring: vCPU thread, local APIC, and what lies between them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "accel/accelerator.h"
#include "devices/irq/apic_bus.h"
#include "devices/irq/local_apic.h"
#include "machine/board_interrupts.h"
#include "machine/vcpu_thread.h"
#include "memory/address_space.h"

namespace kite {

// The board's end of a local APIC's wires. Both may be absent.
struct InterruptSources {
  std::function<std::optional<u8>()> acknowledge_external = {};  // the 8259 behind LINT0
  std::function<void(u8 vector)> end_of_interrupt = {};          // to every I/O APIC
};

class LocalApicWindow;

// Binds a LocalApic to the vCPU on whose thread it is used, in both directions.
class Processor : public InterruptPort, private LocalApicWiring {
 public:
  // `clock` is the machine's.
  Processor(unsigned index, VcpuThread::Owner& owner, Clock& clock, std::string name = {})
      : thread_(index, owner, clock, std::move(name)) {}

  VcpuThread& thread() { return thread_; }
  LocalApic* apic() { return apic_; }
  // The wiring, to construct a LocalApic with; then the LocalApic.
  LocalApicWiring& wiring(InterruptSources sources);
  void connect(LocalApic& apic) { apic_ = &apic; }
  void connect(LocalApicWindow& window) { window_ = &window; }

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
  void apic_base_changed(u64 apic_base) override;

  VcpuThread thread_;
  LocalApic* apic_ = nullptr;
  LocalApicWindow* window_ = nullptr;
  InterruptSources sources_;
};

// What stands at FEE00000h: for a processor its own local APIC, for every other bus master the
// place MSIs are written to. A processor that has moved its APIC's registers (IA32_APIC_BASE) finds
// them at their new place; what lies beneath that, no other processor reaches meanwhile. While an
// accelerator's local APICs serve the guest, no processor finds anything here.
class LocalApicWindow : public IoHandler {
 public:
  // `home`: where the registers are after reset. `apics`: by the processor's index.
  LocalApicWindow(AddressSpace& memory, Gpa home, const std::vector<LocalApic*>& apics,
                  BoardInterrupts& interrupts);
  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, u64 value, unsigned size) override;
  // The processor's IA32_APIC_BASE is `apic_base` now. On any thread.
  void moved(unsigned index, u64 apic_base);

 private:
  // Where one processor's registers have gone; others may be there, too.
  struct Place : IoHandler {
    Place(LocalApicWindow& owner, LocalApic& registers, Gpa at)
        : window(owner), apic(registers), page(at) {}
    u64 read(u64 offset, unsigned size) override;
    void write(u64 offset, u64 value, unsigned size) override;
    LocalApicWindow& window;
    LocalApic& apic;
    std::atomic<Gpa> page;
    std::shared_ptr<const Region> region;
    std::optional<WindowId> mapped = std::nullopt;
  };
  IoHandler* target(Gpa page);  // null: nobody is there
  bool is_processor() const;

  AddressSpace& memory_;
  const Gpa home_;
  BoardInterrupts& interrupts_;
  std::mutex mutex_;  // guards Place::mapped
  std::vector<std::unique_ptr<Place>> places_;
};

}  // namespace kite
