// PageWalk: one walk through the guest's page tables (SDM 3A 4.3 - 4.5).
#pragma once

#include "accel/tcg/cpu.h"

namespace kite::tcg {

// What the walk learns of a page.
struct Mapping {
  Gpa page = 0;  // 4 KiB aligned
  unsigned shift = 12;
  bool writable = true, user = true, executable = true, global = false, dirty = true;
  bool keyed = false;  // a user page under CR4.PKE: PKRU says what data accesses may do
  u8 key = 0;
};

class PageWalk {
 public:
  PageWalk(Cpu& cpu, u64 linear, Access access, Privilege privilege)
      : cpu_(cpu), linear_(linear), access_(access), privilege_(privilege) {}

  bool walk(Mapping& mapping);
  static u8* host_page(Cpu& cpu, Gpa page, bool& writable);

 private:
  enum class Step : u8 { kDone, kFault, kAgain };
  struct Tables {
    unsigned levels;  // 2; 3: PAE; 4; 5
    unsigned size;    // of an entry, in bytes
    Gpa root;
    unsigned bits() const { return size == 8 ? 9 : 10; }  // of the address, at each level
    unsigned shift(unsigned level) const { return 12 + bits() * level; }
    unsigned index(u64 linear, unsigned level) const {
      return static_cast<unsigned>(linear >> shift(level)) & ((1u << bits()) - 1);
    }
  };
  bool fault(bool present, bool reserved = false, bool key = false);
  bool entry(Gpa table, unsigned index, unsigned size, u64& value, Gpa& where);
  bool step(u64 value, u64 reserved_bits, Mapping& mapping);
  u64 reserved(const Tables& tables, unsigned level, u64 value, bool large) const;
  Step descend(const Tables& tables, Mapping& mapping);
  Step leaf(u64 value, Gpa where, unsigned size, unsigned shift, Mapping& mapping);
  bool allowed(const Mapping& mapping) const;
  bool forbidden_by_key(const Mapping& mapping) const;
  Step set_bits(Gpa where, unsigned size, u64 value, u64 bits);
  template <class T>
  bool exchange(u8* at, u64 value, u64 bits);
  bool is_write() const { return access_ == Access::kWrite; }

  Cpu& cpu_;
  u64 linear_;
  Access access_;
  Privilege privilege_;
};

}  // namespace kite::tcg
