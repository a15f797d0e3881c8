// Values at which integer instructions change their minds: signs, carries, widths.
#pragma once

#include "base/types.h"

namespace kite::isa {

inline constexpr u64 kBoundaries[] = {0,
                                      1,
                                      2,
                                      3,
                                      0x7f,
                                      0x80,
                                      0xff,
                                      0x100,
                                      0x7fff,
                                      0x8000,
                                      0xffff,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x100000000,
                                      ~u64{0},
                                      ~u64{1},
                                      0xffffffffffffff80,
                                      0x8000000000000000,
                                      0x7fffffffffffffff,
                                      0x5555555555555555,
                                      0xaaaaaaaa55555555};

}  // namespace kite::isa
