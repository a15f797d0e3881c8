// Frame: what translated code keeps beside the registers, on the host's stack at RSP; and which
// guest register lives where.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

#include "accel/tcg/flags.h"
#include "accel/tcg/translator/emitter.h"
#include "accel/x86/registers.h"
#include "accel/x86/state.h"

namespace kite::tcg {

struct FastBases;
class Translator;

// The host's registers in translated code. RCX belongs to the checks, because JRCXZ is the one
// conditional branch that neither reads nor writes flags.
inline constexpr Host kScratch = Host::kRcx;    // entries of tables
inline constexpr Host kAddress = Host::kR14;    // linear addresses; then a spilled operand
inline constexpr Host kValue = Host::kR13;      // numbers of sites; then a spilled operand
inline constexpr Host kReadTable = Host::kR15;  // of the running privilege and address space
inline constexpr Host kFrame = Host::kRsp;
inline constexpr Host kSpilled = Host::kRsp;  // "in the frame", in kHostOf

inline constexpr std::array<Host, 16> kHostOf = {
    Host::kRax, Host::kR10, Host::kRdx, Host::kRbx, Host::kR11, Host::kRbp, Host::kRsi, Host::kRdi,
    Host::kR8,  Host::kR9,  kSpilled,   kSpilled,   Host::kR12, kSpilled,   kSpilled,   kSpilled};
constexpr bool is_spilled(unsigned guest) {
  return kHostOf[guest] == kSpilled;
}
inline constexpr std::array<u8, 5> kSpilledGuests = {kR10, kR11, kR13, kR14, kR15};

inline constexpr unsigned kReusedWords = 5;
// A word that leads any linear address to one that is not canonical, so that its use is a fault.
inline constexpr u64 kNoWord = u64{1} << 63;

// What translated code reaches most comes first: displacements below 128 are a byte.
struct Frame {
  u64 polls = 0;              // until the next look around: decremented by polls that find 0
  u32 vectors_absent = 1;     // the vector registers are in Cpu::fpu
  u64 page = 0;               // linear address of the page that is being executed
  u8* write_table = nullptr;  // as kReadTable, for stores
  void* jumps = nullptr;      // JumpTable's entries
  const std::atomic<u64>* calm = nullptr;  // Attention::word(): `context`, or 0
  u64 context = 0;                         // of the JumpTable's tags
  u64 fs_base = 0, gs_base = 0;
  std::array<u64, kSpilledGuests.size()> spilled = {};
  u64 target = 0;  // of an indirect branch; where to go on; or the JumpTable::Entry that ends a run
  std::array<u64, kReusedWords> reused = {};  // SharedCheck
  u64 pushed = 0;                             // a value on its way from memory to memory
  u64* gpr = nullptr;                         // Cpu::gpr
  FpuState* fpu = nullptr;                    // Cpu::fpu
  Translator* self = nullptr;
  u8* read_table = nullptr;  // for kReadTable
  u32* faulted = nullptr;    // Translator::faulted_
  u16 flags = 0;             // AX as Emitter::flags_to_ax() leaves it
  u32 mxcsr = 0x1f80;        // the host's, for C++
  u64 scratch = 0;           // for kScratch, where code goes on
  u32 x87_absent = 1;        // the x87 registers are in Cpu::fpu
  // What the last x87 instruction since they came was, and its last operand in memory (x87.cpp).
  static constexpr u64 kNothingNoted = ~u64{0};
  static constexpr u32 kNoOperand = ~u32{0};
  u32 x87_operand_segment = kNoOperand;
  u64 x87_operand = 0;
  u64 x87_instruction = kNothingNoted;
  u64 kernel_gs_base = 0;
  u64 system_flags = 0;                                // Cpu::system_flags
  u32 no_interrupt_waits = 0;                          // for IF to be set
  const FastBases* tables = nullptr;                   // Cpu::fast_tables
  u64 arithmetic_flags = kArithmeticFlags;             // what PUSHF takes of the host's RFLAGS, …
  u64 pushed_flags = ~u64{rflags::kVm | rflags::kRf};  // … and of system_flags
  std::array<u8, 112> x87_image;                       // x87_image.h
};
// On the stack behind six saved registers and a return address: a multiple of 16, and a half.
static_assert(sizeof(Frame) % 16 == 8);

#define KITE_FRAME(member)                                           \
  HostOperand {                                                      \
    kFrame, Host::kRsp, 0, static_cast<i32>(offsetof(Frame, member)) \
  }

inline HostOperand spill_place(unsigned guest) {
  const auto slot = std::find(kSpilledGuests.begin(), kSpilledGuests.end(), guest);
  return {kFrame, Host::kRsp, 0,
          static_cast<i32>(offsetof(Frame, spilled)) +
              8 * static_cast<i32>(slot - kSpilledGuests.begin())};
}

inline HostOperand reused_word(unsigned slot) {
  return {kFrame, Host::kRsp, 0, static_cast<i32>(offsetof(Frame, reused) + sizeof(u64) * slot)};
}

}  // namespace kite::tcg
