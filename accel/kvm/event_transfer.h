// PendingEvents to and from KVM.
#pragma once

#include "accel/kvm/device.h"
#include "accel/x86/state.h"
#include "base/result.h"

namespace kite::kvm {

// Also the registers that an exception sets which KVM has raised but not yet delivered: CR2, DR6.
void read_events(int fd, const Device& device, X86State& state);
Result<> write_events(int fd, const Device& device, const PendingEvents& events);
// Writes what differs. A pending NMI that did not change is left alone: another may have come.
Result<> write_changed_events(int fd, const Device& device, const PendingEvents& from,
                              const PendingEvents& to);

}  // namespace kite::kvm
