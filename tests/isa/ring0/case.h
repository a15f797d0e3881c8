// A ring-0 case: a processor's whole state, memory, and one instruction; and what became of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "accel/x86/state.h"
#include "base/bits.h"
#include "tests/isa/ring0/layout.h"

namespace kite::ring0 {

enum class Mode : u8 { kReal, kV86, kProtected16, kProtected32, kPaged32, kPae, kCompat, kLong };
inline constexpr unsigned kModes = 8;
constexpr bool is_long(Mode mode) {  // IA32_EFER.LMA
  return mode >= Mode::kCompat;
}
constexpr bool is_paged(Mode mode) {
  return mode >= Mode::kPaged32;
}
constexpr bool has_selectors(Mode mode) {
  return mode >= Mode::kProtected16;
}
constexpr std::string_view mode_name(Mode mode) {
  constexpr std::string_view kNames[] = {"real",    "v86", "prot16", "prot32",
                                         "paged32", "pae", "compat", "long"};
  return kNames[static_cast<unsigned>(mode)];
}

using Ram = std::vector<u8>;  // kRamSize bytes

struct Case {
  Mode mode = Mode::kReal;
  unsigned cpl = 0;
  std::string_view family;  // of instructions
  std::string name;         // the instruction
  std::vector<u8> code;     // HLT follows
  X86State state;
  Ram ram;

  template <class T>
  T get(u32 address) const {
    return load<T>(ram.data() + address);
  }
  void put8(u32 address, u8 value) { ram[address] = value; }
  void put16(u32 address, u16 value) { store<u16>(ram.data() + address, value); }
  void put32(u32 address, u32 value) { store<u32>(ram.data() + address, value); }
  void put64(u32 address, u64 value) { store<u64>(ram.data() + address, value); }
  u64& gpr(Gpr number) { return state.gpr[number]; }
};

enum class End : u8 {
  kHalted,    // the guest stands behind a HLT
  kShutdown,  // triple fault
  kHung,      // still running when its time was up
  kUnjudged,  // KVM could not do it, or would have needed a board: `reason`
};

struct Outcome {
  End end = End::kUnjudged;
  std::string reason;
  X86State state;
  Ram ram;
};

}  // namespace kite::ring0
