// One local APIC of the boot processor, with a probe at each end.
#pragma once

#include <gtest/gtest.h>

#include "base/clock.h"
#include "tests/devices/probes.h"

namespace kite::test {

class LocalApicTest : public testing::Test {
 protected:
  ManualClock clock;
  BusProbe bus;
  WiringProbe wiring;
  LocalApic apic{{.apic_id = 0, .bootstrap = true, .tsc_hz = 2'000'000'000}, clock, bus, wiring};

  u32 get(u64 offset) { return static_cast<u32>(apic.read(offset, 4)); }
  void set(u64 offset, u32 value) { apic.write(offset, value, 4); }
  u64 msr(u32 index) {
    u64 value = 0;
    EXPECT_TRUE(apic.read_msr(index, value)) << std::hex << index;
    return value;
  }
  void enable() { set(0xF0, 0x1FF); }
  bool send(u8 vector, DeliveryMode mode = DeliveryMode::kFixed, bool level = false) {
    return apic.accept({.mode = mode, .vector = vector, .level_triggered = level});
  }
};

}  // namespace kite::test
