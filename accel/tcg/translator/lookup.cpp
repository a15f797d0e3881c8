// From a linear address to the host's memory, by the tables of the running address space.
#include <algorithm>

#include "accel/tcg/translator/block_writer.h"

namespace kite::tcg {

void BlockWriter::look_up(Host linear, i32 low, i32 high, bool write) {
  held_ = kNothingHeld;
  if (common_.tables == TableKind::kFlat)
    look_up_flat(linear, low, high, write);
  else
    look_up_hashed(linear, low, high, write);
}

void BlockWriter::look_up_flat(Host linear, i32 low, i32 high, bool write) {
  const auto page_of = [&](Host to, i32 offset) {
    if (offset) code_.lea(to, {linear, Host::kRsp, 0, offset});
    code_.rorx(to, offset ? to : linear, 12);
  };
  page_of(kValue, low);
  if (high - low > 1) {
    page_of(kScratch, high - 1);
    code_.lea32(kScratch, {kScratch, kValue});
  } else {
    code_.lea32(kScratch, {kValue, kValue});
  }
  Host table = kReadTable;
  if (write) code_.mov(table = kValue, KITE_FRAME(write_table));
  code_.mov(kScratch, {table, kScratch, 3});
}

// As HashedTable's head has it. Either table's address is a count of 12.
void BlockWriter::look_up_hashed(Host linear, i32 low, i32 high, bool write) {
  if (low) code_.lea(kValue, {linear, Host::kRsp, 0, low});
  code_.shrx(kValue, low ? kValue : linear, kReadTable);
  code_.movzx16(kValue, kValue);
  code_.lea32(kValue, {kValue, kValue});
  HostOperand entry{kReadTable, kValue, 3};
  if (write) {
    code_.mov(kScratch, KITE_FRAME(write_table));
    code_.lea(kValue, {kScratch, kValue, 3});
    entry = {kValue};
  }
  entry.displacement = HashedTable::kTag;
  code_.mov(kScratch, entry);
  code_.lea(kScratch, {linear, kScratch, 0, std::max(high, low + 1) - 1});
  code_.shrx(kScratch, kScratch, kReadTable);
  u8* found = code_.jrcxz();
  if (write)
    code_.lea(kValue, {kReadTable, Host::kRsp, 0, 16 * HashedTable::kEntries});
  else
    code_.mov32(kValue, 2 * HashedTable::kEntries);
  Emitter::bind8(found, code_.at());
  entry.displacement = HashedTable::kWord;
  code_.mov(kScratch, entry);
}

}  // namespace kite::tcg
