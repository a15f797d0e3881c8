// Paging and memory access: the page walk, what it allows, and every access that the TLB did not
// answer.
#include <algorithm>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu.h"
#include "accel/x86/paging.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "memory/dirty_log.h"

namespace kite::tcg {

namespace {

// What the walk learns of a page.
struct Mapping {
  Gpa page = 0;  // 4 KiB aligned
  unsigned shift = 12;
  bool writable = true, user = true, executable = true, global = false, dirty = true;
  bool keyed = false;  // a user page under CR4.PKE: PKRU says what data accesses may do
  u8 key = 0;
};

}  // namespace

// One walk through the page tables (SDM 3A 4.3 - 4.5).
class Mmu {
 public:
  Mmu(Cpu& cpu, u64 linear, Access access, Privilege privilege)
      : cpu_(cpu), linear_(linear), access_(access), privilege_(privilege) {}

  bool walk(Mapping& mapping);
  static u8* host_page(Cpu& cpu, Gpa page, bool& writable);

 private:
  enum class Walk : u8 { kDone, kFault, kAgain };
  bool fault(bool present, bool reserved = false, bool key = false);
  bool entry(Gpa table, unsigned index, unsigned size, u64& value, Gpa& where);
  bool step(u64 value, u64 reserved_bits, Mapping& mapping);
  Walk levels(unsigned count, unsigned size, Mapping& mapping);
  Walk leaf(u64 value, Gpa where, unsigned size, unsigned shift, Mapping& mapping);
  bool allowed(const Mapping& mapping) const;
  bool forbidden_by_key(const Mapping& mapping) const;
  Walk set_bits(Gpa where, unsigned size, u64 value, u64 bits);
  template <class T>
  bool exchange(u8* at, u64 value, u64 bits);
  bool is_write() const { return access_ == Access::kWrite; }

  Cpu& cpu_;
  u64 linear_;
  Access access_;
  Privilege privilege_;
};

u8* Mmu::host_page(Cpu& cpu, Gpa page, bool& writable) {
  const FlatRange* range = cpu.view.view().find(page);
  if (!range || range->last() - page < kPageSize - 1 || !range->region->host()) return nullptr;
  writable = range->region->kind() == Region::Kind::kRam;
  return range->region->host() + range->offset + (page - range->start);
}

bool Mmu::fault(bool present, bool reserved, bool key) {
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

bool Mmu::entry(Gpa table, unsigned index, unsigned size, u64& value, Gpa& where) {
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
bool Mmu::exchange(u8* at, u64 value, u64 bits) {
  T expected = static_cast<T>(value);
  return guest_compare_exchange<T>(at, expected, static_cast<T>(value | bits));
}

// Accessed and dirty bits are set in the entry that was walked or not at all: another processor may
// have replaced it meanwhile, and then the walk begins again.
Mmu::Walk Mmu::set_bits(Gpa where, unsigned size, u64 value, u64 bits) {
  bool writable = false;
  u8* host = host_page(cpu_, align_down(where, kPageSize), writable);
  if (!host || !writable) return Walk::kDone;
  u8* at = host + where % kPageSize;
  if (!(size == 8 ? exchange<u64>(at, value, bits) : exchange<u32>(at, value, bits)))
    return Walk::kAgain;
  cpu_.note_store(where, at, size);
  return Walk::kDone;
}

// Rights accumulate on the way down; reserved bits fault.
bool Mmu::step(u64 value, u64 reserved_bits, Mapping& mapping) {
  if (!(cpu_.efer & efer::kNxe)) reserved_bits |= pte::kNoExecute;
  if (value & reserved_bits) return fault(true, true);
  mapping.writable &= (value & pte::kWritable) != 0;
  mapping.user &= (value & pte::kUser) != 0;
  mapping.executable &= !(value & pte::kNoExecute);
  return true;
}

bool Mmu::allowed(const Mapping& mapping) const {
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
bool Mmu::forbidden_by_key(const Mapping& mapping) const {
  if (!mapping.keyed || access_ == Access::kExecute) return false;
  const u32 rights = pkru::rights(cpu_.fpu.pkru, mapping.key);
  if (rights & pkru::kAccessDisable) return true;
  return is_write() && (rights & pkru::kWriteDisable) &&
         (privilege_ == Privilege::kUser || (cpu_.cr0 & cr0::kWp));
}

Mmu::Walk Mmu::leaf(u64 value, Gpa where, unsigned size, unsigned shift, Mapping& mapping) {
  mapping.keyed = mapping.user && (cpu_.cr4 & cr4::kPke) && cpu_.long_mode();
  if (mapping.keyed) mapping.key = static_cast<u8>(value >> pte::kKeyShift & 15);
  const bool key_fault = forbidden_by_key(mapping);
  if (key_fault || !allowed(mapping)) {
    fault(true, false, key_fault);
    return Walk::kFault;
  }
  const u64 wanted = pte::kAccessed | (is_write() ? pte::kDirty : 0);
  if ((value & wanted) != wanted && set_bits(where, size, value, wanted) == Walk::kAgain)
    return Walk::kAgain;
  mapping.shift = shift;
  mapping.dirty = is_write() || (value & pte::kDirty);
  mapping.global = (value & pte::kGlobal) && (cpu_.cr4 & cr4::kPge);
  u64 address = value & pte::kAddress;
  if (size == 4 && shift == 22)  // PSE-36 (SDM 3A 4.3)
    address = (value & 0xffc00000) | bits(value, 20, 13) << 32;
  mapping.page = align_down(address, bit(shift)) | (linear_ & (bit(shift) - 1) & ~(kPageSize - 1));
  return Walk::kDone;
}

// `count` levels of tables with entries of `size` bytes.
Mmu::Walk Mmu::levels(unsigned count, unsigned size, Mapping& mapping) {
  const unsigned width = size == 8 ? 9 : 10;
  Gpa table = count == 4  ? cpu_.cr3 & pte::kAddress
              : size == 8 ? cpu_.cr3 & 0xffffffe0
                          : cpu_.cr3 & 0xfffff000;
  const u64 above =
      size == 8 ? bits(~u64{0}, 51, 0) & ~(bit(cpu_.model.physical_address_bits) - 1) : 0;
  for (unsigned level = count; level-- > 0;) {
    const unsigned shift = 12 + width * level;
    const bool pdpte = count == 3 && level == 2;  // PAE: no rights, two bits of index
    u64 value;
    Gpa where;
    const unsigned index =
        static_cast<unsigned>(linear_ >> shift) & (pdpte ? 3 : (1u << width) - 1);
    if (pdpte) {
      table = cpu_.pdptes[index] & pte::kAddress;
      if (!(cpu_.pdptes[index] & pte::kPresent)) return fault(false), Walk::kFault;
      continue;
    }
    if (!entry(table, index, size, value, where)) return Walk::kFault;
    const bool large_allowed =
        level == 1 ? size == 8 || (cpu_.cr4 & cr4::kPse) : level == 2 && count == 4;
    const bool large = level > 0 && (value & pte::kLarge) && large_allowed;
    u64 reserved = above;
    const bool gibibyte = level == 2 && count == 4 && (value & pte::kLarge);
    if (level == 3 || (gibibyte && !cpu_.model.has(Feature::kPage1gb))) reserved |= pte::kLarge;
    if (count == 3) reserved |= bits(~u64{0}, 62, 52) << 52;
    if (large && size == 8) reserved |= (bit(shift) - 1) & ~u64{0x1fff};
    // A 4 MiB page: bits 20:13 are the address's 39:32 with PSE-36 (SDM 3A table 4-4).
    if (large && size == 4)
      reserved |= cpu_.model.has(Feature::kPse36) ? bit(21) : bit(22) - bit(13);
    if (!step(value, reserved, mapping)) return Walk::kFault;
    if (large || level == 0) return leaf(value, where, size, shift, mapping);
    if (!(value & pte::kAccessed) &&
        set_bits(where, size, value, pte::kAccessed) == Walk::kAgain)
      return Walk::kAgain;
    table = value & (size == 8 ? pte::kAddress : 0xfffff000);
  }
  return Walk::kFault;
}

bool Mmu::walk(Mapping& mapping) {
  if (!(cpu_.cr0 & cr0::kPg)) {
    mapping.page = align_down(linear_, kPageSize);
    return true;
  }
  const unsigned count = cpu_.long_mode() ? 4 : cpu_.cr4 & cr4::kPae ? 3 : 2;
  Walk walked;
  do {
    mapping = {};
    walked = levels(count, count == 2 ? 4 : 8, mapping);
  } while (walked == Walk::kAgain);
  return walked == Walk::kDone;
}

bool Cpu::translate(u64 linear, Access access, Privilege privilege, Translation& result,
                    bool stack) {
  if (code64() || long_mode()) {
    if (!canonical(linear)) {
      raise_with_code(stack ? kStackFault : kGeneralProtection, 0);
      return false;
    }
  } else {
    linear &= 0xffffffff;
  }
  Mapping mapping;
  if (!Mmu(*this, linear, access, privilege).walk(mapping)) return false;
  if (mapping.shift > 12) tlb.current().note_large(linear, mapping.shift);
  const u64 page = align_down(linear, kPageSize);
  result.writable = false;
  u8* host = Mmu::host_page(*this, mapping.page, result.writable);
  result.gpa = mapping.page + linear % kPageSize;
  result.host = host ? host + linear % kPageSize : nullptr;
  if (access == Access::kExecute) {
    tlb.current().exec[privilege == Privilege::kUser][(page / kPageSize) % kExecEntries] = {
        page, mapping.global, nullptr};
    return true;
  }
  if (!host) return true;
  TlbEntry& entry =
      tlb.current().data[static_cast<unsigned>(privilege)][(page / kPageSize) % kTlbEntries];
  entry.read = page;
  entry.write = TlbEntry::kNoPage;
  entry.addend = reinterpret_cast<u64>(host) - page;
  entry.page = mapping.page | (mapping.global ? TlbEntry::kGlobal : 0) |
               u64{mapping.key} << TlbEntry::kKeyShift;
  const bool read_only =
      !mapping.writable ||
      (mapping.keyed && (pkru::rights(fpu.pkru, mapping.key) & pkru::kWriteDisable));
  if (mapping.keyed) tlb.current().keys |= static_cast<u16>(1u << mapping.key);
  const bool may_write = !read_only || (privilege != Privilege::kUser && !(cr0 & cr0::kWp));
  if (dr7 & dr7::kEnables)
    entry.read = TlbEntry::kNoPage;  // every access is looked at
  else if (may_write && mapping.dirty && result.writable && !has_code(mapping.page) &&
           !memory.dirty_log().active())
    entry.write = page;
  return true;
}

// What each size must be a multiple of under CR0.AM (SDM 3A table 6-7); 16 bytes and more have
// their own rule or none.
bool Cpu::aligned(u64 linear, unsigned size, bool stack) {
  unsigned unit = 1;
  if (size == 2 || size == 14 || size == 94) unit = 2;
  if (size == 4 || size == 28 || size == 108) unit = 4;
  if (size == 8 || size == 10) unit = 8;
  if (linear % unit == 0) return true;
  // Ahead of a page fault, behind the canonical check: as processors do.
  const bool reachable = !long_mode() || canonical(linear);
  raise_with_code(reachable ? kAlignmentCheck : stack ? kStackFault : kGeneralProtection, 0);
  return false;
}

bool Cpu::load_slow(u64 linear, void* to, unsigned size, bool stack) {
  if (alignment_checked_ && !aligned(linear, size, stack)) return false;
  auto* bytes = static_cast<u8*>(to);
  const unsigned first = std::min<unsigned>(size, kPageSize - linear % kPageSize);
  Translation where[2];
  if (!translate(linear, Access::kRead, privilege_, where[0], stack)) return false;
  if (first < size && !translate(linear + first, Access::kRead, privilege_, where[1], stack))
    return false;
  const unsigned length[2] = {first, size - first};
  for (int i = 0; i < 2 && length[i]; ++i) {
    if (where[i].host)
      guest_read_value(bytes, where[i].host, length[i]);
    else
      memory.read(where[i].gpa, {bytes, length[i]});
    bytes += length[i];
  }
  watch(linear, size, Access::kRead);
  return true;
}

bool Cpu::store_slow(u64 linear, const void* from, unsigned size, bool stack) {
  if (alignment_checked_ && !aligned(linear, size, stack)) return false;
  const auto* bytes = static_cast<const u8*>(from);
  const unsigned first = std::min<unsigned>(size, kPageSize - linear % kPageSize);
  Translation where[2];
  if (!translate(linear, Access::kWrite, privilege_, where[0], stack)) return false;
  if (first < size && !translate(linear + first, Access::kWrite, privilege_, where[1], stack))
    return false;
  const unsigned length[2] = {first, size - first};
  for (int i = 0; i < 2 && length[i]; ++i) {
    store_physical(where[i], bytes, length[i]);
    bytes += length[i];
  }
  watch(linear, size, Access::kWrite);
  return true;
}

void Cpu::store_physical(const Translation& where, const u8* from, unsigned size) {
  if (where.host && where.writable) {
    guest_write_value(where.host, from, size);
    note_store(where.gpa, where.host, size);
  } else {
    memory.write(where.gpa, {from, size});
  }
}

bool Cpu::probe_write(u64 linear, unsigned size, bool stack) {
  if (alignment_checked_ && !aligned(linear, size, stack)) return false;
  Translation where;
  if (!translate(linear, Access::kWrite, privilege_, where, stack)) return false;
  const u64 last = linear + size - 1;
  return linear / kPageSize == last / kPageSize ||
         translate(align_down(last, kPageSize), Access::kWrite, privilege_, where, stack);
}

bool Cpu::probe_read(u64 linear, unsigned size, bool stack) {
  if (alignment_checked_ && !aligned(linear, size, stack)) return false;
  Translation where;
  if (!translate(linear, Access::kRead, privilege_, where, stack)) return false;
  const u64 last = linear + size - 1;
  return linear / kPageSize == last / kPageSize ||
         translate(align_down(last, kPageSize), Access::kRead, privilege_, where, stack);
}

namespace {

// Calls `piece(translation, offset, length)` for the one or two pages that a system access touches.
template <class Piece>
bool system_access(Cpu& cpu, u64 linear, unsigned size, Access access, Piece piece) {
  for (unsigned done = 0; done < size;) {
    const unsigned length =
        std::min<unsigned>(size - done, kPageSize - (linear + done) % kPageSize);
    Cpu::Translation where;
    if (!cpu.translate(linear + done, access, Privilege::kSupervisor, where)) return false;
    piece(where, done, length);
    done += length;
  }
  return true;
}

}  // namespace

bool Cpu::system_load(u64 linear, void* to, unsigned size) {
  auto* bytes = static_cast<u8*>(to);
  return system_access(*this, linear, size, Access::kRead,
                       [&](const Translation& where, unsigned offset, unsigned length) {
                         if (where.host)
                           guest_read_value(bytes + offset, where.host, length);
                         else
                           memory.read(where.gpa, {bytes + offset, length});
                       });
}

bool Cpu::system_store(u64 linear, const void* from, unsigned size) {
  const auto* bytes = static_cast<const u8*>(from);
  return system_access(*this, linear, size, Access::kWrite,
                       [&](const Translation& where, unsigned offset, unsigned length) {
                         store_physical(where, bytes + offset, length);
                       });
}

void Cpu::write_pkru(u32 value) {
  u16 changed = 0;
  for (unsigned key = 0; key < 16; ++key)
    if (pkru::rights(value ^ fpu.pkru, key)) changed |= static_cast<u16>(1u << key);
  fpu.pkru = value;
  tlb.flush_keys(changed);
}

bool Cpu::system_probe(u64 linear, unsigned size, Access access) {
  return system_access(*this, linear, size, access, [](const Translation&, unsigned, unsigned) {});
}

void Cpu::invalidate_page(u64 linear) {
  serialize();
  const u64 page = align_down(linear, kPageSize);
  tlb.flush_page(page);
  code->forget_page(page);
}

void Cpu::invalidate_page_of(u16 pcid, u64 linear) {
  serialize();
  const u64 page = align_down(linear, kPageSize);
  tlb.flush_page_of(pcid, page);
  code->forget_page(page);
}

// Data breakpoints (SDM 3A 17.2.4): while any is enabled the TLB holds nothing, so every access
// comes here.
void Cpu::watch(u64 linear, unsigned size, Access access) {
  if (!(dr7 & dr7::kEnables)) [[likely]]
    return;
  constexpr unsigned kLengths[] = {1, 2, 8, 4};
  for (unsigned n = 0; n < 4; ++n) {
    if (!(dr7 >> (2 * n) & 3)) continue;
    const u8 condition = dr7::condition(dr7, n);
    if (condition != dr7::kReadWrite && !(condition == dr7::kWrite && access == Access::kWrite))
      continue;
    const unsigned length = kLengths[dr7::length_field(dr7, n)];
    const u64 start = align_down(dr[n], length);
    if (linear < start + length && start < linear + size) pending_debug |= dr6::kB0 << n;
  }
}

}  // namespace kite::tcg
