#include "accel/tcg/flat_memory.h"

namespace kite::tcg {

struct FlatMemory::Guards {};

FlatMemory::FlatMemory() = default;
FlatMemory::~FlatMemory() = default;
void FlatMemory::add(const FlatView&) {}

}  // namespace kite::tcg
