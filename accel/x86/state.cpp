#include "accel/x86/state.h"

#include "accel/x86/cpu_model.h"
#include "accel/x86/descriptor.h"

namespace kite {

X86State X86State::after_reset() {
  X86State state;
  for (Segment& segment : state.segments) {
    segment = {.type = segment_type::kWritable | segment_type::kAccessed};
  }
  // The first instruction is fetched from FFFFFFF0h: the hidden base is not sixteen times the
  // selector.
  state.segments[kCs] = {
      .selector = 0xf000,
      .base = 0xffff0000,
      .type = segment_type::kCode | segment_type::kReadable | segment_type::kAccessed};
  state.ldtr = {.type = system_type::kLdt, .s = false};
  state.tr = {.type = system_type::kTssBusy, .s = false};
  state.gpr[kRdx] = kProcessorSignature;
  state.fpu.ftw = 0xff;  // table 9-1: the tag word is 5555h, all registers zero
  return state;
}

}  // namespace kite
