// Slot: one of KVM's memory slots.
#pragma once

#include <compare>

#include "base/types.h"

namespace kite::kvm {

// What a slot shows; `host` is where its first byte lies in this process.
struct SlotContent {
  Gpa start = 0;
  u64 size = 0;
  u64 host = 0;
  bool readonly = false;
  auto operator<=>(const SlotContent&) const = default;
};

struct Slot {
  SlotContent content;
  u32 number = 0;
};

}  // namespace kite::kvm
