// With KITE_TRANSLATE_AT_ONCE set, the tests of this program run translated code wherever there can
// be any; without, code that runs once is left to its handlers.
#include <cstdlib>

#include "accel/tcg/translator/translator.h"

namespace kite::tcg {
namespace {

[[maybe_unused]] const bool kAtOnce = [] {
  const bool at_once = std::getenv("KITE_TRANSLATE_AT_ONCE") != nullptr;
  if (at_once) Translator::runs_before = 0;
  return at_once;
}();

}  // namespace
}  // namespace kite::tcg
