#include "accel/tcg/cpu.h"

#include "accel/tcg/code_cache.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {

Cpu::Cpu(const AcceleratorConfig& config, const VcpuConfig& vcpu, Processors* shared)
    : memory(config.memory),
      ports(config.ports),
      clock(config.clock),
      model(config.model),
      interrupts(vcpu.interrupts),
      config(vcpu),
      view(config.memory),
      own_processors(shared ? nullptr : std::make_unique<Processors>(1)),
      processors(shared ? *shared : *own_processors),
      widest_linear_bits_(model.linear_address_bits()) {
  select_tables();
}

Cpu::~Cpu() = default;

void Cpu::set_rflags(u64 value) {
  const u64 before = system_flags;
  system_flags = (value & ~u64{kArithmeticFlags}) | rflags::kFixed;
  flags.set(static_cast<u32>(value));
  const u64 changed = before ^ system_flags;
  if (changed & (rflags::kTf | rflags::kVm)) update_mode();
  if (changed & rflags::kAc) select_tables();
  if ((changed & system_flags & rflags::kIf) && interrupt_waiting) attention |= kAttendInterrupt;
}

void Cpu::select_tables() {
  privilege_ = cpl == 3                     ? Privilege::kUser
               : system_flags & rflags::kAc ? Privilege::kSupervisorAc
                                            : Privilege::kSupervisor;
  static constexpr std::array<TlbEntry, kTlbEntries> kNothingHits{};
  alignment_checked_ = cpl == 3 && (system_flags & rflags::kAc) && (cr0 & cr0::kAm);
  data_table_ = alignment_checked_ ? kNothingHits.data()
                                   : tlb.current().data[static_cast<unsigned>(privilege_)].data();
  const FastTables* fast = alignment_checked_ ? nullptr : tlb.current().fast.get();
  fast_tables = fast ? &fast->bases() : &fast_nothing;
}

void Cpu::set_cpl(u8 value) {
  cpl = value;
  update_mode();
}

void Cpu::update_mode() {
  const Segment& cs = segments[kCs];
  canonical_half_ = bit((cr4 & cr4::kLa57 ? kLinearBits5Level : kLinearBits4Level) - 1);
  mode.protected_mode = (cr0 & cr0::kPe) != 0;
  mode.v86 = mode.protected_mode && (system_flags & rflags::kVm);
  mode.code_width = long_mode() && cs.l ? 3 : cs.db ? 2 : 1;
  mode.limited = mode.code_width != 3 && cs.limit != 0xffffffff;
  mode.stack32 = segments[kSs].db;
  mode.cpl = cpl & 3;
  mode.x87_trap = cr0 & cr0::kEm ? 2 : cr0 & cr0::kTs ? 1 : 0;
  const bool no_sse = (cr0 & cr0::kEm) || !(cr4 & cr4::kOsfxsr);
  mode.sse_trap = no_sse ? 1 : cr0 & cr0::kTs ? 2 : 0;
  constexpr u64 kVectors = xcr0::kSse | xcr0::kAvx;
  const bool has_avx = (cr4 & cr4::kOsxsave) && (fpu.xcr0 & kVectors) == kVectors;
  mode.avx_trap = !has_avx ? 1 : cr0 & cr0::kTs ? 2 : 0;
  mode.wait_trap = (cr0 & cr0::kMp) && (cr0 & cr0::kTs);
  mode.single = (system_flags & rflags::kTf) || (dr7 & dr7::kEnables) ||
                (interrupt_shadow && interrupt_waiting) || stepping;
  if (mode.single) attention |= kAttendTrap;
  segment_base[kCs] = code64() ? 0 : cs.base;
  select_tables();
}

void Cpu::shadow_interrupts() {
  interrupt_shadow = true;
  attention |= kAttendTrap;
  // Signalled, and not yet looked at since: it would have been here in time.
  if (attention & kAttendInterrupt) interrupt_waiting = true;
  if (!interrupt_waiting) return;
  attention |= kAttendInterrupt;
  update_mode();
}

Flow Cpu::raise(u8 vector, Fault::Kind kind) {
  fault = {vector, kind, false, 0};
  return Flow::kFault;
}

Flow Cpu::raise_with_code(u8 vector, u32 error_code) {
  fault = {vector, Fault::Kind::kFault, true, error_code};
  return Flow::kFault;
}

}  // namespace kite::tcg
