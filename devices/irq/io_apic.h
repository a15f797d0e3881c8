// IoApic: the 82093AA I/O APIC with 24 inputs; optionally version 20h, with an EOI register.
#pragma once

#include <array>
#include <functional>
#include <mutex>

#include "base/chip_state.h"
#include "devices/device.h"
#include "devices/irq/interrupt_message.h"
#include "memory/region.h"

namespace kite {

// Mapped as a page, at FEC00000h. A wire's level is its assertion: the polarity bit is stored for
// the guest to read and otherwise ignored, because no wire here is active low.
// Lock order: a device that drives set_irq() -> this -> local APICs. A local APIC broadcasts an EOI
// without its own lock held.
class IoApic : public Device, public IoHandler {
 public:
  static constexpr unsigned kInputs = 24;
  static constexpr u64 kSize = 4096;
  enum class Version : u8 { k11 = 0x11, k20 = 0x20 };

  IoApic(u8 id, Version version, InterruptBus& bus);

  std::string_view name() const override { return "82093AA"; }
  void reset() override;
  void transfer(Archive& archive) override;
  u64 read(u64 offset, unsigned size) override;
  void write(u64 offset, u64 value, unsigned size) override;

  // For another implementation to go on from. Of the inputs whose wire is up in `lines`, the level-
  // triggered ones are requests again; the others' edge has been.
  IoApicState state();
  void set_state(const IoApicState& state, u32 lines);

  // Inputs 0–23; others are ignored.
  void set_irq(unsigned input, bool level);

  // A local APIC's EOI broadcast: a level-triggered interrupt whose wire is still up comes again.
  void eoi(u8 vector);
  // Before any traffic. Called, without the lock, when a level-triggered interrupt of an input ends
  // and before its wire is looked at again.
  void on_end_of_interrupt(std::function<void(unsigned input)> call) { ended_ = std::move(call); }

 private:
  u32 read_register() const;
  void write_register(u32 value);
  void write_redirection(unsigned input, bool high, u32 value);
  u32 inputs_in_service(u8 vector) const;
  void evaluate_level(unsigned input);
  bool send(u64 entry);

  const u8 initial_id_;
  const Version version_;
  InterruptBus& bus_;
  std::function<void(unsigned input)> ended_;
  std::mutex mutex_;  // guards everything below
  u8 select_ = 0;     // IOREGSEL
  u8 id_;
  u32 lines_ = 0;
  std::array<u64, kInputs> redirection_{};
};

}  // namespace kite
