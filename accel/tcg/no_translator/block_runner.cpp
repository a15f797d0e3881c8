#include "accel/tcg/block_runner.h"

namespace kite::tcg {

namespace {

tl::unexpected<Error> none() {
  return fail(ErrorKind::kUnavailable, "this build has no translator");
}

}  // namespace

Result<> check_translator() {
  return none();
}

Result<> prepare_block_runners() {
  return none();
}

Result<std::unique_ptr<BlockRunner>> make_block_runner(Cpu&, CodeMemory, TableKind) {
  return none();
}

}  // namespace kite::tcg
