#include "accel/tcg/block_runner.h"

namespace kite::tcg {

Result<std::unique_ptr<BlockRunner>> make_block_runner(Cpu&, std::size_t) {
  return fail(ErrorKind::kUnavailable, "there is no translator for this host's processor");
}

}  // namespace kite::tcg
