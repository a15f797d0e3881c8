#include "devices/irq/local_apic.h"

#include <utility>

#include "base/bits.h"
#include "base/trace.h"
#include "devices/irq/local_apic_bits.h"

namespace kite {

using namespace apic;

int LocalApic::VectorSet::highest() const {
  for (int i = 7; i >= 0; --i) {
    const u32 word = words[static_cast<unsigned>(i)];
    if (word != 0) return i * 32 + 31 - std::countl_zero(word);
  }
  return -1;
}

LocalApic::LocalApic(const LocalApicConfig& config, Clock& clock, InterruptBus& bus,
                     LocalApicWiring& wiring)
    : config_(config),
      bus_(bus),
      wiring_(wiring),
      id_(config.apic_id),
      timer_(clock, config.bus_hz, config.tsc_hz, [this] { timer_expired(); }) {
  apic_base_ = kDefaultBase | kBaseEn | (config_.bootstrap ? kBaseBsp : 0);
  reset_registers();
}

void LocalApic::reset() {
  std::unique_lock lock(mutex_);
  id_ = config_.apic_id;
  apic_base_ = kDefaultBase | kBaseEn | (config_.bootstrap ? kBaseBsp : 0);
  reset_registers();
  outcome_.base = apic_base_;
  finish(std::move(lock));
}

// SDM 3A 11.4.7.1: what power-up, RESET# and INIT leave. The pins stay as the board drives them;
// INIT leaves the ID, too (11.4.7.3).
void LocalApic::reset_registers() {
  tpr_ = 0;
  ldr_ = 0;
  dfr_ = 0xFFFF'FFFF;
  svr_ = 0xFF;
  esr_ = 0;
  esr_collected_ = 0;
  icr_ = 0;
  lvt_.fill(kLvtMask);
  request_ = in_service_ = trigger_mode_ = {};
  timer_.reset();
  update_pending();
}

void LocalApic::transfer(Archive& archive) {
  std::unique_lock lock(mutex_);
  archive.field("apic_base", apic_base_);
  archive.field("id", id_);
  u32 tpr = tpr_;
  archive.field("tpr", tpr);
  tpr_ = tpr;
  archive.field("ldr", ldr_);
  archive.field("dfr", dfr_);
  archive.field("svr", svr_);
  archive.field("esr", esr_);
  archive.field("esr_collected", esr_collected_);
  archive.field("icr", icr_);
  archive.field("lvt", lvt_);
  archive.field("irr", request_.words);
  archive.field("isr", in_service_.words);
  archive.field("tmr", trigger_mode_.words);
  archive.field("lint0", lint_[0]);
  archive.field("lint1", lint_[1]);
  timer_.transfer(archive);
  update_pending();
  outcome_.changed = !archive.is_saving();
  if (!archive.is_saving()) outcome_.base = apic_base_;
  finish(std::move(lock));
}

// Releases the lock and tells everybody what happened under it.
void LocalApic::finish(std::unique_lock<std::mutex> lock) {
  const Outcome outcome = std::exchange(outcome_, {});
  const bool pending = pending_.load(std::memory_order_relaxed);
  lock.unlock();
  if (outcome.base) wiring_.apic_base_changed(*outcome.base);
  if (outcome.init) wiring_.init();
  if (outcome.start_up) wiring_.start_up(*outcome.start_up);
  if (outcome.nmi) wiring_.nmi();
  if (outcome.changed && pending) wiring_.interrupt_changed();
  if (outcome.message) bus_.deliver(*outcome.message);
  if (outcome.end_of_interrupt) wiring_.end_of_interrupt(*outcome.end_of_interrupt);
}

bool LocalApic::hardware_enabled() const {
  return (apic_base_ & kBaseEn) != 0;
}
bool LocalApic::x2apic() const {
  return (apic_base_ & kBaseExtd) != 0;
}
bool LocalApic::software_enabled() const {
  return (svr_ & kSvrEnable) != 0;
}

u64 LocalApic::apic_base() {
  std::lock_guard lock(mutex_);
  return apic_base_;
}

// SDM 3A 11.8.3.1.
u8 LocalApic::processor_priority() const {
  const int highest = in_service_.highest();
  const u32 served = highest < 0 ? 0 : static_cast<u32>(highest) & 0xF0;
  const u32 tpr = tpr_;
  return static_cast<u8>((tpr & 0xF0) >= served ? tpr : served);
}

// With the APIC hardware-disabled LINT0 is the processor's INTR pin.
bool LocalApic::extint_asserted() const {
  if (!lint_[0]) return false;
  if (!hardware_enabled()) return true;
  return (lvt_[kLint0] & kLvtMask) == 0 &&
         static_cast<DeliveryMode>(bits(lvt_[kLint0], 10, 8)) == DeliveryMode::kExtInt;
}

void LocalApic::update_pending() {
  const int request = request_.highest();
  const bool deliverable = request >= 0 && (request & 0xF0) > (processor_priority() & 0xF0);
  const bool pending = deliverable || extint_asserted();
  pending_.store(pending, std::memory_order_release);
  outcome_.changed |= pending;
}

std::optional<u8> LocalApic::acknowledge() {
  std::unique_lock lock(mutex_);
  if (extint_asserted()) {
    lock.unlock();
    const auto vector = wiring_.acknowledge_external();
    if (vector && pending()) wiring_.interrupt_changed();
    if (vector) return vector;
    lock.lock();
  }
  const int request = request_.highest();
  if (request < 0 || (request & 0xF0) <= (processor_priority() & 0xF0)) return std::nullopt;
  const u8 vector = static_cast<u8>(request);
  request_.clear(vector);
  in_service_.set(vector);
  update_pending();
  finish(std::move(lock));
  return vector;
}

void LocalApic::set_cr8(u8 value) {
  std::unique_lock lock(mutex_);
  tpr_ = (value & 0xFu) << 4;
  update_pending();
  finish(std::move(lock));
}

void LocalApic::set_tsc_offset(i64 offset) {
  std::unique_lock lock(mutex_);
  if (timer_.set_tsc_offset(offset)) fire(kTimer);
  finish(std::move(lock));
}

void LocalApic::set_tsc_frequency(u64 hz) {
  std::lock_guard lock(mutex_);
  timer_.set_tsc_frequency(hz);
}

void LocalApic::timer_expired() {
  std::unique_lock lock(mutex_);
  if (timer_.take_expiry()) fire(kTimer);
  finish(std::move(lock));
}

void LocalApic::raise(LocalSource source) {
  std::unique_lock lock(mutex_);
  if (source == LocalSource::kThermal) fire(kThermal);
  if (source == LocalSource::kCmci) fire(kCmci);
  if (source == LocalSource::kPerformance) {
    fire(kPerformance);
    lvt_[kPerformance] |= kLvtMask;  // SDM 3A 11.5.1: set when the counter's interrupt is delivered
  }
  finish(std::move(lock));
}

void LocalApic::set_lint(unsigned pin, bool level) {
  if (pin > 1) return;
  std::unique_lock lock(mutex_);
  update_lint(pin, level);
  finish(std::move(lock));
}

void LocalApic::update_lint(unsigned pin, bool level) {
  const bool rising = level && !lint_[pin];
  lint_[pin] = level;
  if (!hardware_enabled()) {
    if (pin == 1 && rising) outcome_.nmi = true;
    update_pending();
    return;
  }
  u32& entry = lvt_[kLint0 + pin];
  const auto mode = static_cast<DeliveryMode>(bits(entry, 10, 8));
  // LINT1 is edge-sensitive always (SDM 3A 11.5.1, "Trigger mode").
  const bool level_triggered = pin == 0 && (entry & kLvtLevel) != 0 && mode == DeliveryMode::kFixed;
  if (level_triggered) {
    if (level && !(entry & (kLvtRemoteIrr | kLvtMask)) && software_enabled()) {
      entry |= kLvtRemoteIrr;
      if (!set_request(static_cast<u8>(entry), true)) entry &= ~kLvtRemoteIrr;
    }
  } else if (rising) {
    fire(pin == 0 ? kLint0 : kLint1);
  }
  update_pending();
}

// An interrupt of a local source, as its LVT entry says.
void LocalApic::fire(Lvt lvt) {
  const u32 entry = lvt_[lvt];
  if (!hardware_enabled() || (entry & kLvtMask)) return;
  // The timer's and the error's entries have no delivery mode: always fixed.
  const auto mode = lvt == kTimer || lvt == kError ? DeliveryMode::kFixed
                                                   : static_cast<DeliveryMode>(bits(entry, 10, 8));
  if (mode == DeliveryMode::kNmi) {
    outcome_.nmi = true;
  } else if (mode == DeliveryMode::kInit) {
    reset_registers();
    outcome_.init = true;
  } else if (mode == DeliveryMode::kFixed) {
    set_request(static_cast<u8>(entry), false);
  }
}

bool LocalApic::set_request(u8 vector, bool level_triggered) {
  if (vector < kFirstLegalVector) {
    report_error(kEsrReceiveIllegalVector);
    return false;
  }
  request_.set(vector);
  if (level_triggered) {
    trigger_mode_.set(vector);
  } else {
    trigger_mode_.clear(vector);
  }
  update_pending();
  return true;
}

// The error interrupt has a vector too: were that illegal, it would be one more error for ever.
void LocalApic::report_error(u32 esr_bit) {
  const bool known = (esr_collected_ & esr_bit) != 0;
  esr_collected_ |= esr_bit;
  if (!known && static_cast<u8>(lvt_[kError]) >= kFirstLegalVector) fire(kError);
}

// SDM 3A 11.8.5: ends the highest interrupt in service; a level-triggered one is told to the I/O
// APICs unless the broadcast is suppressed.
void LocalApic::end_of_interrupt() {
  const int served = in_service_.highest();
  if (served < 0) return;
  const u8 vector = static_cast<u8>(served);
  in_service_.clear(vector);
  if (trigger_mode_.test(vector)) {
    if (!(svr_ & kSvrSuppressEoiBroadcast)) outcome_.end_of_interrupt = vector;
    u32& lint0 = lvt_[kLint0];
    if ((lint0 & kLvtRemoteIrr) && static_cast<u8>(lint0) == vector) {
      lint0 &= ~kLvtRemoteIrr;
      update_lint(0, lint_[0]);
    }
  }
  update_pending();
}

void LocalApic::enter_virtual_wire_mode() {
  std::unique_lock lock(mutex_);
  svr_ |= kSvrEnable;
  lvt_[kLint0] = static_cast<u32>(DeliveryMode::kExtInt) << 8;
  lvt_[kLint1] = static_cast<u32>(DeliveryMode::kNmi) << 8;
  update_pending();
  finish(std::move(lock));
}

}  // namespace kite
