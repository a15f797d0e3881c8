// X86State: everything architectural about one x86-64 processor, complete enough to leave one
// accelerator and go on in another.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/chip_state.h"
#include "base/types.h"

namespace kite {

// A segment register with its hidden part (SDM 3A 3.4.3).
struct Segment {
  u16 selector = 0;
  u64 base = 0;
  u32 limit = 0xffff;  // in bytes, granularity applied
  u8 type = 3;         // descriptor bits 8..11
  bool s = true;       // code or data, not system
  u8 dpl = 0;
  bool present = true;
  bool avl = false;
  bool l = false;
  bool db = false;
  bool g = false;
  bool unusable = false;  // a null selector was loaded

  bool operator==(const Segment&) const = default;
};

struct DescriptorTable {
  u64 base = 0;
  u16 limit = 0xffff;
  bool operator==(const DescriptorTable&) const = default;
};

// Register numbers of instruction encodings (SDM 2A table 2-2, 2B "Sreg").
enum Gpr : u8 {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15
};
enum SegmentRegister : u8 { kEs, kCs, kSs, kDs, kFs, kGs };

// x87 and SIMD state in the layout of the XSAVE area's own fields (SDM 1 10.5.1, 13.5).
struct FpuState {
  u16 fcw = 0x0040;  // after RESET; FNINIT gives 037Fh
  u16 fsw = 0;       // TOP included
  u8 ftw = 0;        // abridged: bit n set = physical register n is not empty
  u16 fop = 0;
  u64 fip = 0;  // 64-bit form; selectors beside it
  u64 fdp = 0;
  u16 fcs = 0;
  u16 fds = 0;
  u32 mxcsr = 0x1f80;
  std::array<std::array<u8, 16>, 8> st = {};    // ST(0)…ST(7), 80 bits in 16 bytes
  std::array<std::array<u8, 64>, 32> zmm = {};  // XMM/YMM/ZMM 0…31
  std::array<u64, 8> k = {};
  u64 xcr0 = 1;
  u32 pkru = 0;
  bool operator==(const FpuState&) const = default;
};

enum class MpState : u8 { kRunning, kHalted, kWaitForSipi };

// An event on its way into the guest (SDM 3C 25.8.3 knows the same facts).
struct PendingEvents {
  bool exception =
      false;  // `vector` (with `error_code`) is to be delivered before the next instruction
  bool has_error_code = false;
  bool external = false;  // … and is no exception but an interrupt that was acknowledged
  u8 vector = 0;
  u32 error_code = 0;
  bool triple_fault = false;
  bool init = false;       // an INIT that was not taken yet
  std::optional<u8> sipi;  // the vector of a SIPI that was not taken yet
  bool nmi = false;
  bool nmi_blocked = false;
  bool sti_shadow = false;     // interrupts wait one instruction (STI)
  bool mov_ss_shadow = false;  // interrupts and debug traps wait one instruction (MOV SS, POP SS)
  bool operator==(const PendingEvents&) const = default;
};

// A model-specific register that X86State has no name for.
struct OtherMsr {
  u32 index;
  u64 value;
  bool operator==(const OtherMsr&) const = default;
};

struct X86State {
  std::array<u64, 16> gpr = {};
  u64 rip = 0xfff0;
  u64 rflags = 2;
  std::array<Segment, 6> segments = {};  // by SegmentRegister
  Segment ldtr{.type = 2, .s = false};
  Segment tr{.type = 11, .s = false};
  DescriptorTable gdtr, idtr;
  u64 cr0 = 0x60000010, cr2 = 0, cr3 = 0, cr4 = 0;
  std::array<u64, 4> dr = {};  // DR0…DR3
  u64 dr6 = 0xffff0ff0, dr7 = 0x400;
  FpuState fpu;

  u64 efer = 0;
  u64 star = 0, lstar = 0, cstar = 0, sfmask = 0;
  u64 kernel_gs_base = 0;  // FS and GS bases are the segments' own
  u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
  u64 pat = 0x0007040600070406;
  u64 tsc = 0;  // the counter's value at the time of the transfer
  // Or at this time of the machine's clock, so that several processors can be set alike.
  std::optional<Nanos> tsc_at;
  u64 tsc_aux = 0;
  u64 tsc_adjust = 0;
  u64 misc_enable = 1;
  u64 mtrr_def_type = 0;
  std::array<u64, 11> mtrr_fixed = {};     // 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 … 4K_F8000
  std::array<u64, 16> mtrr_variable = {};  // base and mask alternate
  static constexpr u64 kMachineCheckBanks = 5;
  u64 mcg_status = 0, mcg_ctl = 0;
  std::array<u64, 4 * kMachineCheckBanks> mc_banks = {};  // CTL, STATUS, ADDR, MISC of each
  u64 kvm_system_time = 0, kvm_wall_clock = 0;            // the paravirtual clock's MSRs, 0 = off
  u64 tsc_deadline = 0;  // of the local APIC's timer, in the guest's TSC; 0: not armed
  // What one engine has and others only keep for it.
  std::vector<OtherMsr> other_msrs = {};

  PendingEvents pending;
  MpState mp_state = MpState::kRunning;

  // Of an accelerator that has the local APIC in it (Accelerator::chips): filled in by state().
  // Absent in set_state(): it stays as it is, and so it does where the machine has the local APIC.
  std::optional<LocalApicState> apic;

  // The state after RESET (SDM 3A table 9-1); application processors then wait for SIPI.
  static X86State after_reset();
  // INIT (SDM 3A table 9-1): as RESET, but what is not the integer core keeps its value. The boot
  // processor starts at the reset vector, the others wait for SIPI.
  void init(bool boot_processor);
  // SIPI: starts a processor that waits for it in real mode at page `vector`; else nothing.
  void start_up(u8 vector);
};

}  // namespace kite
