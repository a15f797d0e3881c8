#include "machine/console_watch.h"

#include <gtest/gtest.h>

namespace kite {
namespace {

std::span<const u8> bytes_of(std::string_view text) {
  return {reinterpret_cast<const u8*>(text.data()), text.size()};
}

struct TextTest : ::testing::Test {
  std::vector<std::string> lines;
  ConsoleText text{[this](const std::string& line) { lines.push_back(line); }};
  void feed(std::string_view bytes) { text.feed(bytes_of(bytes)); }
};

TEST_F(TextTest, AnyMixtureOfReturnAndFeedEndsALineOnce) {
  feed("one\r\ntwo\n\rthree\r\r\nfour\n");
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two", "three", "four"}));
}

TEST_F(TextTest, ColoursAndTitlesAreSwallowedAlsoInPieces) {
  for (char byte :
       std::string_view("\x1b[1;32mok\x1b[0m \x1b]0;title\x07 a\x1b(Bb\x1bPx\x1b\\c\n")) {
    feed({&byte, 1});
  }
  EXPECT_EQ(lines, std::vector<std::string>{"ok  abc"});
}

TEST_F(TextTest, MovingTheCursorElsewhereEndsTheLine) {
  feed("left\x1b[2;1Hright\x1b[2J");
  EXPECT_EQ(lines, (std::vector<std::string>{"left", "right"}));
}

TEST_F(TextTest, AnEndlessLineIsToldInPiecesThatOverlap) {
  feed(std::string(3 * ConsoleText::kLongestLine, 'x'));
  EXPECT_GE(lines.size(), 3u);
  for (const std::string& line : lines) EXPECT_LE(line.size(), ConsoleText::kLongestLine);
}

TEST_F(TextTest, AnEndlessSequenceIsGivenUp) {
  feed("\x1b]" + std::string(2 * ConsoleText::kLongestSequence, 'x') + "\nafter\n");
  EXPECT_EQ(lines.back(), "after");
}

TEST_F(TextTest, TheLastLineIsTheUnfinishedOneIfAnythingStandsOnIt) {
  feed("done\r\n  ");
  EXPECT_EQ(text.last(), "done");
  feed("login: ");
  EXPECT_EQ(text.last(), "  login: ");
}

ConsolePattern pattern(std::string_view text) {
  return ConsolePattern::compile("--expect", text).value();
}

TEST(ConsolePattern, KnowsTheClassesOfPerl) {
  EXPECT_TRUE(pattern("^a\\d+\\s[\\w-]+$").found_in("a12 b-c", true));
  EXPECT_FALSE(pattern("\\d").found_in("d\\", true));
  EXPECT_TRUE(pattern("[]d]\\.").found_in("].", true));
}

TEST(ConsolePattern, AnUnfinishedLineHasNoEnd) {
  EXPECT_FALSE(pattern("ok$").found_in("ok", false));
  EXPECT_TRUE(pattern("ok$").found_in("ok", true));
}

TEST(ConsolePattern, WhatIsNoExpressionNamesOptionAndText) {
  auto result = ConsolePattern::compile("--fail-on", "a(b");
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::kUsage);
  EXPECT_NE(result.error().message.find("--fail-on 'a(b'"), std::string::npos);
  EXPECT_FALSE(ConsolePattern::compile("--expect", ""));
}

TEST(ConsolePattern, NestedRepetitionOnALongLineIsNoTrap) {
  std::string line(ConsoleText::kLongestLine, 'a');
  EXPECT_FALSE(pattern("^(a+)+$").found_in(line + "b", true));
}

TEST(PanicDetector, KnowsLinuxWithAndWithoutTimeStamps) {
  for (std::string_view line :
       {"Kernel panic - not syncing: Attempted to kill init!",
        "[    0.5] Kernel panic - not syncing: x",
        "<0>[    0.5][    T1] Kernel panic - not syncing: x",
        "# [   12.3] Kernel panic - not syncing: user space left its line open"}) {
    EXPECT_TRUE(PanicDetector().is_panic(line)) << line;
  }
}

TEST(PanicDetector, IsNotFooledByTalkOfPanics) {
  for (std::string_view line :
       {"# grep 'Kernel panic - not syncing' log", "panic=-1 in the command line",
        "panic: runtime error: index out of range"}) {
    EXPECT_FALSE(PanicDetector().is_panic(line)) << line;
  }
}

TEST(PanicDetector, KnowsTheBsdsByWhatFollows) {
  const std::vector<std::vector<std::string_view>> panics = {
      {"panic: vm_fault: fault on nofault entry", "cpuid = 0"},
      {"[   1.0000] panic: cnopen: no console device", "[   1.0000] cpu0: Begin traceback..."},
      {"panic: init died", "Stopped at      db_enter+0x14:  popq    %rbp"},
  };
  for (const auto& lines : panics) {
    PanicDetector detector;
    EXPECT_FALSE(detector.is_panic(lines[0]));
    EXPECT_TRUE(detector.is_panic(lines[1])) << lines[1];
    EXPECT_EQ(detector.message(), lines[0]);
  }
}

TEST(PanicDetector, AGoProgramsPanicIsNotTheKernels) {
  PanicDetector detector;
  for (std::string_view line : {"panic: boom", "goroutine 1 [running]:", "main.main()"}) {
    EXPECT_FALSE(detector.is_panic(line));
  }
}

TEST(ConsoleWatch, WakesOncePerBatch) {
  int wakes = 0;
  ConsoleWatch watch({}, {}, [&] { wakes++; });
  for (int i = 0; i < 100; i++) watch.observe(bytes_of("x"));
  EXPECT_EQ(wakes, 1);
  watch.review();
  watch.observe(bytes_of("y"));
  EXPECT_EQ(wakes, 2);
}

TEST(ConsoleWatch, WithoutExpectationsNothingIsEverComplete) {
  ConsoleWatch watch({}, {}, [] {});
  watch.observe(bytes_of("anything\n"));
  EXPECT_FALSE(watch.review().everything_expected);
}

TEST(ConsoleWatch, HoldsABoundedNumberOfBytesThatNobodyHasReviewed) {
  ConsoleWatch watch({}, {}, [] {});
  const std::string megabyte(MiB, 'x');
  for (int i = 0; i < 20; i++) watch.observe(bytes_of(megabyte));
  watch.observe(bytes_of("\nafter\n"));
  watch.review();
  watch.observe(bytes_of("\nlast\n"));
  watch.review();
  EXPECT_EQ(watch.last_line(), "last");
}

TEST(ConsoleWatch, KeepsABoundedNumberOfPanicLines) {
  ConsoleWatch watch({}, {}, [] {});
  watch.observe(bytes_of("Kernel panic - not syncing: x\n"));
  for (int i = 0; i < 1000; i++) watch.observe(bytes_of("trace\n"));
  EXPECT_TRUE(watch.review().panic);
  EXPECT_EQ(watch.panic_lines().size(), ConsoleWatch::kPanicLines);
}

}  // namespace
}  // namespace kite
