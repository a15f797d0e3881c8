// DirtyTracker: how KVM tells which pages it has let the guest (or itself) write to.
//
// Purpose. While the machine's DirtyLog is active, every writable slot has KVM_MEM_LOG_DIRTY_PAGES,
// and KVM remembers each page that becomes dirty: in a bitmap per slot, or in a ring per vCPU. A
// tracker brings that to the log, and has KVM protect the pages again.
//
// Bitmap. KVM_GET_DIRTY_LOG copies it. Where KVM leaves clearing to us
// (KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2), KVM_CLEAR_DIRTY_LOG follows for the pages that were found; a
// page that gets dirty in between stays for the next time. Either way a page is protected again
// before who asked reads it. The cost is that of the slot's size.
//
// Ring. A vCPU appends (slot, page) when it dirties a clean page, we hand each entry back by its
// flag, and KVM_RESET_DIRTY_RINGS protects the pages. The cost is that of the pages written. A full
// ring ends KVM_RUN. A processor may keep what it logs (Intel's PML) until the vCPU comes out, so
// the vCPUs are called out before the rings are read. KVM keeps entries in reserve, so that a ring
// never overflows; a KVM that interprets guest code may look too seldom whether one is full and
// write over what nobody has read. A ring that is full to its last entry is therefore taken to say:
// everything.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "accel/kvm/gate.h"
#include "accel/kvm/slot.h"
#include "base/result.h"
#include "memory/dirty_log.h"

namespace kite::kvm {

// Called by Slots, one call at a time.
class DirtyTracker {
 public:
  virtual ~DirtyTracker() = default;
  // Marks what was written to `slots`, which are all there are, since the last time.
  virtual Result<> collect(std::span<const Slot> slots, DirtyLog& log) = 0;
  // The same before `going` goes, while no vCPU is inside KVM_RUN.
  virtual Result<> retire(std::span<const Slot> slots, const Slot& going, DirtyLog& log) = 0;
  // A vCPU came out because its ring is full.
  virtual Result<> ring_full(std::span<const Slot> /*slots*/, DirtyLog& /*log*/) { return {}; }
  // The slots are logged no longer: what was not collected is forgotten.
  virtual Result<> forget() { return {}; }
  // Of a new vCPU; before it runs.
  virtual Result<> add_vcpu(int /*vcpu_fd*/) { return {}; }
};

// `manual`: clearing is ours. Both take what the virtual machine has been told to do.
std::unique_ptr<DirtyTracker> make_dirty_bitmaps(int vm_fd, bool manual);
std::unique_ptr<DirtyTracker> make_dirty_rings(int vm_fd, u32 entries, Gate& gate);

// The tracker for a fresh virtual machine: rings of `ring_entries` per vCPU, or bitmaps for 0. An
// error names what this KVM cannot do. Before any vCPU is made.
Result<std::unique_ptr<DirtyTracker>> make_dirty_tracker(int vm_fd, u32 ring_entries, Gate& gate);

}  // namespace kite::kvm
