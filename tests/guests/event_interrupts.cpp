// Interrupts that a device signals by descriptor: edges of the I/O APIC, levels of the 8259s and
// messages (signals.h). Levels of the I/O APIC are in event_levels.
#include "tests/guests/signals.h"

using namespace guest;

namespace {

constexpr u8 kEdgeVector = 0x50, kOtherVector = 0x62, kMasterVectors = 0x70, kSlaveVectors = 0x78;

volatile u32 edges, messages, others;

template <volatile u32& counter>
void count(Frame&) {
  counter = counter + 1;
  apic_write(kEndOfInterrupt, 0);
}

int edge() {
  redirect(signal_ports::kEdgeWire, kEdgeVector);
  for (u32 i = 1; i <= 5; ++i) {
    out8(signal_ports::kEdge, 0);
    while (edges != i) wait_for_interrupt();
  }
  settle();
  EXPECT_SAME(edges, 5);
  return 0;
}

int level_of_the_8259s() {
  static_assert(signal_ports::kLevelWires[1] == 10);
  out8(0x4d1, 1 << 2);  // ELCR: by level
  out8(0x20, 0x11), out8(0x21, kMasterVectors), out8(0x21, 4), out8(0x21, 1), out8(0x21, 0xfb);
  out8(0xa0, 0x11), out8(0xa1, kSlaveVectors), out8(0xa1, 2), out8(0xa1, 1), out8(0xa1, 0xff);
  handlers[kSlaveVectors + 2] = [](Frame&) {
    serve_unit(1, [] { out8(0xa0, 0x20), out8(0x20, 0x20); });
  };
  return serve_level(1, [] { out8(0xa1, 0xfb); });
}

int message() {
  for (u32 i = 1; i <= 5; ++i) {
    out8(signal_ports::kMessage, 0);
    while (messages != i) wait_for_interrupt();
  }
  out8(signal_ports::kVector, kOtherVector);
  out8(signal_ports::kMessage, 0);
  while (others != 1) wait_for_interrupt();
  out8(signal_ports::kMasked, 1);
  out8(signal_ports::kMessage, 0);
  out8(signal_ports::kMessage, 0);
  settle();
  EXPECT_SAME(others, 1);
  out8(signal_ports::kMasked, 0);
  while (others != 2) wait_for_interrupt();
  settle();
  EXPECT_SAME(others, 2);
  EXPECT_SAME(messages, 5);
  return 0;
}

}  // namespace

int guest_main() {
  EXPECT_SAME(in8(signal_ports::kIdentity), signal_ports::kPresent);
  start_apic();
  start_signals();
  handlers[kEdgeVector] = count<edges>;
  handlers[signal_ports::kFirstVector] = count<messages>;
  handlers[kOtherVector] = count<others>;
  RUN(edge());
  RUN(level_of_the_8259s());
  RUN(message());
  return 0;
}
