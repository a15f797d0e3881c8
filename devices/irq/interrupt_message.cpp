#include "devices/irq/interrupt_message.h"

#include "base/bits.h"

namespace kite {

// SDM 3A 11.11.1: address bits 19:12 destination ID, 3 redirection hint, 2 destination mode;
// 11.11.2: data bits 7:0 vector, 10:8 delivery mode, 14 level, 15 trigger mode. The hint asks for
// one processor out of a group, as lowest priority does.
InterruptMessage message_of_msi(u64 address, u32 data) {
  InterruptMessage message;
  message.destination = static_cast<u32>(bits(address, 19, 12));
  message.logical = (address & bit(2)) != 0;
  message.mode = static_cast<DeliveryMode>(bits(data, 10, 8));
  if ((address & bit(3)) != 0 && message.mode == DeliveryMode::kFixed && message.logical)
    message.mode = DeliveryMode::kLowestPriority;
  message.vector = static_cast<u8>(data);
  message.level_triggered = (data & bit(15)) != 0;
  return message;
}

}  // namespace kite
