// InterruptMessage: an interrupt on its way to local APICs, whoever sent it, and the bus it takes.
#pragma once

#include <optional>

#include "base/types.h"

namespace kite {

// Encoded alike in the ICR, the LVT, the I/O APIC's redirection table and MSI data (SDM 3A 11.5.1,
// 11.6.1, 11.11.2; 82093AA 3.2.4).
enum class DeliveryMode : u8 {
  kFixed = 0,
  kLowestPriority = 1,
  kSmi = 2,
  kReserved = 3,
  kNmi = 4,
  kInit = 5,
  kStartUp = 6,
  kExtInt = 7,
};

struct InterruptMessage {
  // An APIC ID, or (logical) a message destination address. All ones is everybody: FFh, or
  // FFFFFFFFh where the sender's field has 32 bits.
  u32 destination = 0;
  bool logical = false;
  bool wide = false;  // `destination` came from a 32-bit field: the ICR in x2APIC mode
  DeliveryMode mode = DeliveryMode::kFixed;
  u8 vector = 0;
  bool level_triggered = false;
  std::optional<u32> except = {};  // the APIC ID that is left out: shorthand "all excluding self"

  bool operator==(const InterruptMessage&) const = default;
};

class InterruptBus {
 public:
  virtual ~InterruptBus() = default;
  // Returns whether any local APIC accepted the message. Senders may hold their own lock: locks are
  // taken from source to sink, I/O APIC before local APIC.
  virtual bool deliver(const InterruptMessage& message) = 0;
};

// The message that a write of `data` to `address` (FEE00000h–FEEFFFFFh) means, SDM 3A 11.11.
InterruptMessage message_of_msi(u64 address, u32 data);

}  // namespace kite
