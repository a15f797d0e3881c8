#include "accel/tcg/platform_msrs.h"

#include <algorithm>

#include "accel/x86/msr.h"
#include "base/bits.h"

namespace kite::tcg {
namespace {

// --- memory type range registers (SDM 3A 11.11) -------------------------------------------------
constexpr u64 kVariableRanges = 8;
constexpr u64 kMtrrCapValue = kVariableRanges | bit(8) | bit(10);  // fixed ranges, write combining

bool valid_type(u64 type) {
  return type < 7 && type != 2 && type != 3;
}

bool valid_fixed(u64 value) {
  for (unsigned i = 0; i < 64; i += 8)
    if (!valid_type(value >> i & 0xff)) return false;
  return true;
}

// The register and what may be written to it; null: another one.
u64* variable_range(X86State& state, u32 index) {
  if (index < msr::kMtrrPhysBase0 || index >= msr::kMtrrPhysBase0 + 2 * kVariableRanges)
    return nullptr;
  return &state.mtrr_variable[index - msr::kMtrrPhysBase0];
}

bool valid_variable(const CpuModel& model, u32 index, u64 value) {
  const u64 address = bit(model.physical_address_bits) - 0x1000;
  const bool is_base = index % 2 == 0;
  if (is_base) return !(value & ~(address | 0xff)) && valid_type(value & 0xff);
  return !(value & ~(address | bit(11)));
}

u64* fixed_range(X86State& state, u32 index) {
  if (index == msr::kMtrrFix64k) return &state.mtrr_fixed[0];
  if (index == msr::kMtrrFix16k || index == msr::kMtrrFix16k + 1)
    return &state.mtrr_fixed[1 + index - msr::kMtrrFix16k];
  if (index >= msr::kMtrrFix4k && index < msr::kMtrrFix4k + 8)
    return &state.mtrr_fixed[3 + index - msr::kMtrrFix4k];
  return nullptr;
}

bool valid_default(u64 value) {
  return !(value & ~u64{0xcff}) && valid_type(value & 0xff);
}

// --- machine check (SDM 3B 15.3)
// ------------------------------------------------------------------
constexpr u64 kMcgCapValue = X86State::kMachineCheckBanks | bit(8);  // there is MCG_CTL

u64* machine_check(X86State& state, u32 index) {
  if (index == msr::kMcgStatus) return &state.mcg_status;
  if (index == msr::kMcgCtl) return &state.mcg_ctl;
  if (index < msr::kMc0Ctl || index >= msr::kMc0Ctl + state.mc_banks.size()) return nullptr;
  return &state.mc_banks[index - msr::kMc0Ctl];
}

// Status registers can only be cleared; address and other information is the processor's to write,
// and zero is always taken.
bool valid_machine_check(u32 index, u64 value) {
  if (index == msr::kMcgStatus) return value < 8;
  const bool is_control = index == msr::kMcgCtl || index % 4 == 0;
  return is_control || value == 0;
}

}  // namespace

MsrAnswer read_platform_msr(const CpuModel& model, X86State& state, u32 index, u64& value) {
  u64* field = nullptr;
  if (model.has(Feature::kMtrr)) {
    if (index == msr::kMtrrCap) return value = kMtrrCapValue, MsrAnswer::kDone;
    field = index == msr::kMtrrDefType ? &state.mtrr_def_type : variable_range(state, index);
    if (!field) field = fixed_range(state, index);
  }
  if (!field && model.has(Feature::kMca)) {
    if (index == msr::kMcgCap) return value = kMcgCapValue, MsrAnswer::kDone;
    field = machine_check(state, index);
  }
  if (!field) return MsrAnswer::kUnknown;
  value = *field;
  return MsrAnswer::kDone;
}

MsrAnswer write_platform_msr(const CpuModel& model, X86State& state, u32 index, u64 value) {
  const auto put = [value](u64& field, bool valid) {
    if (valid) field = value;
    return valid ? MsrAnswer::kDone : MsrAnswer::kFault;
  };
  if (model.has(Feature::kMtrr)) {
    if (index == msr::kMtrrCap) return MsrAnswer::kFault;
    if (index == msr::kMtrrDefType) return put(state.mtrr_def_type, valid_default(value));
    if (u64* field = variable_range(state, index))
      return put(*field, valid_variable(model, index, value));
    if (u64* field = fixed_range(state, index)) return put(*field, valid_fixed(value));
  }
  if (model.has(Feature::kMca)) {
    if (index == msr::kMcgCap) return MsrAnswer::kFault;
    if (u64* field = machine_check(state, index))
      return put(*field, valid_machine_check(index, value));
  }
  return MsrAnswer::kUnknown;
}

}  // namespace kite::tcg
