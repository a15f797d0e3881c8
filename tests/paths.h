// Where this source tree and what was built from it are. Only paths.cpp is compiled with folders'
// names, so that a compiler cache serves every other file to a tree in another folder.
#pragma once

namespace kite::paths {

extern const char* const kSource;       // the tree
extern const char* const kProgram;      // kite
extern const char* const kGuests;       // the folder of tests/guests' images
extern const char* const kBenchGuests;  // of tests/bench/guests' images
extern const char* const kBootInit;     // tests/boot/init's programs
extern const char* const kBootCheck32;

}  // namespace kite::paths
