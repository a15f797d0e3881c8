// Unmasked SIMD floating-point exceptions against the silicon: every row that may raise #XM, in
// random states with random masks. What an instruction computes is compared in
// vector_rows_test.cpp.
#include <gtest/gtest.h>
#include <signal.h>
#include <ucontext.h>

#include <cstdio>
#include <string_view>

#include "tests/isa/support/vector_case.h"

namespace kite::isa::vector {
namespace {

constexpr int kRunsPerRow = 200;
constexpr u8 kSimdException = 19;

// While it lives, SIGFPE goes on behind the instruction that `native` runs.
class SimdTrap {
 public:
  explicit SimdTrap(const test::NativeInstruction& native) {
    native_ = &native;
    struct sigaction action {};
    action.sa_sigaction = go_on;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGFPE, &action, &before_);
  }
  ~SimdTrap() { sigaction(SIGFPE, &before_, nullptr); }
  SimdTrap(const SimdTrap&) = delete;

  bool run(test::NativeInstruction& native, std::span<const u8> bytes, test::NativeState& state) {
    raised_ = false;
    native.run(bytes, state);
    return raised_;
  }

 private:
  static void go_on(int, siginfo_t*, void* context) {
    auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    registers[REG_RIP] = reinterpret_cast<greg_t>(native_->behind());
    raised_ = true;
  }

  static inline const test::NativeInstruction* native_ = nullptr;
  static inline volatile bool raised_ = false;
  struct sigaction before_ {};
};

// One mask, or some, or all are cleared; mostly none of the flags is set before. No flag is set
// whose mask is clear, as after a handler that has done its work.
void unmask(State& s, test::Operands& operands) {
  const u64 r = operands.bits();
  u32 masks = r % 3 == 0 ? 1u << (r >> 8) % 6 : (r >> 16 & 0x3f);
  if (r % 3 == 1) masks &= static_cast<u32>(r >> 24);
  u8* place = &s.native.fxsave[24];
  u32 mxcsr = load<u32>(place) & ~(masks << 7);
  if (r >> 48 & 3) mxcsr &= ~0x3fu;
  store<u32>(place, mxcsr & ~masks);
}

// The manual does not say which exceptions of an earlier step DPPS shows beside an unmasked one of
// a later, nor whether unmasked underflow of VCVTPS2PH shows a loss of precision.
bool is_unspecified(std::string_view name) {
  return name.ends_with("dpps") || name.ends_with("dppd") || name == "vcvtps2ph";
}

bool has_exceptions(const Row& row) {
  // Whether a conversion to or from MMX registers enters MMX state before #XM is not told either.
  return row.attributes.has(tcg::mxcsr) && row.is_implemented && !row.attributes.has(mmx) &&
         host_has_features_of(row) && (!is_unspecified(row.name) || __builtin_cpu_is("intel"));
}

struct Counts {
  int raised = 0, went_on = 0;
};

// One random case on both sides; what differs, or nothing.
std::string run_both(const Row& row, Guest& guest, test::NativeInstruction& native, SimdTrap& trap,
                     test::Operands& operands, Counts& counts) {
  const std::vector<u8> bytes = encode(row, operands);
  State before = random_state(operands);
  unmask(before, operands);
  State host = before;
  alignas(64) std::array<u8, kDataSize> data = before.data;
  host.native.gpr[kRsi] = host.native.gpr[kRdi] = reinterpret_cast<u64>(data.data());
  const bool raised = trap.run(native, bytes, host.native);
  host.data = data;
  load_guest(guest, before);
  const bool ours_raised = guest.run(bytes) == Flow::kFault;
  const State ours = save_guest(guest, host);
  ++(raised ? counts.raised : counts.went_on);
  if (raised != ours_raised) return raised ? "the host raises #XM" : "the host raises nothing";
  if (raised && guest.cpu().fault.vector != kSimdException) return "not #XM";
  if (raised) return differences(ours, host);
  const u8 *a = &ours.native.fxsave[24], *b = &host.native.fxsave[24];
  return load<u32>(a) == load<u32>(b) ? "" : "MXCSR differs";
}

TEST(SimdExceptionsOnHost, EqualTheSilicon) {
  test::NativeInstruction native(host_has(Feature::kAvx));
  if (!native.available()) GTEST_SKIP() << "this host forbids writable code";
  SimdTrap trap(native);
  Guest guest;
  test::Operands operands(77);
  Counts counts;
  for (const Row& row : rows()) {
    if (!has_exceptions(row)) continue;
    for (int i = 0; i < kRunsPerRow; ++i) {
      const std::string text = run_both(row, guest, native, trap, operands, counts);
      if (text.empty()) continue;
      ADD_FAILURE() << row.name << " (" << row.text << "): " << text;
      break;
    }
  }
  std::printf("%d raised #XM, %d did not\n", counts.raised, counts.went_on);
  EXPECT_GT(counts.raised, 2000);
  EXPECT_GT(counts.went_on, 2000);
}

}  // namespace
}  // namespace kite::isa::vector
