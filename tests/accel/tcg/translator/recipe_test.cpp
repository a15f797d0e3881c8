#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "accel/tcg/decode.h"
#include "accel/tcg/translator/treatment.h"
#include "accel/x86/cpu_model.h"
#include "accel/x86/registers.h"

namespace kite::tcg {
namespace {

Recipe recipe(std::string_view text) {
  const auto found = std::ranges::find_if(rows(), [&](const Row& row) { return row.text == text; });
  if (found != rows().end()) return recipe_of(*found);
  ADD_FAILURE() << "no row " << text;
  return {};
}

TEST(Recipe, MemoryIsAsWideAsItsLetterSays) {
  EXPECT_EQ(recipe("01 /r").memory_bytes, (std::array<u8, 4>{1, 2, 4, 8}));
  EXPECT_EQ(recipe("00 /r").memory_bytes, (std::array<u8, 4>{1, 1, 1, 1}));
  EXPECT_EQ(recipe("0F B7 /r").memory_bytes, (std::array<u8, 4>{2, 2, 2, 2}));
  EXPECT_EQ(recipe("NP 0F 28 /r").memory_bytes, (std::array<u8, 4>{16, 16, 16, 16}));
}

TEST(Recipe, WritesMemoryWhereThatIsTheTarget) {
  EXPECT_TRUE(recipe("01 /r").writes_memory);
  EXPECT_FALSE(recipe("03 /r").writes_memory);
  EXPECT_FALSE(recipe("39 /r").writes_memory);
}

TEST(Recipe, OnlyWhatSseAlignsIsAligned) {
  EXPECT_TRUE(recipe("NP 0F 28 /r").is_aligned);
  EXPECT_FALSE(recipe("NP 0F 10 /r").is_aligned);
  EXPECT_FALSE(recipe("01 /r").is_aligned);
}

TEST(Recipe, KnowsRegistersThatTheEncodingDoesNotName) {
  EXPECT_EQ(recipe("F7 /4").fixed_written, 1u << kRax | 1u << kRdx);
  EXPECT_EQ(recipe("01 /r").fixed_written, 0u);
}

TEST(Recipe, KnowsAdditionsOfConstants) {
  EXPECT_EQ(recipe("FF /0").adds, 1);
  EXPECT_EQ(recipe("FF /1").adds, -1);
  EXPECT_EQ(recipe("83 /0 ib").adds_immediate, 1);
  EXPECT_EQ(recipe("83 /5 ib").adds_immediate, -1);
  EXPECT_EQ(recipe("83 /4 ib").adds_immediate, 0);
}

TEST(Recipe, IsOfNoUseWithoutTheRowsHandler) {
  constexpr std::array<u8, 1> kHlt = {0xf4};
  const Decoder decoder(*find_cpu_model("max"));
  Mode mode;
  mode.code_width = 3;
  mode.protected_mode = true;
  Insn hlt;
  ASSERT_EQ(decoder.decode(kHlt, mode, hlt), DecodeStatus::kOk);
  EXPECT_TRUE(Decoder::has_rows_handler(hlt));
  mode.cpl = 3;
  ASSERT_EQ(decoder.decode(kHlt, mode, hlt), DecodeStatus::kOk);
  EXPECT_FALSE(Decoder::has_rows_handler(hlt));
}

}  // namespace
}  // namespace kite::tcg
