// The x87's transcendental instructions, computed by GNU MPFR and rounded to 64 bits.
#pragma once

#include "accel/tcg/fpu/soft_float.h"

namespace kite::fpu {

// `out_of_range` is C2: the operand is 2^63 or beyond and stays where it is (SDM 1 8.3.8).
// Arguments are reduced by the processors' own 66-bit pi, not by the true one.
struct TrigonometricResult {
  Result result;
  bool out_of_range = false;
};
TrigonometricResult sine(const Control& control, const Number& a);
TrigonometricResult cosine(const Control& control, const Number& a);
TrigonometricResult tangent(const Control& control, const Number& a);

Result arctangent(const Control& control, const Number& y, const Number& x);       // FPATAN
Result exp2_minus_1(const Control& control, const Number& a);                      // F2XM1
Result y_log2_x(const Control& control, const Number& y, const Number& x);         // FYL2X
Result y_log2_x_plus_1(const Control& control, const Number& y, const Number& x);  // FYL2XP1

}  // namespace kite::fpu
