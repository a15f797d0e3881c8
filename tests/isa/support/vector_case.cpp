#include "tests/isa/support/vector_case.h"

#if defined(__x86_64__)

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace kite::isa::vector {

namespace {

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

}  // namespace

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

namespace {

std::string numbered(std::string_view name, int number) {
  std::string text(name);
  return text.append(std::to_string(number));
}

}  // namespace

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

namespace {

// ModRM and immediates.
void append_tail(std::vector<u8>& bytes, const Row& row, u64 r) {
  const Encoding& e = row.encoding;
  if (e.has_modrm) {
    constexpr u8 kGeneral[] = {0, 1, 2, 3, 5};
    u8 reg = kGeneral[(r >> 8) % 5], rm = kGeneral[(r >> 16) % 5];
    if (e.modrm_reg >= 0) reg = static_cast<u8>(e.modrm_reg);
    const bool memory = row.has(Place::kModRmMemory) || (row.has(Place::kModRm) && (r >> 24 & 1));
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
  if (!row.has(Place::kVvvv)) vvvv = 0;
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

}  // namespace

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

}  // namespace kite::isa::vector

#endif
