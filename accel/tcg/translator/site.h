// Site: a place in translated code from which the slow way is taken.
#pragma once

#include "accel/tcg/translator/memory_use.h"
#include "base/types.h"

namespace kite::tcg {

struct Block;

// Its number is in kValue when the slow way begins.
struct Site {
  enum class Kind : u8 {
    kInstruction,  // to be executed by its handler; then code goes on at `resume`
    kDeclined,     // the same, and it always comes here
    kX87,          // the x87 registers are to be made the host's; else as kInstruction
    kExit,         // the block is done: RIP is `target`, from the start of the page
    kLinkable,     // the same, by a jump that may go to another block instead
  };
  Block* block;
  i32 target;  // of an exit, from the start of the page; the jump to another page is behind a guard
  u32 resume;  // from the start of the code memory; if linkable, the displacement of its jump
  u32 next;    // of those that jump to the same block; 0: the last
  Kind kind;
  u8 held : 4;       // where it goes on, kScratch is this word of Frame::reused, or kNothingHeld
  bool vectors : 1;  // of an exit: the guest's vector registers are in the host's for sure
  u8 unlinked;     // if linkable: from behind the jump to where it goes while it is not, or kWayOut
  u8 ordinal : 6;  // of the instruction
  bool shares : 1;  // inside a SharedCheck, perhaps
  bool x87 : 1;     // code at `resume` expects the guest's x87 registers in the host's

  // While it is not linked, a CALL of CommonCode::exit stands in the jump's place.
  static constexpr u8 kWayOut = 0xff;
  bool is_way_out() const { return unlinked == kWayOut; }
};
// There are some for each block, and all are kept.
static_assert(sizeof(Site) == 24);

constexpr bool is_inside_page(i32 target) {
  return target >= 0 && target < static_cast<i32>(kPageSize);
}

inline constexpr u8 kNothingHeld = 15;
// Of a jump behind a guard: from behind the guard's value to its displacement; and a value that is
// never good, since pages and contexts are multiples of a page.
inline constexpr u32 kGuardToJump = 21;
inline constexpr u64 kClosedGuard = 1;

// A host instruction that may fault, from the start of the code memory, and its way out.
struct FaultPlace {
  u32 at;
  u32 site;
};

// A check that several accesses of a block share (reuse.cpp): the table's word for all from `low`
// up to `high` from the key. Frame::reused[slot] is that word, of RIP's the word and Frame::page,
// and leads to memory, from behind site `first` up to site `end`.
struct SharedCheck {
  Block* block;
  u32 first, end;
  AddressKey key;
  i32 low, high;
  u8 slot;
  bool write;
};

}  // namespace kite::tcg
