// A build without a sandbox; KITE_NO_SANDBOX says why.
#include "machine/sandbox.h"

namespace kite::sandbox {

std::string why_not() {
  return KITE_NO_SANDBOX;
}

Result<> prepare() {
  return fail(ErrorKind::kUnavailable, "no sandbox: {}", why_not());
}

Result<> enter(Thread) {
  return prepare();
}

void before_the_end(void (*)()) {}

}  // namespace kite::sandbox
