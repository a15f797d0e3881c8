// What chip tests hold at the far end of a wire or a bus.
#pragma once

#include <atomic>
#include <optional>
#include <vector>

#include "base/archive.h"
#include "base/line.h"
#include "devices/device.h"
#include "devices/irq/interrupt_message.h"
#include "devices/irq/local_apic.h"

namespace kite::test {

// The far end of a wire: its level and how often it rose.
struct WireProbe {
  bool level = false;
  int rises = 0;
  Line line() {
    return Line([this](bool now) {
      if (now && !level) ++rises;
      level = now;
    });
  }
};

// A bus that keeps what it is given.
struct BusProbe : InterruptBus {
  std::vector<InterruptMessage> messages;
  bool accepts = true;
  bool deliver(const InterruptMessage& message) override {
    messages.push_back(message);
    return accepts;
  }
};

// A processor and a board that keep what a local APIC tells them.
struct WiringProbe : LocalApicWiring {
  std::atomic<int> changes{0}, nmis{0}, inits{0};  // called on any thread
  std::vector<u8> start_ups, ended;
  std::optional<u8> external;  // what the 8259 answers
  std::optional<u64> base;
  void interrupt_changed() override { ++changes; }
  void nmi() override { ++nmis; }
  void init() override { ++inits; }
  void start_up(u8 vector) override { start_ups.push_back(vector); }
  std::optional<u8> acknowledge_external() override { return external; }
  void end_of_interrupt(u8 vector) override { ended.push_back(vector); }
  void apic_base_changed(u64 value) override { base = value; }
};

inline std::vector<u8> saved(Device& device) {
  Archive archive = Archive::saving();
  device.transfer(archive);
  return archive.stream();
}

// Loads a saved state; returns whether it fitted.
inline bool restore(Device& device, std::vector<u8> state) {
  Archive archive = Archive::loading(std::move(state));
  device.transfer(archive);
  return archive.finish().has_value();
}

}  // namespace kite::test
