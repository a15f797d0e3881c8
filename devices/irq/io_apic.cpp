#include "devices/irq/io_apic.h"

#include "base/bits.h"
#include "base/trace.h"

namespace kite {

namespace {

// Offsets in the page, 82093AA 3.1; the EOI register came with version 20h (ICH, "EOI register").
constexpr u64 kIoregsel = 0x00;
constexpr u64 kIowin = 0x10;
constexpr u64 kEoi = 0x40;

// Registers behind IOREGSEL, 82093AA 3.2.
constexpr u8 kIoapicId = 0x00;
constexpr u8 kIoapicVer = 0x01;
constexpr u8 kIoapicArb = 0x02;
constexpr u8 kIoredtbl = 0x10;

// A redirection entry, 82093AA 3.2.4.
constexpr u64 kRemoteIrr = bit(14);
constexpr u64 kTrigger = bit(15);  // 1: level
constexpr u64 kMask = bit(16);
constexpr u64 kDestinationMode = bit(11);
constexpr u64 kWritable = 0xFF00'0000'0001'AFFF;  // neither delivery status nor remote IRR

DeliveryMode mode_of(u64 entry) {
  return static_cast<DeliveryMode>(bits(entry, 10, 8));
}

// Only fixed and lowest priority can be level triggered; 82093AA 3.2.4 has the others as edges.
bool is_level(u64 entry) {
  const DeliveryMode mode = mode_of(entry);
  return (entry & kTrigger) != 0 &&
         (mode == DeliveryMode::kFixed || mode == DeliveryMode::kLowestPriority);
}

}  // namespace

IoApic::IoApic(u8 id, Version version, InterruptBus& bus)
    : initial_id_(id & 0xF), version_(version), bus_(bus), id_(initial_id_) {
  redirection_.fill(kMask);
}

void IoApic::reset() {
  std::lock_guard lock(mutex_);
  select_ = 0;
  id_ = initial_id_;
  redirection_.fill(kMask);
}

void IoApic::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("ioregsel", select_);
  archive.field("id", id_);
  archive.field("lines", lines_);
  archive.field("redirection", redirection_);
}

IoApicState IoApic::state() {
  std::lock_guard lock(mutex_);
  IoApicState state;
  state.select = select_;
  state.id = id_;
  static_assert(IoApicState::kInputs == kInputs);
  state.redirection = redirection_;
  return state;
}

void IoApic::set_state(const IoApicState& state, u32 lines) {
  std::lock_guard lock(mutex_);
  select_ = state.select;
  id_ = state.id & 0xF;
  lines_ = lines;
  for (unsigned input = 0; input < kInputs; ++input) {
    u64& entry = redirection_[input];
    entry = state.redirection[input] & (kWritable | kRemoteIrr);
    if (!is_level(entry)) entry &= ~kRemoteIrr;
    evaluate_level(input);
  }
}

u64 IoApic::read(u64 offset, unsigned size) {
  std::lock_guard lock(mutex_);
  const u64 aligned = align_down(offset, 4);
  u64 value = 0;
  if (aligned == kIoregsel) value = select_;
  if (aligned == kIowin) value = read_register();
  return (value >> (8 * (offset % 4))) & mask_of_bytes(size);
}

// 82093AA 3.1: both registers are accessed as doublewords. A narrower write to the start of one is
// taken as zero-extended; others vanish.
void IoApic::write(u64 offset, u64 value, unsigned /*size*/) {
  if (offset == kEoi && version_ == Version::k20) return eoi(static_cast<u8>(value));
  std::lock_guard lock(mutex_);
  if (offset == kIoregsel) {
    select_ = static_cast<u8>(value);
  } else if (offset == kIowin) {
    write_register(static_cast<u32>(value));
  }
}

u32 IoApic::read_register() const {
  if (select_ == kIoapicId || select_ == kIoapicArb) return u32{id_} << 24;
  if (select_ == kIoapicVer) return (kInputs - 1) << 16 | static_cast<u32>(version_);
  const unsigned index = select_ - kIoredtbl;
  if (select_ < kIoredtbl || index / 2 >= kInputs) return 0;
  return static_cast<u32>(redirection_[index / 2] >> (index % 2 ? 32 : 0));
}

void IoApic::write_register(u32 value) {
  if (select_ == kIoapicId) {
    id_ = (value >> 24) & 0xF;
    return;
  }
  const unsigned index = select_ - kIoredtbl;
  if (select_ < kIoredtbl || index / 2 >= kInputs) return;
  write_redirection(index / 2, index % 2 != 0, value);
}

// An entry switched to edge forgets its remote IRR: how Linux ends a level interrupt of an I/O APIC
// without an EOI register (arch/x86/kernel/apic/io_apic.c, __eoi_ioapic_pin).
void IoApic::write_redirection(unsigned input, bool high, u32 value) {
  u64& entry = redirection_[input];
  const u64 written = high ? u64{value} << 32 : value;
  const u64 half = high ? ~u64{0} << 32 : 0xFFFF'FFFF;
  entry = (entry & ~(half & kWritable)) | (written & half & kWritable);
  if (!is_level(entry)) entry &= ~kRemoteIrr;
  evaluate_level(input);
}

void IoApic::set_irq(unsigned input, bool level) {
  if (input >= kInputs) return;
  std::lock_guard lock(mutex_);
  const bool was = (lines_ & bit(input)) != 0;
  lines_ = static_cast<u32>(level ? lines_ | bit(input) : lines_ & ~bit(input));
  const u64 entry = redirection_[input];
  if (is_level(entry)) {
    evaluate_level(input);
  } else if (level && !was && !(entry & kMask)) {
    send(entry);  // 82093AA 3.2.4: an edge on a masked input is lost
  }
}

// Whoever holds a wire up until the end of interrupt lets go of it before it is looked at.
void IoApic::eoi(u8 vector) {
  std::unique_lock lock(mutex_);
  const u32 ending = inputs_in_service(vector);
  if (ending == 0) return;
  if (ended_) {
    lock.unlock();
    for (unsigned input = 0; input < kInputs; ++input)
      if (ending & bit(input)) ended_(input);
    lock.lock();
  }
  for (unsigned input = 0; input < kInputs; ++input) {
    u64& entry = redirection_[input];
    if (!(ending & bit(input)) || static_cast<u8>(entry) != vector) continue;
    entry &= ~kRemoteIrr;
    evaluate_level(input);
  }
}

u32 IoApic::inputs_in_service(u8 vector) const {
  u32 inputs = 0;
  for (unsigned input = 0; input < kInputs; ++input) {
    const u64 entry = redirection_[input];
    if ((entry & kRemoteIrr) && static_cast<u8>(entry) == vector) inputs |= 1u << input;
  }
  return inputs;
}

// Remote IRR is set when a local APIC accepts the message; one that nobody takes is offered again
// at the next change.
void IoApic::evaluate_level(unsigned input) {
  u64& entry = redirection_[input];
  if (!is_level(entry) || (entry & (kMask | kRemoteIrr)) || !(lines_ & bit(input))) return;
  if (send(entry)) entry |= kRemoteIrr;
}

bool IoApic::send(u64 entry) {
  InterruptMessage message;
  message.destination = static_cast<u32>(bits(entry, 63, 56));
  message.logical = (entry & kDestinationMode) != 0;
  message.mode = mode_of(entry);
  message.vector = static_cast<u8>(entry);
  message.level_triggered = is_level(entry);
  trace::write(trace::Category::kIrq, "ioapic: vector {:02x} to {:x}", message.vector,
               message.destination);
  return bus_.deliver(message);
}

}  // namespace kite
