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
  return memory ? !row.has(Place::kModRmRegister) : !row.has(Place::kModRmMemory);
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
    for (unsigned width = row.by_length ? 0 : 1; width <= (row.by_length ? 1u : 3u); ++width)
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

// Does any row that is not VEX-coded take this opcode in 64-bit mode, with some prefix and ModRM?
bool has_row(unsigned map, unsigned opcode) {
  return std::ranges::any_of(rows(), [&](const Row& row) {
    const Encoding& e = row.encoding;
    return !e.vex && e.map == map && !row.attributes.has(not64) &&
           e.opcode == (e.register_in_opcode ? opcode & ~7u : opcode);
  });
}

struct Range {
  unsigned first, last;
  const char* reason;
};

void expect_holes(unsigned map, std::initializer_list<Range> holes) {
  for (unsigned opcode = 0; opcode < 256; ++opcode) {
    const auto* hole = std::ranges::find_if(
        holes, [&](const Range& r) { return r.first <= opcode && opcode <= r.last; });
    const bool is_hole = hole != holes.end();
    EXPECT_EQ(has_row(map, opcode), !is_hole)
        << std::hex << opcode << (is_hole ? std::string(": ") + hole->reason : "");
  }
}

// The opcodes that raise #UD on this processor, whatever stands before and behind them; any other
// has a row (SDM 2D tables; APM 3 tables ).
TEST(RowTable, TheTwoByteMapHasNoHoleButThese) {
  expect_holes(1, {{0x04, 0x04, "reserved"},
                   {0x0a, 0x0a, "reserved"},
                   {0x0c, 0x0c, "reserved"},
                   {0x0e, 0x0f, "3DNow!, which AMD gave up with family 15h"},
                   {0x24, 0x27, "the test registers of the i486"},
                   {0x36, 0x36, "reserved"},
                   {0x37, 0x37, "GETSEC: no safer mode extensions"},
                   {0x38, 0x38, "another map"},
                   {0x39, 0x39, "reserved"},
                   {0x3a, 0x3a, "another map"},
                   {0x3b, 0x3f, "reserved"},
                   {0x78, 0x79, "VMREAD and VMWRITE, EXTRQ and INSERTQ: no VMX, no SSE4A"},
                   {0x7a, 0x7b, "reserved"},
                   {0xa6, 0xa7, "reserved"},
                   {0xaa, 0xaa, "RSM, outside system management mode"}});
}

TEST(RowTable, The0F38MapHasNoHoleButThese) {
  expect_holes(2, {{0x0c, 0x0f, "VEX only"},
                   {0x11, 0x13, "reserved"},
                   {0x16, 0x16, "VEX only"},
                   {0x18, 0x1b, "VEX only"},
                   {0x1f, 0x1f, "AVX-512 only"},
                   {0x26, 0x27, "AVX-512 only"},
                   {0x2c, 0x2f, "VEX only"},
                   {0x36, 0x36, "VEX only"},
                   {0x42, 0x7f, "VEX only"},
                   {0x80, 0x81, "INVEPT, INVVPID: no VMX"},
                   {0x83, 0xc7, "VEX only"},
                   {0xce, 0xce, "reserved"},
                   {0xd0, 0xda, "Key Locker"},
                   {0xe0, 0xef, "VEX only"},
                   {0xf2, 0xf4, "VEX only"},
                   {0xf5, 0xf5, "WRUSS: no shadow stacks"},
                   {0xf7, 0xf7, "VEX only"},
                   {0xf8, 0xf9, "MOVDIR64B, ENQCMD, MOVDIRI"},
                   {0xfa, 0xff, "Key Locker"}});
}

TEST(RowTable, The0F3AMapHasNoHoleButThese) {
  expect_holes(3, {{0x00, 0x07, "VEX only"},
                   {0x10, 0x13, "reserved"},
                   {0x18, 0x1f, "VEX only"},
                   {0x23, 0x3f, "VEX only"},
                   {0x43, 0x43, "AVX-512 only"},
                   {0x45, 0x5f, "VEX only"},
                   {0x64, 0xcb, "VEX only"},
                   {0xcd, 0xcd, "reserved"},
                   {0xd0, 0xde, "reserved"},
                   {0xe0, 0xff, "VEX only, HRESET"}});
}

// The same for the groups that most extensions share, by ModRM; for what needs another prefix, any.
TEST(RowTable, TheSharedGroupsHaveNoHoleButThese) {
  const auto holes = [](unsigned opcode, unsigned first, unsigned last) {
    std::set<unsigned> set;
    for (unsigned modrm = first; modrm <= last; modrm += modrm < 0xc0 ? 8 : 1) {
      if (modrm == 0x40) modrm = 0xc0;
      bool found = false;
      for (Prefix prefix : {Prefix::kNone, Prefix::k66, Prefix::kF3, Prefix::kF2})
        for (const Row& row : rows())
          for (bool w : {false, true}) found |= takes(row, {1, opcode, modrm, prefix, w, true});
      if (!found) set.insert(modrm);
    }
    return set;
  };
  const auto bytes = [](std::initializer_list<Range> ranges) {
    std::set<unsigned> set;
    for (const Range& range : ranges)
      for (unsigned byte = range.first; byte <= range.last; ++byte) set.insert(byte);
    return set;
  };
  EXPECT_EQ(holes(0x01, 0x00, 0xff), bytes({{0x28, 0x28, "RSTORSSP"},
                                            {0xc0, 0xc0, "ENCLV"},
                                            {0xc2, 0xc9, "VMX, PCONFIG, MONITOR and MWAIT"},
                                            {0xcc, 0xcf, "TDX, ENCLS"},
                                            {0xd2, 0xd8, "VMFUNC, TSX, ENCLU, VMRUN"},
                                            {0xda, 0xdf, "SVM"},
                                            {0xe9, 0xed, "TSX, shadow stacks, UINTR"},
                                            {0xfa, 0xff, "MONITORX, CLZERO, RDPRU, INVLPGB"}}));
  EXPECT_EQ(holes(0xae, 0x00, 0x3f), bytes({}));
  EXPECT_EQ(holes(0xae, 0xc0, 0xff), bytes({{0xe0, 0xe7, "PTWRITE"}}));
  EXPECT_EQ(holes(0xc7, 0x00, 0x3f), (std::set<unsigned>{0x00, 0x10, 0x18, 0x28, 0x30, 0x38}));
  EXPECT_EQ(holes(0xc7, 0xc0, 0xff), bytes({{0xc0, 0xef, "nothing"}}));
}

}  // namespace
}  // namespace kite::tcg
