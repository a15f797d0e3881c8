// The host's own x87 as an oracle: one instruction on given operands under a given control word.
#pragma once

#include <cstdio>
#include <string>

#include "accel/tcg/fpu/float80.h"
#include "base/bits.h"
#include "float_operands.h"

namespace kite::test {

inline fpu::Control control_of(u16 fcw) {
  fpu::Control control;
  control.rounding = static_cast<fpu::Rounding>(bits(fcw, 11, 10));
  control.masks = fcw & 0x3f;
  control.format = fpu::kExtended;
  if (bits(fcw, 9, 8) == 0) control.format.precision = 24;
  if (bits(fcw, 9, 8) == 2) control.format.precision = 53;
  return control;
}

inline std::string text(const fpu::Float80& value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%04x:%016llx", value.sign_exponent,
                static_cast<unsigned long long>(value.significand));
  return buffer;
}

#if defined(__x86_64__)

struct HostResult {
  fpu::Float80 value;
  u16 fsw;
};
struct alignas(16) Slot {
  fpu::Float80 value;
};

// ST(0) = a, ST(1) = b; FNCLEX lets the result out even when its exception is unmasked.
#define HOST_X87(name, instruction)                                                               \
  inline HostResult name(u16 fcw, const ::kite::fpu::Float80& a, const ::kite::fpu::Float80& b) { \
    Slot x{a}, y{b}, out{};                                                                       \
    u16 fsw;                                                                                      \
    asm volatile("fninit\n\tfldt %3\n\tfldt %2\n\tfnclex\n\tfldcw %4\n\t" instruction             \
                 "\n\tfnstsw %1\n\tfnclex\n\tfstpt %0\n\tfninit"                                  \
                 : "=m"(out.value), "=m"(fsw)                                                     \
                 : "m"(x.value), "m"(y.value), "m"(fcw)                                           \
                 : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");          \
    return {out.value, fsw};                                                                      \
  }

using Host = HostResult (*)(u16, const fpu::Float80&, const fpu::Float80&);
using Ours = fpu::Result (*)(const fpu::Control&, const fpu::Number&, const fpu::Number&);

#endif

}  // namespace kite::test
