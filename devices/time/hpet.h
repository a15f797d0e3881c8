// Hpet: the IA-PC high precision event timer (specification 1.0a): one counter, three comparators.
#pragma once

#include <array>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/line.h"
#include "devices/device.h"
#include "memory/region.h"

namespace kite {

// Mapped as 1 KiB, at FED00000h. Missed periods are coalesced into one interrupt.
// Lock order: this -> the sinks of its wires.
class Hpet : public Device, public IoHandler {
 public:
  static constexpr u64 kSize = 1024;
  static constexpr unsigned kComparators = 3;
  static constexpr Nanos kTick = 10;  // 100 MHz
  static constexpr unsigned kRoutes = 24;

  struct Wiring {
    // The I/O APIC inputs a comparator may be routed to (Tn_INT_ROUTE_CAP), and their wires.
    u32 route_mask = 0;
    std::array<Line, kRoutes> routes;
    // Legacy replacement: comparator 0 is IRQ 0 (I/O APIC input 2), comparator 1 is IRQ 8. While
    // `legacy_replacement` is up the board keeps the 8254 and the RTC off these wires.
    Line legacy_irq0;
    Line legacy_irq8;
    Line legacy_replacement;
  };

  Hpet(Clock& clock, Wiring wiring);

  std::string_view name() const override { return "hpet"; }
  void reset() override;
  void transfer(Archive& archive) override;
  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, u64 value, unsigned size) override;

 private:
  struct Comparator {
    u64 config = 0;
    u64 value = ~u64{0};  // Tn_COMP: compared with the counter
    u64 period = 0;       // the value last written while periodic
    u64 armed_at = 0;     // the counter when `distance` was worked out
    u64 distance = 0;     // ticks from there to the match
    bool armed = false;
    bool wire = false;  // what an edge-triggered comparator drives
  };

  u64 counter() const;
  u64 read_register(u64 offset);
  void write_register(u64 offset, u64 value, u64 mask);
  void write_general(u64 value, u64 mask);
  void write_config(unsigned index, u64 value, u64 mask);
  void write_value(unsigned index, u64 value, u64 mask);
  u64 current_value(const Comparator& comparator) const;
  void start(unsigned index);
  void restart_all();
  void arm_timer(unsigned index, Nanos not_before);
  bool is_silent(unsigned index) const;
  bool serve(unsigned index);
  void advance(Comparator& comparator, u64 late);
  void interrupt(unsigned index);
  void update_wires();
  void drive(bool& level, bool wanted, const Line& line);

  Clock& clock_;
  Wiring wiring_;
  std::mutex mutex_;  // guards everything below
  u64 config_ = 0;    // GEN_CONF
  u64 status_ = 0;    // GINTR_STA
  u64 base_ = 0;      // the main counter at start_
  Nanos start_ = 0;
  std::array<Comparator, kComparators> comparators_;
  std::array<bool, kRoutes> route_levels_{};
  bool irq0_level_ = false;
  bool irq8_level_ = false;
  std::array<std::unique_ptr<Timer>, kComparators> timers_;
};

}  // namespace kite
