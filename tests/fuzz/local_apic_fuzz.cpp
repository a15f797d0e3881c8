#include <array>

#include "devices/irq/apic_bus.h"
#include "devices/irq/local_apic.h"
#include "register_script.h"
#include "timed_script.h"

namespace {

struct Wiring : kite::LocalApicWiring {
  void interrupt_changed() override {}
  void nmi() override {}
  void init() override {}
  void start_up(kite::u8) override {}
  std::optional<kite::u8> acknowledge_external() override { return std::nullopt; }
  void end_of_interrupt(kite::u8) override {}
};

// The interesting MSRs, then the x2APIC range.
kite::u32 msr_index(kite::u32 value) {
  if (value % 8 == 0) return 0x1B;
  if (value % 8 == 1) return 0x6E0;
  return 0x800 + (value >> 3) % 0x48;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const kite::u8* data, std::size_t size) {
  kite::fuzz::JumpingClock clock;
  kite::ApicBus bus;
  Wiring wiring;
  kite::LocalApic chip({.apic_id = 0, .bootstrap = true}, clock, bus, wiring);
  kite::LocalApic other({.apic_id = 1}, clock, bus, wiring);
  bus.add(chip);
  bus.add(other);
  chip.write(0xF0, 0x1FF, 4);
  const auto act = [&](kite::u8 what, kite::u32 value) {
    kite::u64 result = 0;
    switch (what % 10) {
      case 0:
        chip.acknowledge();
        break;
      case 1:
        chip.set_cr8(static_cast<kite::u8>(value));
        break;
      case 2:
        chip.read_msr(msr_index(value), result);
        break;
      case 3:
      case 4:
        chip.write_msr(msr_index(value), value >> 9);
        break;
      case 5:
        chip.write_msr(0x1B, 0xFEE00000 | (value & 0xFFF));
        break;
      case 6:
        chip.set_lint(value >> 1 & 1, value & 1);
        break;
      case 7:
        chip.raise(static_cast<kite::LocalSource>(value % 3));
        break;
      case 8:
        chip.set_tsc_offset(static_cast<kite::i64>(kite::u64{value} << (value % 33)));
        break;
      default:
        bus.write(value & 0xFFFFC, value >> 8, 4);
    }
  };
  kite::fuzz::run_timed_script(data, size, {{chip, 0x400}, {chip, kite::LocalApic::kSize}}, clock,
                               act);
  kite::fuzz::move_state(chip, other, data, size);
  clock.jump(kite::kSecond);
  for (int i = 0; i < 300 && other.acknowledge(); ++i) other.write(0xB0, 0, 4);
  return 0;
}
