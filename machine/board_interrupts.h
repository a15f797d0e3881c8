// BoardInterrupts: the wires between a board's chips and whichever interrupt controllers serve the
// guest: the board's own, or those an accelerator has within itself.
//
// The board's own chips are always there, wired and mapped. While an accelerator's serve the guest
// ("away"), the guest never reaches the board's, and those sleep: no timer of theirs runs, no line
// of theirs moves. Where the chips' registers are changes only while no vCPU runs; the wires'
// levels are remembered here in either case, and set anew on the other side.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "accel/accelerator.h"
#include "base/line.h"
#include "devices/irq/apic_bus.h"
#include "devices/irq/io_apic.h"
#include "devices/irq/local_apic.h"
#include "devices/irq/pic_8259.h"
#include "devices/time/pit_8254.h"

namespace kite {

class BoardInterrupts {
 public:
  // The board's chips. All of them, or none on a board without interrupts.
  struct Chips {
    Pic8259Pair* pic = nullptr;
    IoApic* io_apic = nullptr;
    Pit8254* pit = nullptr;
    ApicBus* bus = nullptr;
    std::vector<LocalApic*> local_apics;  // by the processor's index
  };
  Chips chips;

  // A wire's level. Numbers 0 to 15 are the ISA wires, each to both controllers (0 to input 2 of
  // the I/O APIC, MP 1.4 5.3); 16 to 23 the I/O APIC's inputs. Any thread.
  void set(unsigned number, bool level);
  Line line(unsigned number) {
    return Line([this, number](bool level) { set(number, level); });
  }
  // A wire that the HPET may take over ("legacy replacement", HPET 1.0a 2.3.8).
  Line replaceable_line(unsigned number) {
    return Line([this, number](bool level) {
      if (!hpet_replaces_.load()) set(number, level);
    });
  }
  void set_hpet_replaces(bool on);
  // An MSI: a bus master's write of `data` to `address`. Any thread.
  void send_msi(u64 address, u32 data);

  // The accelerator's chips that serve the guest now, or null.
  InterruptChips* away() const { return away_.load(); }

  // While no vCPU runs. The board's local APICs' registers go into `states` (one for each vCPU,
  // in order), to be given to the vCPUs by set_state() before the other chips' go to the
  // accelerator by move_away().
  void put_local_apics(std::span<X86State> states);
  Result<> move_away(InterruptChips& to);
  // Takes back what put_local_apics() gave.
  void take_local_apics(std::span<const X86State> states);

  // While no vCPU runs. Fetches the accelerator's registers; `states` are what the vCPUs' state()
  // gives after `fetch`.
  Result<ChipStates> fetch();
  void come_back(const ChipStates& fetched, std::span<const X86State> states);
  // The same without the registers: the board is about to be reset.
  void come_back_empty() { away_.store(nullptr); }

 private:
  u32 input_levels() const;

  std::atomic<InterruptChips*> away_{nullptr};
  std::atomic<u32> levels_{0};  // by number
  std::atomic<bool> hpet_replaces_{false};
};

}  // namespace kite
