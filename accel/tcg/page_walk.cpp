#include "accel/tcg/page_walk.h"

#include "accel/tcg/lockstep.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"

namespace kite::tcg {

u8* PageWalk::host_page(Cpu& cpu, Gpa page, bool& writable) {
  const FlatRange* range = cpu.view.view().find(page);
  if (!range || range->last() - page < kPageSize - 1 || !range->region->host()) return nullptr;
  writable = range->region->kind() == Region::Kind::kRam;
  return range->region->host() + range->offset + (page - range->start);
}

bool PageWalk::fault(bool present, bool reserved, bool key) {
  u32 code = 0;
  if (present) code |= page_fault::kPresent;
  if (is_write()) code |= page_fault::kWrite;
  if (privilege_ == Privilege::kUser) code |= page_fault::kUser;
  if (reserved) code |= page_fault::kReserved;
  if (key) code |= page_fault::kProtectionKey;
  const bool reports_fetch = (cpu_.efer & efer::kNxe) || (cpu_.cr4 & cr4::kSmep);
  if (access_ == Access::kExecute && reports_fetch) code |= page_fault::kFetch;
  cpu_.cr2 = linear_;
  cpu_.raise_with_code(kPageFault, code);
  return false;
}

bool PageWalk::entry(Gpa table, unsigned index, unsigned size, u64& value, Gpa& where) {
  where = table + index * size;
  bool writable;
  if (const u8* host = host_page(cpu_, align_down(where, kPageSize), writable)) {
    const u8* at = host + where % kPageSize;
    value = size == 8 ? guest_load<u64>(at) : guest_load<u32>(at);
  } else {
    value = cpu_.memory.read_value(where, size);
  }
  return (value & pte::kPresent) || fault(false);
}

template <class T>
bool PageWalk::exchange(u8* at, u64 value, u64 bits) {
  T expected = static_cast<T>(value);
  return guest_compare_exchange<T>(at, expected, static_cast<T>(value | bits));
}

// Accessed and dirty bits are set in the entry that was walked or not at all: another processor may
// have replaced it meanwhile, and then the walk begins again.
PageWalk::Step PageWalk::set_bits(Gpa where, unsigned size, u64 value, u64 bits) {
  bool writable = false;
  u8* host = host_page(cpu_, align_down(where, kPageSize), writable);
  if (!host || !writable) return Step::kDone;
  u8* at = host + where % kPageSize;
  if (!(size == 8 ? exchange<u64>(at, value, bits) : exchange<u32>(at, value, bits)))
    return Step::kAgain;
  cpu_.note_store(where, at, size);
  if (cpu_.lockstep) cpu_.lockstep->log().note_walk(at, size);
  return Step::kDone;
}

// Rights accumulate on the way down; reserved bits fault.
bool PageWalk::step(u64 value, u64 reserved_bits, Mapping& mapping) {
  if (!(cpu_.efer & efer::kNxe)) reserved_bits |= pte::kNoExecute;
  if (value & reserved_bits) return fault(true, true);
  mapping.writable &= (value & pte::kWritable) != 0;
  mapping.user &= (value & pte::kUser) != 0;
  mapping.executable &= !(value & pte::kNoExecute);
  return true;
}

bool PageWalk::allowed(const Mapping& mapping) const {
  const bool user_access = privilege_ == Privilege::kUser;
  if (user_access && !mapping.user) return false;
  if (is_write() && !mapping.writable && (user_access || (cpu_.cr0 & cr0::kWp))) return false;
  if (access_ == Access::kExecute) {
    if (!mapping.executable) return false;
    return user_access || !mapping.user || !(cpu_.cr4 & cr4::kSmep);
  }
  return user_access || !mapping.user || !(cpu_.cr4 & cr4::kSmap) ||
         privilege_ == Privilege::kSupervisorAc;
}

// Protection keys hold for data accesses to user pages, whoever makes them; a write by the
// supervisor only with CR0.WP (SDM 3A 4.6.2).
bool PageWalk::forbidden_by_key(const Mapping& mapping) const {
  if (!mapping.keyed || access_ == Access::kExecute) return false;
  const u32 rights = pkru::rights(cpu_.fpu.pkru, mapping.key);
  if (rights & pkru::kAccessDisable) return true;
  return is_write() && (rights & pkru::kWriteDisable) &&
         (privilege_ == Privilege::kUser || (cpu_.cr0 & cr0::kWp));
}

PageWalk::Step PageWalk::leaf(u64 value, Gpa where, unsigned size, unsigned shift,
                              Mapping& mapping) {
  mapping.keyed = mapping.user && (cpu_.cr4 & cr4::kPke) && cpu_.long_mode();
  if (mapping.keyed) mapping.key = static_cast<u8>(value >> pte::kKeyShift & 15);
  const bool key_fault = forbidden_by_key(mapping);
  if (key_fault || !allowed(mapping)) {
    fault(true, false, key_fault);
    return Step::kFault;
  }
  const u64 wanted = pte::kAccessed | (is_write() ? pte::kDirty : 0);
  if ((value & wanted) != wanted && set_bits(where, size, value, wanted) == Step::kAgain)
    return Step::kAgain;
  mapping.shift = shift;
  mapping.dirty = is_write() || (value & pte::kDirty);
  mapping.global = (value & pte::kGlobal) && (cpu_.cr4 & cr4::kPge);
  u64 address = value & pte::kAddress;
  if (size == 4 && shift == 22)  // PSE-36 (SDM 3A 4.3)
    address = (value & 0xffc00000) | bits(value, 20, 13) << 32;
  mapping.page = align_down(address, bit(shift)) | (linear_ & (bit(shift) - 1) & ~(kPageSize - 1));
  return Step::kDone;
}

// Bits of the entry at `level` (0: a PTE) that must be clear, but for the NX bit (SDM 3A 4.3
// - 4.5).
u64 PageWalk::reserved(const Tables& tables, unsigned level, u64 value, bool large) const {
  const u64 offset = bit(tables.shift(level));
  // A 4 MiB page: bits 20:13 are the address's 39:32 with PSE-36 (SDM 3A table 4-4).
  if (tables.size == 4)
    return !large ? 0 : cpu_.model.has(Feature::kPse36) ? bit(21) : offset - bit(13);
  u64 reserved = bit(52) - bit(cpu_.model.physical_address_bits);
  if (tables.levels == 3) reserved |= bit(63) - bit(52);
  if (large) reserved |= offset - bit(13);
  const bool gibibyte = level == 2 && (value & pte::kLarge);
  if (level > 2 || (gibibyte && !cpu_.model.has(Feature::kPage1gb))) reserved |= pte::kLarge;
  return reserved;
}

PageWalk::Step PageWalk::descend(const Tables& tables, Mapping& mapping) {
  Gpa table = tables.root;
  unsigned level = tables.levels;
  if (tables.levels == 3) {  // a PDPTE, in the processor since CR3 was loaded: no rights
    const u64 pdpte = cpu_.pdptes[bits(linear_, 31, 30)];
    if (!(pdpte & pte::kPresent)) return fault(false), Step::kFault;
    table = pdpte & pte::kAddress;
    level = 2;
  }
  while (level-- > 0) {
    u64 value;
    Gpa where;
    if (!entry(table, tables.index(linear_, level), tables.size, value, where)) return Step::kFault;
    const bool may_be_large = level == 1 ? tables.size == 8 || (cpu_.cr4 & cr4::kPse) : level == 2;
    const bool large = may_be_large && (value & pte::kLarge);
    if (!step(value, reserved(tables, level, value, large), mapping)) return Step::kFault;
    if (large || level == 0) return leaf(value, where, tables.size, tables.shift(level), mapping);
    if (!(value & pte::kAccessed) &&
        set_bits(where, tables.size, value, pte::kAccessed) == Step::kAgain)
      return Step::kAgain;
    table = value & (tables.size == 8 ? pte::kAddress : 0xfffff000);
  }
  return Step::kFault;
}

bool PageWalk::walk(Mapping& mapping) {
  if (!(cpu_.cr0 & cr0::kPg)) {
    mapping.page = align_down(linear_, kPageSize);
    return true;
  }
  Tables tables{2, 4, cpu_.cr3 & 0xfffff000};
  if (cpu_.long_mode())
    tables = {cpu_.cr4 & cr4::kLa57 ? 5u : 4u, 8, cpu_.cr3 & pte::kAddress};
  else if (cpu_.cr4 & cr4::kPae)
    tables = {3, 8, 0};
  Step walked;
  do {
    mapping = {};
    walked = descend(tables, mapping);
  } while (walked == Step::kAgain);
  return walked == Step::kDone;
}

}  // namespace kite::tcg
