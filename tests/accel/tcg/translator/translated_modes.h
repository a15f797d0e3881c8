// A processor whose code is translated before it first runs: a test's few bytes run translated.
#pragma once

#include "accel/tcg/translator/translator.h"
#include "tests/accel/tcg/modes.h"

namespace kite {

class TranslatedModes : public ModesTest {
 protected:
  explicit TranslatedModes(std::string_view model = "max") : ModesTest(model) {
    tcg::Translator::runs_before = 0;
  }
  void SetUp() override {
    if (!tcg::host_can_translate()) GTEST_SKIP() << "the host's processor cannot";
  }
  ~TranslatedModes() override { tcg::Translator::runs_before = 1; }

  u64& gpr(unsigned number) { return state_.gpr[number]; }
  void expect_general_protection_at(const X86State& after, u64 rip) {
    EXPECT_EQ(vector_of(after), kGeneralProtection);
    EXPECT_EQ(quad(after, 0), 0u);
    EXPECT_EQ(quad(after, 1), rip);
    EXPECT_EQ(quad(after, 4), kStack) << "RSP";
  }
};

}  // namespace kite
