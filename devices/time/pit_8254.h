// Pit8254: the PC's 8254 programmable interval timer, with port 61h around its counter 2.
#pragma once

#include <array>
#include <mutex>

#include "base/chip_state.h"
#include "base/clock.h"
#include "base/line.h"
#include "devices/byte_registers.h"
#include "devices/device.h"

namespace kite {

// One of the three counters (Intel data sheet 231164). It is not stepped: what it shows is worked
// out from the number of the current CLK pulse, `tick`, so a period of any length costs nothing.
class PitCounter {
 public:
  static constexpr u64 kNoTick = ~u64{0};

  void reset();
  void transfer(Archive& archive, u64 tick);

  // For another implementation to go on from. A count that waits for the end of a cycle is taken at
  // once; a count whose age is not known begins anew.
  PitCounterState state(u64 tick);
  void set_state(const PitCounterState& state, u64 tick);

  void write_control(u8 control, u64 tick);
  void write_count(u8 value, u64 tick);
  u8 read(u64 tick);
  void latch_count(u64 tick);
  void latch_status(u64 tick);
  void set_gate(bool level, u64 tick);

  bool out(u64 tick);

  // How often OUT has risen by counting down, and the tick of the next time (kNoTick if none is to
  // come). May name a tick at which only the period changes.
  u64 rises(u64 tick);
  u64 next_rise(u64 tick);
  bool periodic() const { return mode() == 2 || mode() == 3; }

 private:
  unsigned mode() const;
  u64 high_ticks(u64 count) const;
  void load(u64 tick);
  void start(u64 tick, u64 count);
  void stop(u64 tick);
  void settle(u64 tick);
  u64 elapsed(u64 tick) const;
  u64 rises_since_start(u64 tick) const;
  u16 element(u64 tick);
  u64 half_cycle_element(u64 position) const;
  u64 decode(u16 raw) const;
  u16 encode(u64 count) const;
  bool null_count(u64 tick) const;
  u8 next_byte(u16 value);

  u8 control_ = 0;  // RW1 RW0 M2 M1 M0 BCD, as written
  bool gate_ = true;
  bool loaded_ = false;   // a whole count was written since the control word
  bool running_ = false;  // the counting element was loaded and is not held by GATE
  u16 count_register_ = 0;
  u64 count_ = 0;         // what the counting element was loaded with: 1 to 65536; 0 if it was not
  u64 start_ = 0;         // the tick of that
  u64 held_ = 0;          // ticks counted when GATE went low
  u64 pending_ = 0;       // the count that waits in the count register; 0 if none
  u64 pending_tick_ = 0;  // when it is taken over; kNoTick if only GATE does that
  u64 risen_ = 0;         // rises before the last start
  bool write_high_ = false;  // the next byte written, or read, is the upper one
  bool read_high_ = false;
  u8 low_byte_ = 0;
  bool count_latched_ = false;
  bool status_latched_ = false;
  u16 count_latch_ = 0;
  u8 status_latch_ = 0;
};

// Periods that nobody looked at are coalesced: however late the clock runs the timer, IRQ 0 sees
// one edge. OUT of counter 0 in modes 2 and 3 shows on the wire as its rising edges only; it falls
// just before the next rise, so that a request is not lost when it is taken late.
// 4 ports, at 40h.
class Pit8254 : public Device, public ByteRegisters {
 public:
  static constexpr u64 kHz = 1'193'182;

  Pit8254(Clock& clock, Line irq0);

  std::string_view name() const override { return "8254"; }
  void reset() override;
  void transfer(Archive& archive) override;

  IoHandler& port_61() { return port_61_; }  // 1 port

  struct State {
    std::array<PitCounterState, 3> counters;
    bool speaker = false;  // port 61h bit 1
  };
  State state();
  void set_state(const State& state);

 private:
  class Port61 : public ByteRegisters {
   public:
    explicit Port61(Pit8254& pit) : pit_(pit) {}

   private:
    u8 read_byte(u64 offset) override;
    void write_byte(u64 offset, u8 value) override;
    Pit8254& pit_;
  };

  // Periods shorter than this are counted exactly but interrupt only this often, lest a guest keep
  // the host's timer thread busy for ever.
  static constexpr Nanos kShortestPeriod = 20 * kMicrosecond;

  u64 tick() const;
  u8 read_byte(u64 offset) override;
  void write_byte(u64 offset, u8 value) override;
  void read_back(u8 command, u64 tick);
  void update_irq();
  void drive(bool level);

  Clock& clock_;
  Line irq0_;
  std::mutex mutex_;  // guards everything below
  std::array<PitCounter, 3> counters_;
  u8 control_b_ = 0;  // port 61h bits 3:0
  bool irq_level_ = false;
  u64 seen_rises_ = 0;
  Nanos last_edge_ = 0;
  Port61 port_61_{*this};
  Timer timer_;
};

}  // namespace kite
