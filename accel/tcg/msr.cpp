// Model-specific registers, CPUID and the time-stamp counter.
#include "accel/x86/msr.h"

#include "accel/tcg/cpu.h"
#include "accel/tcg/platform_msrs.h"
#include "accel/x86/msr_policy.h"
#include "accel/x86/registers.h"
#include "base/trace.h"

namespace kite::tcg {

namespace {

// The MSRs that are a plain value of X86State. Null: another kind of register.
u64* plain(X86State& msr, u32 index) {
  switch (index) {
    case msr::kStar:
      return &msr.star;
    case msr::kSfmask:
      return &msr.sfmask;
    case msr::kSysenterCs:
      return &msr.sysenter_cs;
    case msr::kSysenterEsp:
      return &msr.sysenter_esp;
    case msr::kSysenterEip:
      return &msr.sysenter_eip;
    case msr::kMiscEnable:
      return &msr.misc_enable;
    case msr::kMtrrDefType:
      return &msr.mtrr_def_type;
    default:
      return nullptr;
  }
}

// Those that hold an address, which must be canonical.
u64* address(X86State& msr, u32 index) {
  switch (index) {
    case msr::kLstar:
      return &msr.lstar;
    case msr::kCstar:
      return &msr.cstar;
    case msr::kKernelGsBase:
      return &msr.kernel_gs_base;
    default:
      return nullptr;
  }
}

// Who can read it by another instruction has the register (SDM 4 table 2-2).
bool has_tsc_aux(const CpuModel& model) {
  return model.has(Feature::kRdtscp) || model.has(Feature::kRdpid);
}

bool valid_pat(u64 value) {
  for (unsigned i = 0; i < 8; ++i) {
    const u64 type = value >> (8 * i) & 0xff;
    if (type > 7 || type == 2 || type == 3) return false;
  }
  return true;
}

Flow unknown(Cpu& cpu, const char* what, u32 index) {
  log_unknown_msr(what, index, "#GP");
  return cpu.general_protection();
}

}  // namespace

u64 Cpu::tsc() const {
  return tsc_at(clock.now());
}

u64 Cpu::tsc_at(Nanos time) const {
  const auto now = static_cast<u64>(time);
  const u64 ticks = model.tsc_hz == 1'000'000'000
                        ? now
                        : static_cast<u64>(static_cast<u128>(now) * model.tsc_hz / 1'000'000'000);
  return ticks + tsc_offset;
}

// Deadlines of the local APIC count by the same TSC, and the paravirtual clock starts from it.
void Cpu::move_tsc(u64 change) {
  tsc_offset += change;
  if (interrupts && lease == Lease::kNone) interrupts->set_tsc_offset(static_cast<i64>(tsc_offset));
}

CpuidLeaf Cpu::cpuid(u32 leaf, u32 subleaf) const {
  CpuidLeaf result = model.leaf(leaf, subleaf, {config.apic_id, cr4, fpu.xcr0, config.cpus});
  // The APIC bit follows IA32_APIC_BASE (SDM 3A 11.4.3).
  u64 base = 0;
  if (leaf == 1 && interrupts && interrupts->read_msr(msr::kApicBase, base) &&
      !(base & msr::kApicBaseEnable))
    result.edx &= ~u32{1 << 9};
  return result;
}

Flow Cpu::read_msr(u32 index, u64& value) {
  if (msr::belongs_to_apic(index)) {
    if (!interrupts || !interrupts->read_msr(index, value)) return unknown(*this, "read", index);
    return Flow::kNext;
  }
  if (read_platform_msr(model, msr, index, value) == MsrAnswer::kDone) return Flow::kNext;
  if (u64* field = plain(msr, index)) return value = *field, Flow::kNext;
  if (u64* field = address(msr, index)) return value = *field, Flow::kNext;
  switch (index) {
    case msr::kTsc:
      value = tsc();
      break;
    case msr::kTscAdjust:
      value = msr.tsc_adjust;
      break;
    case msr::kEfer:
      value = efer;
      break;
    case msr::kFsBase:
      value = segment_base[kFs];
      break;
    case msr::kGsBase:
      value = segment_base[kGs];
      break;
    case msr::kTscAux:
      if (!has_tsc_aux(model)) return unknown(*this, "read", index);
      value = msr.tsc_aux;
      break;
    case msr::kPat:
      value = msr.pat;
      break;
    case msr::kKvmSystemTime:
    case msr::kKvmSystemTimeOld:
      value = msr.kvm_system_time;
      break;
    case msr::kKvmWallClock:
    case msr::kKvmWallClockOld:
      value = msr.kvm_wall_clock;
      break;
    default:
      if (!is_harmless_msr(index)) return unknown(*this, "read", index);
      value = 0;
  }
  trace::write(trace::Category::kMsr, "read {:#x} -> {:#x}", index, value);
  return Flow::kNext;
}

Flow Cpu::write_msr(u32 index, u64 value) {
  serialize();
  trace::write(trace::Category::kMsr, "write {:#x} <- {:#x}", index, value);
  if (msr::belongs_to_apic(index)) {
    if (!interrupts || !interrupts->write_msr(index, value)) return unknown(*this, "write", index);
    attention |= kAttendInterrupt;
    return Flow::kNext;
  }
  switch (write_platform_msr(model, msr, index, value)) {
    case MsrAnswer::kDone:
      return Flow::kNext;
    case MsrAnswer::kFault:
      return general_protection();
    case MsrAnswer::kUnknown:
      break;
  }
  if (u64* field = plain(msr, index)) return *field = value, Flow::kNext;
  if (u64* field = address(msr, index)) {
    if (!may_hold(value)) return general_protection();
    *field = value;
    return Flow::kNext;
  }
  switch (index) {
    case msr::kTsc: {
      const u64 change = value - tsc();
      move_tsc(change);
      msr.tsc_adjust += change;
      publish_system_time();
      break;
    }
    case msr::kTscAdjust:
      move_tsc(value - msr.tsc_adjust);
      msr.tsc_adjust = value;
      publish_system_time();
      break;
    case msr::kEfer:
      return write_efer(value);
    case msr::kFsBase:
    case msr::kGsBase: {
      if (!may_hold(value)) return general_protection();
      const SegmentRegister number = index == msr::kFsBase ? kFs : kGs;
      segments[number].base = segment_base[number] = value;
      break;
    }
    case msr::kTscAux:  // 32 bits: AMD processors drop the others (APM 3 "RDTSCP")
      if (!has_tsc_aux(model)) return unknown(*this, "write", index);
      msr.tsc_aux = static_cast<u32>(value);
      break;
    case msr::kPat:
      if (!valid_pat(value)) return general_protection();
      msr.pat = value;
      break;
    case msr::kKvmSystemTime:
    case msr::kKvmSystemTimeOld:
      return set_system_time(value);
    case msr::kKvmWallClock:
    case msr::kKvmWallClockOld:
      return set_wall_clock(value);
    default:
      if (!is_harmless_msr(index)) return unknown(*this, "write", index);
  }
  return Flow::kNext;
}

// The paravirtual clock (Linux Documentation/virt/kvm/x86/msr.rst): guest time = system_time + (tsc
// - tsc_timestamp) scaled by 2^shift * mul / 2^32. The TSC never drifts from the clock, so once is
// enough, and once more when the guest moves the TSC.
Flow Cpu::set_system_time(u64 value) {
  msr.kvm_system_time = value;
  publish_system_time();
  return Flow::kNext;
}

void Cpu::publish_system_time() {
  if (!(msr.kvm_system_time & 1) || lease != Lease::kNone) return;
  struct {
    u32 version, pad = 0;
    u64 tsc_timestamp, system_time;
    u32 mul;
    i8 shift = 0;
    u8 flags = 1;  // stable among vCPUs
    u8 pad2[2] = {};
  } info;
  static_assert(sizeof info == 32);
  u64 scaled = 1'000'000'000, hz = model.tsc_hz;
  for (; scaled >= hz; ++info.shift) hz <<= 1;
  for (; scaled * 2 < hz; --info.shift) scaled <<= 1;
  info.mul = static_cast<u32>((static_cast<u128>(scaled) << 32) / hz);
  info.system_time = static_cast<u64>(clock.now());
  info.tsc_timestamp = tsc();
  // Another even number than stands there: a reader that was interrupted must see the change.
  const Gpa place = msr.kvm_system_time & ~u64{1};
  info.version = (static_cast<u32>(memory.read_value(place, 4)) | 1) + 1;
  memory.write(place, {reinterpret_cast<const u8*>(&info), sizeof info});
}

Flow Cpu::set_wall_clock(u64 value) {
  msr.kvm_wall_clock = value;
  const u32 wall[3] = {2, static_cast<u32>(epoch / kSecond), static_cast<u32>(epoch % kSecond)};
  memory.write(value, {reinterpret_cast<const u8*>(wall), sizeof wall});
  return Flow::kNext;
}

}  // namespace kite::tcg
