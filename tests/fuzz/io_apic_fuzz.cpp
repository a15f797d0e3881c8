#include "devices/irq/io_apic.h"
#include "register_script.h"
#include "timed_script.h"

namespace {

struct Bus : kite::InterruptBus {
  bool accepts = true;
  bool deliver(const kite::InterruptMessage&) override { return accepts; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::fuzz::JumpingClock clock;
  Bus bus;
  kite::IoApic chip(0, kite::IoApic::Version::k20, bus), other(1, kite::IoApic::Version::k11, bus);
  // A narrow second view of the page, so that most accesses reach IOREGSEL and IOWIN.
  kite::fuzz::run_timed_script(data, size, {{chip, 0x20}, {chip, kite::IoApic::kSize}}, clock,
                               [&](kite::u8 line, kite::u32 value) {
                                 bus.accepts = value & 4;
                                 if (value & 2) {
                                   chip.eoi(static_cast<kite::u8>(value >> 8));
                                 } else {
                                   chip.set_irq(line, value & 1);
                                 }
                               });
  kite::fuzz::move_state(chip, other, data, size);
  for (unsigned input = 0; input < 32; ++input) other.set_irq(input, true);
  return 0;
}
