// The recorder: writes what this host's silicon does to the file KITE_ISA_RECORD names, some cases
// of each row. tests/isa/README.md has the command.
#include "tests/isa/oracle/record.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/isa/oracle/compare.h"
#include "tests/isa/oracle/interpreter.h"
#include "tests/isa/silicon/campaign.h"
#include "tests/isa/silicon/native.h"

namespace kite::oracle {
namespace {

constexpr u64 kPoolSeed = 2026;
constexpr u64 kCasesPerRow = 14;
constexpr u64 kFaultsPerRow = 3;

class Recorder {
 public:
  Result<> start() {
    KITE_CHECK(native_.start());
    fill_pool(native_.pool(), kPoolSeed);
    writer_ = std::make_unique<RecordWriter>(native_.pool(), kPoolSeed, host_maker());
    return {};
  }

  // Runs more cases of `row` than are kept, and keeps a mixture of those that agree.
  Result<> add(const tcg::Row& row) {
    constexpr u32 kTries = 120;
    std::vector<Origin> origins(kTries);
    u32 count = 0;
    for (u32 i = 0; i < kTries; ++i)
      if (auto test = make_case(interpreter_.decoder(), row, count, random_, origins[count]))
        native_.cases()[count++] = *test;
    KITE_CHECK(native_.run(count));
    interpreter_.begin(native_.pool(), {native_.cases(), count});
    u64 kept = 0, faults = 0;
    for (u32 i = 0; i < count && kept < kCasesPerRow; ++i) {
      const Outcome& silicon = native_.outcomes()[i];
      const bool fault = silicon.vector != Outcome::kWentOn;
      if (fault && faults == kFaultsPerRow) continue;
      if (silicon.vector == Outcome::kDied || silicon.change_count > Outcome::kMaxChanges) continue;
      const Case& test = native_.cases()[i];
      interpreter_.run(test, origins[i].insn, ours_);
      EXPECT_EQ(difference(origins[i], test, host_maker(), silicon, ours_), "") << row.name;
      // What is read from the slots beside it would not be there when the case is alone.
      alone_.begin(native_.pool(), {&test, 1});
      alone_.run(test, origins[i].insn, ours_);
      if (!difference(origins[i], test, host_maker(), silicon, ours_).empty()) continue;
      writer_->add(test, silicon);
      ++kept;
      faults += fault;
    }
    return {};
  }

  std::vector<u8> finish() { return writer_->finish(); }

 private:
  Interpreter interpreter_, alone_;
  NativeRunner native_;
  Random random_{kPoolSeed};
  std::unique_ptr<RecordWriter> writer_;
  Outcome ours_;
};

TEST(Recorder, WritesWhatSiliconDoes) {
  const char* path = std::getenv("KITE_ISA_RECORD");
  if (!path) GTEST_SKIP() << "KITE_ISA_RECORD names no file to write";
  Recorder recorder;
  auto started = recorder.start();
  ASSERT_TRUE(started) << started.error().message;
  for (const tcg::Row* row : Campaign::compared_rows())
    ASSERT_TRUE(recorder.add(*row)) << row->name;
  const std::vector<u8> bytes = recorder.finish();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

}  // namespace
}  // namespace kite::oracle
