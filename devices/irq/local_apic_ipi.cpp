// The local APIC's messages: sending interprocessor interrupts and taking what the bus brings
// (SDM 3A 11.6 and 11.7).
#include "base/trace.h"
#include "devices/irq/local_apic.h"
#include "devices/irq/local_apic_bits.h"

namespace kite {

using namespace apic;

namespace {

constexpr u32 kBroadcast8 = 0xFF;
constexpr u32 kBroadcast32 = 0xFFFF'FFFF;

enum class Shorthand : u8 { kNone = 0, kSelf = 1, kAll = 2, kAllButSelf = 3 };

bool can_be_sent(DeliveryMode mode) {
  return mode != DeliveryMode::kReserved && mode != DeliveryMode::kExtInt;
}

bool has_vector(DeliveryMode mode) {
  return mode == DeliveryMode::kFixed || mode == DeliveryMode::kLowestPriority;
}

}  // namespace

// The processor's own messages are edges, whatever ICR bit 15 says (SDM 3A 11.6.1); an INIT with
// the level de-asserted is for buses long gone and sends nothing.
void LocalApic::send_ipi(u32 low, u32 destination) {
  const auto mode = static_cast<DeliveryMode>(bits(low, 10, 8));
  const u8 vector = static_cast<u8>(low);
  if (!can_be_sent(mode)) return;
  if (mode == DeliveryMode::kInit && (low & kIcrLevel) && !(low & kIcrAssert)) return;
  if (has_vector(mode) && vector < kFirstLegalVector) {
    report_error(kEsrSendIllegalVector);
    return;
  }
  InterruptMessage message;
  message.mode = mode;
  message.vector = vector;
  message.wide = x2apic();
  const auto shorthand = static_cast<Shorthand>(bits(low, 19, 18));
  trace::write(trace::Category::kIrq, "lapic {}: IPI {:08x} to {:x}", config_.apic_id, low,
               destination);
  switch (shorthand) {
    case Shorthand::kNone:
      message.destination = destination;
      message.logical = (low & kIcrLogical) != 0;
      break;
    case Shorthand::kSelf:
      accept_locked(message);
      return;
    case Shorthand::kAllButSelf:
      message.except = config_.apic_id;
      [[fallthrough]];
    case Shorthand::kAll:
      message.destination = message.wide ? kBroadcast32 : kBroadcast8;
      break;
  }
  outcome_.message = message;
}

void LocalApic::self_ipi(u8 vector) {
  InterruptMessage message;
  message.vector = vector;
  accept_locked(message);
}

// SDM 3A 11.12.10.2: in x2APIC mode the logical ID follows from the APIC ID.
u32 LocalApic::logical_id() const {
  if (!x2apic()) return ldr_;
  return (config_.apic_id & ~15u) << 12 | 1u << (config_.apic_id & 15);
}

// SDM 3A 11.6.2. A destination of 8 bits that reaches an APIC in x2APIC mode means the same ID.
bool LocalApic::matches(const InterruptMessage& message) {
  std::lock_guard lock(mutex_);
  if (!hardware_enabled() || message.except == config_.apic_id) return false;
  const u32 destination = message.destination;
  if (destination == (message.wide ? kBroadcast32 : kBroadcast8)) return true;
  if (!message.logical) return destination == id_;
  const u32 id = logical_id();
  if (x2apic()) return (destination >> 16) == (id >> 16) && (destination & id & 0xFFFF) != 0;
  if (destination > kBroadcast8) return false;
  if ((dfr_ >> 28) == 0xF) return (destination & (id >> 24)) != 0;  // flat model
  return (destination >> 4) == (id >> 28) && (destination & (id >> 24) & 0xF) != 0;
}

std::optional<u8> LocalApic::arbitration_priority() {
  std::lock_guard lock(mutex_);
  if (!hardware_enabled() || !software_enabled()) return std::nullopt;
  return processor_priority();
}

bool LocalApic::accept(const InterruptMessage& message) {
  std::unique_lock lock(mutex_);
  const bool accepted = hardware_enabled() && accept_locked(message);
  finish(std::move(lock));
  return accepted;
}

// SDM 3A 11.8. Software-disabled, only NMI, SMI, INIT, SIPI get through (11.4.7.2).
bool LocalApic::accept_locked(const InterruptMessage& message) {
  switch (message.mode) {
    case DeliveryMode::kFixed:
    case DeliveryMode::kLowestPriority:
      return software_enabled() && set_request(message.vector, message.level_triggered);
    case DeliveryMode::kNmi:
      outcome_.nmi = true;
      return true;
    case DeliveryMode::kInit:
      reset_registers();
      outcome_.init = true;
      return true;
    case DeliveryMode::kStartUp:
      outcome_.start_up = message.vector;
      return true;
    case DeliveryMode::kSmi:
    case DeliveryMode::kExtInt:  // an I/O APIC's; the 8259 has its own wire to LINT0 here
    case DeliveryMode::kReserved:
      return false;
  }
  return false;
}

}  // namespace kite
