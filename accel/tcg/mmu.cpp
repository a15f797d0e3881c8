// Memory as instructions reach it: what the TLB learns of a page walk, and every access that it did
// not answer.
#include <algorithm>

#include "accel/tcg/code_cache.h"
#include "accel/tcg/cpu.h"
#include "accel/tcg/lockstep.h"
#include "accel/tcg/page_walk.h"
#include "accel/x86/registers.h"
#include "accel/x86/vectors.h"
#include "memory/dirty_log.h"

namespace kite::tcg {

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
  if (!PageWalk(*this, linear, access, privilege).walk(mapping)) return false;
  if (mapping.shift > 12) tlb.current().note_large(linear, mapping.shift);
  const u64 page = align_down(linear, kPageSize);
  result.writable = false;
  u8* host = PageWalk::host_page(*this, mapping.page, result.writable);
  result.gpa = mapping.page + linear % kPageSize;
  result.host = host ? host + linear % kPageSize : nullptr;
  const bool store_barred = !result.writable || (supervisor_stores_barred && cpl != 3);
  if (barred() && (!host || (access == Access::kWrite && store_barred))) [[unlikely]]
    return bar(), false;
  if (lockstep && (!host || (access == Access::kWrite && !result.writable))) [[unlikely]]
    lockstep->log().cannot_repeat();
  if (access == Access::kExecute) {
    ExecEntry& fetched =
        tlb.current().exec[privilege == Privilege::kUser][(page / kPageSize) % kExecEntries];
    fetched = {page, mapping.global, nullptr};
    tlb.current().fetched.add(fetched);
    return true;
  }
  if (!host) return true;
  TlbEntry& entry =
      tlb.current().data[static_cast<unsigned>(privilege)][(page / kPageSize) % kTlbEntries];
  tlb.current().filled.add(entry);
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
           !memory.dirty_log().active() &&
           !(supervisor_stores_barred && privilege != Privilege::kUser))
    entry.write = page;
  if (may_be_fast(host)) tlb.current().fill(static_cast<unsigned>(privilege), page, entry);
  if (lockstep) entry.write = TlbEntry::kNoPage;
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

namespace {

// An access that crosses into addresses that are not canonical faults for them before its first
// page is looked at. `second` is where its other page begins.
bool crosses_canonically(Cpu& cpu, u64 second, bool stack) {
  if (!cpu.long_mode() || cpu.canonical(second)) return true;
  cpu.raise_with_code(stack ? kStackFault : kGeneralProtection, 0);
  return false;
}

}  // namespace

bool Cpu::load_slow(u64 linear, void* to, unsigned size, bool stack) {
  if (alignment_checked_ && !aligned(linear, size, stack)) return false;
  auto* bytes = static_cast<u8*>(to);
  const unsigned first = std::min<unsigned>(size, kPageSize - linear % kPageSize);
  Translation where[2];
  if (first < size && !crosses_canonically(*this, linear + first, stack)) return false;
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
  if (first < size && !crosses_canonically(*this, linear + first, stack)) return false;
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
    if (lockstep) lockstep->log().note(where.host, size);
    guest_write_value(where.host, from, size);
    note_store(where.gpa, where.host, size);
  } else {
    memory.write(where.gpa, {from, size});
  }
}

bool Cpu::probe_write(u64 linear, unsigned size, bool stack) {
  if (alignment_checked_ && !aligned(linear, size, stack)) return false;
  Translation where;
  const u64 last = linear + size - 1;
  const bool crosses = linear / kPageSize != last / kPageSize;
  if (crosses && !crosses_canonically(*this, align_down(last, kPageSize), stack)) return false;
  if (!translate(linear, Access::kWrite, privilege_, where, stack)) return false;
  return !crosses ||
         translate(align_down(last, kPageSize), Access::kWrite, privilege_, where, stack);
}

bool Cpu::probe_read(u64 linear, unsigned size, bool stack) {
  if (alignment_checked_ && !aligned(linear, size, stack)) return false;
  Translation where;
  const u64 last = linear + size - 1;
  const bool crosses = linear / kPageSize != last / kPageSize;
  if (crosses && !crosses_canonically(*this, align_down(last, kPageSize), stack)) return false;
  if (!translate(linear, Access::kRead, privilege_, where, stack)) return false;
  return !crosses ||
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
