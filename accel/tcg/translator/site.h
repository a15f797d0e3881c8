// Site: a place in translated code from which the slow way is taken.
#pragma once

#include "base/types.h"

namespace kite::tcg {

struct Block;

// Its number is in kValue when the slow way begins.
struct Site {
  enum class Kind : u8 {
    // To be executed by its handler, and `target` more behind it; then code goes on at `resume`.
    kInstruction,
    kDeclined,  // the same, and it always comes here
    kExit,      // the block is done: RIP is `target`, from the start of the page
  };
  Block* block;
  i32 target;
  u32 resume;   // from the start of the code memory; of an exit: the displacement of its jump, or 0
  u32 next;     // of those that jump to the same block; 0: the last
  u16 ordinal;  // of the instruction
  Kind kind;
};

// A host instruction that may fault, from the start of the code memory, and its way out.
struct FaultPlace {
  u32 at;
  u32 site;
};

}  // namespace kite::tcg
