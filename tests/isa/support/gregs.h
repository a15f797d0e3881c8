// The general registers in a signal's context, on Linux on x86-64.
#pragma once

#include <sys/ucontext.h>

#include <array>

namespace kite::isa {

// Where a signal's context has the general registers, by their numbers in encodings.
inline constexpr std::array<int, 16> kGregs = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                               REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                               REG_R12, REG_R13, REG_R14, REG_R15};

}  // namespace kite::isa
