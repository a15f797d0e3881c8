#include "tests/isa/support/encodings.h"

#include <fmt/format.h>

#include <algorithm>

namespace kite::isa {
namespace {

using tcg::Encoding;
using tcg::Place;
using tcg::Row;

// What stands behind the opcode byte, and whether it names memory.
struct Tail {
  Bytes bytes;
  bool is_memory = false;
};

std::vector<unsigned> some(std::initializer_list<unsigned> all, Depth depth) {
  std::vector<unsigned> list;
  for (unsigned one : all) {
    if (depth == Depth::kFull || list.size() < 2) list.push_back(one);
  }
  return list;
}

u8 modrm(unsigned mod, unsigned reg, unsigned rm) {
  return static_cast<u8>(mod << 6 | reg << 3 | rm);
}

void add_register_forms(std::vector<Tail>& tails, unsigned reg, Depth depth) {
  for (unsigned rm : some({3, 1, 0, 7, 4, 2, 5, 6}, depth)) {
    tails.push_back({{modrm(3, reg, rm)}, false});
  }
}

void add_memory_forms16(std::vector<Tail>& tails, unsigned reg) {
  for (unsigned rm = 0; rm < 8; ++rm) {
    tails.push_back({{modrm(1, reg, rm), 0x7e}, true});
    tails.push_back({{modrm(2, reg, rm), 0x34, 0xf2}, true});
  }
  tails.push_back({{modrm(0, reg, 6), 0x34, 0x12}, true});
  tails.push_back({{modrm(0, reg, 7)}, true});
}

void add_memory_forms(std::vector<Tail>& tails, unsigned reg, Depth depth) {
  tails.push_back({{modrm(0, reg, 3)}, true});                          // [rbx]
  tails.push_back({{modrm(1, reg, 6), 0xf0}, true});                    // [rsi-10h]
  tails.push_back({{modrm(1, reg, 4), 0x4b, 0x08}, true});              // [rbx+rcx*2+8]
  tails.push_back({{modrm(0, reg, 5), 0x78, 0x56, 0x01, 0x00}, true});  // RIP-relative or absolute
  if (depth == Depth::kShort) return;
  tails.push_back({{modrm(2, reg, 7), 0x40, 0x01, 0x00, 0x00}, true});        // [rdi+140h]
  tails.push_back({{modrm(1, reg, 5), 0x10}, true});                          // [rbp+10h]
  tails.push_back({{modrm(0, reg, 4), 0x24}, true});                          // [rsp]
  tails.push_back({{modrm(0, reg, 4), 0xe0}, true});                          // no index, or r12
  tails.push_back({{modrm(0, reg, 4), 0x25, 0x10, 0x00, 0x10, 0x20}, true});  // absolute
  tails.push_back({{modrm(0, reg, 4), 0xcd, 0x10, 0x00, 0x10, 0x20}, true});  // [rcx*8+20100010h]
  tails.push_back({{modrm(2, reg, 4), 0x95, 0xf8, 0xff, 0xff, 0xff}, true});  // [rbp+rdx*4-8]
}

std::vector<Tail> tails_of(const Row& row, unsigned address_width, Depth depth) {
  const Encoding& e = row.encoding;
  std::vector<Tail> tails;
  if (!e.has_modrm) return {{}};
  if (e.fixed_modrm >= 0) {
    for (unsigned i = 0; i < (e.fixed_plus_i ? 8u : 1u); ++i) {
      tails.push_back({{static_cast<u8>(e.fixed_modrm + i)}, false});
    }
    return tails;
  }
  std::vector<unsigned> regs = some({1, 6, 0, 3, 4, 2, 5, 7}, depth);
  if (e.modrm_reg >= 0) regs.assign(1, static_cast<unsigned>(e.modrm_reg));
  for (unsigned reg : regs) {
    if (!row.has(Place::kModRmMemory)) add_register_forms(tails, reg, depth);
    if (row.has(Place::kModRmRegister)) continue;
    if (address_width == 1)
      add_memory_forms16(tails, reg);
    else
      add_memory_forms(tails, reg, depth);
  }
  return tails;
}

std::vector<Bytes> mandatory_prefixes(const Row& row) {
  switch (row.encoding.prefix) {
    case Encoding::Prefix::kAny:
      return row.attributes.has(tcg::string) ? std::vector<Bytes>{{}, {0x66}, {0xf3}, {0xf2}}
                                             : std::vector<Bytes>{{}, {0x66}};
    case Encoding::Prefix::kNone:
      return {{}};
    case Encoding::Prefix::k66:
      return {{0x66}};
    case Encoding::Prefix::kF3:
      return row.sized ? std::vector<Bytes>{{0xf3}, {0x66, 0xf3}} : std::vector<Bytes>{{0xf3}};
    case Encoding::Prefix::kF2:
      return row.sized ? std::vector<Bytes>{{0xf2}, {0x66, 0xf2}} : std::vector<Bytes>{{0xf2}};
  }
  return {};
}

std::vector<Bytes> rex_prefixes(const Row& row, unsigned code_width, Depth depth) {
  const int w = row.encoding.w;
  if (code_width != 3) return w == 1 ? std::vector<Bytes>{} : std::vector<Bytes>{{}};
  std::vector<Bytes> list;
  for (unsigned rex : {0u, 0x48u, 0x45u, 0x40u, 0x42u, 0x4fu}) {
    const bool has_w = (rex & 8) != 0;
    if (w >= 0 && has_w != (w == 1)) continue;
    list.emplace_back(rex == 0 ? 0 : 1, static_cast<u8>(rex));
    if (depth == Depth::kShort && list.size() == 3) break;
  }
  return list;
}

// Prefixes that matter to memory only.
std::vector<Bytes> memory_prefixes(const Row& row, bool is_memory, unsigned width, Depth depth) {
  std::vector<Bytes> list = {{}};
  if (!is_memory) return list;
  if (row.is_lockable) list.push_back({0xf0});
  if (width != 1) list.push_back({0x65});
  if (depth == Depth::kFull) list.push_back({0x2e});
  return list;
}

void append(Bytes& to, const Bytes& more) {
  for (u8 byte : more) to.push_back(byte);
}

// Everything from the mandatory prefix to the opcode map.
std::vector<Bytes> legacy_leads(const Row& row, unsigned code_width, Depth depth) {
  const Encoding& e = row.encoding;
  std::vector<Bytes> list;
  for (const Bytes& mandatory : mandatory_prefixes(row)) {
    for (const Bytes& rex : rex_prefixes(row, code_width, depth)) {
      Bytes lead = mandatory;
      append(lead, rex);
      if (e.map > 0) lead.push_back(0x0f);
      if (e.map > 1) lead.push_back(e.map == 2 ? 0x38 : 0x3a);
      list.push_back(lead);
    }
  }
  return list;
}

struct VexFields {
  unsigned rxb, w, vvvv, l;
};

// The three-byte form, and the two-byte form where the fields fit into it (SDM 2A 2.3.5).
void add_vex(std::vector<Bytes>& list, const Encoding& e, const VexFields& f) {
  constexpr unsigned kPp[] = {0, 0, 1, 2, 3};  // by Encoding::Prefix
  const unsigned pp = kPp[static_cast<unsigned>(e.prefix)];
  const unsigned low = (~f.vvvv & 15) << 3 | f.l << 2 | pp;
  list.push_back(
      {0xc4, static_cast<u8>((~f.rxb & 7) << 5 | e.map), static_cast<u8>(f.w << 7 | low)});
  if (e.map == 1 && f.w == 0 && (f.rxb & 3) == 0)
    list.push_back({0xc5, static_cast<u8>((~f.rxb & 4) << 5 | low)});
}

std::vector<Bytes> vex_leads(const Row& row, unsigned code_width, Depth depth) {
  const Encoding& e = row.encoding;
  const bool names_vvvv = row.has(Place::kVvvv);
  // R, X, B and vvvv vary together: nothing depends on a pair of them.
  std::vector<std::pair<unsigned, unsigned>> registers = {{0, 3}, {0, 6}};
  if (code_width == 3) registers = {{0, 3}, {5, 10}};
  if (code_width == 3 && depth == Depth::kFull)
    registers.insert(registers.end(), {{2, 6}, {7, 15}});
  std::vector<Bytes> list;
  for (unsigned w = 0; w < 2; ++w) {
    if (e.w >= 0 && e.w != static_cast<int>(w)) continue;
    for (unsigned l = 0; l < 2; ++l) {
      if (e.vex_l >= 0 && e.vex_l != static_cast<int>(l)) continue;
      for (const auto& [rxb, vvvv] : registers)
        add_vex(list, e, {rxb, w, names_vvvv ? vvvv : 0, l});
    }
  }
  return list;
}

void each_with_address_size(const Row& row, unsigned code_width, bool address_prefix, Depth depth,
                            const std::function<void(const Bytes&)>& use) {
  constexpr unsigned kNarrower[] = {0, 2, 1, 2};
  const unsigned address_width = address_prefix ? kNarrower[code_width] : code_width;
  const Encoding& e = row.encoding;
  const std::vector<Tail> tails = tails_of(row, address_width, depth);
  const std::vector<Bytes> leads =
      e.vex ? vex_leads(row, code_width, depth) : legacy_leads(row, code_width, depth);
  for (const Bytes& lead : leads) {
    for (const Tail& tail : tails) {
      if (address_prefix && e.has_modrm && !tail.is_memory) continue;
      const bool has_sib = tail.is_memory && address_width != 1 && (tail.bytes[0] & 7) == 4;
      if (row.attributes.has(tcg::vsib) && !has_sib) continue;
      for (const Bytes& more : memory_prefixes(row, tail.is_memory, address_width, depth)) {
        for (unsigned i = 0; i < (e.register_in_opcode ? 8u : 1u); ++i) {
          Bytes bytes;
          if (address_prefix) bytes.push_back(0x67);
          append(bytes, more);
          append(bytes, lead);
          bytes.push_back(static_cast<u8>(e.opcode + i));
          append(bytes, tail.bytes);
          use(bytes);
        }
      }
    }
  }
}

}  // namespace

void for_each_encoding(const Row& row, unsigned code_width, Depth depth,
                       const std::function<void(const Bytes&)>& use) {
  if (row.attributes.has(code_width == 3 ? tcg::not64 : tcg::only64)) return;
  each_with_address_size(row, code_width, false, depth, use);
  each_with_address_size(row, code_width, true, depth, use);
}

Bytes immediate_pattern(unsigned n) {
  constexpr u8 kFirst[kImmediatePatterns] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0x1f, 0x21, 0x55};
  constexpr u8 kRest[kImmediatePatterns] = {0x00, 0x00, 0xff, 0x00, 0xff, 0x80, 0x00, 0x7f};
  n %= kImmediatePatterns;
  Bytes bytes(16, kRest[n]);
  bytes[0] = kFirst[n];
  return bytes;
}

tcg::Mode mode_of(unsigned code_width, unsigned cpl) {
  tcg::Mode mode;
  mode.code_width = code_width & 3;
  mode.stack32 = code_width == 2;
  mode.cpl = cpl & 3;
  mode.protected_mode = 1;
  return mode;
}

std::string hex(std::span<const u8> bytes) {
  std::string text;
  for (u8 byte : bytes) text += fmt::format("{}{:02X}", text.empty() ? "" : " ", byte);
  return text;
}

}  // namespace kite::isa
