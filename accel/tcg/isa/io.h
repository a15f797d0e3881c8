// Port input and output: who may do it.
#pragma once

#include "accel/tcg/cpu.h"

namespace kite::tcg {

// Above IOPL, and always in virtual-8086 mode, the TSS' bitmap decides (SDM 1 19.5.2). False: #GP(0) is in Cpu::fault.
bool may_access_port(Cpu& cpu, u16 port, unsigned size);

}  // namespace kite::tcg
