// The interpreter against what silicon did when it was asked (tests/isa/vectors), on every host.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "tests/isa/oracle/compare.h"
#include "tests/isa/oracle/interpreter.h"
#include "tests/isa/oracle/record.h"
#include "tests/paths.h"

namespace kite::oracle {
namespace {

std::vector<u8> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(RecordedVectors, EqualTheInterpreter) {
  RecordReader reader(read_file(std::string(paths::kSource) + "/tests/isa/vectors/intel.bin"));
  ASSERT_TRUE(reader.good());
  ASSERT_GT(reader.count(), 10'000u);
  auto pool = std::make_unique<Pool>();
  fill_pool(*pool, reader.pool_seed());
  Interpreter interpreter;
  Outcome silicon, ours;
  int failures = 0;
  for (u32 i = 0; i < reader.count() && failures < 20; ++i) {
    Case test;
    reader.next(*pool, test, silicon);
    ASSERT_TRUE(reader.good()) << "case " << i;
    Origin origin;
    ASSERT_EQ(interpreter.decoder().decode(test.code, user_mode(), origin.insn),
              tcg::DecodeStatus::kOk);
    origin.row = tcg::Decoder::row_of(origin.insn);
    ASSERT_TRUE(origin.row) << describe(test, *pool);
    interpreter.begin(*pool, {&test, 1});
    interpreter.run(test, origin.insn, ours);
    const std::string text = difference(origin, test, reader.maker(), silicon, ours);
    if (text.empty()) continue;
    ++failures;
    ADD_FAILURE() << "case " << i << ", " << origin.row->name << " (" << origin.row->text << ")"
                  << text << "\n"
                  << describe(test, *pool);
  }
}

}  // namespace
}  // namespace kite::oracle
