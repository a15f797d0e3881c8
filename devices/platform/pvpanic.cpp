#include "devices/platform/pvpanic.h"

namespace kite {

u8 Pvpanic::read_byte(u64) {
  return kPanicked | kCrashLoaded;
}

void Pvpanic::write_byte(u64, u8 value) {
  const u8 events = value & (kPanicked | kCrashLoaded);
  if (events && on_event_) on_event_(events);
}

}  // namespace kite
