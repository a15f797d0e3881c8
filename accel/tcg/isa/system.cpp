// System instructions: control and debug registers, MSRs, TLB, CPUID, time, HLT, and what does
// nothing.
#include <random>
#include <thread>

#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {
namespace {

constexpr auto nop = [](Cpu&) {};

// A program that waits for another processor says so. Where the host has fewer processors than the
// guest, the one that is waited for may need this one's.
constexpr auto pause = [](Cpu& cpu) {
  constexpr u32 kPausesPerYield = 64;
  if (++cpu.pauses % kPausesPerYield == 0 && cpu.processors.code.shared())
    std::this_thread::yield();
};
constexpr auto nop_rm = [](Cpu&, auto) {};

constexpr auto hlt = [](Cpu& cpu, const Insn& insn) {
  if (cpu.barred()) return cpu.bar();
  cpu.halted = true;
  cpu.attention |= kAttendHalt;
  return cpu.leave(insn);
};

// Registers of the control group are 64 bits wide in 64-bit mode, else 32, whatever the operand
// size.
u64 rm_value(const Cpu& cpu, const Insn& insn) {
  return cpu.code64() ? cpu.get<u64>(insn.rm) : cpu.get<u32>(insn.rm);
}
void put_rm(Cpu& cpu, const Insn& insn, u64 value) {
  if (cpu.code64())
    cpu.put<u64>(insn.rm, value);
  else
    cpu.put<u32>(insn.rm, static_cast<u32>(value));
}

constexpr auto mov_from_cr = [](Cpu& cpu, const Insn& insn, auto&, u8 number) {
  switch (number) {
    case 0:
      put_rm(cpu, insn, cpu.cr0);
      return Flow::kNext;
    case 2:
      put_rm(cpu, insn, cpu.cr2);
      return Flow::kNext;
    case 3:
      put_rm(cpu, insn, cpu.cr3);
      return Flow::kNext;
    case 4:
      put_rm(cpu, insn, cpu.cr4);
      return Flow::kNext;
    case 8:
      if (cpu.barred()) return cpu.bar();
      put_rm(cpu, insn, cpu.interrupts ? cpu.interrupts->cr8() : 0);
      return Flow::kNext;
    default:
      return cpu.undefined_opcode();
  }
};

constexpr auto mov_to_cr = [](Cpu& cpu, const Insn& insn, u8 number, auto) {
  if (cpu.barred()) return cpu.bar();
  const u64 value = rm_value(cpu, insn);
  Flow flow = Flow::kNext;
  switch (number) {
    case 0:
      flow = cpu.write_cr0(value);
      break;
    case 2:
      cpu.cr2 = value;
      break;
    case 3:
      flow = cpu.write_cr3(value);
      break;
    case 4:
      flow = cpu.write_cr4(value);
      break;
    case 8:
      if (value > 15) return cpu.general_protection();
      if (cpu.interrupts) cpu.interrupts->set_cr8(static_cast<u8>(value));
      cpu.attention |= kAttendInterrupt;
      break;
    default:
      return cpu.undefined_opcode();
  }
  return flow == Flow::kFault ? flow : cpu.leave(insn);
};

// DR4 and DR5 are DR6 and DR7, unless CR4.DE forbids them (SDM 3B 17.2.2). False: `fault` is set.
bool debug_register(Cpu& cpu, u8& number) {
  if (number == 4 || number == 5) {
    if (cpu.cr4 & cr4::kDe) return cpu.undefined_opcode(), false;
    number += 2;
  }
  if (cpu.dr7 & dr7::kGd) {
    cpu.dr6 |= dr6::kBd;
    cpu.dr7 &= ~dr7::kGd;
    return cpu.raise(kDebugException), false;
  }
  return number < 8 || (cpu.undefined_opcode(), false);
}

constexpr auto mov_from_dr = [](Cpu& cpu, const Insn& insn, auto&, u8 number) {
  if (!debug_register(cpu, number)) return Flow::kFault;
  put_rm(cpu, insn, number < 4 ? cpu.dr[number] : number == 6 ? cpu.dr6 : cpu.dr7);
  return Flow::kNext;
};

constexpr auto mov_to_dr = [](Cpu& cpu, const Insn& insn, u8 number, auto) {
  if (!debug_register(cpu, number)) return Flow::kFault;
  const u64 value = rm_value(cpu, insn);
  if (number >= 6 && value >> 32) return cpu.general_protection();
  if (number < 4) cpu.dr[number] = value;
  if (number == 6) cpu.dr6 = (value & 0xe00f) | dr6::kFixed;
  if (number == 7) {
    cpu.dr7 = (value & 0xffff2bff) | dr7::kFixed;
    cpu.system_flags &= ~rflags::kRf;  // it was for this instruction or one before
    cpu.tlb.flush_all();               // accesses under a breakpoint must not hit
    cpu.update_mode();
  }
  return cpu.leave(insn);
};

constexpr auto clts = [](Cpu& cpu, const Insn& insn) {
  cpu.cr0 &= ~cr0::kTs;
  cpu.update_mode();
  return cpu.leave(insn);
};

// The operand is an address, not an access: no limit, no null segment and no address that is not
// canonical makes it fault (SDM 2A "INVLPG").
constexpr auto invlpg = [](Cpu& cpu, const Insn& insn, u64) {
  if (cpu.barred()) return cpu.bar();
  u64 linear = cpu.segment_base[insn.segment] +
               (cpu.effective_address(insn) & insn.address_mask());
  if (!cpu.code64()) linear &= 0xffffffff;
  cpu.invalidate_page(linear);
  return cpu.leave(insn);
};

// INVPCID (SDM 2A): the descriptor holds PCID and linear address; the register chooses what goes.
constexpr auto invpcid = [](Cpu& cpu, const Insn& insn, auto, u64) {
  if (cpu.barred()) return cpu.bar();
  const u64 type = cpu.code64() ? cpu.get<u64>(insn.reg) : cpu.get<u32>(insn.reg);
  std::array<u64, 2> descriptor;
  if (!cpu.load_operand(insn, descriptor)) return Flow::kFault;
  const u64 pcid = descriptor[0], linear = descriptor[1];
  if (type > 3 || (type < 2 && pcid > 0xfff) || (type == 0 && !cpu.may_hold(linear)) ||
      (type < 2 && pcid != 0 && !(cpu.cr4 & cr4::kPcide)))
    return cpu.general_protection();
  switch (type) {
    case 0:
      cpu.invalidate_page_of(static_cast<u16>(pcid), linear);
      break;
    case 1:
      cpu.tlb.flush_pcid(static_cast<u16>(pcid));
      break;
    case 2:
      cpu.tlb.flush_all();
      break;
    case 3:
      cpu.tlb.flush_all_non_global();
      break;
  }
  return cpu.leave(insn);
};

constexpr auto cpuid = [](Cpu& cpu) {
  if (cpu.barred()) return cpu.bar();
  cpu.serialize();
  const CpuidLeaf leaf = cpu.cpuid(cpu.get<u32>(kRax * 8), cpu.get<u32>(kRcx * 8));
  cpu.put<u32>(kRax * 8, leaf.eax);
  cpu.put<u32>(kRbx * 8, leaf.ebx);
  cpu.put<u32>(kRcx * 8, leaf.ecx);
  cpu.put<u32>(kRdx * 8, leaf.edx);
  return Flow::kNext;
};

Flow read_tsc(Cpu& cpu) {
  if (cpu.barred()) return cpu.bar();
  if ((cpu.cr4 & cr4::kTsd) && cpu.cpl != 0) return cpu.general_protection();
  const u64 tsc = cpu.tsc();
  cpu.put<u32>(kRax * 8, static_cast<u32>(tsc));
  cpu.put<u32>(kRdx * 8, static_cast<u32>(tsc >> 32));
  return Flow::kNext;
}

constexpr auto rdtsc = [](Cpu& cpu) { return read_tsc(cpu); };
constexpr auto rdtscp = [](Cpu& cpu) {
  const Flow flow = read_tsc(cpu);
  if (flow != Flow::kFault) cpu.put<u32>(kRcx * 8, static_cast<u32>(cpu.msr.tsc_aux));
  return flow;
};

// No performance counters: every index is beyond the last.
constexpr auto rdpmc = [](Cpu& cpu) { return cpu.general_protection(); };

constexpr auto rdmsr = [](Cpu& cpu) {
  if (cpu.barred()) return cpu.bar();
  u64 value = 0;
  if (cpu.read_msr(cpu.get<u32>(kRcx * 8), value) == Flow::kFault) return Flow::kFault;
  cpu.put<u32>(kRax * 8, static_cast<u32>(value));
  cpu.put<u32>(kRdx * 8, static_cast<u32>(value >> 32));
  return Flow::kNext;
};

constexpr auto wrmsr = [](Cpu& cpu, const Insn& insn) {
  if (cpu.barred()) return cpu.bar();
  const u64 value = u64{cpu.get<u32>(kRdx * 8)} << 32 | cpu.get<u32>(kRax * 8);
  const Flow flow = cpu.write_msr(cpu.get<u32>(kRcx * 8), value);
  return flow == Flow::kFault ? flow : cpu.leave(insn);
};

constexpr auto swapgs = [](Cpu& cpu) {
  std::swap(cpu.segments[kGs].base, cpu.msr.kernel_gs_base);
  cpu.segment_base[kGs] = cpu.segments[kGs].base;
};

template <SegmentRegister Number>
constexpr auto read_base = []<class T>(Cpu& cpu, T& value) {
  if (!(cpu.cr4 & cr4::kFsgsbase)) return cpu.undefined_opcode();
  value = static_cast<T>(cpu.segment_base[Number]);
  return Flow::kNext;
};

// By the paging that is on, where WRMSR of the same base goes by what the processor has: so silicon.
template <SegmentRegister Number>
constexpr auto write_base = []<class T>(Cpu& cpu, T value) {
  if (!(cpu.cr4 & cr4::kFsgsbase)) return cpu.undefined_opcode();
  if (!cpu.canonical(value)) return cpu.general_protection();
  cpu.segments[Number].base = value;
  cpu.segment_base[Number] = value;
  return Flow::kNext;
};

constexpr auto stac = [](Cpu& cpu) {
  if (cpu.cpl != 0) return cpu.undefined_opcode();
  cpu.system_flags |= rflags::kAc;
  cpu.select_tables();
  return Flow::kNext;
};
constexpr auto clac = [](Cpu& cpu) {
  if (cpu.cpl != 0) return cpu.undefined_opcode();
  cpu.system_flags &= ~rflags::kAc;
  cpu.select_tables();
  return Flow::kNext;
};

constexpr auto rdrand = []<class T>(Cpu& cpu, T& value) {
  thread_local std::random_device device;
  value = static_cast<T>(u64{device()} << 32 | device());
  cpu.flags.set(kCf);
};

// TSC_AUX as RDTSCP gives it, which needs no RDTSC permission (SDM 2B "RDPID").
constexpr auto rdpid = []<class T>(Cpu& cpu, T& value) { value = static_cast<T>(cpu.msr.tsc_aux); };

// Nothing is fetched or executed ahead here but what the rest of the block has decoded.
constexpr auto serialize = [](Cpu& cpu, const Insn& insn) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return cpu.leave(insn);
};

// The hypervisor that CPUID names answers calls; of KVM's there is none here (Linux
// include/uapi/linux/kvm_para.h).
constexpr auto hypercall = [](Cpu& cpu) {
  constexpr i64 kUnknownCall = -1000, kNotPermitted = -1;  // KVM_ENOSYS, KVM_EPERM
  const i64 answer = cpu.cpl == 0 ? kUnknownCall : kNotPermitted;
  cpu.gpr[kRax] = cpu.code64() ? static_cast<u64>(answer) : static_cast<u32>(answer);
};

constexpr auto bound = []<class T>(Cpu& cpu, const Insn& insn, T index, u64) {
  using S = std::make_signed_t<T>;
  struct Limits {
    S low, high;
  } limits;
  if (!cpu.load_operand(insn, limits)) return Flow::kFault;
  const S value = static_cast<S>(index);
  return value < limits.low || value > limits.high ? cpu.raise(kBoundRange) : Flow::kNext;
};

constexpr auto undefined_op = [](Cpu& cpu) { return cpu.undefined_opcode(); };
constexpr auto undefined_rm = [](Cpu& cpu, auto, auto) { return cpu.undefined_opcode(); };

// CLFLUSH, CLFLUSHOPT and CLWB touch their line like a load.
constexpr auto clflush = [](Cpu& cpu, const Insn& insn, u64) {
  u8 unused;
  return cpu.load_operand(insn, unused) ? Flow::kNext : Flow::kFault;
};

constexpr auto fence = [](Cpu&) { std::atomic_thread_fence(std::memory_order_seq_cst); };

constexpr Row kRows[] = {
    row("90", "nop", "      ", nop),
    row("F3 90", "pause", "      ", pause),
    row("0F 1F /0", "nop", r(EvOwn), "      ", nop_rm),
    row("0F 18 /r", "nop", r(EvOwn), "      ", nop_rm),
    row("0F 19 /r", "nop", r(EvOwn), "      ", nop_rm),
    row("0F 1A /r", "nop", r(EvOwn), "      ", nop_rm),
    row("0F 1B /r", "nop", r(EvOwn), "      ", nop_rm),
    row("0F 1C /r", "nop", r(EvOwn), "      ", nop_rm),
    row("0F 1D /r", "nop", r(EvOwn), "      ", nop_rm),
    row("0F 1E /r", "nop", r(EvOwn), "      ", nop_rm),
    row("0F 1F /r", "nop", r(EvOwn), "      ", nop_rm),
    row("F4", "hlt", "      ", cpl0, ends_block, hlt),
    row("0F 20 /r", "mov", w(RvOwn), r(Cd), "      ", cpl0, register_form, mov_from_cr),
    row("0F 22 /r", "mov", r(Cd), r(RvOwn), "      ", cpl0, register_form, ends_block, mov_to_cr),
    row("0F 21 /r", "mov", w(RvOwn), r(Dd), "      ", cpl0, register_form, mov_from_dr),
    row("0F 23 /r", "mov", r(Dd), r(RvOwn), "      ", cpl0, register_form, ends_block, mov_to_dr),
    row("0F 06", "clts", "      ", cpl0, ends_block, clts),
    row("0F 01 /7", "invlpg", r(M), "      ", cpl0, ends_block, invlpg),
    row("66 0F 38 82 /r", "invpcid", r(Gy), r(M), "      ", cpl0, force64, Feature::kInvpcid,
        ends_block, invpcid),
    row("0F 08", "invd", "      ", cpl0, nop),
    row("0F 09", "wbinvd", "      ", cpl0, nop),
    row("F3 0F 09", "wbnoinvd", "      ", cpl0, Feature::kWbnoinvd, nop),
    row("0F 01 C1", "vmcall", "      ", Feature::kHypervisor, hypercall),
    row("0F 01 D9", "vmmcall", "      ", Feature::kHypervisor, hypercall),
    row("NP 0F 01 E8", "serialize", "      ", ends_block, Feature::kSerialize, serialize),
    row("0F A2", "cpuid", "      ", cpuid),
    row("0F 31", "rdtsc", "      ", rdtsc),
    row("0F 01 F9", "rdtscp", "      ", Feature::kRdtscp, rdtscp),
    row("0F 33", "rdpmc", "      ", rdpmc),
    row("0F 32", "rdmsr", "      ", cpl0, rdmsr),
    row("0F 30", "wrmsr", "      ", cpl0, ends_block, wrmsr),
    row("0F 01 F8", "swapgs", "      ", only64, cpl0, swapgs),
    row("F3 0F AE /0", "rdfsbase", w(Ry), "      ", only64, Feature::kFsgsbase, read_base<kFs>),
    row("F3 0F AE /1", "rdgsbase", w(Ry), "      ", only64, Feature::kFsgsbase, read_base<kGs>),
    row("F3 0F AE /2", "wrfsbase", r(Ry), "      ", only64, Feature::kFsgsbase, write_base<kFs>),
    row("F3 0F AE /3", "wrgsbase", r(Ry), "      ", only64, Feature::kFsgsbase, write_base<kGs>),
    row("NP 0F 01 CA", "clac", "      ", Feature::kSmap, clac),
    row("NP 0F 01 CB", "stac", "      ", Feature::kSmap, stac),
    // F3h before /6 is another instruction (SENDUIPI).
    row("0F C7 /6", "rdrand", w(Rv), "00000M", no_rep, Feature::kRdrand, rdrand),
    row("0F C7 /7", "rdseed", w(Rv), "00000M", no_rep, Feature::kRdseed, rdrand),
    row("F3 0F C7 /7", "rdpid", w(Ry), "      ", force64, Feature::kRdpid, rdpid),
    row("62 /r", "bound", r(Gv), r(M), "      ", not64, bound),
    row("0F 0B", "ud2", "      ", undefined, undefined_op),
    row("0F B9 /r", "ud1", r(Gv), r(EvOwn), "      ", undefined, undefined_rm),
    row("0F FF /r", "ud0", r(Gv), r(EvOwn), "      ", undefined, undefined_rm),
    row("66 0F AE /7", "clflushopt", r(M), "      ", Feature::kClflushopt, clflush),
    row("66 0F AE /6", "clwb", r(M), "      ", Feature::kClwb, clflush),
    row("NP 0F AE /7", "clflush", r(M), "      ", Feature::kClflush, clflush),
    row("NP 0F AE E8+i", "lfence", "      ", Feature::kSse2, fence),
    row("NP 0F AE F0+i", "mfence", "      ", Feature::kSse2, fence),
    row("NP 0F AE F8+i", "sfence", "      ", Feature::kSse, fence),
};

}  // namespace

std::span<const Row> system_rows() {
  return kRows;
}

}  // namespace kite::tcg
