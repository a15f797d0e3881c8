// What KVM derives from the guest's memory: shadow page tables.
#pragma once

#include "base/types.h"

namespace kite::kvm {

// Where the processor does not walk the guest's page tables itself (EPT, NPT), KVM keeps shadows of
// them and must see every store to them, which stores by this process are not.
bool shadows_page_tables();

// Makes KVM build its shadows anew. `vm_fd` is the machine's, `slot` a number that no slot has.
void forget_shadow_pages(int vm_fd, u32 slot);

}  // namespace kite::kvm
