#include "devices/irq/apic_bus.h"

#include "base/bits.h"
#include "devices/irq/local_apic.h"

namespace kite {

void ApicBus::add(LocalApic& apic) {
  apics_.push_back(&apic);
}

bool ApicBus::deliver(const InterruptMessage& message) {
  if (message.mode == DeliveryMode::kLowestPriority) return deliver_to_lowest(message);
  bool accepted = false;
  for (LocalApic* apic : apics_)
    if (apic->matches(message)) accepted |= apic->accept(message);
  return accepted;
}

bool ApicBus::deliver_to_lowest(const InterruptMessage& message) {
  LocalApic* best = nullptr;
  unsigned best_priority = 256;
  const std::size_t first = turn_.load(std::memory_order_relaxed);
  std::size_t chosen = first;
  for (std::size_t i = 0; i < apics_.size(); ++i) {
    const std::size_t index = (first + i) % apics_.size();
    if (!apics_[index]->matches(message)) continue;
    const auto priority = apics_[index]->arbitration_priority();
    if (!priority || *priority >= best_priority) continue;
    best = apics_[index];
    best_priority = *priority;
    chosen = index;
  }
  if (!best) return false;
  turn_.store((chosen + 1) % apics_.size(), std::memory_order_relaxed);
  return best->accept(message);
}

u64 ApicBus::read(u64 /*offset*/, unsigned size) {
  return mask_of_bytes(size);
}

void ApicBus::write(u64 offset, u64 value, unsigned size) {
  if (size < 4) return;  // SDM 3A 11.11: an MSI is a doubleword
  const u32 data = static_cast<u32>(value);
  const bool deassert = (data & bit(15)) != 0 && (data & bit(14)) == 0;
  if (!deassert) deliver(message_of_msi(offset, data));
}

}  // namespace kite
