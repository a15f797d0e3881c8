#include "devices/time/hpet.h"

#include <algorithm>

#include "base/bits.h"
#include "base/trace.h"

namespace kite {

namespace {

// Registers, IA-PC HPET 1.0a 2.3.
constexpr u64 kGcapId = 0x000;
constexpr u64 kGenConf = 0x010;
constexpr u64 kGintrSta = 0x020;
constexpr u64 kMainCnt = 0x0F0;
constexpr u64 kFirstComparator = 0x100;
constexpr u64 kComparatorStep = 0x20;

constexpr u64 kEnableCnf = bit(0);
constexpr u64 kLegRtCnf = bit(1);

// GCAP_ID: revision 1, the last timer is 2, a 64-bit counter, legacy replacement capable, Intel's
// vendor ID, the tick in femtoseconds.
constexpr u64 kCapabilities = u64{Hpet::kTick} * 1'000'000 << 32 | 0x8086u << 16 | bit(15) |
                              bit(13) | (Hpet::kComparators - 1) << 8 | 0x01;

// Tn_CONF, 2.3.8.
constexpr u64 kIntType = bit(1);  // 1: level
constexpr u64 kIntEnb = bit(2);
constexpr u64 kTypeCnf = bit(3);  // 1: periodic
constexpr u64 kPerIntCap = bit(4);
constexpr u64 kSizeCap = bit(5);
constexpr u64 kValSet = bit(6);
constexpr u64 k32Mode = bit(8);
constexpr u64 kWritable = 0x3F00 | kIntType | kIntEnb | kTypeCnf | kValSet;

constexpr u64 kWrap32 = u64{1} << 32;

// Periods shorter than this are counted exactly but interrupt only this often, lest a guest keep
// the host's timer thread busy for ever.
constexpr Nanos kShortestPeriod = 20 * kMicrosecond;

u64 width_mask(u64 config) {
  return config & k32Mode ? kWrap32 - 1 : ~u64{0};
}

u64 merge(u64 old, u64 value, u64 mask) {
  return (old & ~mask) | (value & mask);
}

}  // namespace

Hpet::Hpet(Clock& clock, Wiring wiring) : clock_(clock), wiring_(std::move(wiring)) {
  for (unsigned i = 0; i < kComparators; ++i)
    timers_[i] = std::make_unique<Timer>(clock, [this, i] {
      std::lock_guard lock(mutex_);
      const bool matched = serve(i);
      arm_timer(i, matched ? clock_.now() + kShortestPeriod : 0);
    });
}

void Hpet::reset() {
  std::lock_guard lock(mutex_);
  const bool replaced = (config_ & kLegRtCnf) != 0;
  config_ = 0;
  status_ = 0;
  base_ = 0;
  comparators_ = {};
  restart_all();
  update_wires();
  if (replaced) wiring_.legacy_replacement.lower();
}

void Hpet::transfer(Archive& archive) {
  std::lock_guard lock(mutex_);
  archive.field("config", config_);
  archive.field("status", status_);
  archive.field("base", base_);
  archive.field("start", start_);
  for (Comparator& comparator : comparators_) {
    archive.field("tn_config", comparator.config);
    archive.field("tn_value", comparator.value);
    archive.field("tn_period", comparator.period);
    archive.field("tn_armed_at", comparator.armed_at);
    archive.field("tn_distance", comparator.distance);
    archive.field("tn_armed", comparator.armed);
    archive.field("tn_wire", comparator.wire);
  }
  if (archive.is_saving()) return;
  config_ &= kEnableCnf | kLegRtCnf;
  status_ &= bit(kComparators) - 1;
  start_ = std::clamp<Nanos>(start_, 0, clock_.now());
  for (Comparator& comparator : comparators_) comparator.config &= kWritable;
  for (unsigned i = 0; i < kComparators; ++i) arm_timer(i, 0);
  wiring_.legacy_replacement.set((config_ & kLegRtCnf) != 0);
  update_wires();
}

u64 Hpet::counter() const {
  if (!(config_ & kEnableCnf)) return base_;
  return base_ + static_cast<u64>((clock_.now() - start_) / kTick);
}

u64 Hpet::read(u64 offset, unsigned size) {
  std::lock_guard lock(mutex_);
  for (unsigned i = 0; i < kComparators; ++i)
    if (is_silent(i)) serve(i);
  const u64 value = read_register(align_down(offset, 8));
  return (value >> (8 * (offset % 8))) & mask_of_bytes(size);
}

void Hpet::write(u64 offset, u64 value, unsigned size) {
  std::lock_guard lock(mutex_);
  const unsigned shift = 8 * static_cast<unsigned>(offset % 8);
  for (unsigned i = 0; i < kComparators; ++i) serve(i);
  write_register(align_down(offset, 8), value << shift, mask_of_bytes(size) << shift);
}

u64 Hpet::read_register(u64 offset) {
  if (offset == kGcapId) return kCapabilities;
  if (offset == kGenConf) return config_;
  if (offset == kGintrSta) return status_;
  if (offset == kMainCnt) return counter();
  const u64 index = (offset - kFirstComparator) / kComparatorStep;
  if (offset < kFirstComparator || index >= kComparators) return 0;
  const Comparator& comparator = comparators_[index];
  const u64 routes = u64{wiring_.route_mask & (bit(kRoutes) - 1)} << 32;
  if (offset % kComparatorStep == 0) return comparator.config | kPerIntCap | kSizeCap | routes;
  if (offset % kComparatorStep == 8) return current_value(comparator);
  return 0;  // Tn_FSB_ROUTE: not capable
}

void Hpet::write_register(u64 offset, u64 value, u64 mask) {
  if (offset == kGenConf) {
    write_general(value, mask);
  } else if (offset == kGintrSta) {
    status_ &= ~(value & mask);
    update_wires();
  } else if (offset == kMainCnt) {
    base_ = merge(counter(), value, mask);
    start_ = clock_.now();
    restart_all();
  }
  const u64 index = (offset - kFirstComparator) / kComparatorStep;
  if (offset < kFirstComparator || index >= kComparators) return;
  if (offset % kComparatorStep == 0) write_config(static_cast<unsigned>(index), value, mask);
  if (offset % kComparatorStep == 8) write_value(static_cast<unsigned>(index), value, mask);
}

void Hpet::write_general(u64 value, u64 mask) {
  const u64 old = config_;
  const u64 now = counter();
  config_ = merge(old, value, mask) & (kEnableCnf | kLegRtCnf);
  if ((old ^ config_) & kEnableCnf) {
    base_ = now;
    start_ = clock_.now();
    restart_all();
  }
  if ((old ^ config_) & kLegRtCnf) wiring_.legacy_replacement.set((config_ & kLegRtCnf) != 0);
  update_wires();
}

void Hpet::write_config(unsigned index, u64 value, u64 mask) {
  Comparator& comparator = comparators_[index];
  comparator.config = merge(comparator.config, value, mask) & kWritable;
  if (!(comparator.config & kIntType)) status_ &= ~bit(index);
  if (!(comparator.config & kIntEnb)) comparator.wire = false;
  start(index);
  update_wires();
}

// 2.3.9.2.2: in periodic mode a write sets the period; with VAL_SET, which falls by itself, the
// comparator as well.
void Hpet::write_value(unsigned index, u64 value, u64 mask) {
  Comparator& comparator = comparators_[index];
  const bool periodic = (comparator.config & kTypeCnf) != 0;
  if (!periodic || (comparator.config & kValSet))
    comparator.value = merge(comparator.value, value, mask);
  if (periodic) comparator.period = merge(comparator.period, value, mask);
  comparator.config &= ~kValSet;
  start(index);
}

// A periodic comparator shows the match it is waiting for, also while one is being late.
u64 Hpet::current_value(const Comparator& comparator) const {
  const u64 mask = width_mask(comparator.config);
  const u64 period = comparator.period & mask;
  const u64 elapsed = counter() - comparator.armed_at;
  if (!comparator.armed || !(comparator.config & kTypeCnf) || period == 0 ||
      elapsed < comparator.distance)
    return comparator.value & mask;
  const u64 periods = (elapsed - comparator.distance) / period + 1;
  return (comparator.value + periods * period) & mask;
}

// Works out the way to the next match. A comparator the counter has passed matches when the counter
// comes round.
void Hpet::start(unsigned index) {
  Comparator& comparator = comparators_[index];
  comparator.armed = (config_ & kEnableCnf) != 0;
  comparator.armed_at = counter();
  comparator.distance = (comparator.value - comparator.armed_at) & width_mask(comparator.config);
  arm_timer(index, 0);
}

void Hpet::restart_all() {
  for (unsigned i = 0; i < kComparators; ++i) start(i);
}

// Nobody is told of its matches: they count when a register is looked at. Linux leaves a periodic
// comparator like this when it has found a better timer.
bool Hpet::is_silent(unsigned index) const {
  return (comparators_[index].config & kIntEnb) == 0;
}

void Hpet::arm_timer(unsigned index, Nanos not_before) {
  const Comparator& comparator = comparators_[index];
  if (!comparator.armed || !(config_ & kEnableCnf) || is_silent(index)) {
    timers_[index]->disarm();
    return;
  }
  const u128 ticks = u128{comparator.armed_at - base_} + comparator.distance;
  const u128 time = ticks * static_cast<u128>(kTick) + static_cast<u128>(start_);
  const Nanos deadline = time >= static_cast<u128>(kNever) ? kNever - 1 : static_cast<Nanos>(time);
  timers_[index]->arm(std::max(deadline, not_before));
}

// Interrupts if the match has come, and moves on to the next one.
bool Hpet::serve(unsigned index) {
  Comparator& comparator = comparators_[index];
  if (!comparator.armed || !(config_ & kEnableCnf)) return false;
  const u64 elapsed = counter() - comparator.armed_at;
  if (elapsed < comparator.distance) return false;
  advance(comparator, elapsed - comparator.distance);
  interrupt(index);
  return true;
}

// `late` ticks after the match. A one-shot matches again only when its 32 bits come round.
void Hpet::advance(Comparator& comparator, u64 late) {
  const bool periodic = (comparator.config & kTypeCnf) != 0;
  const u64 mask = width_mask(comparator.config);
  u64 period = comparator.period & mask;
  if (!periodic) period = comparator.config & k32Mode ? kWrap32 : 0;
  const u128 distance = period == 0 ? 0 : (u128{late} / period + 1) * period;
  comparator.armed = distance != 0 && (distance >> 64) == 0;
  comparator.armed_at += comparator.distance;
  comparator.distance = static_cast<u64>(distance);
  if (periodic) comparator.value = (comparator.value + comparator.distance) & mask;
}

void Hpet::interrupt(unsigned index) {
  Comparator& comparator = comparators_[index];
  trace::write(trace::Category::kIrq, "hpet: comparator {} matches", index);
  if (comparator.config & kIntType) {
    status_ |= bit(index);
  } else if (comparator.config & kIntEnb) {
    comparator.wire = false;
    update_wires();
    comparator.wire = true;
  }
  update_wires();
}

// Puts every comparator's request on the wire it is routed to. Comparators may share one.
void Hpet::update_wires() {
  u32 routes = 0;
  bool irq0 = false, irq8 = false;
  for (unsigned i = 0; i < kComparators; ++i) {
    const u64 config = comparators_[i].config;
    const bool request = config & kIntType ? (status_ & bit(i)) != 0 : comparators_[i].wire;
    if (!request || !(config & kIntEnb) || !(config_ & kEnableCnf)) continue;
    const bool legacy = (config_ & kLegRtCnf) != 0;
    if (legacy && i == 0) {
      irq0 = true;
    } else if (legacy && i == 1) {
      irq8 = true;
    } else {
      routes |= static_cast<u32>(bit(static_cast<unsigned>(bits(config, 13, 9))));
    }
  }
  drive(irq0_level_, irq0, wiring_.legacy_irq0);
  drive(irq8_level_, irq8, wiring_.legacy_irq8);
  routes &= wiring_.route_mask;
  for (unsigned i = 0; i < kRoutes; ++i)
    drive(route_levels_[i], (routes & bit(i)) != 0, wiring_.routes[i]);
}

void Hpet::drive(bool& level, bool wanted, const Line& line) {
  if (level == wanted) return;
  level = wanted;
  line.set(wanted);
}

}  // namespace kite
