// The chips' registers to and from KVM's structures.
#pragma once

#include "accel/kvm/abi.h"
#include "base/chip_state.h"

namespace kite::kvm {

Pic8259State from_kvm(const kvm_pic_state& raw);
kvm_pic_state to_kvm(const Pic8259State& state, bool master);

IoApicState from_kvm(const kvm_ioapic_state& raw);
// Level-triggered inputs whose wire is up are requests at once.
kvm_ioapic_state to_kvm(const IoApicState& state, u32 input_levels);

// `now`: the host's monotonic clock in nanoseconds, by which KVM dates counts.
PitCounterState from_kvm(const kvm_pit_channel_state& raw, i64 now, bool times_known);
// `interrupts`: it is counter 0, whose OUT is wire 0.
kvm_pit_channel_state to_kvm(const PitCounterState& state, bool interrupts);

}  // namespace kite::kvm
