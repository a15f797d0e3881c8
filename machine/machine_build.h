// MachineBuild: what a board has at hand: RAM, ports, buses, processors, and the chips it adds.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "devices/device.h"
#include "devices/host/char_backend.h"
#include "devices/irq/event_interrupts.h"
#include "firmware/acpi.h"
#include "firmware/e820.h"
#include "machine/board_interrupts.h"
#include "machine/config.h"
#include "machine/processor.h"
#include "machine/run_control.h"
#include "memory/address_space.h"
#include "memory/backend.h"
#include "memory/host_memory.h"
#include "memory/port_space.h"

namespace kite {

// The chips and what joins them. Chips are reset in the order they were added, and destroyed in the
// opposite one, so a chip may hold on to those added before it.
class ChipSet {
 public:
  template <class Chip, class... Arguments>
  Chip& add(Arguments&&... arguments) {
    auto chip = std::make_unique<Chip>(std::forward<Arguments>(arguments)...);
    Chip& reference = *chip;
    devices_.push_back(chip.get());
    owned_.emplace_back(std::move(chip));
    return reference;
  }
  // Something that is no chip but must live as long: a wire's state, a bus.
  template <class Part, class... Arguments>
  Part& join(Arguments&&... arguments) {
    auto part = std::make_shared<Part>(std::forward<Arguments>(arguments)...);
    Part& reference = *part;
    owned_.emplace_back(std::move(part));
    return reference;
  }
  void reset();
  void reset_after_sleep();
  ~ChipSet();
  ChipSet() = default;
  ChipSet(const ChipSet&) = delete;
  ChipSet& operator=(const ChipSet&) = delete;

 private:
  std::vector<Device*> devices_;
  std::vector<std::shared_ptr<void>> owned_;
};

// What the board tells the firmware to tell the guest.
struct FirmwareFacts {
  std::vector<RamWindow> ram;
  std::optional<AcpiFacts> acpi;  // none: no tables at all
  std::vector<E820Entry> reserved;
  std::string kernel;  // what the firmware was given to start, in words; empty: nothing
};

class MachineBuild {
 public:
  struct Surroundings {
    const MachineConfig& config;
    const CpuModel& cpu_model;
    Clock& clock;
    RunControl& control;
    AddressSpace& memory;
    PortSpace& ports;
    const HostMemory& ram;
    std::vector<std::unique_ptr<Processor>>& processors;
    ChipSet& chips;
    CharBackend& serial;
    CharBackend& debug_console;
    FirmwareFacts& firmware;
    BoardInterrupts& interrupts;
    EventInterrupts& event_interrupts;
  };
  explicit MachineBuild(const Surroundings& surroundings)
      : at_(surroundings), edit_(surroundings.memory) {}

  const MachineConfig& config() const { return at_.config; }
  Clock& clock() { return at_.clock; }
  RunControl& control() { return at_.control; }
  ChipSet& chips() { return at_.chips; }
  CharBackend& serial() { return at_.serial; }
  CharBackend& debug_console() { return at_.debug_console; }
  FirmwareFacts& firmware() { return at_.firmware; }
  BoardInterrupts& interrupts() { return at_.interrupts; }
  // For devices whose interrupts come by descriptor.
  EventInterrupts& event_interrupts() { return at_.event_interrupts; }

  AddressSpace& memory() { return at_.memory; }
  const HostMemory& ram_memory() const { return at_.ram; }
  // The transaction that the whole board is mapped in.
  AddressSpace::Edit& edit() { return edit_; }

  // RAM from 0 to the hole for memory-mapped devices, the rest from 4 GiB up.
  void ram(Gpa hole_start);
  void mmio(std::string name, Gpa address, u64 size, IoHandler& handler);
  Result<> ports(std::string name, u16 first, u64 count, IoHandler& handler);

  // One local APIC per processor, on `bus`, at `address`. The first is the boot processor's.
  std::vector<LocalApic*> local_apics(Gpa address, ApicBus& bus, const InterruptSources& sources);

 private:
  Surroundings at_;
  AddressSpace::Edit edit_;
};

}  // namespace kite
