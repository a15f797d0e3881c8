// One counter of the 8254 as a function of the CLK pulse's number (231164, "Mode definitions").
#include <algorithm>

#include "base/bits.h"
#include "devices/time/pit_8254.h"

namespace kite {

namespace {

constexpr u8 kBcd = 0x01;
constexpr unsigned kLsbOnly = 1, kMsbOnly = 2;
constexpr u8 kStatusOut = 0x80;
constexpr u8 kStatusNullCount = 0x40;

}  // namespace

// The data sheet leaves the state after power-up open; mode 0 keeps OUT low until the first use.
void PitCounter::reset() {
  const bool gate = gate_;
  const u64 risen = risen_;
  *this = PitCounter();
  control_ = 0x30;
  gate_ = gate;
  risen_ = risen;
}

void PitCounter::transfer(Archive& archive, u64 tick) {
  settle(tick);
  archive.field("control", control_);
  archive.field("gate", gate_);
  archive.field("loaded", loaded_);
  archive.field("running", running_);
  archive.field("count_register", count_register_);
  archive.field("count", count_);
  archive.field("start", start_);
  archive.field("held", held_);
  archive.field("pending", pending_);
  archive.field("pending_tick", pending_tick_);
  archive.field("risen", risen_);
  archive.field("write_high", write_high_);
  archive.field("read_high", read_high_);
  archive.field("low_byte", low_byte_);
  archive.field("count_latched", count_latched_);
  archive.field("status_latched", status_latched_);
  archive.field("count_latch", count_latch_);
  archive.field("status_latch", status_latch_);
  control_ &= 0x3F;
  count_ = std::min<u64>(count_, 0x10000);
  pending_ = std::min<u64>(pending_, 0x10000);
  start_ = std::min(start_, tick + 1);
  held_ = std::min(held_, tick);
  if (pending_ != 0) pending_tick_ = std::max(pending_tick_, tick + 1);
  running_ = running_ && count_ != 0;
}

PitCounterState PitCounter::state(u64 tick) {
  settle(tick);
  PitCounterState state;
  state.control = control_;
  state.gate = gate_;
  if (loaded_) {
    state.count = static_cast<u32>(count_ != 0 && pending_ == 0 ? count_ : decode(count_register_));
    state.elapsed = count_ != 0 && pending_ == 0 ? elapsed(tick) : 0;
  }
  state.write_high = write_high_;
  state.read_high = read_high_;
  state.low_byte = low_byte_;
  state.count_latched = count_latched_;
  state.status_latched = status_latched_;
  state.count_latch = count_latch_;
  state.status_latch = status_latch_;
  return state;
}

void PitCounter::set_state(const PitCounterState& state, u64 tick) {
  reset();
  control_ = state.control & 0x3F;
  gate_ = state.gate;
  write_high_ = state.write_high;
  read_high_ = state.read_high;
  low_byte_ = state.low_byte;
  count_latched_ = state.count_latched;
  status_latched_ = state.status_latched;
  count_latch_ = state.count_latch;
  status_latch_ = state.status_latch;
  if (state.count == 0) return;
  loaded_ = true;
  count_ = std::clamp<u64>(state.count, periodic() ? 2 : 1, 0x10000);
  count_register_ = encode(count_);
  held_ = std::min(state.elapsed.value_or(0), tick);
  start_ = tick - held_;
  running_ = gate_ || mode() == 1 || mode() == 5;
}

// M2 M1 M0; x10 and x11 are modes 2 and 3.
unsigned PitCounter::mode() const {
  const unsigned m = (control_ >> 1) & 7;
  return m >= 6 ? m - 4 : m;
}

// 0 stands for the largest count; 1 is illegal in modes 2 and 3 and taken as 2.
u64 PitCounter::decode(u16 raw) const {
  u64 count = raw;
  if (control_ & kBcd)
    count = bits(raw, 15, 12) * 1000 + bits(raw, 11, 8) * 100 + bits(raw, 7, 4) * 10 + (raw & 15);
  if (count == 0) return control_ & kBcd ? 10000 : 0x10000;
  return periodic() ? std::max<u64>(count, 2) : count;
}

u16 PitCounter::encode(u64 count) const {
  if (!(control_ & kBcd)) return static_cast<u16>(count);
  const u64 c = count % 10000;
  return static_cast<u16>(c / 1000 << 12 | c / 100 % 10 << 8 | c / 10 % 10 << 4 | c % 10);
}

// Mode 3: OUT is high for N/2, or (N + 1)/2 of an odd count.
u64 PitCounter::high_ticks(u64 count) const {
  return (count + 1) / 2;
}

u64 PitCounter::elapsed(u64 tick) const {
  if (!running_) return held_;
  return tick > start_ ? tick - start_ : 0;
}

// The count is transferred on the CLK pulse after the write or the trigger.
void PitCounter::start(u64 tick, u64 count) {
  stop(tick);
  count_ = count;
  start_ = tick + 1;
  running_ = true;
}

void PitCounter::stop(u64 tick) {
  risen_ += rises_since_start(tick);
  count_ = 0;
  held_ = 0;
  running_ = false;
  pending_ = 0;
}

// Takes over a waiting count whose time has come. In mode 3 that may be between the halves of a
// cycle; the new cycle is then dated back so that its low half begins there.
void PitCounter::settle(u64 tick) {
  if (!periodic() || !running_ || pending_ == 0 || tick < pending_tick_) return;
  const u64 at = pending_tick_;
  const bool between_halves = mode() == 3 && (at - start_) % count_ != 0;
  risen_ += rises_since_start(at);
  count_ = pending_;
  pending_ = 0;
  start_ = between_halves ? at - high_ticks(count_) : at;
}

u64 PitCounter::rises_since_start(u64 tick) const {
  if (count_ == 0) return 0;
  const u64 ticks = elapsed(tick);
  switch (mode()) {
    case 0:
    case 1:
      return ticks >= count_ ? 1 : 0;
    case 2:
    case 3:
      return running_ ? ticks / count_ : 0;
    default:  // 4, 5: the strobe is low for one CLK
      return ticks > count_ ? 1 : 0;
  }
}

u64 PitCounter::rises(u64 tick) {
  settle(tick);
  return risen_ + rises_since_start(tick);
}

u64 PitCounter::next_rise(u64 tick) {
  settle(tick);
  if (!running_) return kNoTick;
  const u64 done = rises_since_start(tick);
  if (periodic()) {
    const u64 next = start_ + (done + 1) * count_;
    return pending_ != 0 ? std::min(next, pending_tick_) : next;
  }
  if (done != 0) return kNoTick;
  return start_ + count_ + (mode() >= 4 ? 1 : 0);
}

bool PitCounter::out(u64 tick) {
  settle(tick);
  const u64 ticks = elapsed(tick);
  switch (mode()) {
    case 0:
      return count_ != 0 && ticks >= count_;
    case 1:
      return count_ == 0 || tick < start_ || ticks >= count_;
    case 2:
      return !running_ || ticks % count_ != count_ - 1;
    case 3:
      return !running_ || ticks % count_ < high_ticks(count_);
    default:
      return count_ == 0 || ticks != count_;
  }
}

void PitCounter::write_control(u8 control, u64 tick) {
  settle(tick);
  stop(tick);
  control_ = control & 0x3F;
  loaded_ = false;
  write_high_ = read_high_ = false;
  count_latched_ = status_latched_ = false;
}

void PitCounter::write_count(u8 value, u64 tick) {
  settle(tick);
  const unsigned format = control_ >> 4;
  if (format == kLsbOnly) {
    count_register_ = value;
  } else if (format == kMsbOnly) {
    count_register_ = static_cast<u16>(value << 8);
  } else if (!write_high_) {
    low_byte_ = value;
    write_high_ = true;
    if (mode() == 0) stop(tick);  // the first byte disables counting and sets OUT low
    return;
  } else {
    count_register_ = static_cast<u16>(value << 8 | low_byte_);
    write_high_ = false;
  }
  load(tick);
}

// A whole count has been written.
void PitCounter::load(u64 tick) {
  const u64 count = decode(count_register_);
  loaded_ = true;
  if (mode() == 0 || mode() == 4) {
    start(tick, count);
    running_ = gate_;
    return;
  }
  if (periodic() && gate_ && (!running_ || tick < start_)) {
    start(tick, count);
    return;
  }
  pending_ = count;
  pending_tick_ = kNoTick;
  if (!periodic() || !running_) return;
  // Mode 2 takes it at the end of the cycle, mode 3 at the end of the half-cycle.
  const u64 position = elapsed(tick) % count_;
  const u64 high = mode() == 3 ? high_ticks(count_) : 0;
  pending_tick_ = tick + (position < high ? high : count_) - position;
}

// 231164, figure 18: GATE low stops modes 0, 2, 3, 4 (and sets OUT of 2 and 3 high); its rise
// restarts 1, 2, 3, 5.
void PitCounter::set_gate(bool level, u64 tick) {
  if (level == gate_) return;
  settle(tick);
  gate_ = level;
  const bool pausing = mode() == 0 || mode() == 4;
  if (pausing) {
    if (count_ == 0) return;
    if (level) {
      start_ = tick - held_;
    } else {
      held_ = elapsed(tick);
    }
    running_ = level;
  } else if (level) {
    if (loaded_) start(tick, decode(count_register_));
  } else if (periodic() && running_) {
    risen_ += rises_since_start(tick);
    held_ = elapsed(tick) % count_;
    running_ = false;
  }
}

// What the counting element holds. After its end it counts on from the top in modes 0, 1, 4, 5.
u16 PitCounter::element(u64 tick) {
  settle(tick);
  if (count_ == 0) return 0;
  const u64 ticks = elapsed(tick);
  if (mode() == 2) return encode(count_ - ticks % count_);
  if (mode() == 3) return encode(half_cycle_element(ticks % count_));
  const u64 modulus = control_ & kBcd ? 10000 : 0x10000;
  if (ticks <= count_) return encode(count_ - ticks);
  return encode(modulus - (ticks - count_) % modulus);
}

// Mode 3 counts by two, twice per cycle; an odd count begins one lower.
u64 PitCounter::half_cycle_element(u64 position) const {
  const u64 high = high_ticks(count_);
  const u64 in_half = position < high ? position : position - high;
  return (count_ & ~u64{1}) - 2 * std::min(in_half, count_ / 2);
}

bool PitCounter::null_count(u64 tick) const {
  return !loaded_ || pending_ != 0 || (running_ && tick < start_);
}

u8 PitCounter::next_byte(u16 value) {
  const unsigned format = control_ >> 4;
  const bool high = format == kMsbOnly || (format != kLsbOnly && read_high_);
  if (format != kLsbOnly && format != kMsbOnly) read_high_ = !read_high_;
  return static_cast<u8>(high ? value >> 8 : value);
}

u8 PitCounter::read(u64 tick) {
  if (status_latched_) {
    status_latched_ = false;
    return status_latch_;
  }
  if (!count_latched_) return next_byte(element(tick));
  const u8 value = next_byte(count_latch_);
  if (!read_high_) count_latched_ = false;
  return value;
}

// A latch holds until it is read; latching again meanwhile does nothing.
void PitCounter::latch_count(u64 tick) {
  if (count_latched_) return;
  count_latched_ = true;
  count_latch_ = element(tick);
}

void PitCounter::latch_status(u64 tick) {
  if (status_latched_) return;
  status_latched_ = true;
  const bool level = out(tick);
  status_latch_ = static_cast<u8>(control_ | (level ? kStatusOut : 0) |
                                  (null_count(tick) ? kStatusNullCount : 0));
}

}  // namespace kite
