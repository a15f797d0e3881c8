// StoreLog: what one block has stored, so that it can be undone (Lockstep).
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace kite::tcg {

// While a processor has one, the interpreter's TLB holds no permission to store, so that every
// store comes to where it is noted; the tables of translated code hold theirs.
class StoreLog {
 public:
  // From now on, until end().
  void begin();
  void end() { recording_ = false; }

  // [host, host + size) is about to be stored to.
  void note(const u8* host, unsigned size);
  // Something happens that cannot happen twice: a device is reached.
  void cannot_repeat() { repeatable_ = false; }
  // A page walk has set bits of a table's entry, as it will not do again: nothing that was stored
  // to in this block may be one.
  void note_walk(const u8* host, unsigned size);
  bool repeatable() const { return repeatable_; }

  // Keeps what is in memory now, at the places that were noted.
  void keep();
  // Puts back what was there before; what was kept.
  void undo() const;
  void redo() const;

  // Is memory, at the places that were noted, what was kept?
  bool matches();
  // A line for each place where it is not.
  std::string differences() const;

 private:
  struct Store {
    u8* host;
    u32 size;
    u32 offset;  // of its bytes in before_ and kept_
  };

  bool recording_ = false;
  bool repeatable_ = true;
  std::vector<Store> stores_;
  std::vector<u8> before_, kept_, now_;
};

}  // namespace kite::tcg
