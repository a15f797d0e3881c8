// Encoding: the manual's notation of an instruction's bytes, parsed while Kite is compiled.
#pragma once

#include <array>

#include "base/types.h"

namespace kite::tcg {

// The words of the notation (SDM 2A 3.1.1.1), in the order they may appear:
//   NP 66 F2 F3        mandatory prefix (NP: none of the three); without any of these every prefix
//   is allowed REX.W, REX.W0      the row needs REX.W, or needs it clear 0F, 0F 38, 0F 3A   opcode
//   map VEX.128.66.0F.W0   instead of all of these: .LIG .128 .256 .L0 .L1, .NP .66 .F2 .F3, .0F
//   .0F38 .0F3A, .W0 .W1 .WIG 01, 50+r           opcode; +r: the low three bits name a register C0,
//   C0+i           a second byte is a fixed ModRM byte; +i: its low three bits name a register /r,
//   /0 … /7        a ModRM byte follows, with any or this reg field ib iw id iz iv     immediate of
//   1, 2, 4 bytes; 2 or 4 by operand size; 2, 4 or 8 by operand size cb cz cp           relative
//   displacement of 1 byte; 2 or 4 by operand size; far pointer mo                 an offset as
//   long as an address /is4               a register number in the high half of an immediate byte
struct Encoding {
  enum class Prefix : u8 { kAny, kNone, k66, kF3, kF2 };
  enum class Immediate : u8 { kNoImmediate, kByte, kWord, kDword, kZ, kV, kFar, kOffset };

  u8 map = 0;  // 0 one byte, 1 0F, 2 0F 38, 3 0F 3A
  u8 opcode = 0;
  bool register_in_opcode = false;
  bool has_modrm = false;
  i8 modrm_reg = -1;     // -1 any
  i16 fixed_modrm = -1;  // -1 none
  bool fixed_plus_i = false;
  Prefix prefix = Prefix::kAny;
  i8 w = -1;  // -1 any
  bool vex = false;
  i8 vex_l = -1;  // -1 ignored
  std::array<Immediate, 2> immediates = {};
  bool is4 = false;
};

namespace detail {

// Not constexpr on purpose: reaching it stops the compilation at the row.
void bad_encoding(const char* why);

struct Words {
  const char* at;
  constexpr bool end() {
    while (*at == ' ') ++at;
    return *at == 0;
  }
  constexpr bool take(const char* word, const char* stops = " ") {
    const char* p = at;
    while (*word && *p == *word) ++p, ++word;
    if (*word) return false;
    bool stop = *p == 0;
    for (const char* s = stops; *s; ++s) stop |= *p == *s;
    if (stop) at = p;
    return stop;
  }
  constexpr int hex_digit(char c) const {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
  }
  constexpr u8 byte() {
    const int high = hex_digit(at[0]);
    const int low = high < 0 ? -1 : hex_digit(at[1]);
    if (low < 0) bad_encoding("a byte of two upper-case hexadecimal digits was expected");
    at += 2;
    return static_cast<u8>(high * 16 + low);
  }
};

constexpr void parse_vex(Words& words, Encoding& e) {
  e.vex = true;
  e.prefix = Encoding::Prefix::kNone;
  while (*words.at == '.') {
    ++words.at;
    const char* stops = ". ";
    if (words.take("128", stops) || words.take("L0", stops))
      e.vex_l = 0;
    else if (words.take("256", stops) || words.take("L1", stops))
      e.vex_l = 1;
    else if (words.take("LIG", stops))
      e.vex_l = -1;
    else if (words.take("NP", stops))
      e.prefix = Encoding::Prefix::kNone;
    else if (words.take("66", stops))
      e.prefix = Encoding::Prefix::k66;
    else if (words.take("F2", stops))
      e.prefix = Encoding::Prefix::kF2;
    else if (words.take("F3", stops))
      e.prefix = Encoding::Prefix::kF3;
    else if (words.take("0F", stops))
      e.map = 1;
    else if (words.take("0F38", stops))
      e.map = 2;
    else if (words.take("0F3A", stops))
      e.map = 3;
    else if (words.take("W0", stops))
      e.w = 0;
    else if (words.take("W1", stops))
      e.w = 1;
    else if (words.take("WIG", stops))
      e.w = -1;
    else
      bad_encoding("unknown part of VEX");
  }
}

constexpr void parse_prefixes(Words& words, Encoding& e) {
  if (words.take("VEX", ".")) return parse_vex(words, e);
  if (words.take("NP"))
    e.prefix = Encoding::Prefix::kNone;
  else if (words.take("66"))
    e.prefix = Encoding::Prefix::k66;
  else if (words.take("F2"))
    e.prefix = Encoding::Prefix::kF2;
  else if (words.take("F3"))
    e.prefix = Encoding::Prefix::kF3;
  words.end();
  if (words.take("REX.W"))
    e.w = 1;
  else if (words.take("REX.W0"))
    e.w = 0;
  words.end();
  if (words.take("0F")) {
    e.map = 1;
    words.end();
    if (words.take("38"))
      e.map = 2;
    else if (words.take("3A"))
      e.map = 3;
  }
}

constexpr void parse_opcode(Words& words, Encoding& e) {
  words.end();
  e.opcode = words.byte();
  if (words.take("+r")) e.register_in_opcode = true;
  words.end();
  if (words.hex_digit(*words.at) >= 0) {
    e.has_modrm = true;
    e.fixed_modrm = words.byte();
    if (words.take("+i")) e.fixed_plus_i = true;
  } else if (words.take("/r")) {
    e.has_modrm = true;
  } else if (words.at[0] == '/' && words.at[1] >= '0' && words.at[1] <= '7') {
    e.has_modrm = true;
    e.modrm_reg = static_cast<i8>(words.at[1] - '0');
    words.at += 2;
  }
}

constexpr Encoding::Immediate parse_immediate(Words& words) {
  using Immediate = Encoding::Immediate;
  if (words.take("ib") || words.take("cb")) return Immediate::kByte;
  if (words.take("iw")) return Immediate::kWord;
  if (words.take("id")) return Immediate::kDword;
  if (words.take("iz") || words.take("cz")) return Immediate::kZ;
  if (words.take("iv")) return Immediate::kV;
  if (words.take("cp")) return Immediate::kFar;
  if (words.take("mo")) return Immediate::kOffset;
  bad_encoding("unknown word");
  return Immediate::kNoImmediate;
}

}  // namespace detail

consteval Encoding parse_encoding(const char* text) {
  Encoding e;
  detail::Words words{text};
  words.end();
  detail::parse_prefixes(words, e);
  detail::parse_opcode(words, e);
  for (unsigned n = 0; !words.end(); ++n) {
    if (n == 2) detail::bad_encoding("more than two immediates");
    if (words.take("/is4")) {
      e.is4 = true;
      e.immediates[n] = Encoding::Immediate::kByte;
    } else {
      e.immediates[n] = detail::parse_immediate(words);
    }
  }
  return e;
}

}  // namespace kite::tcg
