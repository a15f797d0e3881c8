// Locked accesses that the TLB did not answer, or that are misaligned (SDM 3A 8.1.2).
#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu.h"
#include "accel/tcg/lockstep.h"
#include "memory/dirty_log.h"

namespace kite::tcg {

bool Cpu::locate_locked_slow(u64 linear, unsigned size, LockedPlace& place, bool stack) {
  Translation where;
  if (alignment_checked_ && !aligned(linear, size, stack)) return false;
  if (!translate(linear, Access::kWrite, privilege_, where, stack)) return false;
  place = {LockedPlace::Way::kDevice, true, where.gpa, where.host};
  const u64 last_page = align_down(linear + size - 1, kPageSize);
  const bool crossing = last_page != align_down(linear, kPageSize);
  if (crossing) {
    Translation last;
    if (!translate(last_page, Access::kWrite, privilege_, last, stack)) return false;
  }
  if (!where.host || !where.writable) return true;
  if (!crossing && linear % size == 0 && size <= kLargestGuestExchange)
    place.way = LockedPlace::Way::kExchange;
  else if (processors.code.shared())
    place.way = LockedPlace::Way::kExclusive;
  if (lockstep && place.way == LockedPlace::Way::kExchange) lockstep->log().note(where.host, size);
  return true;
}

void Cpu::locked_stored(const LockedPlace& place, u64 linear, unsigned size) {
  note_store(place.gpa, place.host, size);
  watch(linear, size, Access::kWrite);
}

Cpu::Exchange Cpu::system_exchange(u64 linear, u8& expected, u8 desired) {
  Translation where;
  if (!translate(linear, Access::kWrite, Privilege::kSupervisor, where)) return Exchange::kFault;
  if (!where.host || !where.writable) {
    store_physical(where, &desired, 1);
    return Exchange::kDone;
  }
  if (lockstep) lockstep->log().note(where.host, 1);
  if (!guest_compare_exchange<u8>(where.host, expected, desired)) return Exchange::kChanged;
  note_store(where.gpa, where.host, 1);
  return Exchange::kDone;
}

bool Cpu::has_code(Gpa page) const {
  return code->has_code(page) || (processors.code.shared() && processors.code.has_code(page));
}

void Cpu::note_store(Gpa gpa, u8* host, unsigned size) {
  if (code->has_code(align_down(gpa, kPageSize))) code->written(gpa, size);
  if (processors.code.shared()) processors.code.written(gpa, size, code->number());
  if (memory.dirty_log().active()) memory.dirty_log().mark(host, size);
}

}  // namespace kite::tcg
