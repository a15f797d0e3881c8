#include "tests/paths.h"

namespace kite::paths {

const char* const kSource = KITE_SOURCE_DIR;
const char* const kProgram = KITE_PROGRAM;
const char* const kGuests = KITE_TESTS_DIR "/guests";
const char* const kBenchGuests = KITE_TESTS_DIR "/bench";
const char* const kBootInit = KITE_TESTS_DIR "/boot/init/init";
const char* const kBootCheck32 = KITE_TESTS_DIR "/boot/init/check_32";

}  // namespace kite::paths
