// The translator against the interpreter: what an instruction leaves for the next, and a block for
// the blocks behind it.
// In reports "silicon" is the translator.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "accel/tcg/translator/translator.h"
#include "tests/isa/translator/block_comparison.h"
#include "tests/isa/translator/block_maker.h"
#include "tests/isa/translator/call_maker.h"
#include "tests/isa/translator/extent.h"

namespace kite::oracle {
namespace {

// Parameter: 64-bit code.
class TranslatedPrograms : public testing::TestWithParam<bool> {
 protected:
  TranslatedPrograms() { tcg::Translator::runs_before = 0; }
  ~TranslatedPrograms() override { tcg::Translator::runs_before = 1; }

  void compare(ProgramMaker& maker, u64 programs) {
    const Extent extent(programs);
    BlockComparison comparison(maker, GetParam(), extent.seed());
    if (!comparison.unavailable().empty()) GTEST_SKIP() << comparison.unavailable();
    const double seconds =
        extent.each_batch(kPrograms, [&](u64 batch) { comparison.run_batch(batch); });
    const std::string summary = fmt::format(
        "seed {}: {} runs, {} differ, {} faulted; {} blocks, {} not translated; {:.0f} runs/s\n",
        extent.seed(), comparison.run(), comparison.differing(), comparison.faults(),
        comparison.blocks(), comparison.declined(),
        static_cast<double>(comparison.run()) / seconds);
    std::fputs(summary.c_str(), stdout);
    EXPECT_EQ(comparison.differing(), 0u) << comparison.report();
    EXPECT_LE(comparison.declined(), comparison.run() / 4);
  }
};

TEST_P(TranslatedPrograms, BlocksDoAsTheirHandlersDo) {
  BlockMaker maker(GetParam());
  compare(maker, 40'000);
}

TEST_P(TranslatedPrograms, ReturnsGoWhereTheStackSays) {
  CallMaker maker(GetParam());
  compare(maker, 8'000);
}

INSTANTIATE_TEST_SUITE_P(, TranslatedPrograms, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Code64" : "Code32"; });

}  // namespace
}  // namespace kite::oracle
