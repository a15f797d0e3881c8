// Pic8259Pair: the PC's two 8259A interrupt controllers, master and slave, with the ELCR.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <mutex>
#include <utility>

#include "base/chip_state.h"
#include "base/line.h"
#include "devices/byte_registers.h"
#include "devices/device.h"

namespace kite {

// One 8259A (Intel data sheet 231468). No lock and no wires of its own: the pair has them.
class Pic8259 {
 public:
  explicit Pic8259(bool master) : master_(master) {}

  void reset();
  void transfer(Archive& archive);

  // For another implementation to go on from. Requests whose wire went down stay requests, so the
  // wires' levels must be set again after set_state().
  Pic8259State state() const;
  void set_state(const Pic8259State& state);

  u8 read(bool a0);
  void write(bool a0, u8 value);
  void set_line(unsigned ir, bool level);
  void set_elcr(u8 value);
  u8 elcr() const { return elcr_; }
  bool polled() const { return polled_; }
  // The IRs whose interrupt has ended since it was last asked.
  u8 take_ended() { return std::exchange(ended_, u8{0}); }

  // INT: is a request waiting that is neither masked nor below what is in service?
  bool interrupt() const { return highest_request() >= 0; }
  // The INTA pulses. Returns the IR number; 7, with no bit in the ISR, when the request has gone.
  unsigned acknowledge();
  u8 vector(unsigned ir) const { return static_cast<u8>(vector_base_ | ir); }

 private:
  u8 requests() const;
  int highest_request() const;
  int highest(u8 set) const;
  void begin_initialization(u8 icw1);
  void write_initialization(u8 value);
  void operate(u8 ocw2);
  void end(u8 irs);
  u8 poll();

  bool master_;
  u8 lines_ = 0;       // the IR inputs
  u8 edges_ = 0;       // edge sense latches: a rising edge not yet acknowledged
  u8 elcr_ = 0;        // 1: level triggered
  u8 in_service_ = 0;  // ISR
  u8 mask_ = 0;        // IMR
  u8 vector_base_ = 0;
  u8 lowest_ = 7;    // the IR with the lowest priority
  u8 next_icw_ = 0;  // 2, 3 or 4 while being initialized, else 0
  bool single_ = false;
  bool needs_icw4_ = false;
  bool auto_eoi_ = false;
  bool rotate_on_auto_eoi_ = false;
  bool special_fully_nested_ = false;
  bool special_mask_ = false;
  bool read_isr_ = false;
  bool polled_ = false;
  u8 ended_ = 0;
};

// The slave's INT is the master's IR2. Lock order: a device that drives set_irq() -> this -> the
// sink of INTR. acknowledge() is called by the sink's owner without the sink's lock held.
class Pic8259Pair : public Device {
 public:
  // `intr` is the master's INT output, to LINT0 of the boot processor's local APIC.
  explicit Pic8259Pair(Line intr);

  std::string_view name() const override { return "8259"; }
  void reset() override;
  void transfer(Archive& archive) override;

  // Master, slave; see Pic8259::set_state.
  std::array<Pic8259State, 2> state();
  void set_state(const std::array<Pic8259State, 2>& state);

  IoHandler& master_ports() { return master_ports_; }  // 2 ports, at 20h
  IoHandler& slave_ports() { return slave_ports_; }    // 2 ports, at A0h
  IoHandler& elcr_ports() { return elcr_ports_; }      // 2 ports, at 4D0h

  // IRQ 0–15; 2 is the cascade and not connected.
  void set_irq(unsigned irq, bool level);

  // Before any traffic. Called, without the lock, when an interrupt ends (an EOI command, or INTA
  // in the automatic mode) and before its wire is looked at again.
  void on_end_of_interrupt(std::function<void(unsigned irq)> call) { ended_ = std::move(call); }

  // INTA: the vector of the highest request; that of IRQ 7 or 15 when it has gone meanwhile.
  u8 acknowledge();
  bool pending() const { return intr_level_.load(std::memory_order_acquire); }

 private:
  class Ports : public ByteRegisters {
   public:
    enum class Kind { kMaster, kSlave, kElcr };
    Ports(Pic8259Pair& pair, Kind kind) : pair_(pair), kind_(kind) {}

   private:
    u8 read_byte(u64 offset) override;
    void write_byte(u64 offset, u8 value) override;
    Pic8259Pair& pair_;
    Kind kind_;
  };

  u8 read_port(Ports::Kind kind, bool a0);
  void write_port(Ports::Kind kind, bool a0, u8 value);
  unsigned acknowledge_slave();
  void update();  // the cascade and INTR
  void finish(std::unique_lock<std::mutex> lock);

  std::mutex mutex_;  // guards master_, slave_
  Pic8259 master_{true};
  Pic8259 slave_{false};
  Line intr_;
  std::function<void(unsigned irq)> ended_;
  std::atomic<bool> intr_level_{false};
  Ports master_ports_{*this, Ports::Kind::kMaster};
  Ports slave_ports_{*this, Ports::Kind::kSlave};
  Ports elcr_ports_{*this, Ports::Kind::kElcr};
};

}  // namespace kite
