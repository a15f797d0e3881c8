#include "accel/tcg/translator/jump_table.h"

#include <gtest/gtest.h>

namespace kite::tcg {
namespace {

constexpr u64 kLinear = 0xffff'ffff'8100'1234;
constexpr u8 kCode[2] = {};

// What translated code finds.
const u8* found(JumpTable& table, u64 linear, u64 context) {
  const JumpTable::Entry& entry = table.entries()[(linear + context) & 0xffff];
  return linear + context + entry.tag == 0 ? entry.code : nullptr;
}

TEST(JumpTable, FindsAnAddressInTheContextItWasAddedFor) {
  JumpTable table;
  const u64 context = table.context(1, 2);
  EXPECT_EQ(found(table, kLinear, context), nullptr);
  table.add(kLinear, context, kCode);
  EXPECT_EQ(found(table, kLinear, context), kCode);
  EXPECT_EQ(found(table, kLinear + 0x10000, context), nullptr);
}

TEST(JumpTable, KnowsTheAddressOfAnEntry) {
  JumpTable table;
  const u64 context = table.context(1, 2);
  table.add(kLinear, context, kCode);
  const JumpTable::Entry& entry = table.entries()[(kLinear + context) & 0xffff];
  EXPECT_EQ(entry.linear(context), kLinear);
}

// Translated code jumps to what it finds, and looks with 0 for the context at any time.
TEST(JumpTable, AnEmptyEntryMatchesNothing) {
  JumpTable table;
  const auto expect_empty = [&] {
    for (u64 index = 0; index < 65536; ++index) {
      const u64 matched = 0 - table.entries()[index].tag;
      ASSERT_NE(matched % 65536, index);
    }
  };
  expect_empty();
  const u64 context = table.context(1, 2);
  EXPECT_NE(context, 0u);
  table.add(0 - context, context, kCode);
  EXPECT_EQ(found(table, 0 - context, context), kCode);
  table.forget_code(0, kCode);
  expect_empty();
  table.add(0 - context, context, kCode);
  table.clear();
  expect_empty();
}

TEST(JumpTable, AddressSpacesAndModesAreContextsOfTheirOwn) {
  JumpTable table;
  const u64 context = table.context(1, 2);
  EXPECT_EQ(table.context(1, 2), context);
  table.add(kLinear, context, kCode);
  for (u64 other : {table.context(2, 2), table.context(1, 3)}) {
    EXPECT_NE(other, context);
    EXPECT_EQ(found(table, kLinear, other), nullptr);
  }
}

TEST(JumpTable, RenewedContextsFindNothingOfBefore) {
  JumpTable table;
  table.add(kLinear, table.context(1, 2), kCode);
  table.renew_contexts();
  EXPECT_EQ(found(table, kLinear, table.context(1, 2)), nullptr);
}

// Two tables of one process: a guest that knows one machine's contexts knows no other's.
TEST(JumpTable, ContextsCannotBeGuessed) {
  EXPECT_NE(JumpTable().context(1, 2), JumpTable().context(1, 2));
}

TEST(JumpTable, ForgetsCodeWhereverItsPageIsMapped) {
  JumpTable table;
  const u64 context = table.context(1, 2);
  const u64 elsewhere = kLinear + 5 * kPageSize, other = kLinear + 1;
  table.add(kLinear, context, kCode);
  table.add(elsewhere, context, kCode);
  table.add(other, context, kCode + 1);
  table.forget_code(kLinear % kPageSize, kCode);
  EXPECT_EQ(found(table, kLinear, context), nullptr);
  EXPECT_EQ(found(table, elsewhere, context), nullptr);
  EXPECT_EQ(found(table, other, context), kCode + 1);
}

TEST(JumpTable, NotesThePagesThatHaveEntries) {
  JumpTable table;
  EXPECT_FALSE(table.may_have_page(kLinear));
  table.add(kLinear, table.context(1, 2), kCode);
  EXPECT_TRUE(table.may_have_page(kLinear));
  table.forget_notes();
  EXPECT_FALSE(table.may_have_page(kLinear));
}

}  // namespace
}  // namespace kite::tcg
