#include "devices/time/pit_8254.h"

#include <algorithm>

#include "base/bits.h"

namespace kite {

namespace {

constexpr u128 kPerSecond = static_cast<u128>(kSecond);

// The number of the clock's first tick: far enough from 0 that a cycle can be dated back.
constexpr u64 kFirstTick = u64{1} << 20;

// Port 61h (NSC of the PIIX4, 82371AB 4.3.1).
constexpr u8 kGate2 = 0x01;
constexpr u8 kSpeaker = 0x02;
constexpr u8 kControlWritable = 0x0F;
constexpr unsigned kRefreshToggle = 4;
constexpr unsigned kOut2 = 5;
constexpr u64 kRefreshTicks = 18;  // counter 1 as every PC's firmware sets it: 15 us

// Read-back command, 231164 figure 12: D5 and D4 are active low.
constexpr u8 kReadBackNoCount = 0x20;
constexpr u8 kReadBackNoStatus = 0x10;

u64 tick_of(Nanos time) {
  return kFirstTick +
         static_cast<u64>(static_cast<u128>(std::max<Nanos>(time, 0)) * Pit8254::kHz / kPerSecond);
}

// The first moment of a tick.
Nanos time_of(u64 tick) {
  const u128 ticks = tick > kFirstTick ? tick - kFirstTick : 0;
  const u128 time = (ticks * kPerSecond + Pit8254::kHz - 1) / Pit8254::kHz;
  return time >= static_cast<u128>(kNever) ? kNever - 1 : static_cast<Nanos>(time);
}

}  // namespace

Pit8254::Pit8254(Clock& clock, Line irq0)
    : clock_(clock), irq0_(std::move(irq0)), timer_(clock, [this] {
        std::lock_guard lock(mutex_);
        update_irq();
      }) {
  for (PitCounter& counter : counters_) counter.reset();
  counters_[2].set_gate(false, tick());
}

void Pit8254::reset() {
  std::lock_guard lock(mutex_);
  control_b_ = 0;
  for (PitCounter& counter : counters_) counter.reset();
  counters_[2].set_gate(false, tick());
  update_irq();
}

void Pit8254::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  for (PitCounter& counter : counters_) counter.transfer(archive, tick());
  archive.field("control_b", control_b_);
  archive.field("seen_rises", seen_rises_);
  archive.field("last_edge", last_edge_);
  if (archive.is_saving()) return;
  control_b_ &= kControlWritable;
  last_edge_ = std::clamp<Nanos>(last_edge_, 0, clock_.now());
  update_irq();
}

Pit8254::State Pit8254::state() {
  std::lock_guard lock(mutex_);
  State state;
  const u64 now = tick();
  for (std::size_t i = 0; i < counters_.size(); ++i) state.counters[i] = counters_[i].state(now);
  state.speaker = (control_b_ & kSpeaker) != 0;
  return state;
}

void Pit8254::set_state(const State& state) {
  std::lock_guard lock(mutex_);
  const u64 now = tick();
  for (std::size_t i = 0; i < counters_.size(); ++i) counters_[i].set_state(state.counters[i], now);
  control_b_ =
      static_cast<u8>((control_b_ & ~(kGate2 | kSpeaker)) | (state.counters[2].gate ? kGate2 : 0) |
                      (state.speaker ? kSpeaker : 0));
  seen_rises_ = counters_[0].rises(now);  // whoever counted before has shown them
  last_edge_ = clock_.now();
  update_irq();
}

u64 Pit8254::tick() const {
  return tick_of(clock_.now());
}

// The control word register cannot be read (231164, "Read operations").
u8 Pit8254::read_byte(u64 offset) {
  std::lock_guard lock(mutex_);
  const u64 port = offset & 3;
  return port == 3 ? 0xFF : counters_[port].read(tick());
}

void Pit8254::write_byte(u64 offset, u8 value) {
  std::lock_guard lock(mutex_);
  const u64 port = offset & 3;
  const u64 now = tick();
  const unsigned selected = value >> 6;
  if (port != 3) {
    counters_[port].write_count(value, now);
  } else if (selected == 3) {
    read_back(value, now);
  } else if ((value & 0x30) == 0) {
    counters_[selected].latch_count(now);
  } else {
    counters_[selected].write_control(value, now);
  }
  if (port == 0 || (port == 3 && selected == 0)) update_irq();
}

void Pit8254::read_back(u8 command, u64 now) {
  for (unsigned i = 0; i < counters_.size(); ++i) {
    if (!(command & bit(i + 1))) continue;
    if (!(command & kReadBackNoCount)) counters_[i].latch_count(now);
    if (!(command & kReadBackNoStatus)) counters_[i].latch_status(now);
  }
}

void Pit8254::drive(bool level) {
  if (level == irq_level_) return;
  irq_level_ = level;
  irq0_.set(level);
}

// Shows counter 0's OUT on the wire, as the head of the class says, and waits for its next rise.
void Pit8254::update_irq() {
  PitCounter& counter = counters_[0];
  const Nanos time = clock_.now();
  const u64 now = tick_of(time);
  if (const u64 rises = counter.rises(now); rises != seen_rises_) {
    seen_rises_ = rises;
    last_edge_ = time;
    drive(false);
    drive(true);
  }
  drive(counter.periodic() || counter.out(now));
  const u64 next = counter.next_rise(now);
  if (next == PitCounter::kNoTick) {
    timer_.disarm();
    return;
  }
  const Nanos earliest = counter.periodic() ? last_edge_ + kShortestPeriod : 0;
  timer_.arm(std::max(time_of(next), earliest));
}

u8 Pit8254::Port61::read_byte(u64 /*offset*/) {
  std::lock_guard lock(pit_.mutex_);
  const u64 now = pit_.tick();
  const u64 refresh = now / kRefreshTicks & 1;
  const u64 out2 = pit_.counters_[2].out(now) ? 1 : 0;
  return static_cast<u8>(pit_.control_b_ | refresh << kRefreshToggle | out2 << kOut2);
}

void Pit8254::Port61::write_byte(u64 /*offset*/, u8 value) {
  std::lock_guard lock(pit_.mutex_);
  pit_.control_b_ = value & kControlWritable;
  pit_.counters_[2].set_gate((value & kGate2) != 0, pit_.tick());
}

}  // namespace kite
