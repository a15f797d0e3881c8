// LocalApic: a processor's local APIC: xAPIC page, x2APIC MSRs, timer, IPIs (SDM 3A chapter 11).
//
// Purpose. It collects what is sent to one processor (messages from an ApicBus, the pins LINT0 and
// LINT1, its own timer and errors), holds fixed interrupts in the IRR until the processor's
// priority lets them through, and keeps them in the ISR until EOI.
//
// Words. *Pending*: an interrupt the processor should take when its IF allows: a fixed one whose
// class is above the processor priority, or an external one of the 8259 behind LINT0.
// *Hardware-disabled*: IA32_APIC_BASE bit 11 clear; the pins are then INTR and NMI, messages
// vanish. *Software-disabled*: SVR bit 8 clear; fixed messages vanish, the LVT is masked, what is
// already in IRR and ISR stays.
//
// Invariants. pending() is a copy, for one atomic load, of what the registers say; every function
// that changes them recomputes it before the lock is released. What has to be told to somebody else
// is collected in `outcome_` under the lock and told after it is released: a local APIC never calls
// anyone with its lock held, so two of them can send to each other.
//
// Lock order: 8259, I/O APIC or HPET -> local APIC. The wiring's calls may come from under a
// source's lock, so they must not call back into a source, except end_of_interrupt() and
// acknowledge_external(), which come only from the processor's own accesses.
//
// Deliberately absent: SMI, the APIC-timer's drift in sleep states, focus processors, the LVT's
// polarity bits (a wire's level is its assertion), the CPUID bit that follows the hardware enable.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <optional>

#include "base/chip_state.h"
#include "base/clock.h"
#include "devices/device.h"
#include "devices/irq/interrupt_message.h"
#include "devices/irq/local_apic_timer.h"
#include "memory/region.h"

namespace kite {

// What a local APIC is wired to on the processor's and on the board's side. Called without the
// local APIC's lock held, on any thread.
class LocalApicWiring {
 public:
  virtual ~LocalApicWiring() = default;
  virtual void interrupt_changed() = 0;  // pending() may have become true
  virtual void nmi() = 0;
  virtual void init() = 0;  // the local APIC has already reset itself
  virtual void start_up(u8 vector) = 0;
  // INTA to the 8259 behind LINT0; nothing if there is none.
  virtual std::optional<u8> acknowledge_external() = 0;
  // The EOI message that follows a level-triggered interrupt: to every I/O APIC.
  virtual void end_of_interrupt(u8 vector) = 0;
  // The guest moved the register page, or switched the APIC or its x2APIC mode on or off.
  virtual void apic_base_changed(u64 /*apic_base*/) {}
};

struct LocalApicConfig {
  u32 apic_id = 0;
  bool bootstrap = false;  // the BSP flag of IA32_APIC_BASE
  u64 tsc_hz = 1'000'000'000;
  u64 bus_hz = 1'000'000'000;  // what the timer divides
  unsigned physical_address_bits = 40;
  bool x2apic = true;  // has that mode (CPUID.1:ECX bit 21)
  // Version 14h has what came late: an LVT entry for CMCI, and EOIs that are not broadcast.
  bool cmci = true;
  bool directed_eoi = true;
};

// The local interrupt sources that have no pin.
enum class LocalSource { kThermal, kPerformance, kCmci };

class LocalApic : public Device, public IoHandler {
 public:
  static constexpr u64 kSize = 4096;
  static constexpr u64 kDefaultBase = 0xFEE00000;

  LocalApic(const LocalApicConfig& config, Clock& clock, InterruptBus& bus,
            LocalApicWiring& wiring);

  std::string_view name() const override { return "local-apic"; }
  void reset() override;
  void transfer(Archive& archive) override;
  // The processor's own accesses to the register page.
  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, u64 value, unsigned size) override;

  // The processor's side.
  bool pending() const { return pending_.load(std::memory_order_acquire); }
  std::optional<u8> acknowledge();
  u8 cr8() const { return static_cast<u8>(tpr_.load(std::memory_order_relaxed) >> 4); }
  void set_cr8(u8 value);
  // IA32_APIC_BASE, IA32_TSC_DEADLINE and 800h–8FFh; false means #GP.
  bool read_msr(u32 index, u64& value);
  bool write_msr(u32 index, u64 value);
  // The processor's TSC is clock * tsc_hz + offset; call when the guest moved it.
  void set_tsc_offset(i64 offset);
  // Before the machine runs: where the processor's TSC has another frequency than was configured.
  void set_tsc_frequency(u64 hz);

  // The board's side.
  u32 apic_id() const { return config_.apic_id; }
  u64 apic_base();
  bool matches(const InterruptMessage& message);
  // Takes a message that matches; false if it is turned away.
  bool accept(const InterruptMessage& message);
  // 0 to 255, the lower the better; nothing if it would turn away a fixed interrupt.
  std::optional<u8> arbitration_priority();
  // LINT0 is the 8259's INTR, LINT1 is NMI.
  void set_lint(unsigned pin, bool level);
  void raise(LocalSource source);
  // For another implementation to go on from, the pins excepted.
  LocalApicState state();
  void set_state(const LocalApicState& state);
  // What firmware leaves behind on the boot processor: enabled, LINT0 ExtINT, LINT1 NMI
  // (MultiProcessor Specification 1.4, 3.6.2.2). For machines that enter a kernel without firmware.
  void enter_virtual_wire_mode();

 private:
  enum Lvt : unsigned { kCmci, kTimer, kThermal, kPerformance, kLint0, kLint1, kError, kLvtCount };

  // 256 bits, as IRR, ISR and TMR have them.
  struct VectorSet {
    std::array<u32, 8> words{};
    void set(u8 vector) { words[vector / 32] |= u32{1} << (vector % 32); }
    void clear(u8 vector) { words[vector / 32] &= ~(u32{1} << (vector % 32)); }
    bool test(u8 vector) const { return (words[vector / 32] >> (vector % 32)) & 1; }
    int highest() const;  // -1 if empty
  };

  // What to do once the lock is released.
  struct Outcome {
    bool changed = false;
    bool nmi = false;
    bool init = false;
    std::optional<u8> start_up;
    std::optional<u8> end_of_interrupt;
    std::optional<InterruptMessage> message;
    std::optional<u64> base;
  };
  void finish(std::unique_lock<std::mutex> lock);

  // The *_locked functions and all below run with mutex_ held.
  bool hardware_enabled() const;
  bool x2apic() const;
  bool software_enabled() const;
  void reset_registers();
  bool read_register(unsigned index, u32& value);
  bool write_register(unsigned index, u32 value);
  bool write_x2apic_register(unsigned index, u64 value);
  static bool valid_x2apic_value(unsigned index, u64 value);
  bool write_apic_base(u64 value);
  u32 version() const;
  void write_svr(u32 value);
  void settle_timer();
  void write_lvt(Lvt lvt, u32 value);
  void write_esr();
  void end_of_interrupt();
  u32 logical_id() const;

  // IPIs, in local_apic_ipi.cpp.
  void send_ipi(u32 low, u32 destination);
  void self_ipi(u8 vector);
  bool accept_locked(const InterruptMessage& message);

  // Interrupts of its own.
  void fire(Lvt lvt);
  void update_lint(unsigned pin, bool level);
  bool extint_asserted() const;
  bool set_request(u8 vector, bool level_triggered);
  void report_error(u32 esr_bit);
  u8 processor_priority() const;
  void update_pending();
  void timer_expired();

  const LocalApicConfig config_;
  InterruptBus& bus_;
  LocalApicWiring& wiring_;
  std::atomic<bool> pending_{false};
  std::atomic<u32> tpr_{0};  // written under mutex_

  std::mutex mutex_;  // guards everything below
  Outcome outcome_;
  u64 apic_base_ = 0;
  u32 id_ = 0;  // config_.apic_id, until in xAPIC mode the guest writes another
  u32 ldr_ = 0;
  u32 dfr_ = 0;
  u32 svr_ = 0;
  u32 esr_ = 0;            // as read
  u32 esr_collected_ = 0;  // errors since the last write to ESR
  u64 icr_ = 0;
  std::array<u32, kLvtCount> lvt_{};
  VectorSet request_, in_service_, trigger_mode_;
  std::array<bool, 2> lint_{};
  LocalApicTimer timer_;
};

}  // namespace kite
