// Every x87, MMX, SSE and AVX row against the host: random encodings of the row, random states, one
// instruction on the host's silicon and in the interpreter.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "tests/isa/support/vector_case.h"

namespace kite::tcg {
namespace {

#if defined(__x86_64__)

using namespace isa::vector;

constexpr int kRunsPerRow = 400;

const std::set<std::string_view> kScalars = {"crc32"};

// Rows whose results differ between processors, or that need more than a random state.
const std::set<std::string_view> kLeftOut = {
    "rcpps", "rcpss",   "rsqrtps", "rsqrtss",  "vrcpps",   "vrcpss",     "vrsqrtps", "vrsqrtss",
    "xsave", "xsave64", "xrstor",  "xrstor64", "xsaveopt", "xsaveopt64", "xgetbv",   "xsetbv"};
// Processors may differ by a unit in the last place (SDM 1 8.3.10).
const std::set<std::string_view> kOneUlp = {"fsin",   "fcos",  "fsincos", "fptan",
                                            "fpatan", "f2xm1", "fyl2x",   "fyl2xp1"};

// Equal but for the last bit of ST(0) and ST(1), and then C1, which says how it was rounded.
void forgive_last_place(State& ours, const State& host) {
  for (unsigned i = 0; i < 2; ++i) {
    u8* a = &ours.native.fxsave[32 + 16 * i];
    const u8* b = &host.native.fxsave[32 + 16 * i];
    // Neighbours across a power of two differ in the exponent: count in both together.
    const auto position = [](const u8* reg) {
      return u128{load<u16>(reg + 8)} << 63 | (load<u64>(reg) & ~bit(63));
    };
    if (position(a) - position(b) + 1 > 2) continue;
    std::copy_n(b, 10, a);
    ours.native.fxsave[3] =
        static_cast<u8>((ours.native.fxsave[3] & ~2) | (host.native.fxsave[3] & 2));
  }
}

// DPPS and DPPD add products: which of several NaNs comes through differs between makers (AMD adds
// the first to the second, Intel the second to the first).
template <class B>
void forget_choice_of_nan(State& ours, const State& host) {
  constexpr B kInfinity = sizeof(B) == 4 ? B{0x7f800000} : static_cast<B>(0x7ff0000000000000);
  const auto is_nan = [](const u8* lane) {
    return static_cast<B>(load<B>(lane) << 1) > 2 * kInfinity;
  };
  const auto forgive = [&](u8* a, const u8* b) {
    for (unsigned i = 0; i < 16; i += sizeof(B))
      if (is_nan(a + i) && is_nan(b + i)) std::copy_n(b + i, sizeof(B), a + i);
  };
  for (unsigned i = 0; i < 16; ++i) {
    forgive(&ours.native.fxsave[160 + 16 * i], &host.native.fxsave[160 + 16 * i]);
    forgive(ours.native.ymm_high[i].data(), host.native.ymm_high[i].data());
  }
}

void forget_undefined_flags(const Row& row, State& ours, const State& host) {
  constexpr u64 kLetters[] = {0x800, 0x80, 0x40, 0x10, 0x04, 0x01};  // OSZAPC
  for (unsigned i = 0; i < 6; ++i) {
    if (row.flags[i] != '-') continue;
    ours.native.rflags = (ours.native.rflags & ~kLetters[i]) | (host.native.rflags & kLetters[i]);
  }
}

// Pointers to the last instruction and operand, and MXCSR_MASK, are the processor's own.
void forget_pointers(const Row& row, bool narrow, State& s) {
  const std::string_view name = row.name;
  const auto clear = [&](unsigned from, unsigned to) {
    std::fill(s.data.begin() + from, s.data.begin() + to, u8{0});
  };
  if (name.starts_with("fxsave")) clear(6, 24), clear(28, 32);
  if (name == "fnsave" || name == "fnstenv") narrow ? clear(6, 14) : clear(12, 28);
}

// Images in memory must be ones that load without a fault.
void make_loadable(const Row& row, State& s) {
  const std::string_view name = row.name;
  if (name.ends_with("ldmxcsr")) store<u32>(s.data.data(), load<u32>(&s.native.fxsave[24]));
  if (name.starts_with("fxrstor")) {
    std::copy_n(s.native.fxsave.begin(), 32, s.data.begin());
    std::fill_n(s.data.begin() + 6, 18, u8{0});
  }
}

// Instructions on general registers that came with a feature of their own.
bool is_scalar_extension(const Row& row) {
  return kScalars.contains(row.name);
}

// Gathers: the lanes of register 2 are small, whatever their width.
void keep_inside(State& s) {
  for (u8* half : {&s.native.fxsave[160 + 32], s.native.ymm_high[2].data()})
    for (unsigned i = 0; i < 16; i += 4)
      store<u32>(half + i, i % 8 ? 0 : load<u32>(half + i) & 0x3f);
}

bool is_ours(const Row& row) {
  const Attributes a = row.attributes;
  const bool vector =
      a.has(x87) || a.has(mmx) || a.has(sse) || row.encoding.vex || is_scalar_extension(row);
  return vector && row.is_implemented && !kLeftOut.contains(row.name);
}

// One random case on both sides; what differs, or nothing.
std::string run_both(const Row& row, Guest& guest, test::NativeInstruction& native,
                     test::Operands& operands) {
  const std::vector<u8> bytes = encode(row, operands);
  State before = random_state(operands);
  make_loadable(row, before);
  if (row.attributes.has(vsib)) keep_inside(before);
  State host = before;
  alignas(64) std::array<u8, kDataSize> data = before.data;
  host.native.gpr[kRsi] = host.native.gpr[kRdi] = reinterpret_cast<u64>(data.data());
  native.run(bytes, host.native);
  host.data = data;
  load_guest(guest, before);
  const Flow flow = guest.run(bytes);
  State ours = save_guest(guest, host);
  if (kOneUlp.contains(row.name)) forgive_last_place(ours, host);
  if (std::string_view(row.name).ends_with("dpps")) forget_choice_of_nan<u32>(ours, host);
  if (std::string_view(row.name).ends_with("dppd")) forget_choice_of_nan<u64>(ours, host);
  forget_undefined_flags(row, ours, host);
  forget_pointers(row, bytes.front() == 0x66, ours);
  forget_pointers(row, bytes.front() == 0x66, host);
  std::string text = differences(ours, host);
  if (flow != Flow::kNext) text += "\n  the interpreter did not go on";
  if (text.empty()) return text;
  text += "\n  bytes";
  for (u8 byte : bytes) text.append(1, ' ').append(std::to_string(byte));
  text += "\n  before: " + differences(before, host);
  return text;
}

TEST(VectorRowsOnHost, EqualTheSilicon) {
  test::NativeInstruction native(host_has(Feature::kAvx));
  if (!native.available()) GTEST_SKIP() << "this host forbids writable code";
  if (!__builtin_cpu_supports("sse4.2")) GTEST_SKIP() << "this host has no SSE4.2";
  const std::string lacking = isa::features_the_host_lacks();
  if (!lacking.empty()) std::printf("left out, for this host lacks it: %s\n", lacking.c_str());
  Guest guest;
  test::Operands operands(2024);
  int rows_run = 0;
  for (const Row& row : rows()) {
    if (!is_ours(row)) continue;
    if (!isa::host_has_features_of(row)) continue;
    ++rows_run;
    for (int i = 0; i < kRunsPerRow; ++i) {
      const std::string text = run_both(row, guest, native, operands);
      if (text.empty()) continue;
      ADD_FAILURE() << row.name << " (" << row.text << ")" << text;
      break;
    }
  }
  EXPECT_GT(rows_run, 400);
}

#else
TEST(VectorRowsOnHost, IsSkipped) {
  GTEST_SKIP() << "this host has no x87 and SSE to compare with";
}
#endif

}  // namespace
}  // namespace kite::tcg
