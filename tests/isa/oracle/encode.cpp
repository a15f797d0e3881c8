#include "tests/isa/oracle/encode.h"

#include <algorithm>

namespace kite::oracle {
namespace {

using tcg::Encoding;
using tcg::Place;
using tcg::Row;

class Encoder {
 public:
  Encoder(const Row& row, Random& random, unsigned base)
      : row_(row), e_(row.encoding), random_(random), base_(base) {
    may_be_memory_ = e_.has_modrm && e_.fixed_modrm < 0 && !row.has(Place::kModRmRegister);
    must_be_memory_ = may_be_memory_ && row.has(Place::kModRmMemory);
    is_memory_ = must_be_memory_ || (may_be_memory_ && (has_base() || random_.one_in(2)));
  }

  Encoded run() {
    put_free_prefixes();
    if (e_.vex)
      put_vex();
    else
      put_legacy();
    put(e_.opcode + (e_.register_in_opcode ? random_.below(8) : 0));
    if (e_.has_modrm) put_modrm();
    put_immediates();
    return out_;
  }

 private:
  bool has_base() const { return base_ != kAnyBase; }
  // REX.R, X and B.
  u64 any_extensions() {
    const u64 rxb = random_.one_in(2) ? random_.below(8) : 0;
    return has_base() && is_memory_ ? (rxb & 6) | base_ >> 3 : rxb;
  }

  void put(u64 byte) { out_.bytes[out_.size++] = static_cast<u8>(byte); }

  void put_free_prefixes() {
    const bool address_matters = is_memory_ || row_.attributes.has(tcg::string) ||
                                 row_.has(Place::kRelative) || row_.has(Place::kOffset);
    if (random_.one_in(address_matters ? 12 : 256)) put(0x67);
    if (random_.one_in(address_matters ? 6 : 128)) {
      constexpr u8 kSegments[] = {0x64, 0x65, 0x65, 0x64, 0x2e, 0x36, 0x3e, 0x26};
      put(kSegments[random_.below(8)]);
    }
    if (random_.one_in(is_memory_ && row_.is_lockable ? 6 : 512)) put(0xf0);
  }

  void put_legacy() {
    const bool string = row_.attributes.has(tcg::string);
    switch (e_.prefix) {
      case Encoding::Prefix::kAny:
        if (random_.one_in(row_.sized ? 3 : 32)) put(0x66);
        if (random_.one_in(string ? 2 : 64)) put(random_.one_in(2) ? 0xf2 : 0xf3);
        break;
      case Encoding::Prefix::kNone:
        if (random_.one_in(256)) put(random_.one_in(2) ? 0x66 : 0xf3);
        break;
      case Encoding::Prefix::k66:
        put(0x66);
        break;
      case Encoding::Prefix::kF3:
        if (random_.one_in(row_.sized ? 3 : 64)) put(0x66);
        put(0xf3);
        break;
      case Encoding::Prefix::kF2:
        if (random_.one_in(row_.sized ? 3 : 64)) put(0x66);
        put(0xf2);
        break;
    }
    const bool wide = e_.w < 0 ? random_.one_in(3) : e_.w == 1;
    const u64 rxb = any_extensions();
    if (wide || rxb != 0 || random_.one_in(8)) put(0x40 | (wide ? 8 : 0) | rxb);
    if (e_.map > 0) put(0x0f);
    if (e_.map > 1) put(e_.map == 2 ? 0x38 : 0x3a);
  }

  // The two-byte form where the fields fit into it (SDM 2A 2.3.5).
  void put_vex() {
    constexpr unsigned kPp[] = {0, 0, 1, 2, 3};  // by Encoding::Prefix
    const u64 rxb = any_extensions();
    const u64 w = e_.w >= 0 ? static_cast<u64>(e_.w) : random_.below(2);
    const u64 l = e_.vex_l >= 0 ? static_cast<u64>(e_.vex_l) : random_.below(2);
    u64 vvvv = row_.has(Place::kVvvv) ? random_.below(16) : 0;
    if (random_.one_in(512)) vvvv = random_.below(16);  // #UD where it means nothing
    const u64 low = (~vvvv & 15) << 3 | l << 2 | kPp[static_cast<unsigned>(e_.prefix)];
    if (e_.map == 1 && w == 0 && (rxb & 3) == 0 && random_.one_in(2)) {
      put(0xc5);
      return put((~rxb & 4) << 5 | low);
    }
    put(0xc4);
    put((~rxb & 7) << 5 | e_.map);
    put(w << 7 | low);
  }

  void put_modrm() {
    if (e_.fixed_modrm >= 0)
      return put(static_cast<u64>(e_.fixed_modrm) + (e_.fixed_plus_i ? random_.below(8) : 0));
    const u64 reg = e_.modrm_reg >= 0 ? static_cast<u64>(e_.modrm_reg) : random_.below(8);
    u64 rm = random_.below(8);
    if (!is_memory_) return put(0xc0 | reg << 3 | rm);
    if (std::string_view(row_.name).find("gather") != std::string_view::npos) rm = 4;
    // Without a displacement number 5 is no base.
    const bool needs_displacement = has_base() && base_ % 8 == 5;
    const u64 mod = needs_displacement ? 1 + random_.below(2) : random_.below(3);
    if (has_base() && rm != 4) rm = random_.one_in(6) ? 4 : base_ % 8;
    put(mod << 6 | reg << 3 | rm);
    bool wide_displacement = mod == 2 || (mod == 0 && rm == 5);
    if (rm == 4) {
      const u64 sib = has_base() ? any_index() | base_ % 8 : random_.below(256);
      put(sib);
      wide_displacement |= mod == 0 && (sib & 7) == 5;
    }
    if (mod == 1) put(random_());
    if (wide_displacement) put_displacement();
  }

  // Scale and index of a SIB byte, mostly none.
  u64 any_index() { return random_.one_in(3) ? random_.below(32) << 3 : 0x20; }

  void put_displacement() {
    out_.displacement_at = out_.size;
    const u64 value = random_.one_in(4) ? random_() : random_.below(512) - 256;
    for (unsigned i = 0; i < 4; ++i) put(value >> (8 * i));
  }

  void put_immediates() {
    constexpr u8 kFirst[] = {0x00, 0x01, 0x02, 0x03, 0x07, 0x08, 0x0f, 0x10, 0x1f, 0x20,
                             0x21, 0x3f, 0x40, 0x41, 0x55, 0x7f, 0x80, 0xff, 0xf0, 0xaa};
    const u64 r = random_();
    put(r & 1 ? kFirst[(r >> 8) % std::size(kFirst)] : r >> 8);
    const u64 rest = r & 2 ? random_() : r & 4 ? ~u64{0} : 0;
    for (unsigned i = 0; i < 15; ++i) put(rest >> (i * 8 % 64));
  }

  const Row& row_;
  const Encoding& e_;
  Random& random_;
  const unsigned base_;
  bool may_be_memory_, must_be_memory_, is_memory_;
  Encoded out_;
};

}  // namespace

Encoded encode(const Row& row, Random& random, unsigned base) {
  return Encoder(row, random, base).run();
}

}  // namespace kite::oracle
