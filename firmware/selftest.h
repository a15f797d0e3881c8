// The built-in self-test guest: a program that checks the machine from inside.
#pragma once

#include <span>

#include "base/types.h"
#include "firmware/selftest/exit_value.h"

namespace kite {

// An ELF file with a PVH note and a multiboot 1 header; either way of entering it will do. Empty
// where Kite was built without a compiler for x86-64. It reports on COM1, one line per check.
std::span<const u8> selftest_image();

}  // namespace kite
