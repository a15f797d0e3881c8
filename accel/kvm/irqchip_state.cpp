#include "accel/kvm/irqchip_state.h"

#include <algorithm>

#include "base/bits.h"

namespace kite::kvm {
namespace {

constexpr u8 kMasterElcrMask = 0xf8, kSlaveElcrMask = 0xde;  // 82371AB 4.2.4, ELCR1 and ELCR2

constexpr u64 kRemoteIrr = bit(14), kLevel = bit(15);
constexpr unsigned kFirstMode = 1;  // of the control word, with BCD below

// Linux's names: arch/x86/kvm/i8254.h, RW_STATE_*. 0 is "not latched" where it is a latch.
constexpr u8 kLsb = 1, kMsb = 2, kWordLow = 3, kWordHigh = 4;
constexpr u8 kNoMode = 0xff;  // of a counter that was never programmed: KVM's state after reset

u8 access_state(u8 format, bool high) {
  if (format == kLsb || format == kMsb) return format;
  return high ? kWordHigh : kWordLow;
}

u64 pit_ticks(i64 nanoseconds) {
  constexpr u64 kPitHz = 1'193'182, kSecondNanos = 1'000'000'000;
  if (nanoseconds <= 0) return 0;
  return static_cast<u64>(u128{static_cast<u64>(nanoseconds)} * kPitHz / kSecondNanos);
}

bool is_periodic(u8 control) {
  const unsigned mode = (control >> kFirstMode) & 7;
  return (mode & 3) >= 2;  // 2, 3 and their other spellings 6, 7
}

}  // namespace

// KVM counts the states of the initialization from ICW2 on as 1, 2, 3, and names the IR with the
// highest priority where Kite names that with the lowest.
Pic8259State from_kvm(const kvm_pic_state& raw) {
  Pic8259State state;
  state.lines = raw.last_irr;
  state.irr = raw.irr;
  state.isr = raw.isr;
  state.imr = raw.imr;
  state.elcr = raw.elcr;
  state.vector_base = raw.irq_base & 0xf8;
  state.lowest = (raw.priority_add - 1) & 7;
  state.next_icw = raw.init_state == 0 ? 0 : static_cast<u8>(std::min<u8>(raw.init_state, 3) + 1);
  state.needs_icw4 = raw.init4 != 0;
  state.auto_eoi = raw.auto_eoi != 0;
  state.rotate_on_auto_eoi = raw.rotate_on_auto_eoi != 0;
  state.special_fully_nested = raw.special_fully_nested_mode != 0;
  state.special_mask = raw.special_mask != 0;
  state.read_isr = raw.read_reg_select != 0;
  state.polled = raw.poll != 0;
  return state;
}

kvm_pic_state to_kvm(const Pic8259State& state, bool master) {
  kvm_pic_state raw{};
  raw.elcr_mask = master ? kMasterElcrMask : kSlaveElcrMask;
  raw.last_irr = state.lines;
  raw.irr = state.irr;
  raw.isr = state.isr;
  raw.imr = state.imr;
  raw.elcr = state.elcr & raw.elcr_mask;
  raw.irq_base = state.vector_base;
  raw.priority_add = (state.lowest + 1) & 7;
  raw.init_state = state.next_icw == 0 ? 0 : static_cast<u8>(state.next_icw - 1);
  raw.init4 = state.needs_icw4;
  raw.auto_eoi = state.auto_eoi;
  raw.rotate_on_auto_eoi = state.rotate_on_auto_eoi;
  raw.special_fully_nested_mode = state.special_fully_nested;
  raw.special_mask = state.special_mask;
  raw.read_reg_select = state.read_isr;
  raw.poll = state.polled;
  return raw;
}

IoApicState from_kvm(const kvm_ioapic_state& raw) {
  IoApicState state;
  state.select = static_cast<u8>(raw.ioregsel);
  state.id = static_cast<u8>(raw.id & 15);
  for (std::size_t i = 0; i < IoApicState::kInputs; ++i) {
    state.redirection[i] = raw.redirtbl[i].bits;
    if (!(state.redirection[i] & kLevel)) state.redirection[i] &= ~kRemoteIrr;
  }
  return state;
}

kvm_ioapic_state to_kvm(const IoApicState& state, u32 input_levels) {
  kvm_ioapic_state raw{};
  raw.base_address = 0xfec00000;
  raw.ioregsel = state.select;
  raw.id = state.id;
  for (std::size_t i = 0; i < IoApicState::kInputs; ++i) {
    raw.redirtbl[i].bits = state.redirection[i];
    if ((state.redirection[i] & kLevel) && (input_levels >> i & 1)) raw.irr |= u32{1} << i;
  }
  return raw;
}

PitCounterState from_kvm(const kvm_pit_channel_state& raw, i64 now, bool times_known) {
  PitCounterState state;
  state.gate = raw.gate != 0;
  if (raw.mode > 7) return state;
  const u8 format = raw.rw_mode == kLsb || raw.rw_mode == kMsb ? raw.rw_mode : u8{3};
  state.control = static_cast<u8>(format << 4 | raw.mode << kFirstMode | (raw.bcd ? 1 : 0));
  state.count = std::min<u32>(raw.count, 0x10000);
  if (times_known) state.elapsed = pit_ticks(now - raw.count_load_time);
  state.write_high = raw.write_state == kWordHigh;
  state.read_high = raw.read_state == kWordHigh;
  state.low_byte = raw.write_latch;
  state.count_latched = raw.count_latched != 0;
  if (state.count_latched) state.read_high = raw.count_latched == kWordHigh;
  state.status_latched = raw.status_latched != 0;
  state.count_latch = raw.latched_count;
  state.status_latch = raw.status;
  return state;
}

// KVM begins to count anew when it is given a state. So one that counts down once is given what is
// left, at least the one pulse that brings OUT to where it is; a period begins anew.
kvm_pit_channel_state to_kvm(const PitCounterState& state, bool interrupts) {
  kvm_pit_channel_state raw{};
  const u8 format = (state.control >> 4) & 3;
  raw.gate = state.gate;
  raw.rw_mode = format == 0 ? u8{3} : format;
  raw.mode = (state.control >> kFirstMode) & 7;
  if (raw.mode > 5) raw.mode &= 3;
  raw.bcd = state.control & 1;
  raw.count = state.count;
  const u64 elapsed = state.elapsed.value_or(0);
  const bool over = state.count != 0 && elapsed >= state.count;
  if (state.count != 0 && !is_periodic(state.control))
    raw.count = over ? 1 : static_cast<u32>(state.count - elapsed);
  // One that never ran, or has run out, must not interrupt.
  if (interrupts && (state.count == 0 || (over && !is_periodic(state.control)))) raw.mode = kNoMode;
  raw.write_state = access_state(raw.rw_mode, state.write_high);
  raw.read_state = access_state(raw.rw_mode, state.read_high);
  raw.write_latch = state.low_byte;
  raw.count_latched = state.count_latched ? raw.read_state : u8{0};
  raw.latched_count = state.count_latch;
  raw.status_latched = state.status_latched;
  raw.status = state.status_latch;
  return raw;
}

}  // namespace kite::kvm
