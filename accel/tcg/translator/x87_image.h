// The guest's x87 registers on their way between Cpu and the host's x87 unit, by way of the frame.
#pragma once

#include "accel/tcg/cpu.h"
#include "accel/tcg/translator/frame.h"

namespace kite::tcg {

// Makes the image that the host loads. False: an exception is pending or not masked, so that the
// host's unit would raise it; x87 instructions are then their handlers' business.
bool x87_to_host(const FpuState& fpu, Frame& frame);
// From the image that the host has saved, and what translated code has noted.
void x87_from_host(Cpu& cpu, Frame& frame);

}  // namespace kite::tcg
