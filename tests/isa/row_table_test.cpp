// The table of rows as a whole: nothing ambiguous, nothing misspelt, every hole known.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "accel/tcg/decode.h"
#include "accel/tcg/isa/row.h"

namespace kite::tcg {
namespace {

using Prefix = Encoding::Prefix;

bool has_place(const Row& row, Place place) {
  return std::any_of(row.operands.begin(), row.operands.begin() + row.operand_count,
                     [&](const OperandSpec& operand) { return operand.place == place; });
}

// Does this row decode for these bytes? Written from the notation's definition, not from the
// decoder.
struct Bytes {
  unsigned map, opcode, modrm;
  Prefix prefix;  // kNone, k66, kF3 or kF2
  bool w, long_mode;
};

bool takes(const Row& row, const Bytes& bytes) {
  const Encoding& e = row.encoding;
  const unsigned opcode = e.register_in_opcode ? bytes.opcode & ~7u : bytes.opcode;
  if (e.vex || e.map != bytes.map || e.opcode != opcode) return false;
  if (row.attributes.has(bytes.long_mode ? not64 : only64)) return false;
  if (e.prefix != Prefix::kAny && e.prefix != bytes.prefix) return false;
  if (e.w >= 0 && e.w != bytes.w) return false;
  if (!e.has_modrm) return true;
  if (e.fixed_modrm >= 0)
    return static_cast<int>(e.fixed_plus_i ? bytes.modrm & ~7u : bytes.modrm) == e.fixed_modrm;
  if (e.modrm_reg >= 0 && e.modrm_reg != static_cast<int>(bytes.modrm >> 3 & 7)) return false;
  const bool memory = bytes.modrm < 0xc0;
  return memory ? !has_place(row, Place::kModRmRegister) : !has_place(row, Place::kModRmMemory);
}

// How much a row says about its bytes: the more specific of two that match is meant.
int weight(const Row& row) {
  const Encoding& e = row.encoding;
  return (e.fixed_modrm >= 0 ? e.fixed_plus_i ? 16 : 32 : 0) + (e.modrm_reg >= 0 ? 8 : 0) +
         (e.prefix != Prefix::kAny ? 4 : 0) + (e.w >= 0 ? 2 : 0) + (e.register_in_opcode ? 0 : 1);
}

template <class Visit>
void for_all_bytes(Visit visit) {
  for (unsigned map = 0; map < 4; ++map)
    for (unsigned opcode = 0; opcode < 256; ++opcode)
      for (Prefix prefix : {Prefix::kNone, Prefix::k66, Prefix::kF3, Prefix::kF2})
        for (bool w : {false, true})
          for (bool long_mode : {false, true})
            for (unsigned modrm = 0; modrm < 256; modrm += modrm < 0xc0 ? 8 : 1)
              visit(Bytes{map, opcode, modrm, prefix, w, long_mode});
}

TEST(RowTable, NoTwoRowsOfTheSameWeightTakeTheSameBytes) {
  std::set<std::string> ambiguous;
  // Only rows of one opcode can meet, so they are compared in pairs over the bytes of their opcode.
  std::vector<std::vector<const Row*>> slots(4 * 256);
  for (const Row& row : rows())
    if (!row.encoding.vex)
      for (unsigned i = 0; i < (row.encoding.register_in_opcode ? 8u : 1u); ++i)
        slots[row.encoding.map * 256u + row.encoding.opcode + i].push_back(&row);
  for_all_bytes([&](const Bytes& bytes) {
    const auto& slot = slots[bytes.map * 256 + bytes.opcode];
    int best = -1;
    const Row* winner = nullptr;
    for (const Row* row : slot) {
      if (!takes(*row, bytes) || weight(*row) < best) continue;
      if (weight(*row) == best)
        ambiguous.insert(std::string(winner->text) + " " + winner->name + " / " + row->text + " " +
                         row->name);
      best = weight(*row);
      winner = row;
    }
  });
  for (const auto& pair : ambiguous) ADD_FAILURE() << pair;
}

TEST(RowTable, FlagLettersAreOfTheNotation) {
  for (const Row& row : rows()) {
    const std::string letters = row.flags;
    ASSERT_EQ(letters.size(), 6u) << row.name;
    EXPECT_EQ(letters.find_first_not_of("MTB01- "), std::string::npos) << row.text << row.name;
  }
}

TEST(RowTable, EveryImplementedRowHasAHandlerForEveryShapeAndWidth) {
  for (const Row& row : rows())
    for (unsigned width = 1; width <= 3; ++width)
      for (Shape shape : {Shape::kRegister, Shape::kMemory})
        EXPECT_NE(row.handler(width, shape), nullptr) << row.text << " " << row.name;
}

TEST(RowTable, ALockableRowBeginsWithAMemoryOperandItWrites) {
  for (const Row& row : rows())
    if (row.is_lockable) {
      const OperandSpec& first = row.operands[0];
      const bool memory = first.place == Place::kModRm || first.place == Place::kModRmMemory;
      EXPECT_TRUE(memory && first.use == Use::kReadWrite) << row.text << " " << row.name;
    }
}

// The opcodes of the one-byte map that mean nothing in 64-bit mode on any processor (SDM 2D table
// A-2), prefixes apart.
TEST(RowTable, TheOneByteMapHasNoHoleButTheManualsIn64BitMode) {
  const std::set<unsigned> undefined = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27,
                                        0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62, 0x82, 0x9a,
                                        0xc4, 0xc5, 0xce, 0xd4, 0xd5, 0xd6, 0xea};
  const std::set<unsigned> prefixes = {0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64,
                                       0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    if (prefixes.count(opcode) || (opcode >= 0x40 && opcode < 0x50)) continue;
    bool found = false;
    for (unsigned modrm = 0; modrm < 256 && !found; ++modrm)
      for (const Row& row : rows())
        found |= takes(row, {0, opcode, modrm, Prefix::kNone, false, true});
    EXPECT_EQ(found, undefined.count(opcode) == 0) << std::hex << opcode;
  }
}

}  // namespace
}  // namespace kite::tcg
