// The sixteen conditions of Jcc, SETcc and CMOVcc (SDM 1 appendix B).
#pragma once

#include "accel/tcg/flags.h"

namespace kite::tcg {

// CC is the low four bits of the opcode; odd ones are the negations of the even ones before them.
template <unsigned CC>
inline bool condition(const Flags& flags) {
  constexpr unsigned kKind = CC / 2;
  bool value;
  if constexpr (kKind == 0) value = flags.of();
  if constexpr (kKind == 1) value = flags.cf();
  if constexpr (kKind == 2) value = flags.zf();
  if constexpr (kKind == 3) value = flags.cf() || flags.zf();
  if constexpr (kKind == 4) value = flags.sf();
  if constexpr (kKind == 5) value = flags.pf();
  if constexpr (kKind == 6) value = flags.sf() != flags.of();
  if constexpr (kKind == 7) value = flags.zf() || flags.sf() != flags.of();
  return value != (CC % 2 == 1);
}

}  // namespace kite::tcg
