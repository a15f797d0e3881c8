// MSRs that describe the platform around the core: memory types (MTRRs) and machine checks.
//
// Memory has one type here and no machine check ever happens; but firmware and kernels write these
// registers, read them back and draw conclusions.
#pragma once

#include "accel/x86/cpu_model.h"
#include "accel/x86/state.h"

namespace kite::tcg {

enum class MsrAnswer {
  kUnknown,  // none of these, or of a feature that the model has not
  kDone,
  kFault,  // #GP
};

MsrAnswer read_platform_msr(const CpuModel& model, X86State& state, u32 index, u64& value);
MsrAnswer write_platform_msr(const CpuModel& model, X86State& state, u32 index, u64 value);

}  // namespace kite::tcg
