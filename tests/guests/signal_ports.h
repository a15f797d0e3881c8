// The ports of the device that signals (tests/conformance/signal_device.h), for it and for guests.
#pragma once

#include "base/types.h"

namespace signal_ports {

using kite::u16;
using kite::u8;

inline constexpr u16 kFirst = 0x7e0, kCount = 16;
inline constexpr u16 kIdentity = kFirst;  // reads kPresent
inline constexpr u8 kPresent = 0x5a;
inline constexpr u16 kUndone = kFirst + 1;  // reads how many writes still have no effect
// Written: signals, whatever the value.
inline constexpr u16 kEdge = kFirst + 2;
inline constexpr u16 kMessage = kFirst + 3;
inline constexpr u16 kMarker = kFirst + 4;  // a message that nothing changes
// The message: its vector (written), and whether it is masked.
inline constexpr u16 kVector = kFirst + 5;
inline constexpr u16 kMasked = kFirst + 6;
// Two units that hold a level up while they have work. Written: so many pieces of it. Read: takes
// one piece, and says how many are left. The other port reads how often the unit was told of an end
// of interrupt since work was last given to it.
inline constexpr u16 kWork[2] = {kFirst + 8, kFirst + 10}, kEnds[2] = {kFirst + 9, kFirst + 11};

// Where their interrupts go.
inline constexpr unsigned kEdgeWire = 20, kLevelWires[2] = {21, 10};
inline constexpr u8 kFirstVector = 0x60, kMarkerVector = 0x61;

}  // namespace signal_ports
