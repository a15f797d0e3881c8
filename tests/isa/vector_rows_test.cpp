// Every x87, MMX, SSE and AVX row against the host: random encodings of the row, random states, one
// instruction on the host's silicon and in the interpreter.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu.h"
#include "accel/tcg/decode.h"
#include "accel/tcg/isa/row.h"
#include "accel/x86/registers.h"
#include "float_operands.h"
#include "memory/backend.h"
#include "native_state.h"
#include "support/host_features.h"

namespace kite::tcg {
namespace {

#if defined(__x86_64__)

constexpr u64 kData = 0x1000;  // where the memory operand stands in the guest
constexpr std::size_t kDataSize = 640;

// A processor in flat 64-bit mode without paging: a state no guest can reach, in which linear
// addresses are physical ones.
class Guest {
 public:
  Guest() : ram_(*allocate(ram_config())), model_(isa::model_with_everything()), decoder_(model_) {
    AddressSpace::Edit(memory_).map(
        {.start = 0, .size = ram_.size(), .region = Region::ram("ram", ram_)});
    cpu_ = std::make_unique<Cpu>(
        AcceleratorConfig{.memory = memory_, .ports = ports_, .clock = clock_, .model = model_},
        VcpuConfig{});
    cpu_->code = std::make_unique<CodeCache>(*cpu_, decoder_);
    cpu_->cr0 = cr0::kPe | cr0::kNe | cr0::kMp;
    cpu_->cr4 = cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kOsxsave;
    cpu_->efer = efer::kLma | efer::kLme;
    cpu_->fpu.xcr0 = xcr0::kX87 | xcr0::kSse | xcr0::kAvx;
    cpu_->segments[kCs].l = true;
    cpu_->update_mode();
  }

  Cpu& cpu() { return *cpu_; }
  u8* data() { return ram_.data() + kData; }
  Flow run(std::span<const u8> bytes) {
    Insn insn{};
    if (decoder_.decode(bytes, cpu_->mode, insn) != DecodeStatus::kOk) return Flow::kFault;
    return insn.handler(*cpu_, insn);
  }

 private:
  static BackendConfig ram_config() {
    BackendConfig config;
    config.kind = "ram";
    config.size = 64 * KiB;
    return config;
  }

  HostMemory ram_;
  AddressSpace memory_;
  PortSpace ports_;
  ManualClock clock_;
  CpuModel model_;
  Decoder decoder_;
  std::unique_ptr<Cpu> cpu_;
};

std::array<u8, 16> random_xmm(test::Operands& operands) {
  std::array<u8, 16> bytes;
  const u64 kind = operands.bits() % 3;
  for (unsigned i = 0; i < 16; i += 8) {
    u64 value = operands.bits();
    if (kind == 0) value = operands.double_bits();
    if (kind == 1) value = operands.single_bits() | u64{operands.single_bits()} << 32;
    store<u64>(&bytes[i], value);
  }
  return bytes;
}

struct State {
  test::NativeState native;
  std::array<u8, kDataSize> data;
};

State random_state(test::Operands& operands) {
  State s;
  auto& image = s.native.fxsave;
  const u64 r = operands.bits();
  constexpr u16 kPrecisions[] = {0x000, 0x200, 0x300};
  store<u16>(&image[0], static_cast<u16>(0x7f | kPrecisions[r % 3] | (r >> 8 & 3) << 10));
  store<u16>(&image[2], static_cast<u16>(r >> 16 & 0x7f7f));  // no exception is unmasked: no ES
  image[4] = r >> 32 & 1 ? 0xff : static_cast<u8>(r >> 40);
  const u32 mxcsr = 0x1f80 | (r >> 48 & 0x3f) | (r >> 54 & 1) << 6 | (r >> 56 & 1) << 15;
  store<u32>(&image[24], r >> 57 & 1 ? mxcsr | (r >> 58 & 3) << 13 : mxcsr);
  for (unsigned i = 0; i < 8; ++i) {
    const fpu::Float80 value = operands.extended();
    store<u64>(&image[32 + 16 * i], value.significand);
    store<u16>(&image[40 + 16 * i], value.sign_exponent);
  }
  for (unsigned i = 0; i < 16; ++i) {
    const auto xmm = random_xmm(operands);
    std::copy(xmm.begin(), xmm.end(), &image[160 + 16 * i]);
    s.native.ymm_high[i] = random_xmm(operands);
  }
  for (u64& reg : s.native.gpr) reg = operands.bits() >> operands.bits() % 64;
  s.native.rflags = 2 | (operands.bits() & 0x8d5);
  for (unsigned i = 0; i < kDataSize; i += 16) {
    const auto part = random_xmm(operands);
    std::copy(part.begin(), part.end(), &s.data[i]);
  }
  if (r >> 60 & 1) {
    const fpu::Float80 value = operands.extended();
    store<u64>(&s.data[0], value.significand);
    store<u16>(&s.data[8], value.sign_exponent);
  }
  return s;
}

void load_guest(Guest& guest, const State& s) {
  Cpu& cpu = guest.cpu();
  const auto& image = s.native.fxsave;
  cpu.fpu.fcw = load<u16>(&image[0]);
  cpu.fpu.fsw = load<u16>(&image[2]);
  cpu.fpu.ftw = image[4];
  cpu.fpu.mxcsr = load<u32>(&image[24]);
  const unsigned top = cpu.fpu.fsw >> 11 & 7;
  for (unsigned i = 0; i < 8; ++i)
    std::memcpy(cpu.fpu.st[(top + i) & 7].data(), &image[32 + 16 * i], 10);
  for (unsigned i = 0; i < 16; ++i) {
    std::memcpy(cpu.fpu.zmm[i].data(), &image[160 + 16 * i], 16);
    std::memcpy(cpu.fpu.zmm[i].data() + 16, s.native.ymm_high[i].data(), 16);
  }
  std::copy(s.native.gpr.begin(), s.native.gpr.end(), cpu.gpr.begin());
  cpu.gpr[kRsi] = cpu.gpr[kRdi] = kData;
  cpu.flags.set(static_cast<u32>(s.native.rflags));
  std::copy(s.data.begin(), s.data.end(), guest.data());
}

// The guest's state in the form the host gives, with what the host does not show left out.
State save_guest(Guest& guest, const State& host) {
  Cpu& cpu = guest.cpu();
  State s = host;
  auto& image = s.native.fxsave;
  store<u16>(&image[0], cpu.fpu.fcw);
  store<u16>(&image[2], cpu.fpu.fsw);
  image[4] = cpu.fpu.ftw;
  store<u32>(&image[24], cpu.fpu.mxcsr);
  const unsigned top = cpu.fpu.fsw >> 11 & 7;
  for (unsigned i = 0; i < 8; ++i)
    std::memcpy(&image[32 + 16 * i], cpu.fpu.st[(top + i) & 7].data(), 10);
  for (unsigned i = 0; i < 16; ++i) {
    std::memcpy(&image[160 + 16 * i], cpu.fpu.zmm[i].data(), 16);
    std::memcpy(s.native.ymm_high[i].data(), cpu.fpu.zmm[i].data() + 16, 16);
  }
  for (unsigned i : {0, 1, 2, 3, 5}) s.native.gpr[i] = cpu.gpr[i];
  s.native.rflags = (s.native.rflags & ~u64{0x8d5}) | (cpu.flags.get() & 0x8d5);
  std::copy(guest.data(), guest.data() + kDataSize, s.data.begin());
  return s;
}

std::string numbered(std::string_view name, int number) {
  std::string text(name);
  return text.append(std::to_string(number));
}

std::string differences(const State& ours, const State& host) {
  std::string text;
  const auto add = [&](const std::string& name, const u8* a, const u8* b, std::size_t size) {
    if (std::memcmp(a, b, size) == 0) return;
    text += "\n  " + name + " ";
    char two[3];
    for (std::size_t i = size; i-- > 0;) std::snprintf(two, 3, "%02x", a[i]), text += two;
    text += ", host ";
    for (std::size_t i = size; i-- > 0;) std::snprintf(two, 3, "%02x", b[i]), text += two;
  };
  const u8 *a = ours.native.fxsave.data(), *b = host.native.fxsave.data();
  add("fcw", a, b, 2);
  add("fsw", a + 2, b + 2, 2);
  add("tags", a + 4, b + 4, 1);
  add("mxcsr", a + 24, b + 24, 4);
  for (int i = 0; i < 8; ++i) add(numbered("st", i), a + 32 + 16 * i, b + 32 + 16 * i, 10);
  for (int i = 0; i < 16; ++i) add(numbered("xmm", i), a + 160 + 16 * i, b + 160 + 16 * i, 16);
  for (unsigned i = 0; i < 16; ++i)
    add(numbered("ymm_high", static_cast<int>(i)), ours.native.ymm_high[i].data(),
        host.native.ymm_high[i].data(), 16);
  for (int i : {0, 1, 2, 3, 5})
    add(numbered("gpr", i), reinterpret_cast<const u8*>(&ours.native.gpr[i]),
        reinterpret_cast<const u8*>(&host.native.gpr[i]), 8);
  const u64 x = ours.native.rflags & 0x8d5, y = host.native.rflags & 0x8d5;
  add("flags", reinterpret_cast<const u8*>(&x), reinterpret_cast<const u8*>(&y), 2);
  add("memory", ours.data.data(), host.data.data(), kDataSize);
  return text;
}

constexpr int kRunsPerRow = 400;

bool has_place(const Row& row, Place place) {
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [&](const OperandSpec& o) { return o.place == place; });
}

// ModRM and immediates.
void append_tail(std::vector<u8>& bytes, const Row& row, u64 r) {
  const Encoding& e = row.encoding;
  if (e.has_modrm) {
    constexpr u8 kGeneral[] = {0, 1, 2, 3, 5};
    u8 reg = kGeneral[(r >> 8) % 5], rm = kGeneral[(r >> 16) % 5];
    if (e.modrm_reg >= 0) reg = static_cast<u8>(e.modrm_reg);
    const bool memory =
        has_place(row, Place::kModRmMemory) || (has_place(row, Place::kModRm) && (r >> 24 & 1));
    if (e.fixed_modrm >= 0)
      bytes.push_back(static_cast<u8>(e.fixed_modrm | (e.fixed_plus_i ? r >> 32 & 7 : 0)));
    else
      bytes.push_back(static_cast<u8>((memory ? 0 : 0xc0) | reg << 3 | (memory ? 6 : rm)));
  }
  for (const auto immediate : e.immediates)
    if (immediate == Encoding::Immediate::kByte) bytes.push_back(static_cast<u8>(r >> 40));
}

// Prefixes and opcode of a VEX row: any length and W that the row allows, any register in vvvv.
void append_vex(std::vector<u8>& bytes, const Row& row, u64 r) {
  const Encoding& e = row.encoding;
  constexpr auto kPp = [](Encoding::Prefix prefix) -> unsigned {
    switch (prefix) {
      case Encoding::Prefix::k66:
        return 1;
      case Encoding::Prefix::kF3:
        return 2;
      case Encoding::Prefix::kF2:
        return 3;
      default:
        return 0;
    }
  };
  const unsigned l = e.vex_l >= 0 ? static_cast<unsigned>(e.vex_l) : r & 1;
  const unsigned w = e.w >= 0 ? static_cast<unsigned>(e.w) : r >> 1 & 1;
  const bool general = row.is_avx == false;  // vvvv is then one of the registers the test loads
  constexpr u8 kGeneral[] = {0, 1, 2, 3, 5};
  unsigned vvvv = general ? kGeneral[(r >> 48) % 5] : r >> 48 & 15;
  if (!has_place(row, Place::kVvvv)) vvvv = 0;
  bytes.push_back(0xc4);
  bytes.push_back(static_cast<u8>(0xe0 | e.map));
  bytes.push_back(static_cast<u8>(w << 7 | (~vvvv & 15) << 3 | l << 2 | kPp(e.prefix)));
  bytes.push_back(e.opcode);
}

// A gather: destination, index and mask are registers 1, 2 and 3, memory is [RSI + index].
void append_gather(std::vector<u8>& bytes, u64 r) {
  bytes[bytes.size() - 2] = static_cast<u8>((bytes[bytes.size() - 2] & 0x87) | (~3 & 15) << 3);
  bytes.push_back(0x0c);
  bytes.push_back(static_cast<u8>((r >> 8 & 3) << 6 | 2 << 3 | 6));
}

// A random encoding of the row: memory is [RSI], general registers are those the host test has.
std::vector<u8> encode(const Row& row, test::Operands& operands) {
  const Encoding& e = row.encoding;
  const u64 r = operands.bits();
  std::vector<u8> bytes;
  if (e.vex) {
    append_vex(bytes, row, r);
    if (row.attributes.has(vsib)) return append_gather(bytes, r), bytes;
    append_tail(bytes, row, r);
    return bytes;
  }
  if (e.prefix == Encoding::Prefix::k66) bytes.push_back(0x66);
  if (e.prefix == Encoding::Prefix::kF3) bytes.push_back(0xf3);
  if (e.prefix == Encoding::Prefix::kF2) bytes.push_back(0xf2);
  if (e.prefix == Encoding::Prefix::kAny && row.sized && (r & 2)) bytes.push_back(0x66);
  const bool wide = e.w == 1 || (e.w < 0 && row.sized && (r & 3) == 1);
  if (wide) bytes.push_back(0x48);
  if (e.map) bytes.push_back(0x0f);
  if (e.map > 1) bytes.push_back(e.map == 2 ? 0x38 : 0x3a);
  bytes.push_back(e.opcode);
  append_tail(bytes, row, r);
  return bytes;
}

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
  test::NativeInstruction native(isa::host_has(Feature::kAvx));
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
