#include "machine/board_interrupts.h"

#include "machine/boards/addresses.h"

namespace kite {
namespace {

// Of a LocalApicState's page: offset / 16 (SDM 3A table 11-1).
constexpr std::size_t kIsr = 0x10, kIrr = 0x20, kLvtTimer = 0x32, kInitialCount = 0x38,
                      kCurrentCount = 0x39;

unsigned input_of(unsigned number) {
  return number == irq::kTimer ? irq::kTimerInput : number;
}

// An accelerator does not tell whether the interrupt of a one-shot timer that has run out is still
// on its way. Unless it is seen, the timer runs out once more: one interrupt too many does no harm,
// one too few may stop the guest for ever.
LocalApicState with_timer_not_lost(LocalApicState apic) {
  auto& page = apic.registers;
  const bool one_shot = (page[kLvtTimer] >> 17 & 3) == 0;
  const u32 vector = page[kLvtTimer] & 0xff;
  const u32 seen = (page[kIrr + vector / 32] | page[kIsr + vector / 32]) >> (vector % 32) & 1;
  if (one_shot && page[kInitialCount] != 0 && page[kCurrentCount] == 0 && seen == 0)
    page[kCurrentCount] = 1;
  return apic;
}

bool is_periodic(const PitCounterState& counter) {
  return counter.count != 0 && (counter.control >> 1 & 3) >= 2;
}

}  // namespace

void BoardInterrupts::set(unsigned number, bool level) {
  if (number >= InterruptChips::kInterrupts || number == irq::kCascade || !chips.pic) return;
  const u32 mask = u32{1} << number;
  const u32 before = level ? levels_.fetch_or(mask) : levels_.fetch_and(~mask);
  if (InterruptChips* away = away_.load()) {
    if (((before & mask) != 0) != level) away->set_irq(number, level);
    return;
  }
  if (number < irq::kIsaCount) chips.pic->set_irq(number, level);
  chips.io_apic->set_irq(input_of(number), level);
}

void BoardInterrupts::set_hpet_replaces(bool on) {
  hpet_replaces_.store(on);
  if (InterruptChips* away = away_.load()) away->set_hpet_replaces(on);
}

void BoardInterrupts::send_msi(u64 address, u32 data) {
  if (InterruptChips* away = away_.load()) return away->send_msi(address, data);
  if (chips.bus) chips.bus->deliver(message_of_msi(address, data));
}

u32 BoardInterrupts::input_levels() const {
  u32 inputs = 0;
  for (unsigned number = 0; number < InterruptChips::kInterrupts; ++number)
    if (levels_.load() >> number & 1) inputs |= u32{1} << input_of(number);
  return inputs;
}

void BoardInterrupts::put_local_apics(std::span<X86State> states) {
  for (std::size_t i = 0; i < states.size() && i < chips.local_apics.size(); ++i) {
    states[i].apic = chips.local_apics[i]->state();
    chips.local_apics[i]->reset();  // asleep
  }
}

void BoardInterrupts::take_local_apics(std::span<const X86State> states) {
  for (std::size_t i = 0; i < states.size() && i < chips.local_apics.size(); ++i)
    if (states[i].apic) chips.local_apics[i]->set_state(with_timer_not_lost(*states[i].apic));
}

// The registers are read before anything falls asleep: the sleeping 8254 lowers its wire. That wire
// is the accelerator's own from then on.
Result<> BoardInterrupts::move_away(InterruptChips& to) {
  ChipStates states;
  states.pic = chips.pic->state();
  states.io_apic = chips.io_apic->state();
  const Pit8254::State pit = chips.pit->state();
  states.pit = pit.counters;
  states.speaker = pit.speaker;
  states.hpet_replaces = hpet_replaces_.load();
  chips.pit->reset();
  chips.io_apic->reset();
  chips.pic->reset();
  if (Result<> loaded = to.load(states, levels_.load()); !loaded) {
    come_back(states, {});
    return loaded;
  }
  away_.store(&to);
  return {};
}

Result<ChipStates> BoardInterrupts::fetch() {
  return away_.load()->save();
}

// A running 8254 holds its wire up between its ticks, an accelerator's does not: without the first
// two lines its return would be one tick more.
void BoardInterrupts::come_back(const ChipStates& fetched, std::span<const X86State> states) {
  ChipStates at = fetched;
  const bool timer_up = is_periodic(at.pit[0]) && !hpet_replaces_.load();
  if (timer_up) at.pic[0].lines |= 1u << irq::kTimer;
  away_.store(nullptr);
  take_local_apics(states);
  chips.io_apic->set_state(at.io_apic,
                           input_levels() | (timer_up ? u32{1} << irq::kTimerInput : 0));
  chips.pic->set_state(at.pic);
  chips.pit->set_state({at.pit, at.speaker});
  for (unsigned number = 0; number < irq::kIsaCount; ++number)
    chips.pic->set_irq(number, (levels_.load() >> number & 1) != 0);
}

}  // namespace kite
